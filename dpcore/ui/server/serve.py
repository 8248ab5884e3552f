"""Starting the dashboard so that its first visitor does not wait."""

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dpcore import limits
from dpcore.errors import InvalidValueError, StoreError
from dpcore.hosting import Rules
from dpcore.privacy import opening

APP = Path(__file__).parents[3] / "app.py"
_QUIET_SECONDS, _QUIET_LOAD, _LONGEST_SECONDS = 1.0, 0.1, 30.0
_LOOK_SECONDS = 60.0
_CONNECTIONS_A_TAB = 6  # as many as browsers open


# By whatever name they reach it, visitors send no files and no message larger than a page's controls (in megabytes), and
# are told of no line of the program's.
_FOR_VISITORS = {
    "server.allowedHosts": ["*"],
    "server.maxUploadSize": 0,
    "server.maxMessageSize": 20,
    "client.showErrorDetails": "none",
}


def run_shared(
    port: int,
    home: Path,
    address: str,
    *,
    rules: Rules,
    login: Path | None,
    most_sessions: int,
    spare: bool = True,
) -> None:
    """Serves the pages to visitors, who may do what the rules say, until interrupted."""
    from dpcore.runs.store import Store

    _check_port(address, port)  # before anything of a server that runs there already is changed
    os.environ |= {"EPSILON_LAB_HOSTED": "on", "EPSILON_LAB_SESSIONS": str(most_sessions)}
    settings: dict[str, Any] = dict(_FOR_VISITORS)
    if login:
        os.environ["EPSILON_LAB_LOGIN"] = "on"
        settings["secrets.files"] = [str(login.resolve())]
    Store(home).set_rules(rules)
    run(port, home, address, spare=spare, places=most_sessions, **settings)


def _check_port(address: str, port: int) -> None:
    try:
        family, kind, *_, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as err:
        raise InvalidValueError(
            "port", f"Expected to listen on {address}, port {port}: {err}. Choose another --port or --address."
        ) from err


def run(
    port: int,
    home: Path,
    address: str = "localhost",
    *,
    spare: bool = True,
    places: int = int(limits.MOST_SESSIONS.default),
    **settings: Any,
) -> None:
    """Serves the pages until interrupted.

    Args:
        port: Where it listens.
        home: Whose runs.
        address: Where it listens.
        places: How many tabs are let in.
        spare: Whether a worker waits for the next run, with all loaded that it needs.
        settings: Streamlit's.
    """
    gc.disable()  # importing makes no garbage, and looking for some takes a fifth of a second
    os.environ["EPSILON_LAB_HOME"] = str(home)
    os.chdir(APP.parent)  # where Streamlit looks for .streamlit/
    beside = opening.start_computing(home)
    from starlette.middleware import Middleware
    from streamlit.web.server.starlette import App

    from dpcore.runs.store import Store
    from dpcore.ui.server import connections, plotly_js

    store = Store(home)
    threading.Thread(target=_prepare, args=(store, beside, spare), daemon=True).start()
    threading.Thread(target=_look_now_and_then, args=(store,), daemon=True).start()
    told = {"server.port": port, "server.address": address, **settings}
    # What Streamlit takes for its script: by the one that runs, dpcore's modules would stand first on the path.
    sys.argv = [str(APP)]
    plotly_js.prepare()
    most = connections.most_tabs(places)
    connections.bound_requests(_CONNECTIONS_A_TAB * most)
    app = App(APP, routes=[plotly_js.ROUTE], middleware=[Middleware(connections.Door, most, places)])
    gc.freeze()
    gc.enable()
    with suppress(KeyboardInterrupt):
        app.run(config=told)
    from dpcore.ui.server import keeping  # loaded by the first page

    keeping.pool().close()


def _look_now_and_then(store) -> None:
    """Sees to it that the log of the file of runs is not the only place of anything for long, nor the file behind.

    And that garbage does not wait for as many objects as Python waits for.
    """
    while True:
        time.sleep(_LOOK_SECONDS)
        gc.collect()
        with suppress(StoreError):  # whoever asks for a page is told
            store.look_again()


def _prepare(store, beside: subprocess.Popen | None, spare: bool = False) -> None:
    """Goes on with what was interrupted, and imports what pages import, should nobody have come first."""
    opening.load_answers(store.home, beside)
    used, until = -_QUIET_SECONDS, time.monotonic() + _LONGEST_SECONDS
    # A browser that was waiting comes first; but a class that never rests does not keep its runs from going on.
    while time.process_time() - used > _QUIET_LOAD * _QUIET_SECONDS and time.monotonic() < until:
        used = time.process_time()
        time.sleep(_QUIET_SECONDS)
    from dpcore import datasets
    from dpcore.runs.process import supervisor
    from dpcore.ui.accountant import answer, curves, plan, risk  # noqa: F401
    from dpcore.ui.data import importing, look  # noqa: F401
    from dpcore.ui.lesson import guide  # noqa: F401
    from dpcore.ui.study import frontier, steps  # noqa: F401
    from dpcore.ui.train import compare, live, run_list  # noqa: F401

    for sentence in datasets.clear_leftovers(store.home):
        print(sentence)
    for run_id in supervisor.resume_interrupted(store):
        print(f"Run {run_id} was interrupted; it goes on.")
    # What is here now stays: no search for garbage need go over every object ever imported.
    gc.collect()
    gc.freeze()
    if spare:
        supervisor.keep_spare(store)
