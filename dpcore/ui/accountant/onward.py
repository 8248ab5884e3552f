"""From a plan onwards: what if it were another one, and training it, or rehearsing it on data that are here."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import streamlit as st

from dpcore import datasets, rounding
from dpcore.errors import EpsilonLabError, InvalidValueError
from dpcore.language import _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.assumptions import rehearsal
from dpcore.privacy.precision import Precision
from dpcore.runs.access import visiting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.ui.core import address
from dpcore.ui.core.parameters import EPSILON
from dpcore.ui.server import services

_TIMES = 10


def what_if(plan: PrivacyPlan) -> None:
    """Shows what epsilon would be of three other plans, each a link to it."""
    found = list(_others(plan))
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="what_if"):
        st.caption(_("What if?"), width="content")
        for words, changed, settings in found:
            epsilon = accounting.epsilon(changed, Precision.PREVIEW).value
            st.page_link(
                "pages/accountant.py",
                label=_("{change}: epsilon {epsilon}").format(change=words, epsilon=rounding.epsilon(epsilon)),
                icon=":material/arrow_forward:",
                query_params=address.query("accountant", **_given(plan) | settings),
            )


def _others(plan: PrivacyPlan) -> Iterator[tuple[str, PrivacyPlan, dict[str, Any]]]:
    """Yields each change in words, the plan that it makes, and the controls that it sets; none that is no plan."""
    twice = {"clients_per_round": 2 * plan.clients_per_round, "noise_multiplier": 2 * plan.noise_multiplier}
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        (_("Ten times the users"), {"population": _TIMES * plan.population}),
        (_("Half the rounds"), {"rounds": plan.rounds // 2}),
        (_("Twice the clients, at the same noise-to-clients ratio"), twice),
    )
    for words, settings in changes:
        numbers = dict(settings)
        if plan.cohorts.kind == "full":
            if "clients_per_round" in settings:
                continue  # all users take part already
            numbers["clients_per_round"] = numbers.get("population", plan.population)
        with suppress(InvalidValueError):
            yield words, replace(plan, **numbers), settings


def _given(plan: PrivacyPlan) -> dict[str, Any]:
    """Returns the numbers of a plan as controls have them, and that epsilon is asked: also where one was solved for."""
    names = ("noise_multiplier", "clients_per_round", "rounds", "population", "delta")
    return {name: getattr(plan, name) for name in names} | {"solve": EPSILON}


def train(plan: PrivacyPlan) -> None:
    """Shows the way to a training of the plan, on a data set with its users, or to a rehearsal on one that is here."""
    store = services.store()
    fitting = [name for name, users in _users(store) if users == plan.population]
    if plan.rounds < 1:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="onward"):
        if fitting:
            st.page_link(
                "pages/train.py",
                label=_("Train this plan on {data}").format(data=fitting[0]),
                icon=":material/model_training:",
                query_params=address.query("train", **_given(plan) | {"dataset": fitting[0]}),
            )
            return
    with st.expander(_("Rehearse it here"), key="rehearse", on_change="rerun") as opened:
        if opened.open:
            _rehearse(store, plan)


def _users(store: StoreAccess) -> Iterator[tuple[str, int]]:
    chosen = address.value("dataset")
    names = visiting.may_see(store, datasets.names(store.home))
    for name in sorted(names, key=lambda name: name != chosen):  # the one that the session is about, first
        with suppress(EpsilonLabError):
            yield name, datasets.num_users(name, store.home)


def _rehearse(store: StoreAccess, plan: PrivacyPlan) -> None:
    """Shows a plan with the same effective noise on data that are here, what carries over, and a forecast."""
    name, users = next(_users(store))
    try:
        few = rehearsal.of(plan, users)
    except InvalidValueError as err:
        st.caption(_("It cannot be rehearsed on {data}: {reason}").format(data=name, reason=err))
        return
    own, other = (accounting.epsilon(one, Precision.PREVIEW).value for one in (few, plan))
    st.write(
        _(
            "Carries over: the noise on the average update ({ratio} clip norms for each of the {rounds:,} rounds) and "
            "the clipping, and with them about the accuracy that a model keeps."
        ).format(
            ratio=rounding.ratio(plan.noise_multiplier, plan.clients_per_round),
            rounds=plan.rounds,
        )
    )
    st.write(
        _(
            "Does not carry over: the guarantee (epsilon {own} on the {users:,} users of {data}, {other} on the plan's "
            "{population:,}), and what cohorts of {few:,} clients instead of {clients:,} leave to chance."
        ).format(
            own=rounding.epsilon(own),
            users=users,
            data=name,
            other=rounding.epsilon(other),
            population=plan.population,
            few=few.clients_per_round,
            clients=plan.clients_per_round,
        )
    )
    st.write(_forecast(store, name, few))
    st.page_link(
        "pages/train.py",
        label=_("Rehearse it on {data}").format(data=name),
        icon=":material/model_training:",
        query_params=address.query(
            "train", **_given(few) | {"dataset": name, "participation": few.participation.kind}
        ),
    )


def _forecast(store: StoreAccess, name: str, plan: PrivacyPlan) -> str:
    """Returns what accuracy is expected of a plan on a data set, from the runs that there are, in a sentence."""
    import numpy as np

    from dpcore.runs.studies import forecast  # scikit-learn: a second, and for whoever asks alone

    known = [
        (forecast.ratio(run.plan.privacy, plan.rounds), reached)
        for run in store.runs(status=["finished"])
        if run.plan.training.dataset == name and not run.plan.privacy.zeroing
        if (reached := forecast.accuracy_after(store.rounds(run.run_id), plan.rounds)) is not None
    ]
    found = None
    if known:
        ratios, accuracies = np.array(known, float).T
        found = forecast.forecast(ratios, accuracies, np.array([forecast.ratio(plan)]))
    if found is None:
        return _(
            "No forecast yet: it needs three finished runs on {data} with different noise-to-clients ratios that reached "
            "round {rounds:,}."
        ).format(data=name, rounds=plan.rounds)
    if not found.inside[0]:
        return _("No forecast: no run on {data} had so much noise, or so little.").format(data=name)
    return _("Forecast on {data}: an accuracy of about {accuracy:.0%} ({low:.0%} to {high:.0%}).").format(
        data=name, accuracy=found.accuracy[0], low=found.low[0], high=found.high[0]
    )
