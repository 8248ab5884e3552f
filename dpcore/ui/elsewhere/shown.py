"""What a run from elsewhere was worth: claimed beside holds, which assumption makes the difference, what to change."""

from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dpcore import language, limits, rounding
from dpcore.charts import elsewhere as charts
from dpcore.elsewhere import account, by_round, statement
from dpcore.elsewhere import report as reports
from dpcore.elsewhere.account import Verdict
from dpcore.elsewhere.log import RoundLog
from dpcore.language import _
from dpcore.privacy.risk import rate_from_pair
from dpcore.strict_json import dumps
from dpcore.ui.core import address, chart, markdown
from dpcore.ui.elsewhere import ask


@st.cache_data(max_entries=50, show_spinner=False)
def _verdict(_log: RoundLog, text: str, code: str) -> Verdict:
    """Cached by the record and the language of its reasons."""
    return account.verdict(_log)


def verdict(log: RoundLog) -> Verdict:
    """Returns what a record guarantees."""
    return _verdict(log, ask.as_text(log), language.current())


def beside(found: Verdict) -> None:
    """Shows what was claimed beside what holds, in large."""
    claim, held = (found.log.claimed or (None,))[0], statement.counterpart(found)
    one, two = st.columns(2)
    one.metric(
        _("Claimed epsilon"),
        "–" if claim is None or claim.epsilon is None else rounding.given(claim.epsilon),
        border=True,
        help=_("What the framework has said of this run, by its own accountant."),
    )
    two.metric(
        _("Epsilon that holds"),
        "∞" if held is None else rounding.epsilon(held.epsilon or 0.0),
        border=True,
        help=_("An upper bound by this program's accountants, at delta {delta}.").format(
            delta=rounding.given(found.delta)
        ),
    )
    said = markdown.plain(statement.sentence(found))
    (st.info if found.guarantee else st.error)(
        said, icon=f":material/{'lock' if found.guarantee else 'lock_open'}:"
    )
    if words := statement.claim_sentence(found):
        st.markdown(markdown.plain(words))


def reasons(found: Verdict) -> None:
    """Shows why there is no guarantee; what else was released; and what a guarantee rests on."""
    for reason in found.because:
        st.error(markdown.plain(reason), icon=":material/block:")
    for warning in statement.warnings(found.log):
        st.warning(markdown.plain(warning), icon=":material/warning:")
    if found.guarantee:
        st.caption("\n".join(f"- {markdown.plain(one)}" for one in statement.conditions(found.log)))
        heads = (_("Adjacency"), _("Epsilon"), _("Delta"), _("Accountant"))
        rows = [
            [
                _(statement.ADJACENCIES[str(one.adjacency)]),
                rounding.epsilon(one.epsilon or 0.0),
                rounding.given(one.delta or 0.0),
                (one.accountant or "").upper(),
            ]
            for one in found.holds
        ]
        st.markdown(markdown.table(heads, "lrrl", rows))


def assumptions(found: Verdict) -> None:
    """Shows what the same rounds cost under each way to form cohorts: which assumption makes the difference."""
    if found.log.noise.where == "client" or not by_round.is_gaussian(found.log):
        return
    st.header(_("Which assumption makes the difference?"))
    heads = (_("Cohorts"), *(_(statement.ADJACENCIES[name]) for name in statement.ADJACENCIES))
    own = found.log.sampling.kind
    rows = []
    for kind, costs in _under_each(found.log, ask.as_text(found.log), found.delta):
        name = _(statement.SAMPLING_NAMES[kind])
        cells = [rounding.epsilon(costs[one]) if one in costs else "–" for one in statement.ADJACENCIES]
        rows.append(
            [
                _("**{assumption} (this run)**").format(assumption=name) if kind == (own or "unknown") else name,
                *cells,
            ]
        )
    st.markdown(markdown.table(heads, "lrrr", rows))
    st.caption(
        _(
            "The same rounds with the same noise. Where the record lacks a number that a way needs, nothing is gained by "
            "sampling; a dash is where nothing is known."
        )
    )


