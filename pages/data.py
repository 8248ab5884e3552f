"""Which people are in the data?"""

import streamlit as st

from dpcore import datasets
from dpcore.ui import controls, data, frame, importing, services

frame.page("Data", "Which people are in the data?")
with controls.explain():
    home = services.store().home
note = st.container()  # always there, so that a note moves nothing below it to another place
if "data_changed" in st.session_state:  # what was just imported is what is shown, or what is left
    st.session_state["dataset"], words = st.session_state.pop("data_changed")
    st.session_state["import_path"] = ""
    note.success(words, icon=":material/check:")
shown, own = st.tabs(["The data sets", "Import your own"])
with shown:
    data.show(data.choose(datasets.names(home)), home)
with own:
    importing.section(home)
