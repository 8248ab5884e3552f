"""What epsilon means: the optimal attack on a plan, in numbers and words."""

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

_SOLVED, _SOLVED_FOR = "way_back", "way_back_for"  # the first as links call it
_noise = st.cache_data(max_entries=1000, show_spinner=False)(calibration.solution_for_risk)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """The attacker's false-positive rate and prior; and the most true positives allowed, where noise is solved for."""

    false_positive_rate: float
    prior: float
    true_positive_rate: float | None


def ask() -> Attack:
    """Shows the controls of the section."""
    with st.container(border=True):
        rate = controls.knob(limits.FALSE_POSITIVE_RATE, low=0.0001, high=0.5, logarithmic=True)
        prior = controls.knob(limits.PRIOR, low=0.01, high=0.99)
    with st.container(border=True):
        st.subheader(_("Calibrate noise to attack success"))
        st.write(
            _("Find the noise multiplier at which the TPR of the optimal attack, at the FPR above, is at most:")
        )
        wanted = controls.knob(limits.TRUE_POSITIVE_RATE, low=0.01, high=1.0)
        st.button(
            _("Solve"),
            key="solve_noise",
            help=_("Solves for the noise multiplier, with the rest of the plan held. Takes a few seconds."),
            on_click=_solve,
        )
    with controls.explain():
        return Attack(
            false_positive_rate=limits.FALSE_POSITIVE_RATE.check(rate),
            prior=limits.PRIOR.check(prior),
            true_positive_rate=limits.TRUE_POSITIVE_RATE.check(wanted) if address.value(_SOLVED) else None,
        )


def _solve() -> None:
    address.put(_SOLVED, True)
    st.session_state.pop(_SOLVED_FOR, None)


def show(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows what the optimal attack achieves."""
    best, rate = risk(plan), attack.false_positive_rate
    found = float(best.true_positive_rate(rate))
    posterior, guess = best.posterior(attack.prior, rate), best.best_guess(attack.prior)
    one, two, three = st.columns(3)
    one.metric(
        _("True-positive rate (TPR) at {rate} FPR, upper bound").format(rate=rounding.given_percent(rate)),
        rounding.percent(found),
        border=True,
        help=_(
            "At that false-positive rate, the largest fraction of the users that took part whom any attack "
            "classifies as participants."
        ),
    )
    two.metric(
        _("Membership advantage: max (TPR - FPR)"),
        rounding.percent(best.advantage),
        border=True,
        help=_(
            "The largest difference between the true-positive and the false-positive rate of any attack, an upper "
            "bound."
        ),
    )
    three.metric(
        _("Posterior after a positive (prior {prior})").format(prior=rounding.given_percent(attack.prior)),
        rounding.percent(posterior),
        border=True,
        help=_(
            "The probability, by Bayes' rule, that a user whom this attack classifies as a participant took part; an "
            "upper bound."
        ),
    )
    words = _(
        "With a prior of {prior}, the posterior after a positive is at most {posterior}. Deciding for every user, "
        "such an attacker is right at most {guess} of the time; without looking at the model, {blind}."
    ).format(
        prior=rounding.given_percent(attack.prior),
        posterior=rounding.percent(posterior),
        guess=rounding.percent(guess),
        blind=rounding.down_percent(max(attack.prior, 1 - attack.prior)),
    )
    st.write(f"{statement.attack_sentence(plan, best, rate)} {words}")


def curve(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the trade-off between true and false positives."""
    rate = attack.false_positive_rate
    found = float(risk(plan).true_positive_rate(rate))
    table = tables.trade_off(plan, accounting.epsilon(plan, Precision.PREVIEW).value)
    chart.show(
        charts.trade_off(table, point=(rate, found)),
        key="trade_off",
        label=_("The optimal attack has a TPR of {found} at {rate} FPR.").format(
            found=rounding.percent(found), rate=rounding.given_percent(rate)
        ),
        table=table,
    )


def noise(plan: PrivacyPlan, attack: Attack) -> None:
    """Shows the noise at which the TPR is at most the one wanted, where that was solved for."""
    if attack.true_positive_rate is None:
        return
    if st.session_state.setdefault(_SOLVED_FOR, (plan, attack)) != (plan, attack):
        address.put(_SOLVED, None)  # it was for another plan: solving takes seconds, so it is not done unasked
        return
    rates = {"true_positive_rate": attack.true_positive_rate, "false_positive_rate": attack.false_positive_rate}
    with st.spinner(_("Solving for the noise multiplier")), controls.explain():
        found, short = _noise(plan, **rates)
    st.write(
        _(
            "A TPR of at most {found} at {rate} FPR takes a noise multiplier of **{noise}**: epsilon {epsilon}."
        ).format(
            found=rounding.given_percent(attack.true_positive_rate),
            rate=rounding.given_percent(attack.false_positive_rate),
            noise=rounding.given(found.noise_multiplier),
            epsilon=rounding.epsilon(accounting.epsilon(found).value),
        )
    )
    if short:
        st.warning(short.sentence, icon=":material/warning:")
