"""Free ports for servers of tests."""

import os
import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port below those that the system deals out itself, in a part that is this test process's own.

    One that a server has left may be dealt out before it is started again; and who waits for it to be there again may
    end up connected to themselves.
    """
    first = 20_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for port in random.sample(range(first, first + 1_000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("localhost", port))
            return port
    raise AssertionError("no port is free")
