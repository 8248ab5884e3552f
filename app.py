"""Epsilon Lab: the dashboard opens on the Accountant."""

import streamlit as st

st.switch_page("pages/accountant.py")
