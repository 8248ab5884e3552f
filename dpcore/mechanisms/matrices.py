"""Lower triangular Toeplitz matrices that noise is factorised by.

With C the matrix, round t gets row t of C^-1 times independent noises. What is released is then C times the rounds' sums
with those noises, so a user moves it by the length of the columns of C in whose rounds they take part: columns, not rows,
and C^T C, not C C^T. Source: Choquette-Choo et al. (2023) <https://arxiv.org/abs/2306.08153>; Fichtenberger et al. (2023)
<https://arxiv.org/abs/2202.11205>.
"""

import functools

import numpy as np
from numpy.typing import NDArray


def square_root(rounds: int) -> NDArray[np.float64]:
    """Returns the first column of the square root of the prefix sums' matrix, float64 [rounds].

    Source: Fichtenberger et al. (2023): c_0 = 1, c_k = c_(k-1) (2k - 1) / (2k).
    """
    k = np.arange(1, rounds)
    return np.cumprod(np.concatenate([[1.0], (2 * k - 1) / (2 * k)]))


@functools.lru_cache(maxsize=256)
def optimal_bands(rounds: int, bands: int) -> NDArray[np.float64]:
    """Returns the first column, of length 1, of the banded matrix with the least error of prefix sums: float64 [bands].

    The mean over all rounds of the squared error, by L-BFGS; a second at most for 2,000 rounds and 64 bands.
    Source: McKenna (2024) <https://arxiv.org/abs/2405.15913>, section 3, for the Toeplitz form.

    >>> optimal_bands(100, 4).round(4)
    array([0.683 , 0.4828, 0.4145, 0.3587])
    """
    from scipy import fft, optimize

    bands = min(bands, rounds)
    weights, size = (rounds - np.arange(rounds)) / rounds, fft.next_fast_len(2 * rounds, real=True)

    def error(tail: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        column = np.append(1.0, tail)
        first = inverse(column, rounds)
        sums = np.cumsum(first)
        mean = float(weights @ sums**2)
        # d sums / d c_j is minus their product with the inverse, j places on.
        product = fft.irfft(fft.rfft(first, size) * fft.rfft(sums, size), size)[:rounds]
        weighed = weights * sums
        # Correlation: entry j is the sum over s of weighed[s] * product[s - j].
        slopes = fft.irfft(fft.rfft(weighed, size) * np.conj(fft.rfft(product, size)), size)[:bands]
        length = float(column @ column)
        return mean * length, -2 * slopes[1:] * length + mean * 2 * tail

    if bands == 1:
        return np.ones(1)
    start = square_root(bands)[1:]
    with np.errstate(all="ignore"):
        found = optimize.minimize(
            error, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-15}
        )
    column = np.append(1.0, found.x)
    column /= np.linalg.norm(column)
    column.flags.writeable = False
    return column


def whole(column: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the matrix T diag(scales)^-1 of which T has this first column, as far as it is not 0: [rounds, rounds]."""
    from scipy import linalg

    rounds = len(scales)
    first = np.zeros(rounds)
    first[: len(column)] = column[:rounds]
    found: NDArray[np.float64] = linalg.toeplitz(first, np.zeros(rounds)) / scales
    return found


def inverse(column: NDArray[np.float64], rounds: int) -> NDArray[np.float64]:
    """Returns the first column of the inverse of the matrix of so many rounds, float64 [rounds]."""
    from scipy import signal

    impulse = np.zeros(rounds)
    impulse[0] = 1.0
    found: NDArray[np.float64] = signal.lfilter([1.0], column, impulse)
    return found


def column_norms(column: NDArray[np.float64], rounds: int) -> NDArray[np.float64]:
    """Returns the length of each column of the matrix of so many rounds, float64 [rounds]; the last ones are cut off."""
    lengths = np.sqrt(np.cumsum(column[:rounds] ** 2))
    found: NDArray[np.float64] = lengths[np.minimum(rounds - 1 - np.arange(rounds), len(lengths) - 1)]
    return found


def sensitivity_squared(column: NDArray[np.float64], rounds: int, participations: int, separation: int) -> float:
    """Returns the most by which a user moves what is released in so many rounds, squared, in clip norms.

    Over all ways to take part at most `participations` times, two of them i < j with j - i >= `separation`: of a column
    that never rises and is never negative, that is to begin in the first round and to take part as often as can be.
    Source: Kalinin & Lampert (2024) <https://arxiv.org/abs/2405.13763>, theorem 2.

    >>> round(sensitivity_squared(square_root(100), 100, 4, 28), 6)
    15.174934
    """
    moved = np.zeros(rounds)
    for start in range(0, min(rounds, participations * separation), separation):
        part = column[: rounds - start]
        moved[start : start + len(part)] += part
    return float(moved @ moved)


def prefix_errors(column: NDArray[np.float64], rounds: int, scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the variance of the noise in the sum of the first t rounds, for t from 1: float64 [rounds].

    Args:
        column: The first of a matrix T, float64 [bands].
        rounds: How many there are.
        scales: Round t gets `scales[t]` times row t of T^-1, float64 [rounds].
    """
    first = inverse(column, rounds)
    # As long as the scale stays, a round's noise adds to a prefix by how long ago it was drawn alone.
    sums, plain = np.cumsum(first), next(iter(np.flatnonzero(scales != scales[0])), rounds)
    found: NDArray[np.float64] = scales[0] ** 2 * np.cumsum(sums**2)
    added = np.zeros(rounds)
    added[:plain] = scales[0] * sums[:plain][::-1]
    for number in range(plain, rounds):
        added[: number + 1] += scales[number] * first[: number + 1][::-1]
        found[number] = added @ added
    return found
