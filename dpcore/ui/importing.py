"""Importing a user's own file in a page: choose it, say what its columns are, import it."""

import os
import tempfile
from pathlib import Path

import streamlit as st

from dpcore import datasets
from dpcore.datasets.table import Mapping
from dpcore.datasets.table_files import SUFFIXES, preview
from dpcore.errors import DatasetError
from dpcore.ui import controls

_SQLITE = ".sqlite"
_ALL_OTHERS = "all other columns"


def allowed() -> bool:
    """Whether pages may take files: a hosted demo sets EPSILON_LAB_UPLOADS=off."""
    return os.environ.get("EPSILON_LAB_UPLOADS", "on").lower() not in ("off", "0", "false", "no")


def section(home: Path) -> None:
    """Shows all that an import takes."""
    if not allowed():
        st.info("Importing files is switched off here (EPSILON_LAB_UPLOADS).", icon=":material/block:")
        return
    st.write(
        "A file with one row an example: a column that says who, a label, and the features. It stays on the machine "
        "that runs this dashboard, in a folder that only its user can read."
    )
    place = st.text_input("Path of a file on that machine", key="import_path", placeholder="/home/me/table.parquet")
    sent = st.file_uploader("Or send it", [suffix[1:] for suffix in (*SUFFIXES, _SQLITE)], key="import_file")
    if not place and sent is None:
        return
    with tempfile.TemporaryDirectory() as folder, controls.explain():
        path = Path(place).expanduser()
        if not place:
            path = Path(folder) / Path(sent.name).name
            path.write_bytes(sent.getbuffer())
        if not path.is_file():
            raise DatasetError(f"Expected a file at {path}, found none. Give its whole path.")
        name = st.text_input("Name", datasets.name_for(path), key=f"import_name_{path.name}")
        if path.suffix == _SQLITE:
            _import(name, lambda tell: datasets.import_sqlite(path, home, name=name, progress=tell))
        else:
            mapping = _mapping(path)
            _import(name, lambda tell: datasets.import_table(path, mapping, home, name=name, progress=tell))


def _mapping(path: Path) -> Mapping:
    seen = preview(path)
    st.dataframe(seen.rows, hide_index=True)
    names = [column.name for column in seen.columns]
    one, two, three = st.columns(3)
    user = one.selectbox("Who: the column of users", names, key="import_user")
    label = two.selectbox("The column of labels", names, index=min(1, len(names) - 1), key="import_label")
    split = three.selectbox(
        "A column of train and test", [None, *names], key="import_split", format_func=lambda name: name or "none"
    )
    features = st.multiselect("Features", names, placeholder=_ALL_OTHERS, key="import_features")
    one, two, three = st.columns(3)
    scaling = one.selectbox(
        "Scaling",
        [None, "standardise", "bounds", "none"],
        format_func=lambda kind: kind or "usual: standardise, bytes by 255",
        key="import_scaling",
        help="Standardising looks at all users' data, outside the guarantee. Fixed bounds look at nobody's.",
    )
    low = two.number_input("Lower bound", value=-3.0, key="import_low", disabled=scaling != "bounds")
    high = three.number_input("Upper bound", value=3.0, key="import_high", disabled=scaling != "bounds")
    cap = st.number_input(
        "Examples per user, at most", value=None, min_value=1, step=1, key="import_cap", placeholder="all"
    )
    return Mapping(
        user=user,
        label=label,
        split=split,
        features=tuple(features),
        scaling=scaling,
        bounds=(low, high) if scaling == "bounds" else None,
        max_examples_per_user=cap,
    )


def _import(name: str, work) -> None:
    if not st.button("Import", type="primary", key="import"):
        return
    bar = st.progress(0.0, text="Reading")
    work(lambda what, fraction: bar.progress(min(fraction, 1.0), text=f"{what}: {fraction:.0%}"))
    st.session_state["data_changed"] = (name, f"{name} is imported.")
    st.rerun()
