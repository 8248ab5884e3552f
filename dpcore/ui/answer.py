"""What a plan guarantees: the numbers first, then a sentence, then all that should be reported with them."""

import streamlit as st

from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk
from dpcore.ui import controls


def show(plan: PrivacyPlan, grid: float) -> None:
    """Shows epsilon by both accountants, and what the sampling is worth."""
    account = accounting.account(plan, grid)
    pld, rdp, headline = account.pld, account.rdp, account.headline
    one, two, three, four = st.columns(4)
    one.metric(
        f"Epsilon, by {headline.accountant.upper()}",
        statement.epsilon_text(headline.value),
        border=True,
        help=f"The smaller of the two bounds, rounded up. {accounting.VERSION}.",
    )
    other = rdp if headline is not rdp else pld
    two.metric(
        f"By {'RDP' if other is None or other is rdp else 'PLD'}" + (f", order {rdp.order:g}" if rdp.order else ""),
        statement.epsilon_text(other.value) if other else "–",
        border=True,
        help="RDP with the orders of the TensorFlow Federated tutorial. " + account.pld_problem,
    )
    three.metric(
        "If cohorts were known",
        statement.epsilon_text(accounting.without_amplification(plan, grid)),
        border=True,
        help="Epsilon without amplification by sampling: towards somebody who knows who took part in which round.",
    )
    four.metric(
        "Noise on the average",
        f"{plan.noise_multiplier / plan.clients_per_round:.4g}",
        border=True,
        help="Noise multiplier over clients per round, in units of the clip norm: what the model has to bear.",
    )
    st.info(statement.sentence(plan, headline.value), icon=":material/lock:")
    warnings = [*plan.warnings, account.pld_problem, rdp.warning if headline is rdp else ""]
    for warning in filter(None, warnings):
        st.warning(warning, icon=":material/warning:")


def report(plan: PrivacyPlan, false_positive_rate: float) -> None:
    """Shows the statement as a table, and as Markdown to copy."""
    account = accounting.account(plan)
    rows = statement.table(plan, account, risk(plan), false_positive_rate=false_positive_rate)
    text = statement.markdown(plan, account, rows)
    st.header("What to report with it")
    st.caption("The reporting checklist of Ponomareva et al. (2023), section 5.3.3, filled in from the plan.")
    with st.expander("The statement"):
        st.markdown(text)
    with st.expander("The same as Markdown, to copy"):
        st.code(text, language="markdown", wrap_lines=True)
        st.download_button("Download", text, file_name="privacy-statement.md", mime="text/markdown")
    with st.expander("A link to this point, every number in it"):
        st.code(controls.link(), language=None, wrap_lines=True)
