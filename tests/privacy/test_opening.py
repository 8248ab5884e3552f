"""What the opening page says, computed in a process beside, and kept."""

import subprocess
import sys

import pytest

from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, opening
from dpcore.privacy.precision import Precision


@pytest.fixture(autouse=True)
def knows_nothing(monkeypatch):
    monkeypatch.setattr(accounting, "_remembered", {})


def test_another_process_says_what_this_one_says_and_it_is_kept(tmp_path):
    opening.load_answers(tmp_path, opening.start_computing(tmp_path))
    assert len(accounting._remembered) == 3
    remembered = {grid: accounting.account(PrivacyPlan(), grid) for grid in (Precision.PREVIEW, Precision.REPORTED)}
    accounting._remembered.clear()
    assert remembered == {grid: accounting.account(PrivacyPlan(), grid) for grid in remembered}

    assert opening.start_computing(tmp_path) is None  # the next start
    assert {grid: accounting.account(PrivacyPlan(), grid) for grid in remembered} == remembered
    assert len(accounting._remembered) == 3


def test_what_other_libraries_said_is_computed_again(tmp_path, monkeypatch):
    before = opening.cache_path(tmp_path)
    monkeypatch.setattr(opening, "version", lambda name: "0")
    assert opening.cache_path(tmp_path) != before


def test_a_damaged_file_is_not_believed(tmp_path):
    opening.start_computing(tmp_path).wait()
    file = opening.cache_path(tmp_path)
    kept = file.read_bytes()
    for damaged in (b"", kept[:-1], kept.replace(b"1.7", b"0.7"), kept[32:], b"[" * 200_000):
        assert damaged != kept
        file.write_bytes(damaged)
        beside = opening.start_computing(tmp_path)
        assert accounting._remembered == {}
        if damaged:
            beside.kill()
            beside.wait()
        else:
            opening.load_answers(tmp_path, beside)
            assert len(accounting._remembered) == 3
            assert file.read_bytes() == kept
            accounting._remembered.clear()


def test_without_it_the_accountant_answers_itself(tmp_path):
    beside = opening.start_computing(tmp_path)
    beside.kill()
    opening.load_answers(tmp_path, beside)
    assert accounting._remembered == {}


def test_a_home_that_cannot_be_written_to_is_no_matter():
    """It would print a traceback below what the server has just said of that home."""
    nowhere = "/proc/nowhere"
    done = subprocess.run(
        [sys.executable, "-m", "dpcore.privacy.opening", nowhere],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
