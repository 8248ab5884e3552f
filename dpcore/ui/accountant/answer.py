"""What a plan guarantees: the numbers first, then a sentence, then all that should be reported with them."""

import math

import streamlit as st

from dpcore import rounding
from dpcore.language import N_, _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.assumptions import comparison
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk
from dpcore.privacy.shortfall import Shortfall
from dpcore.ui.core import controls

_CORRELATED = N_(
    "Of correlated noise: that of the independent noise which is as large on the model's path, in the mean square over "
    "all rounds."
)


def show(plan: PrivacyPlan, precision: Precision, short: Shortfall | None = None) -> None:
    """Shows epsilon by both accountants, what the sampling is worth, and why a target is missed, where one is."""
    account = accounting.account(plan, precision)
    pld, rdp, headline = account.pld, account.rdp, account.headline
    one, two, three, four = st.columns(4)
    one.metric(
        _("Epsilon by {accountant}").format(accountant=headline.accountant.upper()),
        rounding.epsilon(headline.value),
        border=True,
        help=" ".join(
            [
                _("The smaller of the two bounds, rounded up. {version}.").format(version=accounting.VERSION),
                headline.note,
            ]
        ),
    )
    other, by = (pld, "PLD") if headline is rdp else (rdp, "RDP")
    ordered = (
        _("Epsilon by {accountant} (order {order})") if other is rdp and rdp.order else _("Epsilon by {accountant}")
    )
    two.metric(
        ordered.format(accountant=by, order=rounding.given(rdp.order or 0)),
        rounding.epsilon(other.value) if other else "–",
        border=True,
        help=" ".join(
            [
                _("RDP with the orders of the TensorFlow Federated tutorial."),
                account.pld_problem,
                other.note if other else "",
            ]
        ),
    )
    three.metric(
        _("Epsilon without amplification by sampling"),
        rounding.epsilon(accounting.without_amplification(plan)),
        border=True,
        help=_("Against an attacker who knows which users took part in each round."),
    )
    four.metric(
        _("Effective noise (clip norms)"),
        rounding.up(comparison.effective_noise(plan), 4),
        border=True,
        help=_(
            "Standard deviation of the noise on the average update, in clip norms: the noise on the sum over clients "
            "per round. With adaptive clipping, the noise on the sum is larger than the noise multiplier, which "
            "accounts for the sum and the count together."
        )
        + (" " + _(_CORRELATED) if plan.noise.is_correlated else ""),
    )
    show_sentence, icon = (st.info, "lock") if math.isfinite(headline.value) else (st.warning, "lock_open")
    show_sentence(statement.sentence(plan, headline.value), icon=f":material/{icon}:")
    missed = short.sentence if short else ""
    warnings = [*plan.warnings, missed, account.pld_problem, rdp.warning if headline is rdp else ""]
    for warning in filter(None, warnings):
        st.warning(warning, icon=":material/warning:")


def none() -> None:
    """Shows the places of the numbers where a plan is refused, so that what is below does not move."""
    names = (
        _("Epsilon"),
        _("Epsilon by {accountant}").format(accountant="RDP"),
        _("Epsilon without amplification by sampling"),
    )
    for place, name in zip(st.columns(4), (*names, _("Effective noise (clip norms)")), strict=True):
        place.metric(name, "–", border=True)
    st.info(_("Fix the highlighted value to compute epsilon."), icon=":material/lock_open:")


def report(plan: PrivacyPlan, false_positive_rate: float) -> None:
    """Shows the statement as a table, and as Markdown to copy."""
    account = accounting.account(plan)
    rows = statement.table(plan, account, risk(plan), false_positive_rate=false_positive_rate)
    text = statement.markdown(plan, account, rows)
    st.header(_("What to report with the model"))
    st.caption(_("The reporting checklist of Ponomareva et al. (2023), section 5.3.3, filled in from the plan."))
    with st.expander(_("The statement")):
        st.markdown(text)
    # What colours code is a megabyte for the browser to read: it comes when somebody opens one of these.
    with st.expander(_("As Markdown, to copy"), key="statement_markdown", on_change="rerun") as markdown:
        if markdown.open:
            st.code(text, language="markdown", wrap_lines=True)
            st.download_button(
                _("Download"),
                text,
                file_name="privacy-statement.md",
                mime="text/markdown",
                help=_("The statement as a file."),
            )
    with st.expander(_("Link to this plan, with every value"), key="statement_link", on_change="rerun") as link:
        if link.open:
            st.code(controls.link(), language=None, wrap_lines=True)
