"""What every page has: its settings, its language, the way to the other pages, and the title."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dpcore import language
from dpcore.language import N_, _
from dpcore.ui import assets
from dpcore.ui.core import address, controls
from dpcore.ui.core.parameters import LANGUAGE
from dpcore.ui.server import services, visitors

PAGES = {
    "pages/learn.py": N_("Learn"),
    "pages/accountant.py": N_("Accountant"),
    "pages/data.py": N_("Data"),
    "pages/train.py": N_("Train"),
    "pages/study.py": N_("Study"),
    "pages/frontier.py": N_("Frontier"),
    "pages/runs.py": N_("Runs"),
    "pages/audit.py": N_("Audit"),
    "pages/ledger.py": N_("Ledger"),
    "pages/elsewhere.py": N_("From elsewhere"),
}
_CONTROL, _PRESSED = "_language_control", "_pressed"
_root = st.components.v2.component("epsilon_lab.root", html="<span></span>", js=assets.text("root.js"))


def page(title: str, question: str) -> None:
    """Sets a page up. Called first in each page.

    Args:
        title: The page's name in the browser, marked by `N_`.
        question: The question that the page answers, as its heading, marked by `N_`.
    """
    st.session_state.pop(_PRESSED, None)
    address.arrive(next(Path(path).stem for path, label in PAGES.items() if label == title))
    controls.forget()
    with st.sidebar:
        menu = st.container()
        language.speak(_choose_language())
        address.write()
        with menu:
            st.markdown("### Epsilon Lab")
            for path, label in PAGES.items():
                st.page_link(path, label=_(label), query_params=address.offer(Path(path).stem))
            st.caption(_("User-level differential privacy in federated learning."))
        _root(key="root", data={"language": language.current()})
    st.set_page_config(page_title=f"{_(title)} · Epsilon Lab", page_icon=services.ICON, layout="wide")
    st.html(assets.path("style.css"))
    st.title(_(question))
    visitors.admit()
    address.tell()


def fragment(look: Callable[[], None], *, run_every: float | None) -> None:
    """Runs `look`, now and again every `run_every` seconds (`None`: not again), in the page's language.

    A fragment is run again without its page, and in another thread; but where one of its buttons was pressed, what that
    brought about is all over the page.
    """
    code = language.current()

    def in_language() -> None:
        if st.session_state.pop(_PRESSED, False):
            st.rerun()
        language.speak(code)
        look()

    st.fragment(in_language, run_every=run_every)()


def pressed() -> None:
    """Notes that a button was pressed, which may stand in a fragment."""
    st.session_state[_PRESSED] = True


def _choose_language() -> str:
    """Shows the choice of a language; the link names it by its code, and it comes along from page to page."""
    code = address.value(LANGUAGE)
    if code is None:
        # The choices in a link are written in its language, so one that names none is English. A bare address gets the
        # browser's language.
        code = address.browser_language() if not st.query_params else "en"
        address.put(LANGUAGE, code)
    st.session_state[_CONTROL] = code
    st.segmented_control(
        "Language / 言語",
        list(language.LANGUAGES),
        format_func=language.LANGUAGES.__getitem__,
        key=_CONTROL,
        required=True,
        on_change=_language_chosen,
        help="English, 日本語",
    )
    return code


def _language_chosen() -> None:
    address.put(LANGUAGE, st.session_state[_CONTROL])
