"""Importing a user's own file in a page: choose it, say what its columns are, import it."""

import os
import tempfile
from pathlib import Path

import streamlit as st

from dpcore import datasets
from dpcore.datasets.table import Mapping
from dpcore.datasets.table_files import SUFFIXES, preview
from dpcore.errors import DatasetError
from dpcore.language import N_, _
from dpcore.ui import controls, data, visitors

_SQLITE = ".sqlite"
_SCALINGS = {
    None: N_("usual: standardise, bytes by 255"),
    "standardise": N_("standardise"),
    "bounds": N_("bounds"),
    "none": N_("none"),
}


def allowed() -> bool:
    """Whether pages may take files: not where EPSILON_LAB_UPLOADS=off."""
    return os.environ.get("EPSILON_LAB_UPLOADS", "on").lower() not in ("off", "0", "false", "no")


def section(home: Path) -> None:
    """Shows all that an import takes."""
    if visitors.hosted():
        st.info(
            _("Whoever runs this dashboard imports data, at the machine's command line."), icon=":material/block:"
        )
        return
    if not allowed():
        st.info(_("Importing files is switched off here (EPSILON_LAB_UPLOADS)."), icon=":material/block:")
        return
    st.write(
        _(
            "A file with one row an example: a column that says who, a label, and the features. It stays on the machine "
            "that runs this dashboard, in a folder that only its user can read; workers of a cluster that train on it "
            "are sent a copy."
        )
    )
    kinds = [suffix[1:] for suffix in (*SUFFIXES, _SQLITE)]
    place = st.text_input(
        _("Path of a file on that machine"),
        key="import_path",
        placeholder="/home/me/table.parquet",
        help=_("Its whole path. What it may be: {kinds}.").format(kinds=" ".join(f"`{kind}`" for kind in kinds)),
    )
    sent = st.file_uploader(
        _("Or send it"),
        kinds,
        key="import_file",
        help=_("From the machine that you sit at; it is not kept as it is."),
    )
    if not place and sent is None:
        return
    with tempfile.TemporaryDirectory() as folder, controls.explain():
        path = Path(place).expanduser()
        if not place:
            path = Path(folder) / Path(sent.name).name
            path.write_bytes(sent.getbuffer())
        if not path.is_file():
            raise DatasetError(_("Expected a file at {path}, found none. Give its whole path.").format(path=path))
        name = st.text_input(
            _("Name"),
            datasets.name_for(path),
            key=f"import_name_{path.name}",
            help=_("What the data set is called: at most 63 small letters, digits, - and _."),
        )
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
    user = one.selectbox(
        _("Who: the column of users"),
        names,
        key="import_user",
        help=_("Rows with the same value are one user's: the unit of privacy."),
    )
    label = two.selectbox(
        _("The column of labels"),
        names,
        index=min(1, len(names) - 1),
        key="import_label",
        help=_("What a model is to say of an example: a class."),
    )
    split = three.selectbox(
        _("A column of train and test"),
        [None, *names],
        key="import_split",
        format_func=lambda name: name or _("none"),
        help=_("Which examples are for testing; without such a column, some of each user's are."),
    )
    features = st.multiselect(
        _("Features"),
        names,
        placeholder=_("all other columns"),
        key="import_features",
        help=_("The columns that a model looks at; none chosen is all others."),
    )
    one, two, three = st.columns(3)
    scaling = one.selectbox(
        _("Scaling"),
        list(_SCALINGS),
        format_func=lambda kind: _(_SCALINGS[kind]),
        key="import_scaling",
        help=_("Standardising looks at all users' data, outside the guarantee. Fixed bounds look at nobody's."),
    )
    low = two.number_input(
        _("Lower bound"),
        value=-3.0,
        format="%g",
        key="import_low",
        disabled=scaling != "bounds",
        help=_("In the features' own unit; it becomes 0, and so does what lies below."),
    )
    high = three.number_input(
        _("Upper bound"),
        value=3.0,
        format="%g",
        key="import_high",
        disabled=scaling != "bounds",
        help=_("In the features' own unit, above the lower bound; it becomes 1, and so does what lies above."),
    )
    cap = controls.count(
        _("Examples per user, at most"),
        low=1,
        high=None,
        default=None,
        key="import_cap",
        placeholder=_("all"),
        help=_(
            "A whole number from 1; of who has more, so many are kept, drawn by the user alone. Empty keeps all."
        ),
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
    if not st.button(
        _("Import"), type="primary", key="import", help=_("Reads the file, and keeps it as a data set.")
    ):
        return
    bar = st.progress(0.0, text=_("Reading"))
    work(lambda what, fraction: data.told(bar, what, fraction))
    st.session_state["data_changed"] = (name, _("{name} is imported.").format(name=name))
    st.rerun()
