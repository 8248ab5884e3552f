"""What tests share: a small data set, an empty home, plans that fit them."""

import dataclasses

import pytest

from dpcore.datasets import federated, writers
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.store import Store

FEW = 60


@pytest.fixture(scope="session")
def few_writers(tmp_path_factory) -> federated.FederatedDataset:
    """The first 60 writers."""
    folder = tmp_path_factory.mktemp("data") / "few"
    federated.save(folder, writers.generate(FEW, lambda what, fraction: None), name="few", num_classes=10)
    return federated.open_folder(folder)


@pytest.fixture
def small_plan() -> Plan:
    """Ten of the 60 writers a round, little noise."""
    return Plan(privacy=PrivacyPlan(population=FEW, clients_per_round=10, rounds=3, noise_multiplier=0.3))


@pytest.fixture
def with_privacy():
    """Changes the privacy part of a plan."""

    def change(plan: Plan, **values) -> Plan:
        return dataclasses.replace(plan, privacy=dataclasses.replace(plan.privacy, **values))

    return change


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)
