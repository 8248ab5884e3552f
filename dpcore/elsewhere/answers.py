"""What a record leaves open, and the answers to it: asked only where they can change what holds."""

from dataclasses import dataclass
from typing import Any

from dpcore.elsewhere.log import Round, RoundLog, from_values
from dpcore.errors import InvalidValueError
from dpcore.language import _

# By the name of its flag: where the answer goes in a record.
_PLACES = {
    "population": ("population", "size"),
    "clients_per_round": ("sampling", "cohort"),
    "sampling": ("sampling", "kind"),
    "weights": ("average", "weights"),
    "divisor": ("average", "divisor"),
    "clip_norm": ("clipping", "norm"),
    "optimizer_inside": ("noise", "optimizer_inside"),
    "noise_of": ("noise", "of"),
}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What somebody says of a run beside its record; `None` is no answer.

    Attributes:
        population: Users that cohorts are drawn from.
        clients_per_round: Users in a cohort.
        sampling: One of `log.SAMPLINGS`.
        weights: One of `log.WEIGHTS`.
        divisor: What the sum is divided by, fixed or replies.
        clip_norm: Where the record has noise alone.
        optimizer_inside: The server optimiser before the noise, or none.
        noise_of: What standard deviations are of, sum or average.
        unit: What is clipped as one.
        rounds: How many were released.
        delta: To account at.
    """

    population: int | None = None
    clients_per_round: int | None = None
    sampling: str | None = None
    weights: str | None = None
    divisor: str | None = None
    clip_norm: float | None = None
    optimizer_inside: str | None = None
    noise_of: str | None = None
    unit: str | None = None
    rounds: int | None = None
    delta: float | None = None


def answered(log: RoundLog, answers: Answers) -> RoundLog:
    """Returns a record with the answers in it.

    Raises:
        InvalidValueError: If one is out of its range, or the record says something else.
    """
    values = log.to_values()
    for name, (part, key) in _PLACES.items():
        given = getattr(answers, name)
        if given is not None and not _is_draw_from_fewer(log, name, given):
            _put(values.setdefault(part, {}), key, given, name)
    for name in ("unit", "delta"):
        given = getattr(answers, name)
        if name == "delta" and given is not None:
            values["delta"] = given  # the question, and no fact of the run
        elif given is not None:
            _put(values, name, given, name)
    if answers.rounds is not None:
        values["rounds"] = _rounds(log, answers.rounds)
    return from_values({"rounds": None, **values})


def _is_draw_from_fewer(log: RoundLog, name: str, given: object) -> bool:
    """Whether an answer is how many there are in all, where the record has how many were online."""
    online = [one.online for one in log.rounds or () if one.online is not None]
    return name == "population" and isinstance(given, int) and bool(online) and given >= max(online)


def _put(values: dict[str, Any], key: str, given: object, name: str) -> None:
    found = values.get(key)
    if found is None or found == given or (key == "kind" and found == "unknown"):
        values[key] = given
        return
    message = _("Expected no {name} other than the record's, {found}, found {given}. Leave it out.")
    raise InvalidValueError(name, message.format(name=name, found=found, given=given))


def _rounds(log: RoundLog, count: int) -> list[dict[str, Any]]:
    """The rounds of a record; of one that has none, so many of which it says nothing."""
    if not log.rounds:
        return [{"repeat": count}]
    found = sum(one.count for one in log.rounds)
    if found != count:
        message = _("Expected no {name} other than the record's, {found}, found {given}. Leave it out.")
        raise InvalidValueError("rounds", message.format(name="rounds", found=found, given=count))
    kept: list[dict[str, Any]] = log.to_values()["rounds"]
    return kept


def open_questions(log: RoundLog) -> list[str]:
    """Returns the names of the flags whose answers the record lacks, and that can change what holds."""
    found = [] if log.rounds else ["rounds"]
    found += ["unit"] if log.unit is None else []
    local = log.noise.where == "client" or log.noise.kind == "pure"
    if not local:
        found += ["weights"] if log.average.weights is None else []
        found += ["optimizer-inside"] if log.noise.optimizer_inside is None else []
    if log.noise.kind in ("pure", "none", "correlated"):
        return found
    if log.sampling.kind in (None, "unknown") and not local:
        found.append("sampling")
    return found + _of_cohorts(log) + _of_noise(log)


def _of_cohorts(log: RoundLog) -> list[str]:
    if log.sampling.probability is not None or log.noise.where == "client" or log.sampling.kind == "all":
        return []
    rounds = log.rounds or (Round(),)
    found = []
    if log.population.size is None and any(one.online is None for one in rounds):
        found.append("population")
    if log.sampling.cohort is None and (
        log.sampling.kind == "poisson" or any(one.sampled is None for one in rounds)
    ):
        found.append("clients-per-round")
    return found


def _of_noise(log: RoundLog) -> list[str]:
    found = []
    if any(one.noise is not None and one.multiplier is None and one.clip is None for one in log.costly):
        found += ["clip-norm"] if log.clipping.norm is None else []
    if log.noise.of is None and log.noise.where != "client":
        measured = any(one.noise is not None and one.multiplier is None for one in log.costly)
        found += ["noise-of"] if measured or log.average.configured is not None else []
    needs_divisor = log.noise.of == "average" or log.sampling.kind == "poisson"
    if log.average.divisor is None and needs_divisor and log.noise.where != "client":
        found.append("divisor")
    return found
