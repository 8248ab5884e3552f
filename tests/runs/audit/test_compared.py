"""Two audited runs beside each other: which can be compared, along which directions, and what is said of them."""

import json
import shutil
from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError, StoreError
from dpcore.privacy.auditing.sharing import NO_SIGN, SHARED
from dpcore.runs.audit import compared, trace_file
from dpcore.runs.store import Store
from tests.runs.audit.test_recorded import CANARIES, PLAN, command, train


@pytest.fixture
def store(tmp_path, home_of_few):
    """Runs of the Writers' linear model, whose size the data set tells."""
    shutil.copytree(home_of_few / "datasets", tmp_path / "datasets")
    return Store(tmp_path)


def trained(store, *, seed=0, noise=0, canaries=CANARIES, **how):
    plan = replace(PLAN, training=replace(PLAN.training, seed=seed))
    run_id = store.create(plan, engine="vectorized", eval_every=5, audit=canaries)
    train(store, run_id, noise=noise, **how)
    return run_id


def compare(store, *run_ids):
    return compared.compare(store, *(store.run(run_id) for run_id in run_ids))


def test_one_plan_and_one_seed_are_one_noise_and_it_is_said_to_be_so_by_design(store):
    found = compare(store, trained(store), trained(store, rounds=7))
    assert (found.sharing.verdict, found.sharing.same_directions, found.by_design) == (SHARED, True, True)
    assert (found.sharing.rounds, found.sharing.correlation) == (7, pytest.approx(1))
    assert "as it must be" in found.sentence
    assert "ALARM" not in found.sentence


@pytest.mark.parametrize("other", [{"seed": 1}, {"canaries": CANARIES + 6}])
def test_other_seeds_and_other_canaries_are_looked_at_along_other_directions(store, other):
    """Their noise is other noise; where an engine draws the same all the same, that is seen."""
    first = trained(store)
    apart, reused = (compare(store, first, trained(store, noise=noise, **other)) for noise in (1, 0))
    assert (apart.sharing.verdict, apart.sharing.same_directions) == (NO_SIGN, False)
    assert abs(apart.sharing.correlation) < 0.05
    assert (reused.sharing.verdict, reused.sharing.same_directions, reused.by_design) == (SHARED, False, False)
    assert reused.sharing.correlation == pytest.approx(1, abs=0.05)
    assert reused.sharing.p < 1e-6
    assert "ALARM: the two runs share noise" in reused.sentence


def test_runs_without_a_seed_are_compared_where_one_key_has_drawn_them(store):
    """A machine that was copied, say: nobody planned it, so it is an alarm."""
    first, second, seeded = trained(store, seed=None), trained(store, seed=None), trained(store)
    found = compare(store, first, second)
    assert (found.sharing.verdict, found.by_design) == (SHARED, False)
    assert "ALARM: the two runs share noise" in found.sentence
    for pair in ((first, seeded), (seeded, first)):
        with pytest.raises(
            InvalidValueError, match=rf"found {first} without a seed: .* from its key, which is not kept"
        ):
            compare(store, *pair)


def test_what_cannot_be_compared_is_refused_with_its_reason(store):
    first, other = trained(store), trained(store, seed=1)
    plain = store.create(PLAN, engine="vectorized", eval_every=5)
    begun = store.create(PLAN, engine="vectorized", eval_every=5, audit=CANARIES)
    for pair, words in (
        ((first, first), f"found {first} twice"),
        ((first, plain), f"found {plain} without an audit"),
        ((plain, first), f"found {plain} without an audit"),
        ((first, begun), f"found none of {begun} yet"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            compare(store, *pair)
    file = store.folder(other) / trace_file.FILE
    whole = file.read_bytes()
    header = trace_file.Header.from_bytes(whole[:4096])
    for changed, words in (
        ({"layer_sizes": (3920, 6)}, "Expected two runs of models of one shape"),
        ({"run_coins": tuple(not coin for coin in header.run_coins)}, "Expected the coins of .* found others"),
    ):
        file.write_bytes(replace(header, **changed).to_bytes() + whole[4096:])
        with pytest.raises(InvalidValueError, match=words):
            compare(store, first, other)
    file.write_bytes(whole)
    shutil.rmtree(store.home / "datasets")
    with pytest.raises(InvalidValueError, match=f"data set writers as {first} was trained on it, found it changed"):
        compare(store, first, other)
    assert compare(store, first, trained(store)).by_design  # for which it is not needed
    file.unlink()
    with pytest.raises(StoreError, match="found nothing: it was removed"):
        compare(store, first, other)


def test_the_command_says_it(store):
    first, second, other = trained(store), trained(store), trained(store, seed=1, noise=1)
    done = command("audit", "compare", first, second, home=store.home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == compare(store, first, second).sentence + "\n"
    told = json.loads(command("audit", "compare", first, other, "--json", home=store.home).stdout)
    assert (told["runs"], told["verdict"], told["by_design"]) == ([first, other], NO_SIGN, False)
    assert {"correlation", "low", "high", "p", "rounds", "closest", "same_directions", "sentence"} < told.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare"], r"Error: Expected two runs with compare, as in: audit compare RUN RUN. Found none."),
        (["compare", "one"], "Found one."),
        (["compare", "one", "two", "three"], "Found one two three."),
        (["compare", "one", "two"], "Error: No run has the id 'one'"),
        (["compare", "one", "two", "--break", "none"], "Error: Expected break with demo alone"),
        (
            ["one", "two"],
            "Error: Expected nothing after one, found two. To compare two runs: audit compare RUN RUN.",
        ),
        (["demo", "one", "--break", "none"], "Error: Expected nothing after demo, found one."),
    ],
)
def test_what_the_command_refuses_is_one_sentence(tmp_path, arguments, words):
    done = command("audit", *arguments, home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
