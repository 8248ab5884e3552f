"""How updates are clipped, and how the clip norm finds its quantile: one rule, for engines and whoever watches them.

No clipped update is longer than the clip norm C, in exact arithmetic, whatever float32 numbers it has. The engines take
norms of float32 entries and scale by min(1, C (1 - MARGIN) / norm). With u = 2^-24, the rounding of float32:

- Sums of `BLOCK` squares or fewer, in any order, are too small by at most 16 u of their size. Those are added in float64.
  So a norm is at least 1 - 8 u times the true one.
- The rounding of C, of 1 - MARGIN, their product, the norm, the quotient and the product with an entry: 6 u.
- Squares and products below float32's 2^-126 may count as nothing. Of a billion entries that hides a norm of
  1e9^0.5 * 2^-63 < 4e-15, which adds (4e-15 / C)^2 / 2 of itself to a norm of C: 1e-17 at the lowest clip norm.

Together less than 15 u, and MARGIN is 32 u: what is left also covers the rounding of the noise's scale.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dpcore import limits, rounding
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

BLOCK = 16
MARGIN = 2.0**-19

# An update with a larger L2 norm, or one that is not finite, becomes zero before it is clipped: dividing by
# a norm whose square overflows float32 leaves no number. A public constant, so the guarantee covers it.
LARGEST_NORM = 1e15

LOWEST, HIGHEST = limits.CLIP_NORM.minimum, limits.CLIP_NORM.maximum
_BOUNDS = {"margin": MARGIN, "largest_norm": LARGEST_NORM}  # of every query
_FLOAT32 = 1e-6  # a clip norm of TFF's is rounded by less


def held(clip_norm: float) -> float:
    """Returns the clip norm itself, or the nearest that clipping takes."""
    return min(max(clip_norm, LOWEST), HIGHEST)


class Query(NamedTuple):
    """A query of `dpcore.learning.tff.bounded_query`, which clips, sums and adds noise, as plain data.

    Attributes:
        name: That of its class.
        arguments: Those of its class, by name: plain numbers, or lists of them.
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AdaptiveClipping:
    """How the clip norm finds its quantile, as TFF's `dp_aggregator` does it.

    Source: Andrew et al. (2021), "Differentially Private Learning with Adaptive Clipping",
    <https://arxiv.org/abs/1905.03871>, algorithm 1 and section 3.1.

    Attributes:
        initial_clip_norm: The L2 bound on a user's update in round 1.
        target_unclipped_quantile: The fraction of updates that should stay unclipped.
        learning_rate: The size of a geometric step of the clip norm.
        clipped_count_stddev_per_client: Noise on the count of unclipped updates, as a fraction of
            clients_per_round.
    """

    kind: ClassVar[str] = "adaptive"
    title: ClassVar[str] = N_("adaptive")
    begins_at: ClassVar[str] = "initial_clip_norm"  # the field that has the clip norm of round 1
    # What users set of it, by its field.
    settings: ClassVar[dict[str, limits.Knob]] = {
        "initial_clip_norm": limits.INITIAL_CLIP_NORM,
        "target_unclipped_quantile": limits.TARGET_UNCLIPPED_QUANTILE,
        "learning_rate": limits.CLIP_LEARNING_RATE,
    }
    knobs: ClassVar[tuple[limits.Knob, ...]] = tuple(settings.values())
    releases_clip_norm: ClassVar[bool] = True

    initial_clip_norm: float = limits.INITIAL_CLIP_NORM.default
    target_unclipped_quantile: float = limits.TARGET_UNCLIPPED_QUANTILE.default
    learning_rate: float = limits.CLIP_LEARNING_RATE.default
    clipped_count_stddev_per_client: float = limits.CLIPPED_COUNT_STDDEV.default

    def __post_init__(self) -> None:
        for name, knob in (
            self.settings | {"clipped_count_stddev_per_client": limits.CLIPPED_COUNT_STDDEV}
        ).items():
            object.__setattr__(self, name, replace(knob, name=name).check(getattr(self, name)))

    def count_stddev(self, clients_per_round: int) -> float:
        """Returns the standard deviation of the noise on the centred count of unclipped updates; 0 where none is made."""
        return self.clipped_count_stddev_per_client * clients_per_round

    def most_noise(self, clients_per_round: int) -> float:
        """Returns what a plan's noise multiplier must stay below: the count's noise alone would cost as much."""
        return 2 * self.count_stddev(clients_per_round)

    def check_noise(self, noise_multiplier: float, clients_per_round: int) -> None:
        """Refuses a noise multiplier that leaves nothing for the sum.

        Raises:
            InvalidValueError: If it is not below `most_noise`.
        """
        most = self.most_noise(clients_per_round)
        if noise_multiplier < most * (1 - 1e-9):  # not decided by the last bit of a float
            return
        raise InvalidValueError(
            "noise_multiplier",
            _(
                "Expected noise_multiplier to be below {most} ({per_client} x {clients} clients per round), "
                "found {noise}: adaptive clipping spends part of the noise on its own count. Lower the noise, "
                "raise the clients per round, or use fixed clipping, which has no count."
            ).format(
                most=rounding.down(most, 12),
                per_client=rounding.given(2 * self.clipped_count_stddev_per_client),
                clients=clients_per_round,
                noise=rounding.given(noise_multiplier),
            ),
        )

    def value_noise_multiplier(self, noise_multiplier: float, clients_per_round: int) -> float:
        """Returns the noise multiplier of the sum of updates, so that sum and count together cost the given one.

        Source: Andrew et al. (2021), theorem 1; each user moves the centred count by 1/2.
        """
        if noise_multiplier == 0:
            return 0.0
        return float((noise_multiplier**-2 - (2 * self.count_stddev(clients_per_round)) ** -2) ** -0.5)

    def next_clip_norm(
        self, clip_norm: float, *, num_clients: int, num_unclipped: int, clients_per_round: int, count_noise: float
    ) -> float:
        """Returns the clip norm of the next round, `held`.

        Source: Andrew et al. (2021), algorithm 1 and section 3.1.

        Args:
            clip_norm: That of this round.
            num_clients: How many updates came.
            num_unclipped: How many of them have an L2 norm of at most the clip norm.
            clients_per_round: The number expected, a public constant.
            count_noise: The Gaussian noise on the count, of standard deviation `count_stddev`.
        """
        # Centred on the users that came, divided by the number expected.
        count = num_unclipped - num_clients / 2
        count += count_noise
        fraction = min(max(count / clients_per_round + 0.5, 0.0), 1.0)
        step = -self.learning_rate * (fraction - self.target_unclipped_quantile)
        return held(clip_norm * float(np.exp(step)))

    def log_step(self, count: float, clients_per_round: int) -> float:
        """Returns by how much the logarithm of the clip norm moves where the count is other by `count`, in size."""
        return self.learning_rate * count / clients_per_round

    def fraction_clipped(self, before: float, after: float) -> float | None:
        """Returns the fraction of updates above the clip norm that its step from one round to the next tells of.

        In [0, 1]; `None` where the step ended at the lowest or the highest clip norm, which it would have passed.
        """
        if after <= LOWEST * (1 + _FLOAT32) or after >= HIGHEST:
            return None
        step = math.log(after / before) / -self.learning_rate
        return 1 - min(max(step + self.target_unclipped_quantile, 0.0), 1.0)

    def query(self, *, value_noise_multiplier: float, count_stddev: float, clients_per_round: int) -> Query:
        """Returns what clips and adds noise on TFF."""
        return Query(
            "BoundedAdaptiveQuery",
            {
                "clip_norm": self.initial_clip_norm,
                **_BOUNDS,
                "noise_multiplier": value_noise_multiplier,
                "target_unclipped_quantile": self.target_unclipped_quantile,
                "learning_rate": self.learning_rate,
                "clipped_count_stddev": count_stddev,
                "expected_num_records": float(clients_per_round),
                "lowest": LOWEST,
                "highest": HIGHEST,
            },
        )

    @property
    def label(self) -> str:
        """What it is, in a word or two."""
        return _(self.title)

    @property
    def details(self) -> str:
        """All its numbers, in a line."""
        return _(
            "adaptive, from {norm} to the quantile {quantile}, step {step}, count noise {noise} per client"
        ).format(
            norm=rounding.given(self.initial_clip_norm),
            quantile=rounding.given(self.target_unclipped_quantile),
            step=rounding.given(self.learning_rate),
            noise=rounding.given(self.clipped_count_stddev_per_client),
        )

    def sentence(self, *, value_noise_multiplier: float, count_stddev: float) -> str:
        """Returns where the noise goes and how the clip norm is found, as a statement says it."""
        return _(
            "It is {on_the_sum} on the sum, with a standard deviation of {on_the_count} on the count of unclipped "
            "updates, by which the clip norm adapts from {initial_clip_norm} towards the quantile {quantile} (Andrew et "
            "al. 2021)."
        ).format(
            on_the_sum=rounding.noise(value_noise_multiplier),
            on_the_count=rounding.noise(count_stddev),
            initial_clip_norm=rounding.given(self.initial_clip_norm),
            quantile=rounding.given(self.target_unclipped_quantile),
        )


