"""What all sessions of one server share."""

import streamlit as st

from dpcore import home
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store import Store
from dpcore.ui import assets
from dpcore.ui.server import visitors

ICON = str(assets.path("icon.svg"))


def store() -> StoreAccess:
    """The runs under EPSILON_LAB_HOME, as who is looking may have them."""
    return visitors.seen_by_visitor(_store())


@st.cache_resource
def _store() -> Store:
    return Store(home.folder())
