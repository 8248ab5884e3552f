"""How much noise was really on a round's sum, from what its record says; less than that wherever it leaves room."""

from dataclasses import dataclass

from dpcore.elsewhere.log import Round, RoundLog

_LESS = 1e-3  # relative: what a record may be off by its own rounding


@dataclass(frozen=True, kw_only=True)
class Added:
    """The noise of rounds that are alike.

    Attributes:
        ratio: Standard deviation on the sum over the clip norm, never above the true one; `None` where nothing says it.
        less: Whether it is less than what was configured.
    """

    ratio: float | None
    less: bool = False


def of_round(log: RoundLog, one: Round) -> Added:
    """Returns the noise of a round on its sum, over the clip norm of that round."""
    measured, planned = _measured(log, one), _planned(log, one)
    known = [ratio for ratio in (one.multiplier, measured) if ratio is not None]
    ratio = min(known) if known else planned
    less = bool(known) and planned is not None and min(known) < planned * (1 - _LESS)
    return Added(ratio=ratio if ratio is None else _with_count(log, ratio), less=less)


def _measured(log: RoundLog, one: Round) -> float | None:
    """By the standard deviation that the round had."""
    clip = one.clip
    if clip is None and log.clipping.kind != "adaptive":  # the norm that it began with is not that of each round
        clip = log.clipping.norm
    if one.noise is None or not clip:
        return None
    if log.noise.where == "client" or log.noise.of in ("sum", None):  # of an average, it were more on the sum
        return one.noise / clip
    divisor = _divisor(log, one)
    return None if divisor is None else one.noise * divisor / clip


def _planned(log: RoundLog, one: Round) -> float | None:
    """By the multiplier that was configured."""
    multiplier = log.noise.multiplier
    if multiplier is None or log.noise.where == "client" or log.noise.of == "sum":
        return multiplier
    if log.average.divisor == "fixed" and log.noise.of == "average":
        return multiplier
    if log.average.configured is None or one.replied is None:
        return None
    scaled = multiplier * max(one.replied, 1) / log.average.configured
    certain = log.noise.of == "average" and log.average.divisor == "replies"
    return scaled if certain else min(multiplier, scaled)


def _divisor(log: RoundLog, one: Round) -> int | None:
    """What the sum was divided by; the smaller one where it is not said. Of nobody, what one more would make it."""
    replied = None if one.replied is None else max(one.replied, 1)
    if log.average.divisor == "replies":
        return replied
    if log.average.divisor == "fixed":
        return log.average.configured
    if replied is None or log.average.configured is None:
        return None
    return min(replied, log.average.configured)


def _with_count(log: RoundLog, ratio: float) -> float:
    """With adaptive clipping, the noisy sum and the noisy count are one Gaussian (Andrew et al. 2021, theorem 1)."""
    count = log.clipping.count_noise
    if log.clipping.kind != "adaptive" or not count or not ratio:
        return ratio
    return float((ratio**-2 + count**-2) ** -0.5)