@dataclass(frozen=True, kw_only=True)
class FixedClipping:
    """One clip norm for the whole run: no count of unclipped updates is released, so none costs noise.

    Source: McMahan et al. (2018), <https://arxiv.org/abs/1710.06963>, algorithm 1 (flat clipping).

    Attributes:
        clip_norm: The L2 bound on a user's update.
    """

    kind: ClassVar[str] = "fixed"
    title: ClassVar[str] = N_("fixed")
    begins_at: ClassVar[str] = "clip_norm"
    settings: ClassVar[dict[str, limits.Knob]] = {"clip_norm": limits.CLIP_NORM}
    knobs: ClassVar[tuple[limits.Knob, ...]] = tuple(settings.values())
    releases_clip_norm: ClassVar[bool] = False

    clip_norm: float = limits.CLIP_NORM.default

    def __post_init__(self) -> None:
        object.__setattr__(self, "clip_norm", limits.CLIP_NORM.check(self.clip_norm))

    @property
    def initial_clip_norm(self) -> float:
        """The clip norm of round 1, which here is that of all rounds."""
        return self.clip_norm

    def count_stddev(self, clients_per_round: int) -> float:
        return 0.0

    def most_noise(self, clients_per_round: int) -> float:
        return math.inf

    def check_noise(self, noise_multiplier: float, clients_per_round: int) -> None:
        pass  # all of it is on the sum

    def value_noise_multiplier(self, noise_multiplier: float, clients_per_round: int) -> float:
        return noise_multiplier

    def next_clip_norm(self, clip_norm: float, **count: float) -> float:
        return clip_norm

    def log_step(self, count: float, clients_per_round: int) -> float:
        return 0.0

    def fraction_clipped(self, before: float, after: float) -> float | None:
        return None  # nothing was counted

    def query(self, *, value_noise_multiplier: float, count_stddev: float, clients_per_round: int) -> Query:
        return Query(
            "BoundedSumQuery",
            {
                "clip_norm": self.clip_norm,
                **_BOUNDS,
                "stddev": value_noise_multiplier * self.clip_norm,
            },
        )

    @property
    def label(self) -> str:
        return _("fixed clip norm {norm}").format(norm=rounding.given(self.clip_norm))

    details = label

    def sentence(self, *, value_noise_multiplier: float, count_stddev: float) -> str:
        return _("All of it is on the sum; fixed clip norm {clip_norm} (McMahan et al. 2018).").format(
            clip_norm=rounding.given(self.clip_norm)
        )


CLIPPINGS = (AdaptiveClipping, FixedClipping)
Clipping = AdaptiveClipping | FixedClipping
BY_KIND: dict[str, type[Clipping]] = {clipping.kind: clipping for clipping in CLIPPINGS}


def chosen(kind: str, **numbers: float) -> Clipping:
    """Returns a way to clip; of the numbers, by the names of their knobs, a kind takes those that are its own.

    >>> chosen("fixed", clip_norm=0.3), chosen("adaptive", clip_norm=0.3) == AdaptiveClipping()
    (FixedClipping(clip_norm=0.3), True)
    """
    clipping = BY_KIND[kind]
    own = {name: knob for name, knob in clipping.settings.items() if knob.name in numbers}
    return clipping(**{name: knob.check(numbers[knob.name]) for name, knob in own.items()})
