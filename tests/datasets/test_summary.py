import time

import numpy as np
import pytest

from dpcore.datasets import federated, summary


def dataset(labels, *, features=None, num_classes=2, tests=None, **described):
    """Users with these training labels each."""
    counts = [len(mine) for mine in labels]
    flat = np.concatenate(labels).astype(np.uint8)
    features = np.arange(len(flat) * 4, dtype=np.float32).reshape(-1, 4) if features is None else features
    offsets = np.cumsum([0, *counts], dtype=np.int64)
    train = federated.Split(features=features, labels=flat, offsets=offsets)
    tests = tests or [1] * len(labels)
    test = federated.Split(
        features=features[: sum(tests)], labels=flat[: sum(tests)], offsets=np.cumsum([0, *tests], dtype=np.int64)
    )
    return federated.FederatedDataset(
        name="few",
        fingerprint="0" * 16,
        num_classes=num_classes,
        train=train,
        test=test,
        description=federated.Description(**described),
    )


def test_figures_by_hand():
    found = summary.summarise(dataset([[0, 0], [1, 1, 1, 1], [], [0, 1]], tests=[0, 2, 1, 1]))
    assert (found.num_users, found.num_train, found.num_test, found.num_features) == (3, 8, 4, 4)
    assert (found.users_without_train, found.users_without_test) == (1, 1)
    assert found.examples_per_user == (2, 2.0, 4)  # of those who train
    assert found.label_balance.tolist() == [3 / 8, 5 / 8]
    # Users' shares of class 0: 1, 0, (none), 1/2; everybody's: 3/8.
    assert found.label_skew == pytest.approx((5 / 8 + 3 / 8 + 1 / 8) / 3)
    assert found.histogram_edges.tolist() == [2, 3, 4, 5]
    assert found.histogram_users.tolist() == [2, 0, 1]


def test_users_who_are_alike_have_no_skew_and_who_own_a_class_each_have_all():
    assert summary.summarise(dataset([[0, 1]] * 9)).label_skew == 0
    own = [[label] * 3 for label in range(10)]
    assert summary.summarise(dataset(own, num_classes=10)).label_skew == pytest.approx(0.9)


def test_a_table_in_pieces_gives_the_same(few_writers, monkeypatch):
    whole = summary.summarise(few_writers)
    monkeypatch.setattr(summary, "_CELLS", 70)
    assert summary.summarise(few_writers).label_skew == pytest.approx(whole.label_skew)
    assert 0.05 < whole.label_skew < 0.5


def test_every_user_is_in_the_histogram(few_writers, float_table):
    for data in (few_writers, float_table):
        found = summary.summarise(data)
        counts = np.diff(data.train.offsets)
        assert found.histogram_users.sum() == data.num_users
        assert len(found.histogram_users) <= 30
        edges = found.histogram_edges
        for left, right, users in zip(edges[:-1], edges[1:], found.histogram_users, strict=True):
            assert users == ((counts >= left) & (counts < right)).sum()


@pytest.mark.parametrize(
    ("users", "delta"),
    [(1, 0.1), (2, 1e-2), (10, 1e-2), (11, 1e-3), (3383, 1e-5), (10**6, 1e-7), (10**6 + 1, 1e-8)],
)
def test_delta_is_the_power_of_ten_a_tenth_of_one_user_at_most(users, delta):
    assert summary.suggested_delta(users) == delta
    assert delta * 10 * users <= 1 + 1e-12


def test_a_contact_sheet_shows_a_user_a_row(few_writers):
    sheet = summary.contact_sheet(few_writers, users=3, examples=5)
    assert sheet.shape == (3 * 28, 5 * 28)
    first = few_writers.train.features[:5].reshape(5, 28, 28)
    np.testing.assert_array_equal(sheet[:28], np.hstack(list(first)))
    last = few_writers.train.features[few_writers.train.rows(59)][:5].reshape(5, 28, 28)
    np.testing.assert_array_equal(sheet[-28:], np.hstack(list(last)))


def test_a_contact_sheet_of_few_small_colour_images():
    features = np.linspace(-1, 3, 3 * 12).astype(np.float32).reshape(3, 12)
    data = dataset([[0], [1, 1]], features=features, image_shape=(2, 2, 3))
    sheet = summary.contact_sheet(data, users=4, examples=3)
    assert sheet.shape == (2, 6, 3)  # of the two users one has most; the rest of the line is white
    assert (sheet[:, 4:] == 255).all()
    assert sheet[0, 0, 0] == round(features[1].min() / 3 * 255)  # 0 to the largest that is shown
    assert sheet[1, 3, 2] == 255


def test_sample_rows_name_users_labels_and_features():
    data = dataset([[0, 1, 1], [], [1, 0]], class_names=("no", "yes"), feature_names=("a", "b", "c", "d"))
    rows = summary.sample_rows(data)
    assert rows["user"] == [0, 0, 2, 2]
    assert rows["label"] == ["no", "yes", "yes", "no"]
    assert rows["a"] == [0, 4, 12, 16]
    assert list(rows) == ["user", "label", "a", "b", "c", "d"]


def test_400_000_examples_in_less_than_a_second():
    draw = np.random.default_rng(0)
    labels = np.split(draw.integers(0, 62, 400_000), np.sort(draw.integers(0, 400_000, 3399)))
    data = dataset(labels, num_classes=62, features=np.zeros((400_000, 1), np.uint8))
    started = time.process_time()
    summary.summarise(data)
    assert time.process_time() - started < 1
