"""Who a run's model is accurate for: by user, by how many examples they have, and by class; beside another run's."""

import pandas as pd
import streamlit as st

from dpcore import datasets
from dpcore.charts import fairness as charts
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.reports.study import setting_label
from dpcore.runs import fairness
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.fairness import Fairness
from dpcore.runs.store.run_rows import Run
from dpcore.ui.core import chart, controls
from dpcore.ui.core.markdown import plain
from dpcore.ui.server import visitors

_NONE = "none"


def show(store: StoreAccess, run: Run) -> None:
    """Shows it in an expander, of a run that has ended."""
    with st.expander(_("Who is it accurate for?"), key="fairness", on_change="rerun") as opened:
        if not opened.open:
            return
        with controls.refusals():
            found = fairness.read(store, run)
            if found is None:
                _how_to_have_it(run)
                return
            _all(store, {_name(run): found}, run)


def _how_to_have_it(run: Run) -> None:
    if visitors.hosted():
        st.info(_("It was not measured when this run ended."), icon=":material/info:")
        return
    st.info(
        _("It was not measured when this run ended. Measure it: `{command}`").format(
            command=f"python -m dpcore runs fairness {run.run_id}"
        ),
        icon=":material/info:",
    )


def _all(store: StoreAccess, found: dict[str, Fairness], run: Run) -> None:
    if (other := _beside(store, run)) is not None and (theirs := fairness.read(store, other)) is not None:
        name = _name(other)
        found[f"{name} ({other.run_id[-4:]})" if name in found else name] = theirs
    for name, one in found.items():
        st.write(
            _(
                "**{name}**: users' mean accuracy {mean:.1%}, that of the tenth of users with the lowest {worst:.1%}."
            ).format(name=plain(name), mean=one.mean_of_users, worst=one.worst_decile)
        )
    st.caption(
        _(
            "A diagnostic that the guarantee does not cover, on the test examples of {users:,} users; each user weighs "
            "the same. Where noise costs accuracy, it often costs "
            "those most who have few examples or are unlike others (Bagdasaryan et al. 2019)."
        ).format(users=len(next(iter(found.values())).user_examples))
    )
    tables = {name: one.histogram() for name, one in found.items()}
    chart.show(
        charts.by_user(tables),
        key="fairness_by_user",
        label=_("How many users have which accuracy. Lowest tenth: {worst}.").format(
            worst="; ".join(f"{name} {one.worst_decile:.1%}" for name, one in found.items())
        ),
        table=_joined(tables),
    )
    left, right = st.columns(2)
    with left:
        _groups(
            {name: _named(one.by_examples()) for name, one in found.items()},
            _("Examples to train on"),
            key="fairness_by_examples",
        )
    with right:
        names = _class_names(store, run)
        classes = {
            name: one.by_class().assign(group=lambda table: table.pop("label").map(names))
            for name, one in found.items()
        }
        _groups(classes, _("Class"), key="fairness_by_class")


def _beside(store: StoreAccess, run: Run) -> Run | None:
    """Returns the run that is shown beside this one; first, one without privacy, or with it if this has none."""
    private = run.plan.privacy.noise_multiplier > 0
    others = [
        one for one in store.runs(status=["finished"]) if one.run_id != run.run_id and _data(one) == _data(run)
    ]
    others.sort(key=lambda one: (one.plan.privacy.noise_multiplier > 0) == private)
    if not others:
        return None
    labels = {one.run_id: f"{_name(one)} · {one.run_id}" for one in others}
    first = (others[0].plan.privacy.noise_multiplier > 0) != private
    chosen = st.selectbox(
        _("Beside"),
        [_NONE, *labels],
        index=int(first),
        format_func=lambda run_id: labels.get(run_id, _("No other run")),
        key=f"fairness_beside_{run.run_id}",
        help=_("Another run on the same data, with privacy or without."),
    )
    return next((one for one in others if one.run_id == chosen), None)


def _name(run: Run) -> str:
    """Returns what a run was called, or else what tells it from others: its noise first."""
    return run.name or setting_label(run.plan, mechanism=False)


def _data(run: Run) -> tuple[str, str | None]:
    return run.plan.training.dataset, run.dataset_fingerprint


def _groups(tables: dict[str, pd.DataFrame], title: str, *, key: str) -> None:
    lowest = {name: table.loc[table["accuracy"].idxmin()] for name, table in tables.items()}
    chart.show(
        charts.by_group(tables, title),
        key=key,
        label=_("Accuracy by {what}. Lowest: {lowest}.").format(
            what=title,
            lowest="; ".join(f"{name}: {row['group']}, {row['accuracy']:.1%}" for name, row in lowest.items()),
        ),
        table=_joined(tables),
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Returns groups of users with their words."""
    same = table["from"] == table["to"]
    words = [
        f"{low}" if alone else _("{low} to {high}").format(low=low, high=high)
        for low, high, alone in zip(table["from"], table["to"], same, strict=True)
    ]
    return table.assign(group=words)


def _joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table.assign(run=name) for name, table in tables.items()])


def _class_names(store: StoreAccess, run: Run):
    """Returns what tells a class by its number: its name, where the data set is still there and has names."""
    names: tuple[str, ...] = ()
    try:
        if (manifest := datasets.entry(run.plan.training.dataset, store.home).manifest) is not None:
            names = manifest.description.class_names
    except EpsilonLabError:  # removed since
        names = ()
    return lambda label: names[label] if label < len(names) else str(label)
