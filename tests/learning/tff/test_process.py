import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it starts in the background
from dpcore.learning.tff import process as tff_process
tff_process.start()
tff_process.start()  # lets go of the first
print("both")
"""


def test_a_second_runtime_does_not_wait_for_the_first_where_sigint_is_ignored():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=400)
    assert done.stdout == "both\n", done.stderr
    assert done.returncode == 0
