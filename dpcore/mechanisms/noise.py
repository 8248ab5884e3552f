"""What noise is added to the sums: fresh in every round, or such that later rounds take back some of it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dpcore import limits
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.mechanisms import matrices, trees
from dpcore.mechanisms.clipping import Query

Stream = Callable[[int], np.random.Generator]  # of one use, by round, anew on every call
Shapes = Sequence[tuple[int, ...]]
Parts = list[NDArray[np.float32]]  # float32, of the shapes of a sum's parts
_MOST_KEPT = 1_000  # rounds whose noise is kept in memory at once
_MOST_OF_A_TREE = 2_048  # of more, what a user moves takes minutes to find
_MOST_OF_BANDS = 10_000  # of more, the best matrix does


@dataclass(frozen=True, kw_only=True)
class Independent:
    """Fresh Gaussian noise in every round (McMahan et al. 2018, <https://arxiv.org/abs/1710.06963>, algorithm 1)."""

    kind: str = field(default="independent", init=False, repr=False)
    title: ClassVar[str] = N_("independent")
    knobs: ClassVar[tuple[limits.Knob, ...]] = ()
    is_correlated: ClassVar[bool] = False
    is_banded: ClassVar[bool] = True  # its one band is the round itself

    def check(self, pattern: tuple[int, int], rounds: int) -> None:
        """Refuses a way to take part that its matrix does not allow.

        Args:
            pattern: How often a user can take part, and how close together.
            rounds: How many are planned.

        Raises:
            InvalidValueError: If it does not fit.
        """

    def sensitivity_squared(self, rounds: int, released: int, participations: int, separation: int) -> float:
        """Returns the most by which a user moves all that is released, squared, in clip norms.

        Args:
            rounds: How many are planned, for which the matrix is made.
            released: After how many of them.
            participations: In how many a user can take part.
            separation: How many rounds from one to the next, at least.
        """
        return float(min(participations, -(-released // separation)))

    def prefix_errors(self, rounds: int) -> NDArray[np.float64]:
        """Returns the variance of the noise in the sum of the first t rounds, for t from 1, at unit noise: [rounds]."""
        return np.arange(1.0, rounds + 1)

    def round_errors(self, rounds: int) -> NDArray[np.float64]:
        """Returns the variance of the noise of each round by itself, at unit noise: float64 [rounds]."""
        return np.ones(rounds)

    def innovations(self, rounds: int) -> NDArray[np.float64] | None:
        """Returns C, lower triangular: with it, the noise of the rounds is independent again; `None` where it is.

        float64 [rounds, rounds]: C times the noises of the rounds are standard normal ones, at unit noise.
        """
        return None

    def source(self, stream: Stream, rounds: int, shapes: Shapes) -> Callable[[int], Parts]:
        """Returns what gives the noise of a round, from 1, in units of the noise multiplier: float32 of the shapes.

        The same round always gives the same noise, also if it is asked for again, or first.

        Args:
            stream: Returns the generator of one round, anew on every call: secret until the run is over.
            rounds: How many are planned.
            shapes: Those of the sum's parts, in order.
        """
        return lambda round_num: _fresh(stream(round_num), shapes)

    def kept(self, rounds: int) -> int:
        """Returns the noise of how many rounds goes into that of the next, at most."""
        return 0

    def query(self, bounded: Query, rounds: int) -> Query:
        """Returns what adds it on TFF, where `bounded` is what clips and adds independent noise."""
        return bounded

    @property
    def label(self) -> str:
        """What it is, in a word or two."""
        return _(self.title)

    @property
    def sentence(self) -> str:
        """What a statement says of it."""
        return _("The noise of each round is independent of all others'.")


def _fresh(draw: np.random.Generator, shapes: Shapes) -> Parts:
    return [draw.standard_normal(shape, np.float32) for shape in shapes]


class _Correlated(Independent):
    is_correlated: ClassVar[bool] = True
    is_banded: ClassVar[bool] = False

    @property
    def _correlation(self) -> str:
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        secret = _(
            "What was drawn for the noise, and the state of the training, stay secret: the noise of one round tells of "
            "that of all others, of rounds to come as well."
        )
        return f"{self._correlation} {secret}"


def _refuse_above(most: int, rounds: int, noise: str) -> None:
    if rounds > most:
        raise InvalidValueError(
            "rounds",
            _(
                "Expected at most {most:,} rounds with {noise} noise, found {rounds:,}: the noise of each depends on all "
                "before it. Train fewer, or use independent noise."
            ).format(most=most, noise=noise, rounds=rounds),
        )


class _Toeplitz(_Correlated):
    """Noise by a matrix T diag(scales)^-1, of which T is a lower triangular Toeplitz matrix."""

    def _matrix(self, rounds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns the first column of T, as far as it is not 0, and the scales: float64 [bands], [rounds]."""
        raise NotImplementedError

    def prefix_errors(self, rounds: int) -> NDArray[np.float64]:
        column, scales = self._matrix(rounds)
        return matrices.prefix_errors(column, rounds, scales)

    def round_errors(self, rounds: int) -> NDArray[np.float64]:
        column, scales = self._matrix(rounds)
        found: NDArray[np.float64] = scales**2 * np.cumsum(matrices.inverse(column, rounds) ** 2)
        return found

    def innovations(self, rounds: int) -> NDArray[np.float64] | None:
        return matrices.whole(*self._matrix(rounds))

    def source(self, stream: Stream, rounds: int, shapes: Shapes) -> Callable[[int], Parts]:
        matrix = self._matrix(rounds)
        return _Steps(lambda: _Filter(stream, shapes, *matrix))

    def kept(self, rounds: int) -> int:
        return len(self._matrix(rounds)[0]) - 1

    def query(self, bounded: Query, rounds: int) -> Query:
        column, scales = self._matrix(rounds)
        told = {"column": column.tolist(), "scales": scales.tolist()}
        return Query("FilteredSumQuery", {**bounded.arguments, **told})


@dataclass(frozen=True, kw_only=True)
class Tree(_Correlated):
    """Noise by a binary tree over the rounds, each node estimated from all below it, as TFF's `tree_aggregation` has it.

    Source: Kairouz et al. (2021) <https://arxiv.org/abs/2103.00039>, appendix B.1.
    """

    kind: str = field(default="tree", init=False, repr=False)
    title: ClassVar[str] = N_("tree aggregation")

    def check(self, pattern: tuple[int, int], rounds: int) -> None:
        _refuse_above(_MOST_OF_A_TREE, rounds, self.kind)

    def sensitivity_squared(self, rounds: int, released: int, participations: int, separation: int) -> float:
        return float(trees.sensitivity_squared(released, participations, separation))

    def prefix_errors(self, rounds: int) -> NDArray[np.float64]:
        return trees.prefix_errors(rounds)

    def round_errors(self, rounds: int) -> NDArray[np.float64]:
        return trees.step_errors(rounds)

    def innovations(self, rounds: int) -> NDArray[np.float64] | None:
        return trees.innovations(rounds)

    def source(self, stream: Stream, rounds: int, shapes: Shapes) -> Callable[[int], Parts]:
        return _Steps(lambda: _TreeSteps(stream, shapes))

    def kept(self, rounds: int) -> int:
        return rounds.bit_length()

    def query(self, bounded: Query, rounds: int) -> Query:
        return bounded._replace(name="TreeSumQuery")

    @property
    def _correlation(self) -> str:
        return _(
            "The noise of the rounds is correlated by a binary tree (Kairouz et al. 2021): later rounds take back "
            "part of what earlier ones added."
        )


@dataclass(frozen=True, kw_only=True)
class Banded(_Toeplitz):
    """Noise by the banded Toeplitz matrix that is best for prefix sums, its columns then brought to length 1.

    Source: Choquette-Choo et al. (2023) <https://arxiv.org/abs/2306.08153>; McKenna (2024)
    <https://arxiv.org/abs/2405.15913>.

    Attributes:
        bands: Rounds whose noise a round's depends on, itself among them.
    """

    kind: str = field(default="banded", init=False, repr=False)
    title: ClassVar[str] = N_("banded matrix factorisation")
    knobs: ClassVar[tuple[limits.Knob, ...]] = (limits.BANDS,)
    is_banded: ClassVar[bool] = True

    bands: int = int(limits.BANDS.default)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", limits.BANDS.check(self.bands))

    def check(self, pattern: tuple[int, int], rounds: int) -> None:
        _often, separation = pattern
        _refuse_above(_MOST_OF_BANDS, rounds, self.kind)
        if self.bands > separation:
            raise InvalidValueError(
                "bands",
                _(
                    "Expected bands to be at most the separation, {separation:,} rounds, found {bands:,}: a user's "
                    "rounds must not share noise. Lower the bands, or raise the separation."
                ).format(separation=separation, bands=self.bands),
            )

    def sensitivity_squared(self, rounds: int, released: int, participations: int, separation: int) -> float:
        # Columns of length 1 (cut off, they are shorter) that share no round.
        return float(min(participations, -(-released // separation)))

    def _matrix(self, rounds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        column = matrices.optimal_bands(rounds, self.bands)
        return column, matrices.column_norms(column, rounds)

    @property
    def label(self) -> str:
        return _("{bands:,} bands").format(bands=self.bands)

    @property
    def _correlation(self) -> str:
        return _(
            "The noise of {bands:,} rounds at a time is correlated by a banded matrix (Choquette-Choo et al. 2023): "
            "later rounds take back part of what earlier ones added."
        ).format(bands=self.bands)


@dataclass(frozen=True, kw_only=True)
class SquareRoot(_Toeplitz):
    """Noise by the square root of the prefix sums' matrix.

    Source: Fichtenberger et al. (2023) <https://arxiv.org/abs/2202.11205>.
    """

    kind: str = field(default="square-root", init=False, repr=False)
    title: ClassVar[str] = N_("square-root factorisation")

    def check(self, pattern: tuple[int, int], rounds: int) -> None:
        _refuse_above(_MOST_KEPT, rounds, self.kind)

    def sensitivity_squared(self, rounds: int, released: int, participations: int, separation: int) -> float:
        return matrices.sensitivity_squared(matrices.square_root(released), released, participations, separation)

    def _matrix(self, rounds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return matrices.square_root(rounds), np.ones(rounds)

    @property
    def _correlation(self) -> str:
        return _(
            "The noise of all rounds is correlated by the square root of their sums' matrix (Fichtenberger et al. 2023): "
            "later rounds take back part of what earlier ones added."
        )


class _Steps:
    """Noise that follows from that of the rounds before; asked out of turn, it begins again."""

    def __init__(self, begin: Callable[[], Callable[[int], Parts]]):
        self._begin, self._done = begin, 0
        self._step: Callable[[int], Parts] | None = None

    def __call__(self, round_num: int) -> Parts:
        step = self._step if round_num > self._done else None
        if step is None:
            step, self._done = self._begin(), 0
        self._step = None  # until it is whole: who is interrupted in the middle of it begins again
        parts: Parts = []
        for number in range(self._done + 1, round_num + 1):
            parts = step(number)
        self._step, self._done = step, round_num
        return parts


class _Filter:
    """Rounds of `scales[t]` times row t of the inverse of a Toeplitz matrix, on fresh noise."""

    def __init__(self, stream: Stream, shapes: Shapes, column: NDArray[np.float64], scales: NDArray[np.float64]):
        self._stream, self._shapes, self._scales = stream, shapes, scales
        self._first, self._rest = np.float32(column[0]), column[1:].astype(np.float32)
        self._before: deque[Parts] = deque(maxlen=len(self._rest))

    def __call__(self, round_num: int) -> Parts:
        parts = _fresh(self._stream(round_num), self._shapes)
        for coefficient, before in zip(self._rest, self._before, strict=False):
            for part, old in zip(parts, before, strict=True):
                part -= coefficient * old
        for part in parts:
            part /= self._first
        self._before.appendleft(parts)
        return [np.float32(self._scales[round_num - 1]) * part for part in parts]


class _TreeSteps:
    """Rounds of what a tree's noise adds to the prefix sums."""

    def __init__(self, stream: Stream, shapes: Shapes):
        self._stream, self._shapes = stream, shapes
        self._nodes: list[
            tuple[int, Parts]
        ] = []  # level and estimate of each whole node of the prefix, largest first
        self._sum = [np.zeros(shape, np.float32) for shape in shapes]

    def __call__(self, round_num: int) -> Parts:
        draw = self._stream(round_num)
        level, node = 0, _fresh(draw, self._shapes)
        while self._nodes and self._nodes[-1][0] == level:
            _level, left = self._nodes.pop()
            level += 1
            own = np.float32(trees.node_variance(level))
            for part, other, fresh in zip(node, left, _fresh(draw, self._shapes), strict=True):
                part += other
                part *= 1 - own
                part += own * fresh
        self._nodes.append((level, node))
        total = [
            np.sum([one[place] for _, one in self._nodes], axis=0, dtype=np.float32) for place in range(len(node))
        ]
        step = [now - before for now, before in zip(total, self._sum, strict=True)]
        self._sum = total
        return step


NOISES = (Independent, Tree, Banded, SquareRoot)
Noise = Independent  # every kind can do what it can
