"""What a run's folder keeps of it, and who reads that."""

import pytest

from dpcore.plan import Plan
from dpcore.runs.store import Store


def create(store):
    return store.create(Plan(), engine="tff", eval_every=5)


@pytest.mark.parametrize("how", ["emptied", "removed"])
def test_a_file_that_is_gone_is_made_anew_from_the_runs_folders(store, how):
    finished, stopped = create(store), create(store)
    (store.folder(finished) / "weights.npz").touch()
    for file in store.home.glob("runs.sqlite*"):
        file.unlink()
    if how == "emptied":
        (store.home / "runs.sqlite").touch()
    again = Store(store.home)
    assert {run.run_id: run.status for run in again.runs()} == {finished: "finished", stopped: "interrupted"}
    assert all(run.may_have_released for run in again.runs())
    assert "was lost" in again.recovered()


def test_what_an_older_version_did_not_keep_is_kept_once_the_file_is_opened(store):
    kept = store.folder(create(store)) / "run.json"
    content = kept.read_bytes()
    kept.unlink()
    Store(store.home)
    assert kept.read_bytes() == content
