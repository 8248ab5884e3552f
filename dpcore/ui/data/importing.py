"""Importing a user's own file in a page: choose it, say what its columns are, import it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import streamlit as st

from dpcore import datasets, language
from dpcore.datasets.forms import ENDINGS, FORMS, PACKED
from dpcore.datasets.forms.folders import parts_of
from dpcore.datasets.importing import images
from dpcore.datasets.importing.file_errors import check_is_file, reason
from dpcore.datasets.importing.table import Mapping
from dpcore.datasets.importing.table_files import Preview, preview
from dpcore.errors import DatasetError
from dpcore.language import N_, _
from dpcore.ui.core import controls
from dpcore.ui.data import look
from dpcore.ui.server import visitors

_SCALINGS = {
    None: N_("default: standardise, divide bytes by 255"),
    "standardise": N_("standardise"),
    "bounds": N_("fixed bounds"),
    "none": N_("none"),
}
_MISSING = {
    "refuse": N_("refuse the file"),
    "drop": N_("leave the rows out (drop)"),
    "keep": N_("take NA or - for a name (keep)"),
}
_JOINED = {"user": N_("users"), "label": N_("classes")}
_TIP = N_("NA, null, None, a dash or an empty field: the file is refused, such rows are left out, or it is a name.")


def allowed() -> bool:
    """Whether pages may take files: not where EPSILON_LAB_UPLOADS=off."""
    return os.environ.get("EPSILON_LAB_UPLOADS", "on").lower() not in ("off", "0", "false", "no")


def section(home: Path) -> None:
    """Shows all that an import takes."""
    if visitors.hosted():
        st.info(_("Data is imported by the administrator, at the machine's command line."), icon=":material/block:")
        return
    if not allowed():
        st.info(_("Importing files is switched off here (EPSILON_LAB_UPLOADS)."), icon=":material/block:")
        return
    st.write(
        _(
            "A file with one row per example: a user ID column, a label column, and features. It stays on the "
            "machine that runs this dashboard, in a folder that only its account can read; workers of a cluster that "
            "train on it are sent a copy."
        )
    )
    place = st.text_input(
        _("Path of a file or folder on that machine"),
        key="import_path",
        placeholder="/home/me/table.parquet",
        help=_(
            "The full path. Formats: {forms}; compressed as {packed}; or a folder of files that belong together."
        ).format(
            forms=", ".join(f"`{form}`" for form in FORMS), packed=", ".join(f"`{ending}`" for ending in PACKED)
        ),
    )
    sent = st.file_uploader(
        _("Upload"),
        [ending[1:] for ending in (*ENDINGS, *PACKED)],
        accept_multiple_files=True,
        key="import_file",
        help=_(
            "From the machine that you use; the original file is not kept. Several files are one table: for training "
            "and testing, by their names, or parts of one."
        ),
    )
    if not place and not sent:
        return
    with controls.explain(), _at(place) if place else datasets.uploaded(_received(sent), home) as path:
        name = st.text_input(
            _("Name"),
            datasets.name_for(path if place else _in_common([file.name for file in sent])),
            key=f"import_name_{path.name}",
            help=_("Name of the data set: at most 63 small letters, digits, - and _."),
        )
        content = tuple(file.file_id for file in sent) if not place else _content(path)
        mapping = _mapping(_seen(path, content, language.current()))
        _import(name, home, lambda tell: datasets.import_table(path, mapping, home, name=name, progress=tell))


@contextmanager
def _at(place: str) -> Iterator[Path]:
    """Yields the file or folder at a path that somebody has typed."""
    try:
        path = Path(place).expanduser()
        if not path.is_dir():
            check_is_file(path)
    except (OSError, ValueError, RuntimeError) as err:
        message = _("Expected a file at {path}, found none ({reason}). Give its full path.")
        raise DatasetError(message.format(path=place, reason=reason(err))) from err
    yield path


def _in_common(names: list[str]) -> Path:
    """Returns the words with which all names begin: those of x_train.h5 and x_test.h5 with x."""
    words = zip(*(re.split("[-_. ]", name) for name in names), strict=False)
    common = [one[0] for one in takewhile(lambda one: len({*one}) == 1, words)]
    return Path("-".join(common) or "table") if len(names) > 1 else Path(names[0])


def _received(sent: list) -> dict[str, memoryview]:
    """Returns what was sent, by the names of the files."""
    for file in sent:
        if [other.name for other in sent].count(file.name) > 1:
            raise DatasetError(_("Two files are called {name}. Rename one of them.").format(name=file.name))
    return {file.name: file.getbuffer() for file in sent}


def _content(path: Path) -> tuple:
    """Returns what changes if a file does, or a file of a folder."""
    found = ((str(file), file.stat()) for _split, file in parts_of(path))
    return tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in found)


@st.cache_data(max_entries=5, show_spinner=False)
def _seen(_path: Path, content: tuple, code: str) -> Preview:
    """Cached by content and language: a page is drawn anew at every choice, and a packed file unpacked each time."""
    return preview(_path)


def _mapping(seen: Preview) -> Mapping:
    """Shows what the columns of a table can be, and what becomes of its rows; returns what was chosen."""
    st.dataframe(seen.rows, hide_index=True)
    chosen = {**_columns(seen), **_scaling(), **_examples(), **_spellings()}
    return Mapping(**chosen | {"image_shape": images.parsed_shape(chosen["image_shape"])})


def _columns(seen: Preview) -> dict[str, Any]:
    names, roles = [column.name for column in seen.columns], seen.roles
    one, two, three = st.columns(3)
    user = one.selectbox(
        _("User ID column"),
        names,
        index=names.index(roles.user) if roles.user else 0,
        key="import_user",
        help=_("Rows with the same value belong to one user, who is the unit of privacy."),
    )
    label = two.selectbox(
        _("Label column"),
        names,
        index=names.index(roles.label) if roles.label else min(1, len(names) - 1),
        key="import_label",
        help=_("The class that a model predicts for an example."),
    )
    split = three.selectbox(
        _("Split column"),
        [None, *(name for name in names if name != roles.split)],
        key="import_split",
        format_func=lambda name: name or roles.split or _("none"),
        help=_(
            "Says which examples are for training and which for testing. Without such a column, some of each user's "
            "are for testing."
        ),
    )
    features = st.multiselect(
        _("Features"),
        names,
        placeholder=_("all other columns"),
        key="import_features",
        help=_("The columns that are inputs of the model; if none is chosen, all others."),
    )
    return {"user": user, "label": label, "split": split, "features": tuple(features)}


def _scaling() -> dict[str, Any]:
    one, two, three = st.columns(3)
    scaling = one.selectbox(
        _("Scaling"),
        list(_SCALINGS),
        format_func=lambda kind: _(_SCALINGS[kind]),
        key="import_scaling",
        help=_(
            "Standardising uses all users' data, which the guarantee does not cover. Fixed bounds use nobody's."
        ),
    )
    low = two.number_input(
        _("Lower bound"),
        value=-3.0,
        format="%g",
        key="import_low",
        disabled=scaling != "bounds",
        help=_("In the features' own unit. It is mapped to 0, and values below it are clipped."),
    )
    high = three.number_input(
        _("Upper bound"),
        value=3.0,
        format="%g",
        key="import_high",
        disabled=scaling != "bounds",
        help=_(
            "In the features' own unit, above the lower bound. It is mapped to 1, and values above it are clipped."
        ),
    )
    return {"scaling": scaling, "bounds": (low, high) if scaling == "bounds" else None}


def _examples() -> dict[str, Any]:
    one, two, three = st.columns(3)
    shape = one.text_input(
        _("Image shape"),
        key="import_shape",
        placeholder="28x28",
        help=_(
            "Height x width, or height x width x channels, where the features are an image and the file does not say "
            "so: for example 28x28 or 32x32x3. Channels that come first are moved to the end."
        ),
    )
    test_users = two.number_input(
        _("Fraction of test users"),
        value=None,
        step=0.05,
        format="%g",
        key="import_test_users",
        placeholder=_("none"),
        help=_(
            "From 0.01 to 0.99, for data with one example per user: test users are drawn by their ID alone, and all "
            "others only train. Not together with a split column."
        ),
    )
    with three:
        cap = controls.count(
            _("Maximum examples per user"),
            low=1,
            high=None,
            default=None,
            key="import_cap",
            placeholder=_("all"),
            help=_(
                "A whole number from 1. Of a user with more, this many are kept, drawn by the user ID alone. Empty "
                "keeps all."
            ),
        )
    return {"image_shape": shape, "test_users": test_users, "max_examples_per_user": cap}


def _spellings() -> dict[str, Any]:
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
            "Names that differ only in case, in width, or in how a number is written (1, 1.0, 01) then count as one."
        ),
    )
    return {"missing_user": missing_user, "missing_label": missing_label, "join": tuple(join)}


def _import(name: str, home: Path, work) -> None:
    if not st.button(
        _("Import"), type="primary", key="import", help=_("Reads the file and stores it as a data set.")
    ):
        return
    datasets.clear_leftovers(home)
    bar = st.progress(0.0, text=_("Reading"))
    work(lambda what, fraction: look.told(bar, what, fraction))
    st.session_state["data_changed"] = (name, _("{name} is imported.").format(name=name))
    st.rerun()
