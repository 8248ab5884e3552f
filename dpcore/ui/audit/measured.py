"""What the audit of a run shows: its ingredients, its attacks, and what it cannot see."""

import pandas as pd
import streamlit as st

from dpcore import rounding
from dpcore.charts import audit as charts
from dpcore.language import N_, _
from dpcore.privacy.auditing import attacks, ingredients, result
from dpcore.privacy.auditing.ingredients import Ingredient
from dpcore.privacy.auditing.result import Result
from dpcore.ui.core import chart, markdown

_SHORT = {  # beside the picture
    ingredients.RUN_STEP: N_("Step (run)"),
    ingredients.ROUND_STEP: N_("Step (rounds)"),
    ingredients.STEP_BY_ROUND: N_("Step, dispersion"),
    ingredients.ACROSS_DIRECTIONS: N_("Noise, directions"),
    ingredients.ACROSS_ROUNDS: N_("Noise, rounds"),
    ingredients.NOISE_OF_A_ROUND: N_("Noise, least round"),
    ingredients.NOISE_OF_A_LAYER: N_("Noise, least layer"),
    ingredients.CORRELATION: N_("Correlation"),
    ingredients.RATE: N_("Rate"),
    ingredients.RATE_BY_ROUND: N_("Rate, by round"),
    ingredients.RATE_BY_CANARY: N_("Rate, by canary"),
}
_SCOPES = {attacks.RUN: N_("the whole run"), attacks.ROUND: N_("one round")}


def verdict(shown: Result) -> None:
    """Shows what may be said: three numbers under different names, and a sentence."""
    with st.container(key="audit_verdict"):
        claimed, measured, attacked = st.columns(3)
    claimed.metric(
        _("Epsilon of the plan"),
        rounding.epsilon(shown.claim),
        border=True,
        help=_("By analysis, for all its rounds: an upper bound, if what ran is what was planned."),
    )
    measured.metric(
        _("From what was measured"),
        f"{rounding.down(shown.plug_in.low)} – {rounding.up(shown.plug_in.high)}",
        border=True,
        help=_(
            "What the same accountant says of the measured step and noise, within their intervals: an estimate and no "
            "bound. All that was not measured is taken from the plan."
        ),
    )
    attacked.metric(
        _("Most that an attack shows"),
        rounding.up(shown.most),
        border=True,
        help=_(
            "The largest of the lower bounds on the run's epsilon, below. A low one says that these attacks found "
            "little, and nothing of others."
        ),
    )
    if shown.alarms:
        st.error(result.sentence(shown), icon=":material/notifications_active:")
    else:
        st.info(result.sentence(shown), icon=":material/straighten:")


def picture(shown: Result, *, key: str) -> None:
    """Shows each ingredient over its plan, with its interval."""
    numbers = pd.DataFrame([_ratio(row) for row in shown.ingredients])
    ringing = ", ".join(numbers["name"][numbers["alarms"]]) or _("none")
    chart.show(
        charts.ratios(numbers),
        key=key,
        label=_(
            "What was measured over what was planned, of {count} ingredients, each with its {level} interval. Alarms: "
            "{alarms}."
        ).format(count=len(numbers), alarms=ringing, level="95%"),
        table=numbers.drop(columns="alarms"),
    )


def ingredients_table(shown: Result, *, key: str) -> None:
    """Shows each ingredient beside its plan, with its verdict; and how to read that."""
    heads = (
        _("Ingredient"),
        _("Verdict"),
        _("Planned"),
        _("Measured"),
        _("{level} interval").format(level="95%"),
        _("p"),
    )
    with st.container(key=f"audit_table_{key}"):
        st.markdown(markdown.table(heads, "llrrrr", [_cells(row) for row in shown.ingredients]))
    st.caption(
        _(
            "In the picture planned is 1, the dashed line; a correlation is planned to be 0, and is shown plus 1. A "
            "dispersion is how much something varies, over how much it should. An alarm rings below p = 0.001, for all "
            "of them together: once in a thousand runs that are as planned. No alarm does not mean that all is as "
            "planned."
        )
    )


def bounds(shown: Result) -> None:
    """Shows what each attack shows at least, with what it assumes; and the estimate that is no bound."""
    heads = (
        _("Attack, and what its bound assumes"),
        _("Shows at least"),
        _("The plan claims at most"),
        _("Of"),
        _("Confidence"),
        _("Right guesses"),
    )
    lines = [
        (
            _(result.METHODS[bound.method]),
            rounding.down(bound.epsilon),
            rounding.epsilon(shown.claimed(bound)),
            _(_SCOPES[bound.scope]),
            _("none") if bound.confidence is None else rounding.down_percent(bound.confidence),
            _("{right:,} of {guesses:,}").format(right=bound.right, guesses=bound.guesses),
        )
        for bound in shown.bounds
    ]
    with st.container(key="audit_table_bounds"):
        st.markdown(markdown.table(heads, "lrrlrr", lines))
    st.caption(
        _(
            "What one round tells somebody who knows who took part in it says nothing of the whole run: there, nobody is "
            "told in which rounds a user was sampled."
        )
    )
    estimate(shown.cosine)


def estimate(cosine: float) -> None:
    """Shows the estimate by cosines as what it is."""
    st.write(
        _(
            "**An estimate, and no bound**, from the final model's cosines with what canaries have sent (Andrew et al. "
            "2023): {estimate}. It can lie below the true value as well as above."
        ).format(estimate=rounding.up(cosine))
    )


def limits(*, seeded: bool) -> None:
    """Shows, in a box of its own, what an audit cannot see."""
    with st.container(border=True, key="audit_limits"):
        st.subheader(_("What this audit cannot see"))
        st.markdown("\n".join(f"- {_(words)}" for words in result.CANNOT_SEE))
        st.write(_("A low bound says that these attacks found little, and nothing of others."))
        if seeded:
            st.write(
                _(
                    "**A seeded run tests arithmetic and not secrecy**: whoever knows the seed can recompute the noise."
                )
            )


def _ratio(row: Ingredient) -> dict[str, str | float | bool]:
    name = _(_SHORT[row.name])
    by, plus = row.planned, 0.0
    if not row.planned:  # a correlation: it has no ratio
        by, plus, name = 1.0, 1.0, _("1 + {name}").format(name=name)
    numbers = {"ratio": row.measured, "low": row.low, "high": row.high}
    return {
        "name": name,
        **{name: value / by + plus for name, value in numbers.items()},
        "alarms": row.alarms,
    }


def _cells(row: Ingredient) -> tuple[str, ...]:
    planned, measured = map(rounding.given, rounding.short([row.planned, row.measured], 4))
    return (
        _(result.INGREDIENTS[row.name]),
        verdict_of(alarms=row.alarms),
        planned,
        measured,
        f"{rounding.down(row.low, 4)} – {rounding.up(row.high, 4)}",
        rounding.p_value(row.p),
    )


def verdict_of(*, alarms: bool) -> str:
    """Returns whether an alarm rings, with a sign, so that it is told without colour."""
    return _("**✕ ALARM**") if alarms else _("– no alarm")


def short(name: str) -> str:
    """Returns what an alarm is called in a word or two."""
    return _(_SHORT[name]) if name in _SHORT else _("Attacks")  # those that refute the claim
