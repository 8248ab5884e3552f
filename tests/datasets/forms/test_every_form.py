"""Every form that people have: the same small table comes out of each, by the command line; and is trained on."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dpcore import datasets
from dpcore.cli import app
from dpcore.datasets import forms
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from tests.datasets.forms import small_files

ROOT = Path(__file__).parents[3]


def imported(path, home, *options):
    """What `data import` prints of a file, and the data set."""
    done = CliRunner().invoke(
        app, ["data", "import", str(path), *options, "--name", "small", "--home", str(home), "--json"]
    )
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), datasets.load("small", home)


def rows(dataset, split):
    """All examples of a split as (user number, label, features), sorted."""
    part = getattr(dataset, split)
    owners = np.repeat(np.arange(dataset.num_users), np.diff(part.offsets))
    return sorted(zip(owners.tolist(), part.labels.tolist(), part.features.tolist(), strict=True))


@pytest.mark.parametrize("form", small_files.FORMS)
def test_the_same_rows_come_out_of_every_form(tmp_path, form):
    write, options, split = small_files.FORMS[form]
    said, dataset = imported(write(tmp_path), tmp_path / "home", *options, "--scaling", "none")
    assert (said["num_users"], said["num_classes"], said["num_features"]) == (12, 3, 2)
    ids = sorted(set(small_files.who()))
    if form in ("uuid", "binary ids"):
        ids = sorted(ids, key=lambda name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))
    expected = {"train": [], "test": []}
    for name, label, features, test in zip(
        small_files.who(),
        small_files.answers(),
        small_files.numbers(),
        small_files.in_test(),
        strict=True,
    ):
        expected["test" if test and split else "train"].append((ids.index(name), int(label), features.tolist()))
    if split:
        assert {part: rows(dataset, part) for part in expected} == {
            part: sorted(expected[part]) for part in expected
        }
    else:
        assert sorted(rows(dataset, "train") + rows(dataset, "test")) == sorted(expected["train"])


@pytest.mark.parametrize("form", small_files.IMAGE_FORMS)
def test_the_same_images_come_out_of_every_form(tmp_path, form):
    write, options = small_files.IMAGE_FORMS[form]
    _said, dataset = imported(write(tmp_path), tmp_path / "home", *options)
    assert dataset.image_shape == (8, 9, 3)
    assert dataset.train.features.dtype == np.uint8
    found = np.concatenate([dataset.train.features, dataset.test.features]).tolist()
    assert sorted(found) == sorted(small_files.pixels(8, 9, 3).reshape(60, -1).tolist())
    if form.startswith("hugging face"):
        assert dataset.class_names == ("ant", "bee", "cat")


@pytest.mark.slow
def test_every_form_is_trained_on(tmp_path):
    """A round of each, in this process; once where it is the same data set to the last bit as that of another form."""
    from dpcore.learning import engines, evaluation, training

    tables = [(form, write, options, "linear") for form, (write, options, _split) in small_files.FORMS.items()]
    images = [(f"images, {form}", *known, "linear") for form, known in small_files.IMAGE_FORMS.items()]
    wide = ("grey images, channels first", small_files.grey_images_first, small_files.IMAGES, "cnn")
    trained = {}
    for form, write, options, architecture in [*tables, *images, wide]:
        (folder := tmp_path / form).mkdir()
        _said, dataset = imported(write(folder), folder / "home", *options)
        if trained.setdefault(dataset.fingerprint, form) != form:
            continue
        plan = Plan(
            privacy=PrivacyPlan(population=dataset.num_users, clients_per_round=6, rounds=1, noise_multiplier=0.1),
            training=TrainingPlan(model=architecture),
        )
        engine = engines.create("vectorized", plan, dataset)
        *_, last = training.run(plan, dataset, engine, evaluation.Evaluation(plan, dataset), eval_every=1)
        assert 0 <= last.accuracy <= 1, form
        assert np.isfinite(last.loss), form


def test_the_command_and_the_readme_name_every_form():
    shown = " ".join(CliRunner().invoke(app, ["data", "import", "--help"]).stdout.replace("│", " ").split())
    readme = (ROOT / "README.md").read_text()
    assert forms.ALL in shown
    assert [name for name in forms.FORMS if name not in readme] == []
