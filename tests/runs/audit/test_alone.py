"""A final model audited alone: a training written out in NumPy as another framework's, a run of ours, and bad files."""

import io
import json
import secrets
import subprocess
import sys
import zipfile
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from dpcore.errors import InvalidValueError, StoreError
from dpcore.learning import canaries
from dpcore.learning.vectorized import VectorizedEngine
from dpcore.mechanisms.participation import FixedSize
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy.auditing import attacks, result
from dpcore.runs.audit import alone
from dpcore.runs.audit.manifest import Manifest
from tests.test_cli import command

LAYERS = {"dense/kernel": (70, 30), "dense/bias": (30,), "scale": ()}
# Everybody in each round, and a claim that a training without noise refutes.
PLAN = PrivacyPlan(
    population=1_000,
    clients_per_round=1_000,
    rounds=20,
    noise_multiplier=10.0,
    clipping=FixedClipping(clip_norm=0.5),
)
COUNT = 400


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed") / "out"
    with mock.patch.object(secrets, "randbits", return_value=7):  # so that the figures are the same each time
        alone.hand_out(alone.drawn(LAYERS, PLAN, count=COUNT), folder)
    return folder


@pytest.fixture(scope="module")
def manifest(handed_out):
    return alone.read_manifest(io.BytesIO((handed_out / alone.MANIFEST).read_bytes()))


ELSEWHERE = """
import sys
import numpy as np
import canaries  # what was handed out: nothing else is known here

noise, momentum, swapped = float(sys.argv[1]), 0.9, sys.argv[2] == "gradients"
draw, clip_norm = np.random.default_rng(7), 0.5
names = list(canaries.LAYERS)
weights = {name: draw.normal(size=canaries.LAYERS[name]).astype(np.float32) for name in names}
np.savez("initial.npz", **weights)
speed = {name: 0.0 for name in names}
for _ in range(20):
    total = {name: draw.normal(0, noise * clip_norm, canaries.LAYERS[name]) for name in names}
    for number in range(canaries.NUMBER):
        sent = canaries.update(number, clip_norm)
        norm = np.sqrt(sum(np.square(part).sum() for part in sent.values()))
        for name in names:
            total[name] = total[name] + sent[name] * min(1, clip_norm / norm)
    for name in names:
        speed[name] = momentum * speed[name] + total[name] / 1000
        weights[name] = weights[name] + (-1 if swapped else 1) * speed[name].astype(np.float32)
np.savez("final.npz", **dict(reversed(weights.items())))
"""


def trained(folder, noise, how="updates"):
    """What a training elsewhere leaves; it sees no file of the auditor's."""
    (folder / "train.py").write_text(ELSEWHERE)
    subprocess.run([sys.executable, "train.py", str(noise), how], cwd=folder, check=True, timeout=120)
    return [io.BytesIO((folder / f"{name}.npz").read_bytes()) for name in ("initial", "final")]


@pytest.fixture
def elsewhere(handed_out, tmp_path):
    for name in (alone.ARRAYS, alone.PROGRAM):
        (tmp_path / name).write_bytes((handed_out / name).read_bytes())
    return tmp_path


def test_an_honest_training_elsewhere_is_within_its_claim(elsewhere, manifest):
    shown = alone.analysis(manifest, *trained(elsewhere, 10.0))
    assert shown.alarms == ()
    assert 0 <= shown.most < shown.claim == pytest.approx(1.760, abs=1e-3)
    assert shown.moved > 3
    assert (shown.canaries, shown.taking_part) == (COUNT, int(manifest.coins.sum()))


def test_one_without_noise_is_far_beyond_it(elsewhere, manifest):
    shown = alone.analysis(manifest, *trained(elsewhere, 0.0))
    assert shown.alarms == (result.CLAIM,)
    assert min(bound.epsilon for bound in shown.bounds) > 2 * shown.claim
    assert [bound.right for bound in shown.bounds] == [bound.guesses for bound in shown.bounds]


def test_canaries_that_were_sent_as_gradients_are_said_to_be(elsewhere, manifest):
    found = alone.analysis(manifest, *trained(elsewhere, 1.0, "gradients"))
    assert found.moved < -5
    assert found.most == 0


