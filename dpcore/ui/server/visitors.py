"""Who is looking: the person at the machine, or a visitor of a dashboard that is served to others.

A visitor is known by Streamlit's own OpenID Connect where the dashboard was started with a login, and otherwise by
their browser, which draws a secret number once and keeps it in a cookie. The store keeps only a hash of either.
"""

import os
import re
import threading
from pathlib import Path

import streamlit as st
from streamlit import runtime

from dpcore import hosting, language, limits
from dpcore.language import _
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.access.visiting import Visited
from dpcore.runs.store import Store
from dpcore.ui import assets
from dpcore.ui.core.markdown import plain

# What `dpcore serve` tells the pages.
HOSTED, LOGIN, SESSIONS = "EPSILON_LAB_HOSTED", "EPSILON_LAB_LOGIN", "EPSILON_LAB_SESSIONS"
_COOKIE, _KNOWN, _ADMITTED = "epsilon_lab_visitor", "_visitor", "_admitted"
_door = threading.Lock()  # so that no two take the last place
_browser = st.components.v2.component("epsilon_lab.visitor", html="<span></span>", js=assets.text("visitor.js"))
_way_back = st.components.v2.component("epsilon_lab.way_back", html="<span></span>", js=assets.text("way_back.js"))


def hosted() -> bool:
    """Whether this dashboard is served to others than whoever has the machine."""
    # By where the server listens as well, so that nobody serves it by Streamlit's own command without any rule.
    told = os.environ.get(HOSTED) == "on" or _has_login()
    return told or not hosting.is_loopback(st.get_option("server.address"))


def _has_login() -> bool:
    return os.environ.get(LOGIN) == "on"


def owner() -> str:
    """Returns who will own what this session queues; empty for who is not known."""
    if _has_login():
        return hosting.owner_by_login(_claim("iss"), _claim("sub")) if _signed_in() else ""
    told = st.context.cookies.get(_COOKIE), st.session_state.get(_KNOWN)  # the second: until the next connection
    return next(filter(None, map(hosting.owner_by_browser, told)), "")


def _claim(name: str) -> str | None:
    """Returns what the identity provider says of who is signed in; `None` where that is no text."""
    said = st.user.get(name)
    return said if isinstance(said, str) else None


def _signed_in() -> bool:
    return st.user.get("is_logged_in") is True


def seen_by_visitor(store: Store) -> StoreAccess:
    """Returns the store as this session may have it: all of it on one's own machine, and else a visitor's."""
    return Visited(store, owner()) if hosted() else store


def admit() -> None:
    """Ends the page for who has to sign in first, or finds no room; shows the others who they are."""
    if not hosted():
        return
    if _has_login() and not _signed_in():
        st.info(_("This dashboard is shared: sign in to use it."), icon=":material/lock:")
        st.button(_("Sign in"), key="sign_in", type="primary", on_click=st.login)
        _way_back(key="way_back", data={"stranger": True, "language": language.current()})
        st.stop()
    most = int(os.environ.get(SESSIONS, limits.MOST_SESSIONS.default))
    with _door:
        if _ADMITTED not in st.session_state and _places_taken() >= most:
            st.error(
                _("All {most} places are taken. Close tabs that nobody needs, or come back later.").format(
                    most=most
                ),
                icon=":material/group_off:",
            )
            st.stop()
        st.session_state[_ADMITTED] = True
    if not _has_login():
        if not owner():
            st.session_state[_KNOWN] = _browser(key="visitor", on_id_change=lambda: None).id
        return
    with st.sidebar:
        name = _claim("name") or _claim("email") or _claim("sub") or ""
        st.caption(_("Signed in as {name}").format(name=plain(name)))
        st.button(_("Sign out"), key="sign_out", on_click=st.logout)
    _way_back(key="way_back", data={"stranger": False})


def _places_taken() -> int:
    """How many open tabs were let in. A connection that never asked for a page has no place."""
    # Streamlit tells this to nobody; tests/ui/test_serving.py would see it if the name went.
    sessions = getattr(runtime.get_instance(), "_session_mgr", None) if runtime.exists() else None
    open_tabs = sessions.list_active_sessions() if sessions else []
    return sum(_ADMITTED in tab.session.session_state for tab in open_tabs)


def without_paths(text: str) -> str:
    """Returns a text without where the machine keeps things, and who its cluster is, if a visitor reads it."""
    if not hosted():
        return text
    program = Path(__file__).parents[3]
    for folder in (os.environ.get("EPSILON_LAB_HOME"), str(program), str(Path.home())):
        if folder and folder != "/":
            text = text.replace(folder, "…")
    return re.sub(r"\b(tls|tcp)://[^\s,;)]+", "…", text)
