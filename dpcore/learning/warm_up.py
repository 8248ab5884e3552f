"""What a process does before its run is known, so that the run need not: all that it uses is loaded, and used once."""

from dataclasses import replace

import dp_accounting.rdp  # noqa: F401  (the accountant imports it when it is first asked)
import numpy as np
from dp_accounting.pld import privacy_loss_distribution  # noqa: F401

from dpcore.datasets.federated import FederatedDataset, Split
from dpcore.learning import checkpoints, engines, evaluation, training, vectorized  # noqa: F401  (what a run imports)
from dpcore.learning.shards import GROUP
from dpcore.plan import Plan, PrivacyPlan

_EXAMPLES = 30  # of a made-up user: more than a batch


def train(plan: Plan, dataset: FederatedDataset) -> None:
    """Trains and evaluates a round as a plan would on a data set, on users that are made up in its form.

    What is loaded for that stays, and so does TensorFlow's graph of a model that needs one; no real user is looked at.
    """
    made_up = _in_the_form_of(dataset)
    privacy = PrivacyPlan(
        population=GROUP, clients_per_round=GROUP, rounds=1, zeroing=plan.privacy.zeroing, noise_multiplier=0.5
    )
    once = Plan(privacy=privacy, training=replace(plan.training, seed=0, dataset_fingerprint=None))
    engine = engines.create("vectorized", once, made_up)
    for _report in training.run(once, made_up, engine, evaluation.Evaluation(once, made_up), eval_every=1):
        pass


def _in_the_form_of(dataset: FederatedDataset) -> FederatedDataset:
    """Returns a data set of zeros, whose arrays have the types and widths of another's."""
    splits = []
    for split in (dataset.train, dataset.test):
        features = np.zeros((GROUP * _EXAMPLES, dataset.num_features), split.features.dtype)
        labels = np.zeros(len(features), split.labels.dtype)
        splits.append(Split(features=features, labels=labels, offsets=np.arange(GROUP + 1) * _EXAMPLES))
    return replace(dataset, train=splits[0], test=splits[1])
