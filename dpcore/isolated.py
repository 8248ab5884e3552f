"""Runs a module in a network of its own: `python -m dpcore.isolated MODULE [ARGUMENT ...]`.

TFF's `worker_binary` listens on all network interfaces and runs, for anybody, whatever graph it is sent. In a
private network namespace there is one interface, the loopback, and nobody else on it.

Imports nothing heavy: a process that has threads (NumPy starts some) cannot enter a namespace.
"""

import ctypes
import fcntl
import os
import runpy
import socket
import struct
import sys
from pathlib import Path

from dpcore.language import _

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40
_PROBLEM = "EPSILON_LAB_NOT_ISOLATED"  # how the module that is run learns that it did not work


def enter() -> None:
    """Moves this process into a new network namespace with only the loopback up, as the same user.

    Raises:
        OSError: If the kernel does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def problem() -> str:
    """Returns why this process is not isolated, as a warning to show; empty if it is."""
    reason = os.environ.get(_PROBLEM)
    if reason is None:
        return ""
    return _(
        "TFF's worker process listens on all network interfaces and runs what anybody sends it. It should run in "
        "a private network namespace, which this system does not allow ({reason}). Use a machine that nobody "
        "else can reach, or the engine vectorized, which opens no port."
    ).format(reason=reason)


def main() -> None:
    try:
        enter()
    except OSError as err:
        os.environ[_PROBLEM] = str(err)
    module, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
