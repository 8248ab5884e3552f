"""Epsilon against each number of a plan, through the plan itself."""

import numpy as np
import streamlit as st

from dpcore.charts import privacy as charts
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.statement import epsilon_text
from dpcore.ui import chart, tables

_CURVES = {
    "rounds": ("Rounds", lambda plan: plan.rounds, False),
    "noise_multiplier": ("Noise multiplier", lambda plan: plan.noise_multiplier, True),
    "clients_per_round": ("Clients per round", lambda plan: plan.clients_per_round, True),
    "delta": ("Delta", lambda plan: plan.delta, True),
}
_MAP = "map"


def show(plan: PrivacyPlan) -> None:
    """Shows the chart that is chosen."""
    names = {name: title for name, (title, _, _) in _CURVES.items()} | {_MAP: "Clients and noise"}
    chosen = st.segmented_control(
        "Epsilon against",
        list(names),
        format_func=names.__getitem__,
        key="against",
        default="rounds",
        required=True,
        bind="query-params",
    )
    epsilon = accounting.epsilon(plan, accounting.COARSE).value
    if plan.noise_multiplier == 0 or plan.rounds == 0:
        st.caption(
            "Without noise there is nothing to draw: epsilon is infinite from the first round on."
            if plan.rounds
            else "Without rounds there is nothing to draw: nothing is released."
        )
    elif chosen == _MAP:
        _map(plan)
    else:
        title, number, logarithmic = _CURVES[chosen]
        curve = tables.epsilon_against(plan, chosen)
        chart.show(
            charts.epsilon_against(
                curve,
                x_title=title,
                point=(number(plan), epsilon),
                delta=plan.delta,
                logarithmic=logarithmic,
            ),
            key="epsilon_against",
            label=f"Epsilon against {title.lower()}, by PLD and RDP; {epsilon_text(epsilon)} at this plan.",
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
        label=f"Epsilon over clients per round and noise, for {plan.rounds:,} rounds. It falls with the noise and rises "
        f"with the clients; along the dashed line, the noise on the average is {ratio:.3g}.",
        table=table,
    )
