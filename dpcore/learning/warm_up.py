"""What a process does before its run is known, so that the run need not: all that it uses is loaded, and used once."""

from dataclasses import replace

import numpy as np

from dpcore.datasets.federated import FederatedDataset, Split
from dpcore.learning import checkpoints, engines, model, training  # noqa: F401  (what a run imports)
from dpcore.learning.shards import GROUP
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting

_EXAMPLES = 150  # of a made-up user: enough for all parts of the graph


def load() -> None:
    """Loads all that a run uses, and lets the accountant answer once."""
    from dpcore.learning import vectorized  # noqa: F401

    accounting.epsilon(PrivacyPlan())


def train(plan: Plan, dataset: FederatedDataset) -> None:
    """Trains and evaluates a round as a plan would on a data set, on users that are made up in its form.

    What is traced and allocated for that stays; nothing of any real user is looked at.
    """
    made_up = _in_the_form_of(dataset)
    privacy = PrivacyPlan(
        population=GROUP, clients_per_round=GROUP, rounds=1, zeroing=plan.privacy.zeroing, noise_multiplier=0.5
    )
    once = Plan(privacy=privacy, training=replace(plan.training, seed=0, dataset_fingerprint=None))
    engine = engines.create("vectorized", once, made_up)
    for _report in training.run(once, made_up, engine, model.Evaluation(once, made_up), eval_every=1):
        pass


def _in_the_form_of(dataset: FederatedDataset) -> FederatedDataset:
    """Returns a data set of zeros, whose arrays have the types and widths of another's."""
    splits = []
    for split in (dataset.train, dataset.test):
        features = np.zeros((GROUP * _EXAMPLES, dataset.num_features), split.features.dtype)
        labels = np.zeros(len(features), split.labels.dtype)
        splits.append(Split(features=features, labels=labels, offsets=np.arange(GROUP + 1) * _EXAMPLES))
    return replace(dataset, train=splits[0], test=splits[1])
