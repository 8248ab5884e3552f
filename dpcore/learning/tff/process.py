"""TFF's runtime in this process, made fit for a long job.

TFF computes in a child, `worker_binary`. As shipped it outlives Python, keeps its standard output open, and
keeps an executor for every size of cohort it has seen (some 60 MB a round with Poisson sampling). Here it
dies with the thread that started it, writes nowhere, and forgets a size when its round is done.
"""

import atexit
import os
import shutil
import subprocess
import types

import tensorflow_federated as tff
from tensorflow_federated.python.core.impl.executor_stacks import executor_factory


class _DyingWithParent(subprocess.Popen):
    """Starts a program that the kernel kills when the thread that started it ends, however it ends."""

    def __init__(self, command, **options):
        # TFF passes Python's own streams; a pipe that the child kept would never see its end.
        options |= dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise RuntimeError(
                "Expected the command setpriv (package util-linux): without it TFF's worker outlives us."
            )
        super().__init__([setpriv, "--pdeathsig", "KILL", "--", *command], **options)
        atexit.register(self.wait)  # a normal exit leaves nothing to the kernel

    def wait(self, timeout=None):
        """Ends it first: TFF sends it SIGINT and waits, for ever where that signal is ignored."""
        self.kill()
        return super().wait(timeout)


def start() -> "Runtime":
    """Starts TFF's worker from this thread, which must live as long as the runtime is used."""
    # TFF looks up `subprocess.Popen` in this one module; it offers no other way in.
    executor_factory.subprocess = types.SimpleNamespace(Popen=_DyingWithParent, DEVNULL=subprocess.DEVNULL)
    context = tff.backends.native.create_sync_local_cpp_execution_context(
        max_concurrent_computation_calls=os.cpu_count() or 1
    )
    context.executor_factory.create_executor({})  # now, and not later in a thread of TFF's own
    tff.framework.set_default_context(context)
    return Runtime(context)


class Runtime:
    """A handle on TFF's executors."""

    def __init__(self, context):
        self._executors = context.executor_factory

    def forget(self, cohort_size: int) -> None:
        """Frees what the worker keeps for cohorts of this size."""
        self._executors.clean_up_executor({tff.CLIENTS: cohort_size})
