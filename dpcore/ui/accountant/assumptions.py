"""What a guarantee assumes of cohorts and noise: the same plan under each assumption, as a table and a picture."""

import math
from collections.abc import Iterator
from dataclasses import replace

import streamlit as st

from dpcore import rounding
from dpcore.charts import paths
from dpcore.language import _
from dpcore.plan import ADD_OR_REMOVE, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.assumptions.comparison import Way, effective_noise
from dpcore.privacy.precision import Precision
from dpcore.ui.accountant import cohorts
from dpcore.ui.core import chart, markdown, plans, tables

_MOST_LINES = 6


def table(plan: PrivacyPlan, precision: Precision) -> None:
    """Shows, for each assumption, epsilon at this noise, the noise for this epsilon, and what it asks of a deployment."""
    epsilon = accounting.epsilon(plan, precision).value
    if not _is_comparable(plan, epsilon):
        st.caption(_("Without a finite epsilon above 0 there is nothing to compare with other assumptions."))
        return
    heads = (
        _("Assumption"),
        _("Adjacency"),
        _("Epsilon at this noise"),
        _("Noise for epsilon {epsilon}").format(epsilon=rounding.epsilon(epsilon)),
        _("Effective noise then"),
    )
    ways = tables.ways(plan, _target(epsilon))
    own = [replace(way, epsilon=epsilon) if way.plan == plan else way for way in ways]
    st.markdown(markdown.table(heads, "llrrr", [_cells(plan, way) for way in own]))
    st.caption("\n".join([_("What each asks of a deployment, and who must keep what secret:"), "", *_asks(own)]))


def picture(plan: PrivacyPlan, precision: Precision) -> None:
    """Shows the noise on the model's path, of each assumption with the noise that this epsilon takes."""
    epsilon = accounting.epsilon(plan, precision).value
    if not _is_comparable(plan, epsilon):
        return
    drawn = _drawn(plan, tables.ways(plan, _target(epsilon)))
    shown = tables.noise_on_path(drawn)
    last = ", ".join(f"{name}: {rounding.up(shown[name].iloc[-1])}" for name in drawn)
    st.markdown(
        _(
            "**Noise on the model's path**, by round, at the noise that each needs for epsilon {epsilon}. Independent "
            "noise adds up; of correlated noise, later rounds take back a part."
        ).format(epsilon=rounding.epsilon(epsilon))
    )
    chart.show(
        paths.noise_by_round(shown, own=_line(plan)),
        key="noise_on_path",
        label=_(
            "Noise on the model's path by round, in clip norms, at the noise for epsilon {epsilon}. After the last "
            "round: {last}."
        ).format(epsilon=rounding.epsilon(epsilon), last=last),
        table=shown,
    )


def _is_comparable(plan: PrivacyPlan, epsilon: float) -> bool:
    return 0 < epsilon < math.inf and plan.rounds > 0 and 0 < _target(epsilon) < math.inf


def _target(epsilon: float) -> float:
    """An epsilon as it is shown, so that a finer one a moment later is the same."""
    return float(rounding.epsilon(epsilon).replace(",", "").replace("∞", "inf"))


def _cells(plan: PrivacyPlan, way: Way) -> list[str]:
    name, needed = plans.mechanism(way.plan), way.needed
    return [
        _("**{assumption} (this plan)**").format(assumption=name) if way.plan == plan else name,
        _(cohorts.ADJACENCY_NAMES[way.plan.adjacency]),
        rounding.epsilon(way.epsilon),
        "–" if needed is None else _noise(plan, needed),
        "–" if needed is None else rounding.up(effective_noise(needed)),
    ]


def _asks(ways: list[Way]) -> Iterator[str]:
    """What each way to form cohorts asks of a deployment, and what all of them do, as items of a list."""
    for sentence in dict.fromkeys(way.plan.cohorts.assumption(way.plan.fleet) for way in ways):
        yield f"- {sentence}"
    words = _(
        "With all of them, the server keeps noise and sums secret, for good. Where noise is correlated, the noise of one "
        "round tells of that of all others, of rounds to come as well."
    )
    yield f"- {words}"


def _noise(plan: PrivacyPlan, needed: PrivacyPlan) -> str:
    if needed == plan:
        return rounding.noise(plan.noise_multiplier)
    number = rounding.up(needed.noise_multiplier)
    if needed.clipping == plan.clipping:
        return number
    return _("{noise}, with fixed clipping").format(noise=number)


def _drawn(plan: PrivacyPlan, ways: list[Way]) -> dict[str, PrivacyPlan]:
    """The plans whose path is drawn, by name: the plan's own, and others with cohorts of its size."""
    named = {_line(plan): plan}
    for way in ways:
        alike = way.plan.clients_per_round == plan.clients_per_round and way.plan.adjacency == ADD_OR_REMOVE
        if way.needed and alike and len(named) < _MOST_LINES:
            named.setdefault(_line(way.plan), way.needed)
    return named


def _line(plan: PrivacyPlan) -> str:
    name = plans.mechanism(plan)
    if plan.adjacency == ADD_OR_REMOVE:
        return name
    return _("{mechanism} ({adjacency})").format(
        mechanism=name, adjacency=_(cohorts.ADJACENCY_NAMES[plan.adjacency])
    )
