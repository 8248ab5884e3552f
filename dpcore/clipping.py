"""How the clip norm finds its quantile: one rule, for the engine and for whoever wants to watch it."""

import numpy as np

from dpcore.plan import AdaptiveClipping


def next_clip_norm(
    clip_norm: float,
    *,
    came: int,
    unclipped: int,
    clipping: AdaptiveClipping,
    clients_per_round: int,
    count_noise: float,
) -> float:
    """Returns the clip norm of the next round.

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
    return clip_norm * float(np.exp(-clipping.learning_rate * (fraction - clipping.target_unclipped_quantile)))
