"""Which people are in the data?"""

import streamlit as st

from dpcore import datasets
from dpcore.language import N_, _
from dpcore.runs.access import visiting
from dpcore.ui.core import address, controls, frame
from dpcore.ui.data import importing, look
from dpcore.ui.server import services

frame.page(N_("Data"), N_("Who is in the data?"))
with controls.explain():
    store = services.store()
note = st.container()  # always there, so that a note moves nothing below it to another place
if "data_changed" in st.session_state:  # what was just imported is what is shown, or what is left
    dataset, words = st.session_state.pop("data_changed")
    address.put("dataset", dataset)
    st.session_state["import_path"] = ""
    note.success(words, icon=":material/check:")
shown, own = st.tabs([_("The data sets"), _("Import your own")], key="data_tabs")
with shown:
    look.show(look.choose(visiting.may_see(store, datasets.names(store.home))), store.home)
with own:
    importing.section(store.home)