def test_what_is_handed_out_sends_along_the_manifests_directions(elsewhere, manifest):
    ask = (
        "import canaries, numpy as np; one = canaries.update(3, 0.25); print(canaries.NUMBER); "
        "np.save('sent.npy', np.concatenate([part.ravel() for part in one.values()]))"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=elsewhere, check=True, capture_output=True, text=True)
    assert int(done.stdout) == manifest.coins.sum()
    row = np.flatnonzero(manifest.coins)[3]
    wanted = manifest.directions.sum(np.eye(1, manifest.directions.count, row, dtype=np.float32)[0])
    assert np.load(elsewhere / "sent.npy") == pytest.approx(wanted * canaries.LENGTH * 0.25, abs=1e-6)


def test_coins_are_for_the_auditor_alone_and_never_written_over(handed_out, manifest):
    assert (handed_out / alone.MANIFEST).stat().st_mode & 0o077 == 0
    with pytest.raises(StoreError, match="its coins would be lost"):
        alone.hand_out(manifest, handed_out)
    others = alone.drawn(LAYERS, PLAN, count=COUNT)
    assert others.coins.tolist() != manifest.coins.tolist()
    assert others.places.tolist() != manifest.places.tolist()


def test_a_manifest_is_read_as_it_was_written(manifest):
    read = Manifest.from_json(manifest.to_json().encode())
    assert read.to_json() == manifest.to_json()
    assert read.plan == PLAN
    assert read.layers == LAYERS
    assert "seed" not in manifest.to_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "update the program"),
        ({"coins": "01x"}, "a text of 0 and 1"),
        ({"coins": "01"}, "Expected canaries"),
        ({"coins": 11}, "a text of 0 and 1"),
        ({"senders": 2**20}, "senders to be 400"),
        ({"senders": True}, "senders to be 400"),
        ({"senders": 399}, "senders to be 400"),
        ({"places": "AAAAAAAAAAA="}, "32 bits each"),
        ({"places": "###"}, "Base64"),
        ({"places": None}, "Base64"),
        ({"signs": ""}, "32 bits each"),
        ({"length": 0.5}, "at least 1 clip norm"),
        ({"length": "3"}, "at least 1 clip norm"),
        ({"length": 10**400}, "at least 1 clip norm"),
        ({"layers": []}, "layers to be a list"),
        ({"layers": [["a", [60]], ["a", [60]]]}, "layers to be a list"),
        ({"layers": [["a", [-60]]]}, "layers to be a list"),
        ({"layers": [["a", [1 << 28]], ["b", [1 << 28]]]}, "numbers in all"),
        ({"layers": [["a", [60]]]}, "different coordinates"),
        ({"plan": {}}, "with a version"),
        ({"plan": []}, "version and its privacy"),
        ({"more": 1}, "nothing but"),
    ],
    ids=str,
)
def test_a_manifest_that_is_none_is_refused(manifest, change, said):
    values = json.loads(manifest.to_json()) | change
    with pytest.raises(InvalidValueError, match=said):
        Manifest.from_json(json.dumps(values).encode())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"version": 1, "version": 1}'])
def test_a_file_that_is_no_manifest_is_refused(content):
    with pytest.raises(InvalidValueError):
        alone.read_manifest(io.BytesIO(content))


def test_coordinates_that_come_twice_are_refused(manifest):
    twice = manifest.places.copy()
    twice[1] = twice[0]
    with pytest.raises(InvalidValueError, match="different coordinates"):
        replace(manifest, places=twice)


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ({"noise_multiplier": 0.0}, "finite epsilon"),
        ({"zeroing": True}, "no zeroing"),
        ({"clients_per_round": 50, "participation": FixedSize()}, "each user joins independently"),
    ],
)
def test_a_claim_that_nothing_can_be_held_against_is_refused(privacy, said):
    with pytest.raises(InvalidValueError, match=said):
        alone.drawn(LAYERS, replace(PLAN, **privacy), count=COUNT)


def test_a_model_too_small_for_its_canaries_is_refused():
    with pytest.raises(InvalidValueError, match="Use at most 512 canaries"):
        alone.drawn(LAYERS, PLAN, count=513)


def weights(**other):
    return {name: np.ones(shape, np.float32) for name, shape in LAYERS.items()} | other


