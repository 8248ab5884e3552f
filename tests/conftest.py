"""What tests share: a small data set, an empty home, plans that fit them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dpcore.datasets import federated, writers
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.store import Store

FEW = 60


def pytest_collection_modifyitems(items):
    """Begins with the files that load TensorFlow or a browser, so that two processes end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def few_writers(tmp_path_factory) -> federated.FederatedDataset:
    """The first 60 writers."""
    return federated.open_folder(_few(tmp_path_factory.mktemp("data") / "few", name="few"))


@pytest.fixture(scope="module")
def home_of_few(tmp_path_factory) -> Path:
    """A home whose Writers are the first 60, as is `few`: to generate all takes a quarter of a minute."""
    home = tmp_path_factory.mktemp("home")
    _few(home / "datasets" / writers.FOLDER, name="writers")
    _few(home / "datasets" / "imported" / "few", name="few")
    return home


def _few(folder: Path, *, name: str) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    few = writers.generate(FEW, lambda what, fraction: None)
    federated.save(folder, few, name=name, num_classes=10, description=writers.DESCRIPTION)
    return folder


@pytest.fixture(scope="session")
def float_table(tmp_path_factory) -> federated.FederatedDataset:
    """60 users of 7 float features and 300 classes; some have nothing to train on, or nothing to test."""
    draw = np.random.default_rng(0)
    arrays = {}
    for split, empty in {"train": [0, 1, 2, 5], "test": [3, 40]}.items():
        counts = draw.integers(1, 90, FEW)
        counts[empty] = 0
        arrays |= {
            f"{split}_features": draw.normal(0, 2, (counts.sum(), 7)).astype(np.float32),
            f"{split}_labels": draw.integers(0, 300, counts.sum()).astype(np.uint16),
            f"{split}_offsets": np.cumsum([0, *counts], dtype=np.int64),
        }
    folder = tmp_path_factory.mktemp("data") / "table"
    federated.save(folder, arrays, name="table", num_classes=300)
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
