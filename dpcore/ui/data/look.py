"""A data set in a page: what it is like, what is feasible on it, and removing it."""

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from dpcore import datasets, language, limits, rounding
from dpcore.charts import data as charts
from dpcore.datasets import population, summary
from dpcore.datasets.federated import Description
from dpcore.language import _
from dpcore.plan import MODELS
from dpcore.privacy import calibration
from dpcore.runs.access import visiting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.ui.core import chart, choices, columns, controls, states
from dpcore.ui.server import visitors


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a page shows of a data set. Holds no open file, so that the data set can be removed."""

    summary: summary.Summary
    description: Description
    class_names: tuple[str, ...]
    fingerprint: str
    sheet: np.ndarray | None
    rows: dict[str, list]


@st.cache_data(max_entries=20, show_spinner=False)
def _look(name: str, home: Path, fingerprint: str) -> Look:
    """Cached by content: a data set that is imported anew is another one."""
    dataset = datasets.load(name, home)
    return Look(
        summary=summary.summarise(dataset),
        description=dataset.description,
        class_names=dataset.class_names,
        fingerprint=dataset.fingerprint,
        sheet=summary.contact_sheet(dataset) if dataset.image_shape else None,
        rows=summary.sample_rows(dataset) if not dataset.image_shape else {},
    )


def choose(names: tuple[str, ...]) -> str:
    """Shows the choice of a data set; ends the page where there is none."""
    if not names:  # those that visitors were allowed are gone
        st.info(_("No data set is available to visitors. Ask the administrator."), icon=":material/database_off:")
        st.stop()
    return choices.linked(
        st.selectbox,
        _("Data set"),
        names,
        key="dataset",
        stays=True,
        help=_("The data set to train on. The page Data shows each, and imports your own."),
    )


def choose_to_train(store: StoreAccess) -> tuple[str, str]:
    """Shows the choices of a data set and of a model to train on it."""
    one, two = st.columns(2)
    with one:
        dataset = choose(visiting.may_see(store, datasets.names(store.home)))
    model = choices.linked(
        two.selectbox,
        _("Model"),
        MODELS,
        key="model",
        help=_("mlp: two hidden layers of 200, as in the tutorial; linear: none; cnn: convolutions, for images."),
    )
    return dataset, model


def told(bar: DeltaGenerator, what: str, fraction: float) -> None:
    """Moves a bar to the fraction that is done, and says what is being done."""
    bar.progress(min(fraction, 1.0), text=f"{_(what)}: {fraction:.0%}")


def show(name: str, home: Path) -> None:
    """Shows a data set, or how to get it."""
    entry = datasets.entry(name, home)
    if entry.manifest is None:
        _missing(entry, home)
        return
    with controls.explain(), st.spinner(_("Reading the data set")):
        look = _look(name, home, entry.manifest.fingerprint)
    private = visitors.hosted() and not entry.built_in  # somebody's own table: rows and ids are its users'
    _figures(look, warnings=() if private else look.description.warnings)
    _reach(look.summary)
    st.header(_("Examples from the data"))
    if private:
        st.caption(_("Examples are shown to the administrator only."))
    elif look.sheet is not None:
        _picture(look.sheet, _("One row per user."))
    else:
        st.dataframe(look.rows, hide_index=True, column_config=columns.shown(["user", "label"]))
    where = "" if visitors.hosted() else _(" in {folder}").format(folder=entry.folder)
    st.caption(
        _("{source}. {scaling}. Content {content}; {size:,.0f} MB{place}").format(
            source=language.translated(look.description.source),
            scaling=_(look.description.scaling),
            content=look.fingerprint,
            size=entry.size_bytes / 1e6,
            place=where,
        )
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        _remove(entry, home)
        states.link("train", dataset=name)
        states.link("ledger", dataset=name)


def _picture(pixels: np.ndarray, words: str) -> None:
    """Shows grey pixels with their caption, which is what a screen reader says of them: `st.image` leaves that out."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    st.html(f'<img src="{source}" alt="{html.escape(words)}" class="epsilon-lab-examples">')
    st.caption(words)


def _missing(entry: datasets.Entry, home: Path) -> None:
    """Shows why a data set is not there, and what can be done about it."""
    if entry.problem:
        st.error(visitors.without_paths(entry.problem), icon=":material/error:")
    if not entry.built_in:
        words = _("{name} cannot be read. Remove it and import it again.").format(name=entry.name)
        st.info(words, icon=":material/download:")
        _remove(entry, home)
        return
    st.info(
        _("{name} is not on this machine yet: {users:,} users.").format(
            name=entry.name, users=datasets.num_users(entry.name)
        ),
        icon=":material/download:",
    )
    if visitors.hosted():
        return
    tip = _("Generates or downloads it, once; the bar shows the progress.")
    if st.button(_("Download"), type="primary", key="get", help=tip):
        with controls.explain():
            bar = st.progress(0.0, text=_("Preparing {name}").format(name=entry.name))
            datasets.load(entry.name, home, lambda what, fraction: told(bar, what, fraction))
        st.rerun()


