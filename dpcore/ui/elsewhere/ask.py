"""A record of a run, and what it leaves open: a file that is dropped, or a text, and only those questions that count."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dpcore import language, limits
from dpcore.elsewhere import reading
from dpcore.elsewhere.answers import Answers, answered, open_questions
from dpcore.elsewhere.log import SAMPLINGS, UNITS, WEIGHTS, RoundLog
from dpcore.elsewhere.statement import FRAMEWORKS, SAMPLING_NAMES
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.ui.core import address, controls, markdown
from dpcore.ui.data import importing
from dpcore.ui.server import visitors

_FOUND_OUT, _OPEN = "auto", "open"
_MOST_IN_A_ROW = 3  # of answers: one click each
_CHOICES: dict[str, tuple[str, ...]] = {
    "weights": WEIGHTS,
    "sampling": SAMPLINGS,
    "unit": UNITS,
    "noise-of": ("sum", "average"),
    "divisor": ("fixed", "replies"),
}
_LABELS = {
    "weights": N_("Do all updates weigh the same?"),
    "sampling": N_("How were cohorts really formed?"),
    "unit": N_("What was clipped as one?"),
    "noise-of": N_("What is the noise of?"),
    "divisor": N_("What was the sum divided by?"),
    "optimizer-inside": N_("Server optimiser before the noise"),
    "population": N_("Users that cohorts were drawn from"),
    "clients-per-round": N_("Users in a cohort"),
    "rounds": N_("Rounds that were released"),
    "clip-norm": N_("Clip norm (L2)"),
}
_HELPS = {
    "weights": N_(
        "Flower weighs by num-examples unless all clients return the same number; accounted mode enforces that."
    ),
    "sampling": N_(
        "Not what the accountant assumed: what drew them. Until it is said, nothing is gained by sampling."
    ),
    "unit": N_("A guarantee is for what is clipped as a whole: all data of a user, of a client, or one example."),
    "noise-of": N_("Whether a standard deviation in the record is of the noise on the sum, or on the average."),
    "divisor": N_("A number that was fixed beforehand, or as many as replied."),
    "optimizer-inside": N_(
        "FedAdam, FedAvgM and others inside Flower's wrapper work before the noise: none means that there is no such one."
    ),
    "population": N_("How many there were in all, and not how many were online in one round."),
    "clients-per-round": N_("How many a round draws, or is expected to."),
    "rounds": N_("Those of which a model left the server."),
    "clip-norm": N_("What noise is measured in: the bound on what one user sends."),
}
_ANSWERS = {
    _OPEN: N_("not answered"),
    "equal": N_("yes, equally"),
    "examples": N_("no, by examples"),
    "sum": N_("the sum"),
    "average": N_("the average"),
    "fixed": N_("a fixed number"),
    "replies": N_("the replies that came"),
    "user": N_("all of a user's data"),
    "client": N_("all of a client's data"),
    "example": N_("an example"),
    "none": N_("none"),
    "some": N_("there is one"),
    **SAMPLING_NAMES,
}


@contextmanager
def escaped() -> Iterator[None]:
    """Lets a refusal read as it stands: what it quotes of a file is no Markdown.

    Raises:
        InvalidValueError: The refusal, escaped.
    """
    try:
        yield
    except InvalidValueError as err:
        raise InvalidValueError(err.field, markdown.plain(str(err))) from err


def record() -> RoundLog | None:
    """Shows where a record is dropped or pasted; returns it, or that of the link; `None` where there is none yet."""
    content = None
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        form = right.selectbox(
            _("Framework"),
            [_FOUND_OUT, *reading.FORMS],
            format_func=language.in_current_language(_named),
            key="elsewhere_form",
            help=_("Who wrote the record: usually the record itself tells."),
        )
        if visitors.hosted() or not importing.allowed():
            left.caption(_("No files are taken here: paste the record as a text."))
        elif sent := left.file_uploader(
            _("Record of a run"),
            key="elsewhere_file",
            help=_(
                "A round log, or what the framework has left: Flower's log or accountant state, pfl's metrics, NVFlare's "
                "metadata, Opacus' state, a DpEvent as it is printed, or a CSV of rounds."
            ),
        ):
            content = sent.getvalue()
        pasted = right.text_area(
            _("Or its text"),
            key="elsewhere_text",
            max_chars=200_000,
            height=80,
            help=_("The same, pasted: the lines of a log, JSON, an event as it is printed, or rows of a CSV."),
        )
    if content is None and pasted.strip():
        content = pasted.encode()
    if content is None:
        linked = address.value("record")
        return reading.read(linked.encode(), "log") if linked else None
    return reading.read(content, None if form == _FOUND_OUT else form)


def _named(form: str) -> str:
    return _("found out by itself") if form == _FOUND_OUT else _(FRAMEWORKS[form])


def answers(found: RoundLog) -> RoundLog:
    """Shows a control for each question that a record leaves open; returns the record with what was answered."""
    open_at_first = open_questions(found)
    st.subheader(_("What the record leaves open"))
    given: dict[str, object] = {}
    now = found
    for name in _ORDER:
        if name in open_at_first or name in open_questions(now):
            given[name.replace("-", "_")] = _question(name)
            now = answered(found, _said(given))
    given["delta"] = _delta(found)
    if not open_at_first:
        st.caption(_("Nothing: the record says all that is needed."))
    return answered(found, _said(given))


_ORDER = (
    *("rounds", "weights", "optimizer-inside", "sampling", "population", "clients-per-round"),
    *("clip-norm", "noise-of", "divisor", "unit"),
)


def _said(given: dict[str, object]) -> Answers:
    return Answers(**given)  # type: ignore[arg-type]  # each as its control gives it


def _question(name: str) -> object:
    key = f"elsewhere_{name.replace('-', '_')}"
    if name == "optimizer-inside":
        return _chosen(name, ("none", "some"), key)
    if name in _CHOICES:
        return _chosen(name, _CHOICES[name], key)
    if name == "clip-norm":
        return st.number_input(_(_LABELS[name]), value=None, step=0.1, format="%g", key=key, help=_(_HELPS[name]))
    return controls.count(_(_LABELS[name]), low=1, high=10**9, default=None, key=key, help=_(_HELPS[name]))


def _chosen(name: str, options: Sequence[str], key: str) -> str | None:
    how: dict[str, Any] = {
        "format_func": language.in_current_language(lambda one: _(_ANSWERS[one])),
        "key": key,
        "help": _(_HELPS[name]),
    }
    if len(options) > _MOST_IN_A_ROW:
        choice = st.selectbox(_(_LABELS[name]), [_OPEN, *options], **how)
    else:
        choice = st.radio(_(_LABELS[name]), [_OPEN, *options], horizontal=True, **how)
    return None if choice == _OPEN else str(choice)


def _delta(found: RoundLog) -> float | None:
    """The delta to account at, where it is to be another than the record's."""
    from dpcore.elsewhere.account import delta_of

    usual = delta_of(found)
    typed = st.number_input(
        _(limits.DELTA.label),
        value=usual,
        step=1e-6,
        format="%e",
        key="elsewhere_delta",
        help=limits.DELTA.described,
    )
    return None if typed == usual else limits.DELTA.check(typed)


def as_text(found: RoundLog) -> str:
    """Returns a record as the text that a link holds."""
    return json.dumps(found.to_values(), separators=(",", ":"))
