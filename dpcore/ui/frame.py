"""What every page has: its settings, the way to the other pages, and the title."""

import streamlit as st

from dpcore.ui import controls, services

PAGES = {
    "pages/accountant.py": "Accountant",
    "pages/data.py": "Data",
    "pages/train.py": "Train",
    "pages/study.py": "Study",
    "pages/frontier.py": "Frontier",
    "pages/runs.py": "Runs",
    "pages/ledger.py": "Ledger",
}


def page(title: str, question: str) -> None:
    """Sets a page up. Called first in each page.

    Args:
        title: The page's name in the browser.
        question: The question that the page answers, as its heading.
    """
    controls.forget()
    st.set_page_config(page_title=f"{title} · Epsilon Lab", page_icon=services.ICON, layout="wide")
    with st.sidebar:
        st.markdown("### Epsilon Lab")
        for path, label in PAGES.items():
            st.page_link(path, label=label)
        st.caption("User-level differential privacy in federated learning.")
    st.title(question)
    controls.check_link()