def _remove(entry: datasets.Entry, home: Path) -> None:
    if visitors.hosted():
        return
    with st.popover(_("Remove this data set"), key="remove_data", help=_("Asks for confirmation first.")):
        st.write(
            _("Its files ({size:,.0f} MB) go; its runs stay, and stay in the ledger.").format(
                size=entry.size_bytes / 1e6
            )
        )
        tip = _("Refused while a run trains on it.")
        if st.button(_("Remove it"), key="remove", type="primary", help=tip):
            with controls.explain():
                datasets.remove(entry.name, home)
            st.session_state["data_changed"] = (datasets.NAMES[0], _("{name} is removed.").format(name=entry.name))
            st.rerun()


def _figures(look: Look, warnings: tuple[str, ...]) -> None:
    found = look.summary
    fewest, median, most = found.examples_per_user
    one, two, three, four = st.columns(4)
    one.metric(
        _("Users"),
        f"{found.num_users:,}",
        border=True,
        help=_("The population that cohorts are sampled from. The unit of privacy is one user."),
    )
    two.metric(
        _("Examples"),
        f"{found.num_train:,}",
        border=True,
        help=_("For training; {test:,} for testing.").format(test=found.num_test),
    )
    three.metric(
        _("Examples per user (median)"),
        f"{median:g}",
        border=True,
        help=_("From {fewest:,} to {most:,}.").format(fewest=fewest, most=most),
    )
    four.metric(
        _("Label skew"),
        f"{found.label_skew:.3f}",
        border=True,
        help=_("The mean total variation distance between a user's labels and those of all users, 0 to 1."),
    )
    if found.users_without_train:
        users = population.label(num_users=found.num_users, users_without_train=found.users_without_train)
        st.caption(
            _("{users}: those who train are the population, and all figures below are theirs.").format(users=users)
        )
    for warning in warnings:
        st.warning(language.translated(warning), icon=":material/warning:")
    if look.description.access_note:
        st.info(_(look.description.access_note), icon=":material/visibility:")
    _distributions(look)


def _distributions(look: Look) -> None:
    """Shows how many examples users have, and how many each class has."""
    found = look.summary
    fewest, median, most = found.examples_per_user
    left, right = st.columns(2, gap="large")
    users = pd.DataFrame(
        {"from": found.histogram_edges[:-1], "to": found.histogram_edges[1:] - 1, "users": found.histogram_users}
    )
    balance = pd.DataFrame({"class": look.class_names, "share": found.label_balance})
    with left:
        st.subheader(_("Examples per user"))
        chart.show(
            charts.examples_per_user(users),
            key="examples_per_user",
            label=_("Users by examples: from {fewest:,} to {most:,}, median {median:g}.").format(
                fewest=fewest, most=most, median=median
            ),
            table=users,
        )
    with right:
        st.subheader(_("Classes"))
        chart.show(
            charts.label_balance(balance),
            key="label_balance",
            label=_("Share of each of {classes} classes, from {least:.1%} to {most:.1%}.").format(
                classes=found.num_classes, least=balance["share"].min(), most=balance["share"].max()
            ),
            table=balance,
        )


def _reach(found: summary.Summary) -> None:
    st.header(_("What is feasible here?"))
    left, right = st.columns([2, 3], gap="large")
    with left, st.container(border=True):
        ratio = controls.knob(limits.NOISE_TO_CLIENTS_RATIO, low=0.001, high=0.09)
    with right:
        with controls.explain():
            reach = calibration.lowest_epsilons(found.num_users, found.suggested_delta, ratio)
        for column, (rounds, epsilon) in zip(st.columns(len(reach)), reach.items(), strict=True):
            column.metric(
                _("Epsilon, {rounds} rounds").format(rounds=rounds),
                rounding.epsilon(epsilon),
                border=True,
                help=_("An upper bound, with full participation."),
            )
        st.caption(
            _(
                "The lowest epsilon that any plan reaches with these users at that noise-to-clients ratio, delta "
                "{delta} (well below 1 / users): that of full participation."
            ).format(delta=rounding.given(found.suggested_delta))
        )