@st.cache_data(max_entries=50, show_spinner=False)
def _under_each(_log: RoundLog, text: str, delta: float) -> list[tuple[str, dict[str, float]]]:
    return statement.under_each(_log, delta)


@st.cache_data(max_entries=50, show_spinner=False)
def _by_round(_log: RoundLog, text: str, adjacency: str, delta: float) -> pd.DataFrame:
    return pd.DataFrame(by_round.epsilons(_log, adjacency, delta), columns=["round", "epsilon"])


def over_rounds(found: Verdict) -> None:
    """Shows epsilon after each of some rounds, with the claim."""
    held = statement.counterpart(found)
    if held is None or statement.released(found.log) < 2:
        return
    table = _by_round(found.log, ask.as_text(found.log), held.adjacency or "", found.delta)
    claim = (found.log.claimed or (None,))[0]
    st.header(_("Epsilon over rounds"))
    chart.show(
        charts.over_rounds(table, claimed=claim.epsilon if claim else None, delta=found.delta),
        key="elsewhere_rounds",
        label=_("Epsilon after {rounds:,} released rounds: {epsilon}.").format(
            rounds=statement.released(found.log), epsilon=rounding.epsilon(float(table["epsilon"].iloc[-1]))
        ),
        table=table,
    )


def risk(found: Verdict) -> None:
    """Shows what an attack achieves at most, by epsilon and delta alone."""
    held, rate = statement.counterpart(found), float(limits.FALSE_POSITIVE_RATE.default)
    if held is None:
        return
    most = rate_from_pair(held.epsilon or 0.0, held.delta or 0.0, rate)
    st.header(_("What does that mean for a user?"))
    st.markdown(
        _(
            "An attacker who sees all released rounds, and knows all other users' data, has a true-positive rate (TPR) "
            "of at most {found} at a false-positive rate (FPR) of {accused}."
        ).format(found=rounding.percent(most), accused=rounding.given_percent(rate))
    )


def remedies(found: Verdict) -> None:
    """Shows what to change in that framework so that what was claimed becomes true."""
    changes = _remedies(found, ask.as_text(found.log), language.current())
    if changes:
        st.header(_("What to change there"))
        st.markdown("\n".join(f"- {markdown.plain(one)}" for one in changes))


@st.cache_data(max_entries=50, show_spinner=False)
def _remedies(_found: Verdict, text: str, code: str) -> list[str]:
    return statement.remedies(_found)


def report(found: Verdict) -> None:
    """Shows the statement, the record as a round log to keep, and a link to it with all answers."""
    st.header(_("What to report"))
    lines = [
        statement.sentence(found),
        *found.because,
        statement.claim_sentence(found),
        *(statement.conditions(found.log) if found.guarantee else ()),
        *statement.warnings(found.log),
    ]
    words = "\n\n".join(filter(None, lines))
    with st.expander(_("The statement")):
        st.code(words, language=None, wrap_lines=True)
    with st.container(horizontal=True):
        st.download_button(
            _("The verdict as JSON"),
            lambda: dumps(reports.as_values(found), indent=1),
            "elsewhere-verdict.json",
            "application/json",
            help=_("All of these numbers, as `elsewhere FILE --json` prints them."),
        )
        st.download_button(
            _("The round log"),
            lambda: dumps(found.log.to_values(), indent=1),
            "round-log.json",
            "application/json",
            help=_("The record with all answers, as one JSON form that this page reads again."),
        )
    text = ask.as_text(found.log)
    with st.expander(_("Link to this verdict, with every answer")):
        if len(text) > limits.MOST_RECORD_TEXT:
            st.caption(_("The record is too long for a link: keep the round log, and drop it here again."))
        else:
            page = (st.context.url or "").split("?")[0]
            st.code(f"{page}?{urlencode(address.anew(record=text))}", language=None, wrap_lines=True)
