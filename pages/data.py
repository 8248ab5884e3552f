"""Which people are in the data?"""

import streamlit as st

from dpcore.ui import controls, data, frame, importing, services

frame.page("Data", "Which people are in the data?")
with controls.explain():
    home = services.store().home
if "imported" in st.session_state:  # what was just imported is what is shown
    st.session_state["dataset"] = st.session_state.pop("imported")
    st.session_state["import_path"] = ""
    st.success(f"{st.session_state['dataset']} is imported.", icon=":material/check:")
shown, own = st.tabs(["The data sets", "Import your own"])
with shown:
    data.show(data.choose(home), home)
with own:
    importing.section(home)
