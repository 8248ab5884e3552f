"""What epsilon means: the best attack on a plan, in numbers and words."""

from dataclasses import dataclass

import streamlit as st

from dpcore import limits, rounding
from dpcore.charts import privacy as charts
from dpcore.language import _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration, statement
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk
from dpcore.ui.core import address, chart, controls, tables

_noise = st.cache_data(max_entries=1000, show_spinner=False)(calibration.answer_for_risk)


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
        st.subheader(_("And the way back"))
        st.write(_("The noise at which such an attack finds no more than:"))
        wanted = controls.knob(limits.TRUE_POSITIVE_RATE, low=0.01, high=1.0)
        asked = st.toggle(
            _("Find it (takes a few seconds)"),
            key=address.key("way_back", False),
            help=_("Solves for the noise multiplier, the rest of the plan held."),
        )
    with controls.explain():
        return Attack(
            false_positive_rate=limits.FALSE_POSITIVE_RATE.check(rate),
            prior=limits.PRIOR.check(prior),
            true_positive_rate=limits.TRUE_POSITIVE_RATE.check(wanted) if asked else None,
        )


def show(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows what the best attack achieves."""
    best, rate = risk(plan), attack.false_positive_rate
    found = float(best.true_positive_rate(rate))
    posterior, guess = best.posterior(attack.prior, rate), best.best_guess(attack.prior)
    one, two, three = st.columns(3)
    one.metric(
        _("Found, at {rate} wrongly accused").format(rate=rounding.given_percent(rate)),
        rounding.percent(found),
        border=True,
        help=_("The most of the users that took part whom any attack finds, at that rate of mistakes."),
    )
    two.metric(
        _("Advantage"),
        rounding.percent(best.advantage),
        border=True,
        help=_("The most by which found exceeds accused."),
    )
    three.metric(
        _("Sure of the accused, from {prior}").format(prior=rounding.given_percent(attack.prior)),
        rounding.percent(posterior),
        border=True,
        help=_("How sure this attacker is of a user that it accuses, by Bayes' rule."),
    )
    words = _(
        "Who was {prior} sure of a user before can be {posterior} sure of one that this attack accuses. Guessing for "
        "everybody, such an attacker is right {guess} of the time; without looking at the model, {blind}."
    ).format(
        prior=rounding.given_percent(attack.prior),
        posterior=rounding.percent(posterior),
        guess=rounding.percent(guess),
        blind=rounding.down_percent(max(attack.prior, 1 - attack.prior)),
    )
    st.write(f"{statement.attack(plan, best, rate)} {words}")


def curve(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the trade-off between finding and accusing by mistake."""
    rate = attack.false_positive_rate
    found = float(risk(plan).true_positive_rate(rate))
    table = tables.trade_off(plan, accounting.epsilon(plan, Precision.PREVIEW).value)
    chart.show(
        charts.trade_off(table, point=(rate, found)),
        key="trade_off",
        label=_("The best attack finds {found} when {rate} are wrongly accused.").format(
            found=rounding.percent(found), rate=rounding.given_percent(rate)
        ),
        table=table,
    )


def way_back(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the noise at which the best attack finds no more than wanted, if that is asked."""
    if attack.true_positive_rate is None:
        return
    rates = {"true_positive_rate": attack.true_positive_rate, "false_positive_rate": attack.false_positive_rate}
    with st.spinner(_("Looking for the noise")), controls.explain():
        found, short = _noise(plan, **rates)
    st.write(
        _(
            "At most {found} found, at {rate} wrongly accused, takes a noise multiplier of **{noise}**: epsilon "
            "{epsilon}."
        ).format(
            found=rounding.given_percent(attack.true_positive_rate),
            rate=rounding.given_percent(attack.false_positive_rate),
            noise=rounding.given(found.noise_multiplier),
            epsilon=rounding.epsilon(accounting.epsilon(found).value),
        )
    )
    if short:
        st.warning(short.sentence, icon=":material/warning:")
