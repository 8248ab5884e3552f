"""What was really done of a plan, in words: where nothing was trained, nothing of that can be stated."""

from dataclasses import dataclass

from dpcore.language import _
from dpcore.mechanisms.participation import Participation


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a run of a plan was carried out, as far as it came.

    Attributes:
        status: The run's, in English.
        engine: What trains it.
        seeded: Whether its cohorts and its noise follow the plan's seed.
        begun: Whether its training ever began.
        released: How many rounds are known to be released.
        planned: How many the plan has.
        redrawn: How many were drawn a second time, since they could not be repeated exactly.
        lost: Whether a round that is not known may have been released as well.
    """

    status: str
    engine: str
    seeded: bool
    begun: bool
    released: int
    planned: int
    redrawn: int = 0
    lost: bool = False


def why_nothing_is_stated(conduct: Conduct | None) -> str:
    """Why nothing can be stated of a training (`None`: there is no run), in a sentence; empty where something can."""
    if conduct is None:
        return _("Not stated: nothing was trained.")
    if conduct.released or conduct.lost:
        return ""
    words = (
        _("Not stated: no round was released. State of the run: {status}.")
        if conduct.begun
        else _("Not stated: nothing was trained. State of the run: {status}.")
    )
    return words.format(status=_(conduct.status))


def covered_training(conduct: Conduct | None) -> str:
    """Returns which training a guarantee covers."""
    why = why_nothing_is_stated(conduct)
    if why or conduct is None:
        return why
    return _("This training run ({status}, engine {engine}), with all {planned:,} rounds of its plan.").format(
        status=_(conduct.status), engine=conduct.engine, planned=conduct.planned
    )


def released_outputs(conduct: Conduct | None, *, clip_norm: bool) -> str:
    """Returns what was released of a training; `clip_norm`: the clip norm of each round as well."""
    why = why_nothing_is_stated(conduct)
    if why or conduct is None:
        planned = (
            _("Planned: the model after every round, and the clip norm after every round.")
            if clip_norm
            else _("Planned: the model after every round. The clip norm is fixed.")
        )
        return f"{why} {planned}"
    what = (
        _("The model after every round, and the clip norm after every round.")
        if clip_norm
        else _("The model after every round. The clip norm is fixed.")
    )
    known = _("Rounds known to be released: {released:,} of {planned:,}.")
    return f"{what} {known.format(released=conduct.released, planned=conduct.planned)}"


def sampling_sentence(conduct: Conduct | None, participation: Participation) -> str:
    """Returns how users were sampled in a training."""
    words = why_nothing_is_stated(conduct)
    if conduct is not None and not words:
        words = participation.conduct(seeded=conduct.seeded)
        if conduct.redrawn:
            again = _(
                "Rounds that were drawn again after an interruption, and count as further rounds: {redrawn:,}."
            )
            words = f"{words} {again.format(redrawn=conduct.redrawn)}"
    return words + " " + _(participation.absence)
