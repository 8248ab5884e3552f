"""Rounds of several kinds together: their losses composed two by two, never below the true epsilon, each step kept.

Which two is decided by what they are and not by when they came, so that the same runs have the same epsilon everywhere;
and one kind more leaves all but a few steps as they were. Losses are on grids whose steps are powers of two, each as
coarse as its spread allows; whatever is moved goes up, or to both neighbours by "connect the dots", and what is cut off
at the top counts as infinite.
"""

import functools
import hashlib
import math
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpcore.privacy import curves
from dpcore.privacy.bounds import FFT_ERROR
from dpcore.privacy.losses import Run
from dpcore.privacy.many import kept

# Of a part's spread, the finest step that two of them are composed on: each time that they are brought to one twice as
# coarse, this costs a hundred thousandth of epsilon.
_STEP = 0.009
# What is cut off: of a kind's rounds, and of two parts together, from either end. (What is cut off below goes up.)
_KIND_TAIL, _UPPER, _LOWER = 1e-16, 1e-16, 1e-12
_ROUNDING = 1e-14  # relative, of a mass that is moved
_MOST_BYTES = 32 * 2**20  # in memory


class Part(NamedTuple):
    """The losses of some rounds together on one side, a user removed or added.

    Attributes:
        power: The grid's step is 2 ** power.
        lowest: The lowest loss, in steps.
        masses: The probabilities of it and of those that follow, none below the true one, float32 [num_losses].
        infinity: That of an infinite loss.
    """

    power: int
    lowest: int
    masses: NDArray[np.float32]
    infinity: float

    @property
    def composed(self) -> curves.Composed:
        """The same, as what has epsilons."""
        return curves.Composed(2.0**self.power, self.lowest, self.masses.astype(np.float64), self.infinity)


Sides = tuple[Part, Part]


def epsilon(runs: Sequence[Run], delta: float) -> tuple[float, float]:
    """Returns the least epsilon of all rounds together at a delta, never below the true one; and the grid's step.

    Above the library's on its finest grid by some 1e-5 of it where delta is 1e-5, and by less than a thousandth down to
    1e-10.

    Args:
        runs: At least one; noise at least 0.15 where rounds are sampled.
        delta: Above 0.

    >>> round(epsilon([(0.5, 50 / 3383, 100), (1.2, 120 / 3383, 100)], 1e-5)[0], 3)
    7.054
    """
    made: dict[bytes, bytes] = {}
    with np.errstate(all="ignore"):
        sides = _composed(runs, made)
    kept.keep(made)
    with np.errstate(all="ignore"):
        found = max(float(side.composed.profile.epsilons_at(np.array([delta]))[0]) for side in sides)
    return found * (1 + 1e-12), max(2.0**side.power for side in sides)


def _composed(runs: Sequence[Run], made: dict[bytes, bytes]) -> Sides:
    """All rounds: those of like spread first, the smallest of them first of all; what is made on the way is added."""
    plain = sum(rounds / noise**2 for noise, prob, rounds in runs if prob == 1)  # one Gaussian together
    kinds = [run for run in runs if run[1] < 1] + ([(plain**-0.5, 1.0, 1)] if plain else [])
    groups: dict[int, dict[bytes, Run]] = {}
    for run in kinds:
        groups.setdefault(math.frexp(_spread(run))[1], {})[_name(b"kind", repr(run).encode())] = run
    name, whole = b"", None
    for size in sorted(groups):
        names = sorted(groups[size])
        group = _name(b"group", *names)
        part = _all_of(names, groups[size], made)
        if whole is None:
            name, whole = group, part
        else:
            name, before = _name(b"both", name, group), whole
            whole = _kept(name, functools.partial(_both, before, part), made)
    assert whole is not None
    return whole


def _all_of(names: list[bytes], kinds: dict[bytes, Run], made: dict[bytes, bytes]) -> Sides:
    """Kinds of like spread, halved by the first bit in which the first and the last of their names differ."""
    if len(names) == 1:
        return _kept(names[0], lambda: _alike(kinds[names[0]]), made)

    def halves() -> Sides:
        numbers = [int.from_bytes(name, "big") for name in names]
        bit = (numbers[0] ^ numbers[-1]).bit_length() - 1
        half = sum(not number >> bit & 1 for number in numbers)
        return _both(_all_of(names[:half], kinds, made), _all_of(names[half:], kinds, made))

    return _kept(_name(b"group", *names), halves, made)


def _name(what: bytes, *parts: bytes) -> bytes:
    """A name for kinds of rounds, or for parts that are together: it decides who is composed with whom."""
    return hashlib.sha256(b" ".join([what, *parts])).digest()


