"""What noise is added to the sums."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Independent:
    """Fresh Gaussian noise in every round (McMahan et al. 2018, <https://arxiv.org/abs/1710.06963>, algorithm 1)."""

    kind: ClassVar[str] = "independent"

    def of_round(
        self, stream: Callable[[int], np.random.Generator], round_num: int, shapes: Sequence[tuple[int, ...]]
    ) -> Iterator[NDArray[np.float32]]:
        """Yields the noise of a round in units of its standard deviation, float32 of each of the shapes.

        Args:
            stream: Returns the generator of one round, anew on every call.
            round_num: From 1.
            shapes: Those of the sum's parts, in order.
        """
        draw = stream(round_num)
        for shape in shapes:
            yield draw.standard_normal(shape, np.float32)


NOISES = (Independent,)
Noise = Independent
