import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from dpcore.datasets import writers
from dpcore.datasets.federated import scale


def test_the_shape_is_that_of_federated_emnist(few_writers):
    assert few_writers.num_users == 60
    assert few_writers.num_features == 784
    assert 90 < len(few_writers.train.labels) / 60 < 112
    assert 10 < len(few_writers.test.labels) / 60 < 14
    assert set(np.unique(few_writers.train.labels)) == set(range(10))
    pixels = scale(few_writers.train.features)
    assert pixels.dtype == np.float32
    assert pixels.max() == 1.0
    assert np.median(pixels) == 1.0  # the background
    assert pixels.min() < 0.2  # ink


def test_the_same_writers_every_time_and_whatever_their_number(few_writers):
    again = writers.generate(3, lambda what, fraction: None)
    rows = few_writers.train.offsets[3]
    assert np.array_equal(again["train_features"], few_writers.train.features[:rows])
    assert np.array_equal(again["train_labels"], few_writers.train.labels[:rows])


def test_writers_differ_from_each_other(few_writers):
    """A classifier tells writers by their hand: the data are not identically distributed."""
    split, chosen = few_writers.train, range(8)
    rows = np.concatenate([np.arange(*few_writers.train.offsets[[w, w + 1]]) for w in chosen])
    writer = np.concatenate([np.full(split.offsets[w + 1] - split.offsets[w], w) for w in chosen])
    features = scale(split.features[rows])
    seen = np.arange(len(rows)) % 2 == 0
    model = RandomForestClassifier(random_state=0).fit(features[seen], writer[seen])
    assert model.score(features[~seen], writer[~seen]) > 0.5  # chance: 0.125


def test_digits_can_be_told_apart_across_writers(few_writers):
    features, labels = scale(few_writers.train.features), few_writers.train.labels
    half = few_writers.train.offsets[30]
    model = KNeighborsClassifier(3).fit(features[:half], labels[:half])
    assert 0.5 < model.score(features[half:], labels[half:]) < 0.98


def test_progress_ends_at_one():
    seen = []
    writers.generate(60, lambda what, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_the_scans_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    scans, digits = writers._load_scans(), load_digits()
    for digit, rows in enumerate(scans.by_digit):
        assert (digits.target[rows] == digit).all()
    assert sum(map(len, scans.by_digit)) == len(digits.target) == len(scans.fine)
    # The fine grid has the scan's own pixels, smoothed, 8.8 apart with a margin of one.
    centres = (8.8 * (np.arange(8) + 1.5)).astype(int)
    seen = scans.fine[:, centres[:, None], centres].ravel()
    assert np.corrcoef(seen, digits.images.ravel())[0, 1] > 0.95
