"""The dashboard as it is really served: where it listens, who is let in, and whose a run is."""

import contextlib
import gzip
import itertools
import json
import os
import re
import shutil
import socket
import sqlite3
import threading
import time
import types
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import plotly
import psutil
import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dpcore import hosting
from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.ui.server import plotly_js, serve
from tests.browser import conftest
from tests.browser.conftest import browser, control, go, press  # noqa: F401
from tests.ports import free_port
from tests.runs.damage import train
from tests.ui import openid

pytestmark = pytest.mark.slow
LOOPBACK, EVERYWHERE = "0100007F", "00000000"
COOKIE_SECRET = "only the server knows it " * 2


@contextlib.contextmanager
def serving(home, *options, port=None):
    """Serves until the end of the block; yields the port."""
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EPSILON_LAB")}
    with conftest.serving(home, port, *options, env=environment):
        with lock(home / "runner.lock", wait=True):  # nothing that is queued begins
            yield port


def listening(port):
    """The addresses on which this machine takes connections to a port, as the kernel writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    six = Path("/proc/net/tcp6")
    rows += [line.split() for line in six.read_text().splitlines()[1:]] if six.exists() else []
    found = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, at in found if int(at, 16) == port}


@contextlib.contextmanager
def stream(port, *, host=None, origin=None):
    """A connection as a page makes it."""
    url = f"ws://{host or f'localhost:{port}'}/_stcore/stream"
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with connect(url, sock=plain, origin=origin, subprotocols=["streamlit"], proxy=None) as connection:
            yield connection


def is_forbidden(*where, **how):
    with pytest.raises(InvalidStatus) as refused, stream(*where, **how):
        pass
    return refused.value.response.status_code == 403


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A dashboard that is served to others, with a run of whoever has the machine; briefly, on every address."""
    home = tmp_path_factory.mktemp("shared")
    done(home, "")
    with serving(home, "--address", "0.0.0.0", "--most-sessions", "2", "--most-rounds", "7") as port:
        yield home, port


def done(home, owner):
    store = Store(home)
    run_id = store.create(Plan(), engine="vectorized", eval_every=5, owner=owner)
    store.request_stop(run_id)
    return run_id


def test_a_class_that_never_rests_does_not_keep_interrupted_runs_from_going_on(tmp_path, monkeypatch):
    now, woken = itertools.count(), []
    clock = types.SimpleNamespace(process_time=now.__next__, monotonic=now.__next__, sleep=lambda seconds: None)
    monkeypatch.setattr(serve, "time", clock)
    monkeypatch.setattr(serve, "gc", types.SimpleNamespace(collect=lambda: None, freeze=lambda: None))
    monkeypatch.setattr(supervisor, "resume_interrupted", lambda store: woken.append(store) or [])
    store = Store(tmp_path)
    serve._prepare(store, None)
    assert woken == [store]
    assert next(now) < 200  # half a minute, and not for ever


def test_a_worker_waits_where_it_is_to_and_goes_with_its_server_however_that_ends(tmp_path, monkeypatch):
    with conftest.serving(tmp_path, free_port(), spare=True):
        until = time.monotonic() + 120
        while len(there := processes_of(tmp_path)) < 3:  # the server, the runner that stays, and what waits
            assert time.monotonic() < until
            time.sleep(0.05)
    _, alive = psutil.wait_procs(there, timeout=60)  # the server was killed
    assert alive == []
    kept = []
    monkeypatch.setattr(supervisor, "keep_spare", kept.append)
    monkeypatch.setattr(serve, "gc", types.SimpleNamespace(collect=lambda: None, freeze=lambda: None))
    for spare in (False, True):
        serve._prepare(Store(tmp_path), None, spare)
        assert len(kept) == spare


