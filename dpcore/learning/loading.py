"""TensorFlow, set up before its first use, and loaded without what it would load for nobody.

It looks for JAX (for models on phones) and for pandas (for tables that are handed to Keras), and does without either
where there is none: a quarter of the time that a run takes to begin. Whoever needs them can import them afterwards.
"""

import gc
import sys

_UNUSED = [name for name in ("jax", "pandas") if name not in sys.modules]

sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # to import one is then a ModuleNotFoundError
gc.disable()  # all of it stays: going through it again and again was a seventh of the time
try:
    import tensorflow as tf
finally:
    gc.enable()
    gc.freeze()
    for _name in _UNUSED:
        del sys.modules[_name]

# Threads take a part each (clients, examples) and compute it alone: less to wait for than many threads in
# each small product, and sums in an order that no scheduling changes.
tf.config.threading.set_intra_op_parallelism_threads(1)
# What `dpcore.mechanisms.clipping` proves is for products in float32; some processors shorten their factors.
tf.config.experimental.enable_tensor_float_32_execution(False)

__all__ = ["tf"]
