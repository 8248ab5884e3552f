"""What accuracy does which epsilon buy?"""

import streamlit as st

from dpcore.ui import controls, frame, frontier, services

frame.page("Frontier", "What accuracy does which epsilon buy?")
with controls.explain():
    store = services.store()
    found = frontier.finished(store)
    if not found:
        st.info(
            "No run has finished yet: the pages **Train** and **Study** make some.", icon=":material/query_stats:"
        )
        st.stop()
    for dataset, runs in found.items():
        st.header(f"On {dataset}")
        frontier.show(dataset, runs)
    st.header("And a plan that nobody has run?")
    asked = st.selectbox("Data set", list(found), key="dataset")
    frontier.ask(store, asked, found[asked])
