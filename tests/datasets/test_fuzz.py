"""Small valid files, damaged at random: each is imported or told in a sentence, soon, and with little memory.

A new form of file is a line in `FORMS`.
"""

import json
import random
import resource
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dpcore.datasets.importing.table import Mapping
from dpcore.errors import EpsilonLabError
from tests.datasets import sqlite_files
from tests.datasets.forms import small_files
from tests.datasets.test_odd_files import PLAIN, imported

MUTATIONS = 80  # of each form
LONGEST_SECONDS, MOST_KILOBYTES = 10, 600_000
ROWS = 24

draw = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "who": [f"p{number % 5}" for number in range(ROWS)],
        "x": draw.normal(size=ROWS),
        "n": np.arange(ROWS),
        "answer": draw.choice(["yes", "no"], ROWS),
    }
)
EVERYBODY = np.ones(small_files.USERS * small_files.EACH, bool)
NUMBERS = TABLE.assign(who=np.arange(ROWS) % 5, answer=np.arange(ROWS) % 3)


def arrays(**more):
    return {name: NUMBERS[name].to_numpy() for name in ("who", "answer")} | more


FORMS = {
    "table.csv": lambda path: TABLE.to_csv(path, index=False),
    "table.tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "table.parquet": TABLE.to_parquet,
    "plain.parquet": lambda path: NUMBERS.to_parquet(path, compression=None),
    "lists.parquet": lambda path: TABLE.assign(x=[[1.0, 2.0]] * ROWS).drop(columns="n").to_parquet(path),
    "table.npz": lambda path: np.savez(path, **arrays(x=TABLE.x.to_numpy())),
    "images.npz": lambda path: np.savez_compressed(
        path, **arrays(x=np.asfortranarray(draw.normal(size=(ROWS, 4, 3))))
    ),
    "tff.sqlite": lambda path: sqlite_files.write(path, sqlite_files.writers({"train": 3, "test": 1}, users=2)),
    "table.feather": lambda path: TABLE.to_feather(path, compression="uncompressed"),
    "table.jsonl": lambda path: TABLE.to_json(path, orient="records", lines=True),
    "leaf.json": lambda path: path.write_text(json.dumps(small_files.leaf(small_files.numbers(), EVERYBODY))),
    "tff.h5": lambda path: small_files.tff_hdf5(path, small_files.numbers(), EVERYBODY, "x"),
    "pictures.parquet": lambda path: pq.write_table(
        small_files.hugging_face(small_files.images(small_files.pixels(8, 9, 3), EVERYBODY), EVERYBODY), path
    ),
    "table.csv.gz": lambda path: TABLE.to_csv(path, index=False),
    "table.zip": lambda path: TABLE.to_csv(
        path, index=False, compression={"method": "zip", "archive_name": "t.csv"}
    ),
}
MAPPINGS = {  # of those that say themselves who and what, or call it otherwise
    "leaf.json": Mapping(),
    "tff.h5": Mapping(),
    "tff.sqlite": Mapping(),
    "pictures.parquet": Mapping(user="who", label="label"),
}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Returns a file with some bits turned, bytes put in or taken out, pieces copied or cut off."""
    out = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 5, 20])):
        place, other = chance.randrange(len(out) + 1), chance.randrange(len(out) + 1)
        length = chance.choice([1, 4, 8, 64])
        match chance.randrange(6):
            case 0 if place < len(out):
                out[place] ^= 1 << chance.randrange(8)
            case 1 if place < len(out):
                out[place] = chance.choice(b"\x00\xff\x7f\x80\"',;\n\t-0 ")
            case 2:
                del out[place : place + chance.choice([length, len(out)])]
            case 3:
                out[place:place] = chance.randbytes(length)
            case 4:
                out[place : place + length] = out[other : other + length]
            case 5:
                out[place : place + 8] = chance.choice([b"\xff" * 8, bytes(8), b"\xff" * 7 + b"\x7f"])
    return bytes(out)


class TookTooLongError(BaseException):
    """No error that an importer turns into a sentence."""


@pytest.fixture
def guarded():
    """Ends the test where something waits for ever."""

    def end(*_):
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, end)
    yield lambda: signal.alarm(LONGEST_SECONDS)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", FORMS)
def test_damaged_files_are_imported_or_told(tmp_path, guarded, name):
    path: Path = tmp_path / name
    FORMS[name](path)
    good = path.read_bytes()
    mapping = MAPPINGS.get(name, PLAIN)
    assert imported(path, tmp_path / "good", mapping).num_classes >= 2  # or nothing would be tried below
    peak, told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {}
    for seed in range(MUTATIONS):
        path.write_bytes(damaged(good, random.Random(seed)))
        guarded()
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # they would stand beside the sentence
            try:
                imported(path, tmp_path / f"home-{seed}", mapping)
            except EpsilonLabError as err:
                told[seed] = str(err)
        assert time.monotonic() - started < LONGEST_SECONDS, seed
    assert len(told) > MUTATIONS / 20
    assert not {seed: said for seed, said in told.items() if not 10 < len(said) < 700 or "\n" in said}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MOST_KILOBYTES
