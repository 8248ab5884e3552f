import numpy as np
import pytest

from dpcore.errors import CheckpointError, DamagedCheckpointError
from dpcore.learning.checkpoints import Checkpoint, load, save
from dpcore.rounds import Round

OWNER = {"plan": "abc", "engine": "vectorized", "data": "123"}
ROW = Round(
    round=7, accuracy=None, loss=float("inf"), clip_norm=0.1 + 1e-17, cohort_size=5, epsilon=0.3, seconds=1.0
)
ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(b"text"), np.array([0.1, 1e-300])]


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "checkpoint"
    save(target, Checkpoint(owner=OWNER, row=ROW, arrays=ARRAYS))
    return target


def test_what_is_saved_comes_back_to_the_last_bit(path):
    kept = load(path, OWNER)
    assert kept.row == ROW
    for saved, read in zip(ARRAYS, kept.arrays, strict=True):
        assert saved.dtype == read.dtype
        assert saved.tobytes() == read.tobytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_no_checkpoint_is_none(tmp_path):
    assert load(tmp_path / "checkpoint", OWNER) is None


@pytest.mark.parametrize("name", OWNER)
def test_that_of_another_plan_engine_or_data_is_refused(path, name):
    with pytest.raises(CheckpointError, match=f"{name} other, found {OWNER[name]}"):
        load(path, OWNER | {name: "other"})


def test_a_file_that_is_damaged_anywhere_is_refused(path):
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(DamagedCheckpointError):
            load(path, OWNER)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(DamagedCheckpointError):
            load(path, OWNER)


def test_a_save_that_fails_leaves_the_one_before(path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(path, Checkpoint(owner=OWNER, row=ROW, arrays=ARRAYS[:1]))
    assert len(load(path, OWNER).arrays) == len(ARRAYS)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