def processes_of(home):
    """All processes that have a home in their command."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(home) in process.cmdline():
                found.append(process)
    return found


def test_a_dashboard_leaves_nothing_in_the_log_alone_and_reads_back_what_the_file_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "_LOOK_SECONDS", 0.05)
    store, run_id = Store(tmp_path), train(Store(tmp_path), status="running")
    log = tmp_path / "runs.sqlite-wal"
    assert log.stat().st_size  # its rounds, and nobody is there to bring them into the file
    with sqlite3.connect(tmp_path / "runs.sqlite") as db:
        db.execute("UPDATE runs SET status = 'cancelled'")
    threading.Thread(target=serve._look_now_and_then, args=(store,), daemon=True).start()
    until = time.monotonic() + 60
    while log.stat().st_size or store.run(run_id).status == "cancelled":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert store.run(run_id).status == "running"
    shutil.rmtree(tmp_path)  # it may fail at that, and goes on


def test_by_default_only_this_machine_can_connect_and_by_its_own_name(tmp_path):
    with serving(tmp_path) as port:
        assert listening(port) == {LOOPBACK}
        with stream(port, origin=f"http://localhost:{port}"):
            pass
        # A name of somebody else's that leads here, as in an attack by DNS; and a page of theirs.
        assert is_forbidden(port, host=f"evil.example:{port}", origin=f"http://evil.example:{port}")
        assert is_forbidden(port, origin="http://evil.example")


def test_a_browser_gets_the_packages_plotly_js_compressed_and_keeps_it(shared):
    _, port = shared
    with urllib.request.urlopen(f"http://localhost:{port}/{plotly_js.URL}", timeout=10) as sent:
        assert sent.headers["Content-Encoding"] == "gzip"
        assert "immutable" in sent.headers["Cache-Control"]
        assert "javascript" in sent.headers["Content-Type"]
        script = gzip.decompress(sent.read())
    assert script == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()


def test_with_an_address_others_can_and_are_visitors(shared):
    home, port = shared
    assert listening(port) == {EVERYWHERE}
    assert Store(home).rules() == hosting.Rules(most_rounds=7)
    with stream(port, host="class.example", origin="http://class.example"):
        pass
    # Another site's page, in a visitor's browser.
    assert is_forbidden(port, host="class.example", origin="http://evil.example")


def test_no_file_is_taken_from_visitors(shared):
    _, port = shared
    asked = BackMsg()
    asked.rerun_script.page_name = "learn"
    http = HTTPConnection("localhost", port, timeout=30)
    with contextlib.closing(http), stream(port) as connection:
        connection.send(asked.SerializeToString())
        session = ""
        while not session:
            session = ForwardMsg.FromString(connection.recv()).new_session.initialize.session_id
        http.request("GET", "/_stcore/health")
        answer = http.getresponse()
        answer.read()
        cookie = answer.headers["Set-Cookie"].split(";")[0]
        headers = {"Cookie": cookie, "X-Xsrftoken": cookie.split("=", 1)[1]}
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n\r\nuser,label\r\n--b--\r\n'
        )
        http.request(
            "PUT",
            f"/_stcore/upload_file/{session}/anything",
            body,
            headers | {"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert http.getresponse().status == 413


def runs_page(context, port, run_id):
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://localhost:{port}/runs?runs={run_id}&lang=en")
    return page


def known(page):
    """The page, once its browser's cookie goes along with the connection: what is pressed before is nobody's."""
    page.wait_for_function("/epsilon_lab_visitor=[0-9a-f]{64}(;|$)/.test(document.cookie)")
    page.reload()
    return page


def run_again(home, page):
    """Presses the button, and returns the new run."""
    before = {run.run_id for run in Store(home).runs()}
    press(page, "retry")
    for _ in range(600):
        for run in Store(home).runs():
            if run.run_id not in before:
                Store(home).request_stop(run.run_id)
                return run
        time.sleep(0.1)
    raise AssertionError("no run was queued")


def test_a_browser_keeps_its_runs_and_another_cannot_touch_them(browser, tmp_path):  # noqa: F811
    theirs = done(tmp_path, "")
    with serving(tmp_path, "--shared") as port:
        her, his = browser.new_context(), browser.new_context()
        mine = run_again(tmp_path, known(runs_page(her, port, theirs)))
        (cookie,) = [one for one in her.cookies() if one["name"] == "epsilon_lab_visitor"]
        assert mine.owner == hosting.owner_by_browser(cookie["value"])
        assert cookie["sameSite"] == "Strict"
        for _ in range(2):  # another tab, and one more: the same person
            tab = runs_page(her, port, mine.run_id)
            expect(control(tab, "delete_run")).to_be_visible()
        his.add_cookies([cookie | {"value": mine.owner[:-1] + "!"}])
        stranger = runs_page(his, port, mine.run_id)
        expect(control(stranger, "retry")).to_be_visible()
        expect(control(stranger, "delete_run")).to_have_count(0)
        assert run_again(tmp_path, known(stranger)).owner not in ("", mine.owner)


def test_who_finds_all_places_taken_is_told_and_who_is_in_stays(browser, shared):  # noqa: F811
    home, port = shared
    context, run_id = browser.new_context(), Store(home).runs()[0].run_id
    first = runs_page(context, port, run_id)
    expect(control(first, "retry")).to_be_visible()
    with stream(port):  # it never asks for a page, and takes no place
        second = runs_page(context, port, run_id)
        control(second, "retry").wait_for()
    third = runs_page(context, port, run_id)
    expect(third.get_by_text("All 2 places are taken")).to_be_visible()
    expect(control(third, "retry")).to_have_count(0)
    go(first, "ledger")
    expect(control(first, "budget")).to_be_visible()
    expect(first.get_by_text("places are taken")).to_have_count(0)
    second.close()
    deadline = time.monotonic() + 90  # until the server has seen it go
    while not control(third, "budget").is_visible():
        assert time.monotonic() < deadline
        third.goto(f"http://localhost:{port}/ledger")
        control(third, "budget").or_(third.get_by_text("places are taken")).first.wait_for()


def login_settings(folder, port, provider_url):
    """A file as `serve --login` takes it."""
    settings = folder / "login.toml"
    settings.write_text(
        f'[auth]\nredirect_uri = "http://localhost:{port}/oauth2callback"\n'
        f'cookie_secret = "{COOKIE_SECRET}"\nclient_id = "{openid.CLIENT}"\nclient_secret = "{openid.SECRET}"\n'
        f'server_metadata_url = "{provider_url}/.well-known/openid-configuration"\n'
    )
    return settings


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    """A dashboard for who signs in, with a run of whoever has the machine; and where they sign in."""
    home, port = tmp_path_factory.mktemp("signing"), free_port()
    done(home, "")
    with openid.providing() as provider:
        with serving(home, "--login", str(login_settings(home, port, provider.url)), port=port):
            yield home, port, provider.url


def signed_in(browser, port, issuer, subject, secret=COOKIE_SECRET):  # noqa: F811
    """A browser that comes back with the cookie that Streamlit gave it when somebody signed in."""
    told = {"iss": issuer, "sub": subject, "name": subject.title(), "is_logged_in": True}
    value = create_signed_value(
        secret, "_streamlit_user", json.dumps(told | {"origin": f"http://localhost:{port}"})
    )
    context = browser.new_context()
    context.add_cookies([{"name": "_streamlit_user", "value": value.decode(), "domain": "localhost", "path": "/"}])
    return context


def test_only_who_is_signed_in_is_let_in_and_is_known_in_every_browser(browser, signing):  # noqa: F811
    home, port, issuer = signing
    theirs = Store(home).runs()[-1].run_id
    for stranger in (browser.new_context(), signed_in(browser, port, issuer, "ida", secret="guessed" * 6)):
        page = runs_page(stranger, port, theirs)
        expect(control(page, "sign_in")).to_be_visible()
        expect(page.get_by_text("sign in to use it")).to_be_visible()
        expect(control(page, "retry")).to_have_count(0)
    ida = runs_page(signed_in(browser, port, issuer, "ida"), port, theirs)
    expect(ida.get_by_text("Signed in as Ida")).to_be_visible()
    hers = run_again(home, ida)
    assert hers.owner == hosting.owner_by_login(issuer, "ida")
    elsewhere = runs_page(signed_in(browser, port, issuer, "ida"), port, hers.run_id)
    expect(control(elsewhere, "delete_run")).to_be_visible()
    bob = runs_page(signed_in(browser, port, issuer, "bob"), port, hers.run_id)
    expect(control(bob, "retry")).to_be_visible()
    expect(control(bob, "delete_run")).to_have_count(0)
    press(elsewhere, "sign_out")
    expect(elsewhere.get_by_text("sign in to use it")).to_be_visible()


def test_signing_in_at_a_provider(browser, signing):  # noqa: F811
    home, port, issuer = signing
    theirs = Store(home).runs()[-1].run_id
    context = browser.new_context()
    page = runs_page(context, port, theirs)
    press(page, "sign_in")
    expect(page.get_by_text("Signed in as Ada")).to_be_visible()
    expect(page).to_have_url(re.compile(f"/runs.*runs={theirs}"))  # where they wanted to go
    hers = run_again(home, runs_page(context, port, theirs))
    assert hers.owner == hosting.owner_by_login(issuer, "ada")