class _Memory:
    """The last parts that were made or found, no more of them than so many bytes."""

    def __init__(self, most_bytes: int):
        self._most, self._bytes = most_bytes, 0
        self._parts: OrderedDict[bytes, Sides] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: bytes) -> Sides | None:
        with self._lock:
            found = self._parts.get(name)
            if found is not None:
                self._parts.move_to_end(name)
            return found

    def add(self, name: bytes, sides: Sides) -> None:
        with self._lock:
            self._bytes += _size(sides) - _size(self._parts.pop(name, ()))
            self._parts[name] = sides
            while self._bytes > self._most:
                self._bytes -= _size(self._parts.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._parts.clear()
            self._bytes = 0


_memory = _Memory(_MOST_BYTES)


def _size(sides: tuple[Part, ...]) -> int:
    return sum(part.masses.nbytes for part in sides)


def _kept(name: bytes, make: Callable[[], Sides], made: dict[bytes, bytes]) -> Sides:
    """What was made under a name, or is made now, and then noted as `made`."""
    sides = _memory.find(name)
    if sides is None:
        elsewhere = kept.name(b"part", name)
        sides = _unpacked(kept.find(elsewhere))
        if sides is None:
            sides = make()
            made[elsewhere] = b"".join(map(_packed, sides))
        _memory.add(name, sides)
    return sides


_HEAD = struct.Struct("<qqdq")


def _packed(part: Part) -> bytes:
    masses = part.masses.astype("<f4").tobytes()
    return _HEAD.pack(part.power, part.lowest, part.infinity, len(part.masses)) + masses


def _unpacked(content: bytes | None) -> Sides | None:
    if content is None:
        return None
    parts, at = [], 0
    for _side in range(2):
        power, lowest, infinity, count = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        parts.append(Part(power, lowest, np.frombuffer(content, "<f4", count, at), infinity))
        at += 4 * count
    return parts[0], parts[1]


def _spread(run: Run) -> float:
    """The standard deviation of the losses of rounds that are alike, roughly."""
    noise, prob, rounds = run
    return prob * math.sqrt(math.expm1(min(noise**-2, 50)) * rounds) if prob < 1 else math.sqrt(rounds) / noise


def _alike(run: Run) -> Sides:
    """Rounds that are alike."""
    noise, prob, rounds = run
    finest = min(curves.NUMBER * _spread((noise, prob, 1)), 1e-4)
    removed, added = curves.composed_sides(noise, prob, rounds, _KIND_TAIL, finest)
    return _on_grid(removed, rounds), _on_grid(added, rounds)


def _on_grid(side: curves.Composed, rounds: int) -> Part:
    """Losses on any grid, on one whose step is the power of two below."""
    power = math.floor(math.log2(side.step))
    places = (side.lowest + np.arange(len(side.masses))) * (side.step / 2.0**power)
    below = np.floor(places)
    up = np.expm1(-(places - below) * 2.0**power) / math.expm1(-(2.0**power))  # so that exp(-loss) keeps its mean
    at = (below - below[0]).astype(int)
    masses = np.maximum(side.masses, 0) * (1 + 1e-10 * rounds)  # by how much `curves` may be off
    moved = [np.bincount(at + more, masses * part).astype(np.float64) for more, part in ((0, 1 - up), (1, up))]
    together: NDArray[np.float64] = moved[1]
    together[: len(moved[0])] += moved[0]
    return _trimmed(power, int(below[0]), together, side.infinity + FFT_ERROR * (rounds + 1))


def _both(one: Sides, other: Sides) -> Sides:
    return _pair(one[0], other[0]), _pair(one[1], other[1])


def _pair(one: Part, other: Part) -> Part:
    """Two parts together, on the coarser grid of both or a coarser one."""
    from scipy import fft

    power = max(one.power, other.power)
    (low, masses), (other_low, other_masses) = _coarser(one, power), _coarser(other, power)
    count = len(masses) + len(other_masses) - 1
    length = fft.next_fast_len(count, real=True)
    whole = fft.irfft(fft.rfft(masses, length) * fft.rfft(other_masses, length), length)[:count]
    # The transforms' rounding, in all masses together: that of each is by the root of the sums of squares.
    off = 1e-15 * math.log2(length) * math.sqrt(length * (masses**2).sum() * (other_masses**2).sum())
    return _trimmed(power, low + other_low, np.maximum(whole, 0), one.infinity + other.infinity + off)


def _coarser(part: Part, power: int) -> tuple[int, NDArray[np.float64]]:
    """The lowest loss and the masses on a coarser grid."""
    lowest, masses = part.lowest, part.masses.astype(np.float64)
    for finer in range(part.power, power):
        lowest, masses = _halved(finer, lowest, masses)
    return lowest, masses


def _halved(power: int, lowest: int, masses: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """Every second loss, what was between two of them on both, so that exp(-loss) keeps its mean."""
    before = lowest & 1
    odd_first = np.concatenate([np.zeros(before), masses, np.zeros((len(masses) + before + 1) % 2)])
    even, odd = odd_first[::2].copy(), odd_first[1::2]
    up = 1 / (1 + math.exp(-(2.0**power)))
    even[1:] += odd * (up * (1 + _ROUNDING))
    even[:-1] += odd * ((1 - up) * (1 + _ROUNDING))
    return (lowest - before) // 2, even


def _trimmed(power: int, lowest: int, masses: NDArray[np.float64], infinity: float) -> Part:
    """Masses without their tails, and no finer than they need to be."""
    below, above = np.cumsum(masses), np.cumsum(masses[::-1])
    first = int(np.searchsorted(below, _LOWER))
    last = len(masses) - int(np.searchsorted(above, _UPPER))
    first, last = min(first, last - 1), max(last, 1)
    cut = masses[max(first, 0) : last].copy()
    cut[0] += below[first] - masses[first]
    infinity += float(above[len(masses) - last] - masses[last - 1])
    lowest += first
    places = np.arange(len(cut))
    mean = (cut * places).sum() / cut.sum()
    spread = math.sqrt((cut * (places - mean) ** 2).sum())
    while spread * _STEP > 2:
        lowest, cut = _halved(power, lowest, cut)
        power, spread = power + 1, spread / 2
    single = cut.astype(np.float32)
    return Part(power, lowest, np.where(single < cut, np.nextafter(single, np.float32(np.inf)), single), infinity)
