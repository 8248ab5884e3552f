"""How good a model is, while it trains."""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpcore.datasets.federated import FederatedDataset, scale
from dpcore.learning import model
from dpcore.learning.engine import Weights
from dpcore.learning.models import dense
from dpcore.plan import Plan


class Evaluation:
    """Accuracy and loss of weights on a data set's whole test split."""

    _PART = 512  # examples that one thread takes at a time: their layers stay in its cache

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._split = dataset.test
        self._logits: Callable[[Weights, np.ndarray], np.ndarray] = dense.logits
        if not model.is_dense(plan):
            from dpcore.learning.models import convolutional  # TensorFlow

            self._logits = convolutional.logits_of(dataset.image_shape)
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def __call__(self, weights: Weights) -> tuple[float, float]:
        """Returns accuracy in [0, 1], and the mean cross-entropy (infinite where it is not a number)."""

        parts = list(self._measured(weights))
        right, loss = (
            sum(values) / len(self._split.labels)
            for values in ([float(one.sum()) for one, _loss in parts], [loss for _right, loss in parts])
        )
        return right, loss if math.isfinite(loss) else math.inf

    def right(self, weights: Weights) -> NDArray[np.bool_]:
        """Returns which examples of the test split a model is right about, bool [num_examples]."""
        return np.concatenate([np.zeros(0, bool), *(right for right, _loss in self._measured(weights))])

    def _measured(self, weights: Weights) -> Iterator[tuple[NDArray[np.bool_], float]]:
        """Yields, part by part, which examples a model is right about, and its loss on all of them."""

        def measure(start: int) -> tuple[NDArray[np.bool_], float]:
            rows = slice(start, start + self._PART)
            labels = self._split.labels[rows]
            with np.errstate(all="ignore"):  # of a model that diverges
                said = self._logits(weights, scale(self._split.features[rows]))
                loss = special.logsumexp(said, axis=1) - said[np.arange(len(labels)), labels]
            return said.argmax(1) == labels, float(loss.sum(dtype=np.float64))

        yield from self._pool.map(measure, range(0, len(self._split.labels), self._PART))
