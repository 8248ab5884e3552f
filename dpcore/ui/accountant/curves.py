"""Epsilon against each number of a plan, through the plan itself."""

import numpy as np
import streamlit as st

from dpcore import rounding
from dpcore.charts import privacy as charts
from dpcore.language import N_, _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.ui.core import chart, choices, tables

_PARTICIPATIONS = "participations"
_CURVES = {
    "rounds": (N_("Rounds"), lambda plan: plan.rounds, False),
    "noise_multiplier": (N_("Noise multiplier"), lambda plan: plan.noise_multiplier, True),
    "clients_per_round": (N_("Clients per round"), lambda plan: plan.clients_per_round, True),
    "delta": (N_("Delta"), lambda plan: plan.delta, True),
    "population": (N_("Population"), lambda plan: plan.population, True),
    _PARTICIPATIONS: (N_("Maximum participations"), lambda plan: plan.participations, True),
}
_MAP = "map"
CHOICES = (*_CURVES, _MAP)


def show(plan: PrivacyPlan) -> None:
    """Shows the chart that is chosen."""
    names = {name: _(curve[0]) for name, curve in _CURVES.items()} | {_MAP: _("Clients and noise")}
    chosen = choices.linked(
        st.segmented_control,
        _("Epsilon against"),
        list(names),
        format_func=names.__getitem__,
        key="against",
        default="rounds",
        required=True,
        help=_("The value of the plan that the chart varies; the others are fixed."),
    )
    epsilon = accounting.epsilon(plan, Precision.PREVIEW).value
    if plan.noise_multiplier == 0 or plan.rounds == 0:
        st.caption(
            _("Without noise there is nothing to draw: epsilon is infinite from the first round on.")
            if plan.rounds
            else _("Without rounds there is nothing to draw: nothing is released.")
        )
    elif chosen == _PARTICIPATIONS and plan.cohorts.kind != "schedule":
        st.caption(
            _("Only a known schedule limits how often a user takes part: choose it under How cohorts are formed.")
        )
    elif chosen == _MAP:
        _map(plan)
    else:
        title, number, logarithmic = _CURVES[chosen]
        curve = tables.epsilon_against(plan, chosen)
        chart.show(
            charts.epsilon_against(
                curve,
                x_title=_(title),
                point=(number(plan), epsilon),
                delta=plan.delta,
                logarithmic=logarithmic,
            ),
            key="epsilon_against",
            label=_("Epsilon by PLD and RDP against: {name}. At this plan: {epsilon}.").format(
                name=_(title), epsilon=rounding.epsilon(epsilon)
            ),
            table=curve,
        )


def _map(plan: PrivacyPlan) -> None:
    table = tables.surface(plan)
    grid = table.pivot(index="noise_multiplier", columns="clients_per_round", values="epsilon")
    ratio = plan.noise_multiplier / plan.clients_per_round
    chart.show(
        charts.surface(
            grid.columns.to_numpy(float),
            grid.index.to_numpy(float),
            np.array(grid, float),
            point=(plan.clients_per_round, plan.noise_multiplier),
            ratio=ratio,
        ),
        key="surface",
        label=_(
            "Epsilon over clients per round and noise, for {rounds:,} rounds. It falls with the noise and rises with the "
            "clients; along the dashed line, the noise-to-clients ratio is {ratio}."
        ).format(rounds=plan.rounds, ratio=rounding.ratio(plan.noise_multiplier, plan.clients_per_round)),
        table=table,
    )
