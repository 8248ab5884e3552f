"""How many connections a server takes, with the product's own server and sockets on the loopback."""

import contextlib
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dpcore.ui.server import connections
from tests.browser import conftest
from tests.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A shared dashboard of 40 places; its port and its process."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    with conftest.serving(home, port, "--shared", "--most-sessions", "40") as process:
        yield port, psutil.Process(process.pid)


def stream(port, closing):
    url = f"ws://localhost:{port}/_stcore/stream"
    return closing.enter_context(connect(url, subprotocols=["streamlit"], proxy=None, open_timeout=60))


def asks(stream):
    """Asks for a page, as a browser does at once; whether it comes."""
    asked = BackMsg()
    asked.rerun_script.page_name = "learn"
    stream.send(asked.SerializeToString())
    return ForwardMsg.FromString(stream.recv(60)).HasField("new_session")


def is_open(stream):
    return stream.close_code is None


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def statuses(port, count, closing):
    """Opens so many that ask for nothing; returns them, and the status of each that was refused."""
    opened, refused = [], []
    for _ in range(count):
        try:
            opened.append(stream(port, closing))
        except InvalidStatus as err:
            refused.append(err.response.status_code)
    return opened, refused


def test_who_asks_for_nothing_shuts_nobody_out_and_is_let_go_of(server):
    port, process = server
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    assert soft == min(hard, 65_536)
    with contextlib.ExitStack() as closing:
        talks = stream(port, closing)
        assert asks(talks)
        said = [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n"]  # nothing, and half a request
        plain = [closing.enter_context(socket.create_connection(("localhost", port), 60)) for _ in said]
        for one, words in zip(plain, said, strict=True):
            one.sendall(words)
        silent, refused = statuses(port, 251, closing)
        assert set(refused) <= {429}
        until(lambda: sum(map(is_open, silent)) <= connections._MOST_SILENT)
        time.sleep(connections._GIVES_WAY_SECONDS)
        assert asks(stream(port, closing))  # at once: whoever has had the time to ask gives way
        until(lambda: not any(map(is_open, silent)))
        assert [one.recv(100) for one in plain] == [b"", b""]
        assert is_open(talks)
        assert {one.close_code for one in silent} == {1008}


def test_those_who_ask_are_bounded_too_and_are_told_by_a_plain_status(server):
    port, _ = server
    most = 2 * 40 + connections._MORE_THAN_PLACES
    with contextlib.ExitStack() as closing:
        refused, asked = [], BackMsg(stop_script=True)
        for _ in range(most + 20):
            try:
                one = stream(port, closing)
            except InvalidStatus as err:
                refused.append(err.response.status_code)
            else:
                one.send(asked.SerializeToString())
        assert refused
        assert set(refused) == {503}


def test_a_flood_of_connections_leaves_descriptors_for_who_asks(server):
    port, process = server
    with contextlib.ExitStack() as closing:
        before, most = process.num_fds(), 6 * (2 * 40 + connections._MORE_THAN_PLACES)
        for _ in range(900):
            closing.enter_context(socket.create_connection(("localhost", port)))
        until(lambda: process.num_fds() <= before + most + 10)
    urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=30).close()


PROGRAM = """
import resource
from dpcore.ui.server import connections
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))
print(connections.most_tabs(1000), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("hard", "most"), [(500, 25), (10_000, 1212)])
def test_where_the_system_allows_few_files_there_are_fewer_places(hard, most):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this system allows fewer")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(hard=hard)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(map(int, done.stdout.split())) == [most, hard, hard]
