"""What an audited run leaves behind: its releases along the directions of canaries, and the canaries' coins."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import InvalidValueError
from dpcore.language import _

LEAST_BYSTANDERS = 8  # directions that nobody sends: fewer tell nothing of noise


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """The record of an audited run: a function of what it released and of the canaries' coins alone.

    A canary sends, in the rounds that it joins, a direction of its own, far longer than the clip norm. The directions are
    orthonormal, and in this order: run canaries, round canaries, bystanders, which nobody sends.

    Attributes:
        run_canaries: How many toss one coin for the whole run, and then join like everybody.
        round_canaries: How many toss a fresh coin in each round.
        projections: Each round's released sum (the average times `clients_per_round`) along each direction, in clip
            norms of the round, float32 [rounds, num_directions].
        run_coins: Which run canaries are in the run at all, bool [run_canaries].
        joined: Which canaries sent an update in a round, bool [rounds, run_canaries + round_canaries].
        clip_norms: float64 [rounds].
        layer_scale: The root mean square, within each layer, of half-differences of neighbouring coordinates of the
            released sum, (x[2i] - x[2i + 1]) / sqrt(2), in clip norms of the round: float64 [rounds, num_layers].
        layer_size: Of how many differences, int [num_layers].
        noise: The planned multiplier of the noise on the sum; above 0.
        innovations: Of correlated noise, the matrix C that makes it independent again, lower triangular, float64
            [rounds, rounds]; else `None`.

    Raises:
        InvalidValueError: If its parts do not fit each other, or there is no noise to be seen.
    """

    run_canaries: int
    round_canaries: int
    projections: NDArray[np.float32]
    run_coins: NDArray[np.bool_]
    joined: NDArray[np.bool_]
    clip_norms: NDArray[np.float64]
    layer_scale: NDArray[np.float64]
    layer_size: NDArray[np.int64]
    noise: float
    innovations: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        rounds, layers = len(self.clip_norms), len(self.layer_size)
        canaries = self.run_canaries + self.round_canaries
        shapes = {
            "joined": (rounds, canaries),
            "run_coins": (self.run_canaries,),
            "layer_scale": (rounds, layers),
            "projections": (rounds, max(self.projections.shape[-1], canaries + LEAST_BYSTANDERS)),
        }
        if self.innovations is not None:
            shapes["innovations"] = (rounds, rounds)
        for name, shape in shapes.items():
            if (found := getattr(self, name).shape) != shape or not rounds:
                message = _("Expected an audit's {name} to have the shape {shape}, found {found}.")
                raise InvalidValueError(name, message.format(name=name, shape=shape, found=found))
        numbers = (self.projections, self.clip_norms, self.layer_scale)
        if not self.noise > 0 or not all(np.isfinite(part).all() for part in numbers):
            raise InvalidValueError(
                "projections", _("Expected an audit's record of finite numbers, and noise above 0.")
            )
        if (self.joined[:, : self.run_canaries] & ~self.run_coins).any():
            raise InvalidValueError("joined", _("Expected canaries to join only where their coin is in."))

    @property
    def rounds(self) -> int:
        """How many rounds it has."""
        return len(self.clip_norms)

    @property
    def num_canaries(self) -> int:
        """How many canaries there are, of both kinds."""
        return self.run_canaries + self.round_canaries

    @cached_property
    def released(self) -> NDArray[np.float64]:
        """The projections with noise that is independent over rounds, and alike: float64 [rounds, num_directions].

        What is correlated by a known matrix can be undone by it: whoever sees all releases sees these.
        """
        projections = self.projections.astype(float)
        return projections if self.innovations is None else self.innovations @ projections

    @cached_property
    def sent(self) -> NDArray[np.float64]:
        """By how many steps each canary moves each of `released`: float64 [rounds, num_canaries]."""
        joined = self.joined.astype(float)
        return joined if self.innovations is None else self.innovations @ joined

    @property
    def bystanders(self) -> NDArray[np.float64]:
        """`released` along the directions that nobody sends: float64 [rounds, num_bystanders]."""
        return self.released[:, self.num_canaries :]

    @property
    def round_noise(self) -> NDArray[np.float64]:
        """The planned noise of each round's sum by itself, in clip norms: float64 [rounds]."""
        if self.innovations is None:
            return np.full(self.rounds, self.noise)
        found: NDArray[np.float64] = self.noise * np.linalg.norm(np.linalg.inv(self.innovations), axis=1)
        return found
