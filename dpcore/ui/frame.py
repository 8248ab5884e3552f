"""What every page has: its settings, its language, the way to the other pages, and the title."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dpcore import language
from dpcore.language import N_, _
from dpcore.ui import controls, services, visitors

PAGES = {
    "pages/learn.py": N_("Learn"),
    "pages/accountant.py": N_("Accountant"),
    "pages/data.py": N_("Data"),
    "pages/train.py": N_("Train"),
    "pages/study.py": N_("Study"),
    "pages/frontier.py": N_("Frontier"),
    "pages/runs.py": N_("Runs"),
    "pages/ledger.py": N_("Ledger"),
}
_STYLE = Path(__file__).with_name("style.css")
_LANGUAGE, _CONTROL, _PRESSED = "lang", "_language_control", "_pressed"
# A screen reader pronounces a page by the language that its root names.
_root = st.components.v2.component(
    "epsilon_lab.root",
    html="<span></span>",
    js="export default ({ data }) => { document.documentElement.lang = data.language; };",
)


def page(title: str, question: str) -> None:
    """Sets a page up. Called first in each page.

    Args:
        title: The page's name in the browser, marked by `N_`.
        question: The question that the page answers, as its heading, marked by `N_`.
    """
    st.session_state.pop(_PRESSED, None)
    controls.arrive()
    controls.forget()
    with st.sidebar:
        menu = st.container()
        language.speak(_choose_language())
        with menu:
            st.markdown("### Epsilon Lab")
            for path, label in PAGES.items():
                st.page_link(path, label=_(label))
            st.caption(_("User-level differential privacy in federated learning."))
        _root(key="root", data={"language": language.current()})
    st.set_page_config(page_title=f"{_(title)} · Epsilon Lab", page_icon=services.ICON, layout="wide")
    st.html(_STYLE)
    st.title(_(question))
    visitors.admit()
    controls.check_link()


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
    code = st.query_params.get(_LANGUAGE) or st.session_state.get(_LANGUAGE)
    if code not in language.LANGUAGES:
        # The choices in a link are written in its language, so one that names none is English. A bare address gets the
        # browser's language.
        wanted = (st.context.locale or "").split("-")[0]
        code = wanted if wanted in language.LANGUAGES and not st.query_params else "en"
    st.session_state[_CONTROL] = st.session_state[_LANGUAGE] = code
    if code != st.query_params.get(_LANGUAGE, "en"):
        st.query_params[_LANGUAGE] = code
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
    st.session_state[_LANGUAGE] = st.query_params[_LANGUAGE] = st.session_state[_CONTROL]
