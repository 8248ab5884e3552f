import subprocess
import sys

import pytest

from dpcore import isolated

LISTENER = """
import socket
server = socket.create_server(("0.0.0.0", 19999))  # nobody else's, in a network of its own
print(server.getsockname()[1], flush=True)
input()
"""


def run(module, *arguments, **options):
    command = [sys.executable, "-m", "dpcore.isolated", module, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def test_what_listens_inside_cannot_be_reached_from_outside(tmp_path):
    import socket

    (tmp_path / "listener.py").write_text(LISTENER)
    process = run("listener", env={"PYTHONPATH": f"{tmp_path}:."})
    port = int(process.stdout.readline())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    process.communicate("\n", timeout=30)
    assert process.returncode == 0


def test_loopback_works_inside(tmp_path):
    (tmp_path / "talk.py").write_text(
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "from dpcore import isolated\nprint(repr(isolated.problem()))\n"
    )
    out, _ = run("talk", env={"PYTHONPATH": f"{tmp_path}:."}).communicate(timeout=30)
    assert out == "''\n"


def test_where_it_is_not_allowed_there_is_a_warning(monkeypatch):
    def refused():
        raise PermissionError(1, "Operation not permitted")

    begun = []
    monkeypatch.setenv("EPSILON_LAB_NOT_ISOLATED", "set by the test, so that it is unset after it")
    monkeypatch.delenv("EPSILON_LAB_NOT_ISOLATED")
    monkeypatch.setattr(isolated, "enter", refused)
    monkeypatch.setattr(sys, "argv", ["isolated", "listener", "8"])
    monkeypatch.setattr(isolated.runpy, "run_module", lambda module, **how: begun.append((module, sys.argv)))
    isolated.main()
    assert begun == [("listener", ["listener", "8"])]
    assert "all network interfaces" in isolated.problem()
    assert "Operation not permitted" in isolated.problem()
