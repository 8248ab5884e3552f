import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from dpcore.learning.models import graphs
assert not {"jax", "pandas"} & set(sys.modules)
import jax, pandas
"""


def test_tensorflow_comes_without_what_nobody_here_uses_and_that_can_still_be_had():
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True, timeout=400)