def member(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def vast():
    """An array that says it has many more numbers than are there."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (70, 30)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


LESS = {name: part for name, part in weights().items() if name != "scale"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "numpy.savez"),
        (npz(**weights())[:-30], "numpy.savez"),
        (npz(**weights(scale=np.array({}, object))), "numpy.savez"),
        (npz(**weights(scale=np.int64(1))), "numpy.savez"),
        (npz(**weights(scale=np.complex64(1))), "numpy.savez"),
        (npz(**weights(scale=np.float32(np.nan))), "finite weights"),
        (npz(**weights(scale=np.float64(1e300))), "finite weights"),
        (npz(**LESS), "'scale' of shape"),
        (npz(**weights(another=np.ones(3))), "'another' of shape none"),
        (npz(**weights(scale=np.ones(3, np.float32))), "'scale' of shape"),
        (member("dense/kernel.npy", vast()), "numpy.savez"),
        (member("dense/kernel.npy", b"no array"), "numpy.savez"),
        (member("../x", b""), "numpy.savez"),
        (npz(**weights()), "differ from the initial ones, found the same"),
    ],
    ids=[
        "empty",
        "cut",
        "objects",
        "int",
        "complex",
        "nan",
        "huge",
        "lacks",
        "more",
        "shape",
        "vast",
        "bytes",
        "name",
        "same",
    ],
)
def test_weights_that_are_not_of_the_manifest_are_refused(manifest, content, said):
    with pytest.raises(InvalidValueError, match=said):
        alone.analysis(manifest, io.BytesIO(npz(**weights())), io.BytesIO(content))


def test_a_broken_bit_of_a_packed_file_is_refused(manifest):
    file = io.BytesIO()
    np.savez_compressed(file, **weights())
    content = bytearray(file.getvalue())
    content[150] ^= 0xFF
    with pytest.raises(InvalidValueError, match=r"numpy\.savez"):
        alone.analysis(manifest, io.BytesIO(npz(**weights())), io.BytesIO(bytes(content)))


def test_layers_are_found_by_name_in_any_order_and_layout(manifest):
    draw = np.random.default_rng(0)
    final = weights(**{"dense/kernel": draw.normal(size=(70, 30)).astype(np.float32)})
    kernel = np.asfortranarray(final["dense/kernel"].astype(np.float64))
    other = npz(**dict(reversed((final | {"dense/kernel": kernel}).items())))
    shown = [
        alone.analysis(manifest, io.BytesIO(npz(**weights())), io.BytesIO(one)) for one in (npz(**final), other)
    ]
    assert shown[0] == shown[1]


def test_a_run_of_ours_keeps_what_its_final_model_is_audited_with(small_plan, few_writers, with_privacy, tmp_path):
    plan = with_privacy(
        small_plan, population=60, clients_per_round=60, rounds=3, noise_multiplier=1.0, clipping=FixedClipping()
    )
    engine = VectorizedEngine(plan, few_writers, canaries=64)
    alone.keep(engine, plan.privacy, tmp_path)
    assert (tmp_path / alone.MANIFEST).stat().st_mode & 0o077 == 0
    before = (tmp_path / alone.MANIFEST).read_bytes()
    state = engine.initialize()
    for number in (1, 2, 3):
        state, _metrics = engine.next(state, np.arange(60 + 64), number)
    final = npz(*[], **{f"arr_{at}": part for at, part in enumerate(engine.model_weights(state))})
    alone.keep(VectorizedEngine(plan, few_writers, canaries=64), plan.privacy, tmp_path)  # resumed
    assert (tmp_path / alone.MANIFEST).read_bytes() == before
    manifest = alone.read_manifest(io.BytesIO(before))
    assert manifest.coins.tolist() == engine.canaries.run_coins.tolist()
    assert manifest.senders == 128
    shown = alone.analysis(manifest, io.BytesIO((tmp_path / alone.INITIAL).read_bytes()), io.BytesIO(final))
    assert shown.moved > 3
    assert shown.claim > shown.most
    assert shown.bounds[1].method == attacks.GAUSSIAN_F_DP  # everybody in each round: one Gaussian


def test_a_sampled_run_has_no_gaussians_bound(manifest):
    of_sampled = replace(manifest, plan=replace(PLAN, clients_per_round=50, noise_multiplier=1.0))
    final = weights(**{"dense/kernel": np.random.default_rng(0).normal(size=(70, 30)).astype(np.float32)})
    shown = alone.analysis(of_sampled, io.BytesIO(npz(**weights())), io.BytesIO(npz(**final)))
    assert [bound.method for bound in shown.bounds] == [attacks.ONE_RUN, attacks.PLAN_F_DP]
    assert abs(shown.moved) < 4


@pytest.mark.parametrize("status", ["running", "stopped", "interrupted", "failed", "queued"])
def test_what_has_not_finished_keeps_its_coins_to_itself(tmp_path, status):
    kept, folder = tmp_path / "kept", tmp_path / "out"
    kept.mkdir()
    for name in (alone.MANIFEST, alone.INITIAL, "weights.npz"):
        (kept / name).write_bytes(name.encode())
    assert not alone.export(SimpleNamespace(status=status), kept, folder)
    assert not folder.exists()
    assert alone.export(SimpleNamespace(status="finished"), kept, folder)
    assert (folder / alone.FINAL).read_bytes() == b"weights.npz"
    assert {file.name for file in folder.iterdir()} == {alone.MANIFEST, alone.INITIAL, alone.FINAL}
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}
    (kept / alone.MANIFEST).unlink()  # of an older version
    assert not alone.export(SimpleNamespace(status="finished"), kept, folder)


class TestAtTheCommandLine:
    PLAN = ("--population", "1000", "--clients-per-round", "1000", "--rounds", "20", "--noise-multiplier", "10")

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "layers.npz").write_bytes(npz(**weights()))
        done = command(
            *("audit", "manifest", "--layers", str(tmp_path / "layers.npz"), "--out", str(tmp_path / "out")),
            *("--canaries", str(COUNT), "--clipping", "fixed", *self.PLAN),
        )
        assert done.returncode == 0, done.stderr
        assert "Keep canaries.json to yourself" in done.stdout
        return tmp_path / "out"

    def test_from_a_manifest_to_figures(self, folder):
        trained(folder, 10.0)
        files = (str(folder / "canaries.json"), "--initial", str(folder / "initial.npz"), "--final")
        done = command("audit", "model", *files, str(folder / "final.npz"))
        assert done.returncode == 0, done.stderr
        assert "By the final model alone, no attack that was tried shows more than" in done.stdout
        assert "whoever sees every round may find out more" in done.stdout
        told = json.loads(command("audit", "model", *files, str(folder / "final.npz"), "--json").stdout)
        assert told["claim"] == pytest.approx(1.760, abs=1e-3)
        assert [bound["confidence"] for bound in told["bounds"]] == [0.95, 0.95]
        assert told["alarms"] == []
        for never in ("verified", "is safe", "proves"):
            assert never not in done.stdout.lower()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ((), "either layers or model, found neither"),
            (("--model", "mlp", "--layers", "x.npz"), "either layers or model, found both"),
            (("--layers", "x.npz"), "found none that can be read"),
            (("--model", "nonsense"), "model to be one of"),
            (("--model", "mlp", "--dataset", "nonsense"), "nonsense"),
            (("--layers", "there.npz", "--canaries", "5"), "Expected canaries to be a whole number"),
            (("--layers", "there.npz", "--canaries", "600"), "Use at most 512 canaries"),
            (("--layers", "there.npz", "--noise-multiplier", "0"), "finite epsilon"),
            (("--layers", "there.npz", "--participation", "fixed"), "each user joins independently"),
        ],
    )
    def test_what_is_wrong_is_a_sentence(self, options, said, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "there.npz").write_bytes(npz(**weights()))
        done = command("audit", "manifest", "--out", str(tmp_path / "out"), *options, home=tmp_path)
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
        assert not (tmp_path / "out").exists()

    def test_a_run_is_still_found_whatever_comes_first(self, tmp_path):
        for arguments in (("nothing",), ("--json", "nothing"), ("run", "nothing")):
            done = command("audit", *arguments, home=tmp_path)
            assert done.returncode == 2
            assert "No run has the id 'nothing'" in done.stderr
