"""Importing a user's own file in a page: choose it, say what its columns are, import it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from dpcore import datasets
from dpcore.datasets.reading import check_is_file, reason
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
_MISSING = {
    "refuse": N_("refuse the file"),
    "drop": N_("leave the rows out (drop)"),
    "keep": N_("take NA or - for a name (keep)"),
}
_JOINED = {"user": N_("users"), "label": N_("classes")}
_TIP = N_("NA, null, None, a dash or nothing at all: the file is refused, such rows are left out, or it is a name.")


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
    with controls.explain(), _at(place) if place else datasets.sent(sent.name, sent.getbuffer(), home) as path:
        name = st.text_input(
            _("Name"),
            datasets.name_for(path),
            key=f"import_name_{path.name}",
            help=_("What the data set is called: at most 63 small letters, digits, - and _."),
        )
        if path.suffix == _SQLITE:
            _import(name, home, lambda tell: datasets.import_sqlite(path, home, name=name, progress=tell))
        else:
            mapping = _mapping(path)
            _import(name, home, lambda tell: datasets.import_table(path, mapping, home, name=name, progress=tell))


@contextmanager
def _at(place: str) -> Iterator[Path]:
    """Yields the file at a path that somebody has typed."""
    try:
        path = Path(place).expanduser()
        check_is_file(path)
    except (OSError, ValueError, RuntimeError) as err:
        message = _("Expected a file at {path}, found none ({reason}). Give its whole path.")
        raise DatasetError(message.format(path=place, reason=reason(err))) from err
    yield path


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
        key="import_low",
        disabled=scaling != "bounds",
        help=_("In the features' own unit; it becomes 0, and so does what lies below."),
    )
    high = three.number_input(
        _("Upper bound"),
        value=3.0,
        key="import_high",
        disabled=scaling != "bounds",
        help=_("In the features' own unit, above the lower bound; it becomes 1, and so does what lies above."),
    )
    cap = st.number_input(
        _("Examples per user, at most"),
        value=None,
        min_value=1,
        step=1,
        key="import_cap",
        placeholder=_("all"),
        help=_(
            "A whole number from 1; of who has more, so many are kept, drawn by the user alone. Empty keeps all."
        ),
    )
    one, two, three = st.columns(3)
    missing_user, missing_label = (
        place.selectbox(label, list(_MISSING), format_func=lambda kind: _(_MISSING[kind]), key=key, help=_(_TIP))
        for place, label, key in (
            (one, _("Rows without a user"), "import_missing_user"),
            (two, _("Rows without a label"), "import_missing_label"),
        )
    )
    join = three.multiselect(
        _("Join spellings of"),
        list(_JOINED),
        format_func=lambda column: _(_JOINED[column]),
        placeholder=_("nothing"),
        key="import_join",
        help=_(
            "Names that differ only in case, in width, or in how a number is written (1, 1.0, 01) are then one."
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
        missing_user=missing_user,
        missing_label=missing_label,
        join=tuple(join),
    )


def _import(name: str, home: Path, work) -> None:
    if not st.button(
        _("Import"), type="primary", key="import", help=_("Reads the file, and keeps it as a data set.")
    ):
        return
    datasets.clear(home)
    bar = st.progress(0.0, text=_("Reading"))
    work(lambda what, fraction: data.told(bar, what, fraction))
    st.session_state["data_changed"] = (name, _("{name} is imported.").format(name=name))
    st.rerun()
