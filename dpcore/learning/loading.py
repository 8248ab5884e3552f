"""TensorFlow, loaded without what it would load for nobody: a quarter of the time that a run takes to begin.

It looks for JAX (for models on phones) and for pandas (for tables that are handed to Keras), and does without either
where there is none. Whoever needs them can import them afterwards.
"""

import sys

_UNUSED = [name for name in ("jax", "pandas") if name not in sys.modules]

sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # to import one is then a ModuleNotFoundError
try:
    import tensorflow as tf
finally:
    for _name in _UNUSED:
        del sys.modules[_name]

__all__ = ["tf"]
