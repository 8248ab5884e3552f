"""What all sessions of one server share."""

from pathlib import Path

import streamlit as st

from dpcore import home
from dpcore.runs.store import Store

ICON = str(Path(__file__).with_name("icon.svg"))


@st.cache_resource
def store() -> Store:
    """The runs under EPSILON_LAB_HOME."""
    return Store(home.folder())
