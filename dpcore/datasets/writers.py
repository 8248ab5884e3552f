"""Writers: 3,383 users in the shape of Federated EMNIST digits, generated and offline.

Each writer has a hand of their own: which few scans they write a digit like, slant, rotation, width,
height, stroke thickness, ink, and which digits they write often. Each example jitters around it. The
scans are the 1,797 real handwritten digits of 8x8 that scikit-learn ships.

As TFF delivers EMNIST: 28x28, background 1.0, ink 0.0 (here 255 and 0). About as hard as the real one:
DP-FedAvg without noise reaches 0.79 after 100 rounds of 50 clients (the TFF tutorial: 0.805).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore import program, rng
from dpcore.datasets import federated
from dpcore.language import N_, _

NUM_WRITERS = 3383  # as many as Federated EMNIST digits has
NUM_CLASSES = 10
FOLDER = "writers-1"  # raise its number with every change to what is generated
_SEED = 20_17
SIDE = 28
_FINE = 88  # scans are upsampled once to so fine a grid that the nearest sample is good enough
_GLYPH = 24.0  # pixels of the image that a scan with its margin fills
_SCANS_PER_DIGIT = 3
_TEST_FRACTION = 0.107  # 40,832 of 382,705 in Federated EMNIST digits

DESCRIPTION = federated.Description(
    source=N_("Generated from the scanned digits that scikit-learn ships"),
    scaling=N_("Pixels divided by 255"),
    image_shape=(SIDE, SIDE),
)


def load(root: Path, progress: Callable[[str, float], None]) -> federated.FederatedDataset:
    """Returns the Writers, generated on the first call (some seconds, 300 MB on disk)."""
    folder = root / FOLDER

    def make() -> None:
        arrays = generate(NUM_WRITERS, progress)
        federated.save(folder, arrays, name="writers", num_classes=NUM_CLASSES, description=DESCRIPTION)

    return federated.open_or_make(folder, make)


@dataclass(frozen=True, kw_only=True)
class _Scans:
    """The real digits: `fine` is uint8 [1797, 88, 88] with ink 255, `by_digit` their rows by label."""

    fine: np.ndarray
    by_digit: list[np.ndarray]


def _load_scans() -> _Scans:
    # The file that sklearn.datasets.load_digits reads: to import that takes a second or more, and this 30 ms.
    digits = np.loadtxt(program.folder_of("sklearn") / "datasets/data/digits.csv.gz", delimiter=",")
    labels = digits[:, -1].astype(int)
    padded = np.pad(digits[:, :-1].reshape(-1, 8, 8).astype(np.float32) / 16, ((0, 0), (1, 1), (1, 1)))
    side = padded.shape[1]
    # Cubic interpolation is linear in the pixels: done once to a basis, it is two matrix products for all.
    from scipy import ndimage  # not for those who only ask which data there are

    basis = ndimage.zoom(np.eye(side, dtype=np.float32), (_FINE / side, 1), grid_mode=True, mode="grid-constant")
    fine = basis @ padded @ basis.T
    return _Scans(
        fine=(np.clip(fine, 0, 1) * 255).astype(np.uint8),
        by_digit=[np.flatnonzero(labels == digit) for digit in range(10)],
    )


def generate(num_writers: int, progress: Callable[[str, float], None]) -> dict[str, np.ndarray]:
    """Returns the arrays of the first `num_writers` writers, as `federated.save` takes them.

    Features are uint8 [num_examples, 784], 0 for ink and 255 for paper; labels are uint8 [num_examples], 0 to 9.

    The same on every call: a writer depends on nothing but their number.
    """
    scans = _load_scans()
    pages = []
    # NumPy lets go of the interpreter's lock while it gathers pixels, so threads do help.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for page in pool.map(lambda writer: _write(writer, scans), range(num_writers)):
            pages.append(page)
            if len(pages) % 50 == 0 or len(pages) == num_writers:
                progress(_("Generating the Writers"), len(pages) / num_writers)
    arrays = {}
    for split in ("train", "test"):
        features, labels = zip(*(page[split] for page in pages), strict=True)
        arrays[f"{split}_features"] = np.concatenate(features)
        arrays[f"{split}_labels"] = np.concatenate(labels)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, labels)], dtype=np.int64)
    return arrays


def _write(writer: int, scans: _Scans) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """One writer's examples: {"train": (features, labels), "test": ...}."""
    draw = rng.stream(_SEED, "writers", writer)
    count = int(np.clip(draw.normal(113, 22), 40, 220))
    labels = draw.choice(10, count, p=draw.dirichlet(np.full(10, 8.0)))
    favourites = np.array([draw.choice(rows, _SCANS_PER_DIGIT) for rows in scans.by_digit])
    chosen = favourites[labels, draw.integers(0, _SCANS_PER_DIGIT, count)]

    def hand(spread: float, jitter: float, middle: float = 0.0) -> np.ndarray:
        """A trait: the writer's own value, and each example's small departure from it."""
        return draw.normal(middle, spread) + draw.normal(0, jitter, count)

    slant, turn = hand(0.22, 0.07), hand(0.12, 0.07)
    width, height = np.exp(hand(0.13, 0.06)), np.exp(hand(0.10, 0.06))
    shift_x, shift_y = hand(0, 0.7), hand(0, 0.7)
    thickness = hand(0.08, 0.03, middle=0.42)
    softness, ink = draw.uniform(0.12, 0.30), draw.uniform(0.75, 1.0)
    wobble = draw.normal(0, 0.6, (count, 4))

    # Where each pixel of the image lies on the fine scan: an affine map, and a slow wave of the hand.
    pixel = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    along_x, along_y = pixel[None, None, :], pixel[None, :, None]
    zoom, centre = _FINE / _GLYPH, (_FINE - 1) / 2

    def each(values: np.ndarray) -> np.ndarray:
        return (zoom * values).astype(np.float32)[:, None, None]

    cos, sin = np.cos(turn), np.sin(turn)
    wave, swell = np.sin(pixel / 5), np.cos(pixel / 5)
    x = each((cos + slant * sin) / width) * along_x + each((slant * cos - sin) / width) * along_y
    x += np.float32(centre) + each(shift_x)
    x += each(wobble[:, 0]) * wave[None, :, None] + each(wobble[:, 1]) * swell[None, :, None]
    y = each(sin / height) * along_x + each(cos / height) * along_y
    y += np.float32(centre) + each(shift_y)
    y += each(wobble[:, 2]) * wave[None, None, :] + each(wobble[:, 3]) * swell[None, None, :]
    column = np.clip(x.astype(np.int32), 0, _FINE - 1)
    row = np.clip(y.astype(np.int32), 0, _FINE - 1)
    grey = scans.fine.ravel().take((chosen.astype(np.int32)[:, None, None] * _FINE + row) * _FINE + column)

    # A soft threshold makes the stroke; 256 greys a writer's example, so by table.
    stroke = np.clip((np.linspace(0, 1, 256) - thickness[:, None]) / softness + 0.5, 0, 1)
    table = (255 - 255 * ink * stroke).astype(np.uint8)
    images = table.ravel().take(np.arange(count, dtype=np.int32)[:, None, None] * 256 + grey)
    features, digits = images.reshape(count, SIDE * SIDE), labels.astype(np.uint8)
    tests = max(1, round(count * _TEST_FRACTION))
    return {"train": (features[tests:], digits[tests:]), "test": (features[:tests], digits[:tests])}
