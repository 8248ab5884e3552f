"""Why a run leaves no guarantee for a user, each reason as a sentence with the fact that it rests on."""

from collections.abc import Iterator

from dpcore import rounding
from dpcore.elsewhere import noise_added
from dpcore.elsewhere.log import RoundLog
from dpcore.language import N_, _

LEAST_NOISE = 1e-3  # below, an epsilon is above 500,000 after one round
_EXACT = {
    "norms": N_(
        "No guarantee, because exact norms of updates were published: they have no noise (also_released: norms)."
    ),
    "clip-bits": N_(
        "No guarantee, because it was published exactly how many updates were clipped: that has no noise "
        "(also_released: clip-bits)."
    ),
    "updates": N_(
        "No guarantee, because updates of single users were published without noise (also_released: updates)."
    ),
    "scalars": N_(
        "No guarantee, because scalars pass through the filter without noise (also_released: scalars; in NVFlare's "
        "message, has_scalar_passthrough)."
    ),
}


def of(log: RoundLog) -> list[str]:
    """Returns every reason for which a record leaves no guarantee; none where it leaves one."""
    return list(dict.fromkeys(_of(log)))


def _of(log: RoundLog) -> Iterator[str]:
    if log.unit == "example":
        yield _(
            "No guarantee, because the unit is an example and not a user (unit): somebody with several examples is "
            "protected several times less, and nothing says by how much."
        )
    if log.noise.where == "server" or (log.noise.where is None and log.noise.kind != "pure"):
        yield from _of_average(log)
    yield from _of_clipping(log)
    yield from (_(_EXACT[name]) for name in log.also_released or () if name in _EXACT)
    yield from _of_noise(log)


def _of_average(log: RoundLog) -> Iterator[str]:
    average, inside = log.average, log.noise.optimizer_inside
    if average.weights is None:
        yield _(
            "No guarantee, because the record does not say whether all updates weigh the same (average.weights): with "
            "unequal weights, one user moves the average by more than the clip norm over the cohort."
        )
    elif average.weights != "equal":
        yield _(
            "No guarantee, because updates are weighted by their number of examples (average.weights): one user moves "
            "the average by more than the clip norm over the cohort."
        )
    if inside is None:
        yield _(
            "No guarantee, because the record does not say whether a server optimiser works before the noise is added "
            "(noise.optimizer_inside): it would enlarge a user's part, and carry it into later rounds."
        )
    elif inside.lower() != "none":
        yield _(
            "No guarantee, because the noise is added after the server optimiser {name} (noise.optimizer_inside): it "
            "enlarges a user's part, and carries it into later rounds (docs/PEERS.md: up to 44 times)."
        ).format(name=inside)
    if average.kind not in (None, "mean"):
        yield _(
            "No guarantee, because updates are put together by {kind} instead of a mean (average.kind): the noise is "
            "made for a mean, and one user can move that by more."
        ).format(kind=average.kind)


def _of_clipping(log: RoundLog) -> Iterator[str]:
    clipping = log.clipping
    if clipping.covers == "part":
        yield _("No guarantee, because a part of the update is not clipped (clipping.covers): it has no bound.")
    if log.noise.kind == "pure":
        return
    if log.noise.where == "client" and clipping.where == "server":
        yield _(
            "No guarantee, because updates are clipped at the server after the clients have added their noise "
            "(clipping.where): what a client adds it to has no bound."
        )
    if clipping.kind == "none":
        yield _("No guarantee, because nothing is clipped (clipping.kind): a user's part has no bound.")
    if clipping.covers == "example":
        yield _(
            "No guarantee, because examples are clipped while updates are released (clipping.covers): an update of many "
            "steps exceeds the clip norm (docs/PEERS.md: by 20 to 60 times)."
        )
    if clipping.kind == "adaptive":
        if (log.framework.name or "").lower() in ("flower", "flwr"):
            yield _(
                "No guarantee, because Flower's adaptive clipping adds the noise of the next round's clip norm to this "
                "round's updates, and takes the fraction of clipped ones exactly (clipping.kind; docs/PEERS.md)."
            )
        elif not clipping.count_noise:
            yield _(
                "No guarantee, because the clip norm follows the count of clipped updates, and no noise on that count is "
                "recorded (clipping.count_noise)."
            )


def _of_noise(log: RoundLog) -> Iterator[str]:
    noise = log.noise
    if isinstance(noise.seed, int):
        yield _(
            "No guarantee, because the noise has the fixed seed {seed} (noise.seed): whoever knows it takes the noise "
            "away, and where each round begins with it, all rounds have the same noise."
        ).format(seed=noise.seed)
    if noise.kind == "correlated":
        yield _(
            "No guarantee, because the noise is correlated from round to round (noise.kind), and what that is worth "
            "depends on its matrix, which the record does not have: account for the plan of the run instead."
        )
        return
    if noise.kind == "none":
        yield _("No guarantee, because no noise is added (noise.kind).")
        return
    if not log.rounds:
        yield _("No guarantee, because the record does not say how many rounds were released (rounds).")
        return
    if noise.kind == "pure":
        if any(one.epsilon is None for one in log.costly):
            yield _("No guarantee, because a round does not say what it cost (rounds: epsilon).")
        return
    yield from _of_rounds(log)


def _of_rounds(log: RoundLog) -> Iterator[str]:
    for number, one in enumerate(log.rounds or (), 1):
        if not log.costs(one):
            continue
        added = noise_added.of_round(log, one)
        if added.ratio is None:
            yield _(
                "No guarantee, because the record does not say how much noise round {number} has over the clip norm "
                "(rounds: noise with clip, or multiplier; of an average, replied)."
            ).format(number=number)
            return
        if added.ratio < LEAST_NOISE:
            yield _("No guarantee, because round {number} has no noise to speak of (rounds, noise).").format(
                number=number
            )
            return
        if added.less:
            yield _(
                "No guarantee, because round {number} has less noise than was configured: {found} on the sum, over the "
                "clip norm (rounds: noise, multiplier)."
            ).format(number=number, found=rounding.down(added.ratio))
            return
