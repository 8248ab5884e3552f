"""Epsilon Lab: the dashboard opens on the Accountant."""

import streamlit as st

# What the address says is for that page: without a word, Streamlit would clear it.
st.switch_page(
    "pages/accountant.py", query_params={name: st.query_params.get_all(name) for name in st.query_params}
)
