"""How updates are clipped, and how the clip norm finds its quantile: one rule, for engines and whoever watches them.

No clipped update is longer than the clip norm C, in exact arithmetic, whatever float32 numbers it has. The engines take
norms of float32 entries and scale by min(1, C (1 - MARGIN) / norm). With u = 2^-24, the rounding of float32:

- Sums of `BLOCK` squares or fewer, in any order, are too small by at most 16 u of their size; and their roots, which may
  be off by two units in the last place, by 4 u more. The squares of those are added in float64. So a norm is at least
  1 - 12 u times the true one.
- The rounding of C, of 1 - MARGIN, their product, the norm, the quotient and the product with an entry: 6 u.
- Squares and products below float32's 2^-126 may count as nothing. Of a billion entries that hides a norm of
  1e9^0.5 * 2^-63 < 4e-15, which adds (4e-15 / C)^2 / 2 of itself to a norm of C: 1e-17 at the lowest clip norm.

Together less than 20 u, and MARGIN is 32 u: what is left also covers the rounding of the noise's scale.
"""

import numpy as np

from dpcore import limits
from dpcore.plan import AdaptiveClipping

BLOCK = 16
MARGIN = 2.0**-19

# An update with a larger L2 norm, or one that is not finite, becomes zero before it is clipped: dividing by
# a norm whose square overflows float32 leaves no number. A public constant, so the guarantee covers it.
LARGEST_NORM = 1e15

LOWEST, HIGHEST = limits.CLIP_NORM.minimum, limits.CLIP_NORM.maximum


def held(clip_norm: float) -> float:
    """Returns the clip norm itself, or the nearest that clipping takes."""
    return min(max(clip_norm, LOWEST), HIGHEST)


def next_clip_norm(
    clip_norm: float,
    *,
    came: int,
    unclipped: int,
    clipping: AdaptiveClipping,
    clients_per_round: int,
    count_noise: float,
) -> float:
    """Returns the clip norm of the next round, `held`.

    Source: Andrew et al. (2021) <https://arxiv.org/abs/1905.03871>, algorithm 1 and section 3.1.

    Args:
        clip_norm: That of this round.
        came: How many updates came.
        unclipped: How many of them have an L2 norm of at most the clip norm.
        clipping: The quantile to find, and how fast.
        clients_per_round: The number expected, a public constant.
        count_noise: The Gaussian noise on the count, of standard deviation `clipping.count_stddev`.
    """
    # Centred on the users that came, divided by the number expected.
    count = unclipped - came / 2
    count += count_noise
    fraction = min(max(count / clients_per_round + 0.5, 0.0), 1.0)
    step = -clipping.learning_rate * (fraction - clipping.target_unclipped_quantile)
    return held(clip_norm * float(np.exp(step)))
