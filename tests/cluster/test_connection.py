"""Who is no scheduler, or not a safe one, is told within seconds; whatever it answers, or nothing."""

import asyncio
import http.server
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from distributed.core import Server

from dpcore.cluster import certificates, connection
from dpcore.cluster.configuration import INSECURE, ClusterConfiguration
from dpcore.errors import ClusterError
from tests.ports import free_port


@pytest.fixture
def silent():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def web():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def dask_server():
    """Starts a server that speaks Dask's protocol, on the loopback, and answers as it is told to."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = []

    async def begin(told):
        server = Server(handlers={"identity": lambda: told})
        await server.listen("tcp://127.0.0.1:0")
        servers.append(server)
        return server.address

    yield lambda **told: asyncio.run_coroutine_threadsafe(begin(told), loop).result(10)
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def refused(configuration, words):
    started = time.monotonic()
    with pytest.raises(ClusterError, match=words):
        connection.connect(configuration)
    assert time.monotonic() - started < 30  # by itself 5; the machine may be busy


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_listener_that_says_nothing(silent, scheme, tmp_path):
    certificates.make(tmp_path / "tls")
    tls = str(tmp_path / "tls") if scheme == "tls" else ""
    refused(
        ClusterConfiguration(address=f"{scheme}://127.0.0.1:{silent}", tls=tls), "found none that answers within 5"
    )


def test_a_web_server(web):
    refused(ClusterConfiguration(address=f"tcp://127.0.0.1:{web}"), "found none that answers within 5")


def test_a_worker_instead_of_its_scheduler(dask_server):
    refused(ClusterConfiguration(address=dask_server(type="Worker")), "it is a Worker")


@pytest.fixture
def scheduler():
    """Starts Dask's own scheduler, which calls itself by the loopback wherever it listens; ends it."""
    started = []

    def begin(host):
        port = free_port()
        name = f"tcp://127.0.0.1:{port}"
        command = (
            "import asyncio, sys; from distributed import Scheduler\n"
            "async def main():\n"
            "    async with Scheduler(protocol='tcp', host=sys.argv[1], port=int(sys.argv[2]), "
            "contact_address=sys.argv[3], dashboard_address='127.0.0.1:0') as one:\n"
            "        print('listens', flush=True); await one.finished()\n"
            "asyncio.run(main())"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", command, host, str(port), name], stdout=subprocess.PIPE, cwd="/"
        )  # where there is no Epsilon Lab
        started.append(process)
        assert process.stdout.readline() == b"listens\n"
        return ClusterConfiguration(address=name)

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_a_scheduler_that_is_reached_by_the_loopback_and_listens_for_others(scheduler):
    everywhere = scheduler("0.0.0.0")
    refused(everywhere, INSECURE)
    allowed = connection.connect(replace(everywhere, insecure=True))
    assert connection.workers_of(allowed.client, insecure=True) == {}
    with pytest.raises(ClusterError, match=INSECURE):  # as where it took the place of another
        connection.workers_of(allowed.client)
    allowed.close()
    own = connection.connect(scheduler("127.0.0.1"))
    assert connection.workers_of(own.client) == {}
    own.close()


@pytest.mark.slow
def test_processes_of_this_machine_serve_no_pages_that_tell_of_them():
    made = connection.connect(ClusterConfiguration(workers=1))
    try:
        for path in ("/info/main/workers.html", "/json/identity.json", "/metrics"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{made.local.scheduler.http_server.port}{path}")
    finally:
        made.close()
