"""A data set in a page: what it is like, what is feasible on it, and removing it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from dpcore import datasets, limits
from dpcore.charts import data as charts
from dpcore.datasets import summary
from dpcore.datasets.federated import Description
from dpcore.privacy import calibration
from dpcore.privacy.statement import epsilon_text
from dpcore.ui import chart, controls


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
    """Shows the choice of a data set."""
    return st.selectbox("Data set", names, key="dataset", bind="query-params")


def fetch(name: str, home: Path) -> None:
    """Makes or downloads a data set, and shows how far it is; a refusal ends the page."""
    with controls.explain():
        bar = st.progress(0.0, text=f"Preparing {name}")
        datasets.load(
            name, home, lambda what, fraction: bar.progress(min(fraction, 1.0), text=f"{what}: {fraction:.0%}")
        )
        bar.empty()


def show(name: str, home: Path) -> None:
    """Shows a data set, or how to get it."""
    entry = datasets.entry(name, home)
    if entry.manifest is None:
        if entry.problem:
            st.error(entry.problem, icon=":material/error:")
        st.info(
            f"{name} is not on this machine yet: {datasets.num_users(name):,} users."
            if entry.built_in
            else f"{name} cannot be read. Remove it and import it again.",
            icon=":material/download:",
        )
        if entry.built_in and st.button("Get it", type="primary", key="get"):
            fetch(name, home)
            st.rerun()
        return
    with controls.explain(), st.spinner("Looking at the data"):
        look = _look(name, home, entry.manifest.fingerprint)
    _figures(look)
    _reach(look.summary)
    st.header("A look at it")
    if look.sheet is not None:
        st.image(look.sheet, width=560, caption="A user a row.")
    else:
        st.dataframe(look.rows, hide_index=True)
    st.caption(
        f"{look.description.source}. {look.description.scaling}. Content {look.fingerprint}; "
        f"{entry.size_bytes / 1e6:,.0f} MB in {entry.folder}"
    )
    with st.popover("Remove this data set"):
        st.write(f"Its files ({entry.size_bytes / 1e6:,.0f} MB) go; its runs stay, and stay in the ledger.")
        if st.button("Remove it", key="remove", type="primary"):
            with controls.explain():
                datasets.remove(name, home)
            st.session_state["data_changed"] = (datasets.NAMES[0], f"{name} is removed.")
            st.rerun()


def _figures(look: Look) -> None:
    found = look.summary
    fewest, median, most = found.examples_per_user
    one, two, three, four = st.columns(4)
    one.metric("Users", f"{found.num_users:,}", border=True)
    two.metric("Examples", f"{found.num_train:,}", border=True, help=f"To train on; {found.num_test:,} to test on.")
    three.metric("Examples a user", f"{median:g}", border=True, help=f"The median; from {fewest:,} to {most:,}.")
    four.metric(
        "Label skew",
        f"{found.label_skew:.3f}",
        border=True,
        help="How far a user's labels are from everybody's: the mean total variation distance, 0 to 1.",
    )
    for warning in look.description.warnings:
        st.warning(warning, icon=":material/warning:")
    if look.description.access_note:
        st.info(look.description.access_note, icon=":material/visibility:")
    left, right = st.columns(2, gap="large")
    users = pd.DataFrame(
        {"from": found.histogram_edges[:-1], "to": found.histogram_edges[1:] - 1, "users": found.histogram_users}
    )
    balance = pd.DataFrame({"class": look.class_names, "share": found.label_balance})
    with left:
        st.subheader("Examples per user")
        chart.show(
            charts.examples_per_user(users),
            key="examples_per_user",
            label=f"Users by examples: from {fewest:,} to {most:,}, {median:g} in the middle.",
            table=users,
        )
    with right:
        st.subheader("Classes")
        chart.show(
            charts.label_balance(balance),
            key="label_balance",
            label=f"Share of each of {found.num_classes} classes, from {balance['share'].min():.1%} to "
            f"{balance['share'].max():.1%}.",
            table=balance,
        )


def _reach(found: summary.Summary) -> None:
    st.header("What is feasible here?")
    left, right = st.columns([2, 3], gap="large")
    with left, st.container(border=True):
        ratio = controls.knob(limits.NOISE_TO_CLIENTS_RATIO, low=0.001, high=0.09)
    with right:
        with controls.explain():
            reach = calibration.lowest_epsilons(found.num_users, found.suggested_delta, ratio)
        for column, (rounds, epsilon) in zip(st.columns(len(reach)), reach.items(), strict=True):
            column.metric(f"Epsilon, {rounds} rounds", epsilon_text(epsilon), border=True)
        st.caption(
            f"The lowest epsilon that any plan reaches with these users at that noise on the average, delta "
            f"{found.suggested_delta!r} (well below 1 / users): all of them in every round."
        )
