"""What epsilon means: the best attack on a plan, in numbers and words."""

from dataclasses import dataclass

import streamlit as st

from dpcore import limits
from dpcore.charts import privacy as charts
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration, statement
from dpcore.privacy.risk import risk
from dpcore.ui import chart, controls, tables

_noise = st.cache_data(calibration.noise_for_risk, max_entries=1000, show_spinner=False)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Whom the attacker may accuse, and suspects beforehand; and how many it may find, where that is asked."""

    false_positive_rate: float
    prior: float
    true_positive_rate: float | None


def ask() -> Attack:
    """Shows the controls of the section."""
    with st.container(border=True):
        rate = controls.knob(limits.FALSE_POSITIVE_RATE, low=0.0001, high=0.5, logarithmic=True)
        prior = controls.knob(limits.PRIOR, low=0.01, high=0.99)
    with st.container(border=True):
        st.subheader("And the way back")
        st.write("The noise at which such an attack finds no more than:")
        wanted = controls.knob(limits.TRUE_POSITIVE_RATE, low=0.01, high=1.0)
        asked = st.toggle("Find it (takes a few seconds)", key="way_back", bind="query-params")
    with controls.explain():
        return Attack(
            false_positive_rate=limits.FALSE_POSITIVE_RATE.check(rate),
            prior=limits.PRIOR.check(prior),
            true_positive_rate=limits.TRUE_POSITIVE_RATE.check(wanted) if asked else None,
        )


def show(plan: PrivacyPlan, attack: Attack, grid: float) -> None:
    """Shows what the best attack achieves."""
    best, rate = risk(plan, grid), attack.false_positive_rate
    found = float(best.true_positive_rate(rate))
    posterior, guess = best.posterior(attack.prior, rate), best.best_guess(attack.prior)
    one, two, three = st.columns(3)
    one.metric(f"Found, at {statement.percent(rate)} wrongly accused", statement.percent(found), border=True)
    two.metric("Advantage", f"{best.advantage:.3f}", border=True, help="The most by which found exceeds accused.")
    three.metric(
        f"Sure of the accused, from {attack.prior:.0%}",
        statement.percent(posterior),
        border=True,
        help="How sure this attacker is of a user that it accuses, by Bayes' rule.",
    )
    st.write(
        f"{statement.attack(plan, best, rate)} Who was {attack.prior:.0%} sure of a user before can be "
        f"{statement.percent(posterior)} sure of one that this attack accuses. Guessing for everybody, such an attacker "
        f"is right {statement.percent(guess)} of the time; without looking at the model, "
        f"{statement.percent(max(attack.prior, 1 - attack.prior))}."
    )


def curve(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the trade-off between finding and accusing by mistake, on the coarse grid: no eye sees the difference."""
    rate, grid = attack.false_positive_rate, accounting.COARSE
    found = float(risk(plan, grid).true_positive_rate(rate))
    table = tables.trade_off(plan, accounting.epsilon(plan, grid).value, grid)
    chart.show(
        charts.trade_off(table, point=(rate, found)),
        key="trade_off",
        label=f"The best attack finds {statement.percent(found)} when {statement.percent(rate)} are wrongly accused.",
        table=table,
    )


def way_back(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the noise at which the best attack finds no more than wanted, if that is asked."""
    if attack.true_positive_rate is None:
        return
    rates = {"true_positive_rate": attack.true_positive_rate, "false_positive_rate": attack.false_positive_rate}
    with st.spinner("Looking for the noise"), controls.explain():
        found = _noise(plan, **rates)
    st.write(
        f"At most {statement.percent(attack.true_positive_rate)} found, at "
        f"{statement.percent(attack.false_positive_rate)} wrongly accused, takes a noise multiplier of "
        f"**{found.noise_multiplier:.6g}**: epsilon {statement.epsilon_text(accounting.epsilon(found).value)}."
    )
