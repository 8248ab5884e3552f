"""Federated EMNIST as `tff.simulation.datasets.emnist` publishes it: real handwriting, by writer.

Caldas et al. (2018), "LEAF: A Benchmark for Federated Settings" <https://arxiv.org/abs/1812.01097>. TFF's own
loader writes the final file while it downloads and trusts what it finds next time; here a file becomes a
data set only when all its examples were read and counted.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dpcore.datasets import download, federated, tff_sqlite
from dpcore.errors import DatasetError
from dpcore.language import N_, _
from dpcore.locks import lock

Progress = Callable[[str, float], None]

URL = "https://storage.googleapis.com/tff-datasets-public/emnist_all.sqlite.lzma"
_FILE = "emnist_all.sqlite"  # holds both variants


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the two data sets in the file, and the counts that TFF's documentation states.

    Attributes:
        name: Its name in `dpcore.datasets`.
        train_split: Its training split in the file.
        test_split: Its test split in the file.
        num_users: Writers.
        num_train: Training examples.
        num_test: Test examples.
        class_names: What the labels stand for.
    """

    name: str
    train_split: str
    test_split: str
    num_users: int
    num_train: int
    num_test: int
    class_names: tuple[str, ...]


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            name="federated_emnist",
            train_split="digits_only_train",
            test_split="digits_only_test",
            num_users=3_383,
            num_train=341_873,
            num_test=40_832,
            class_names=tuple(string.digits),
        ),
        Variant(
            name="federated_emnist_62",
            train_split="all_train",
            test_split="all_test",
            num_users=3_400,
            num_train=671_585,
            num_test=77_483,
            class_names=tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase),
        ),
    )
}


def splits_of(path: Path, *, only_digits: bool) -> tuple[tff_sqlite.Source, Variant | None]:
    """Returns which splits of a file to train and to test on, and the variant that they are of, if any.

    Those of the variants come first, then "train" and "test". A file of one split is for both.

    Raises:
        DatasetError: If it is no such file, or has other splits.
    """
    found = tff_sqlite.num_examples(path, named=False)
    wanted = list(VARIANTS.values())[:: 1 if only_digits else -1]
    for variant in wanted:
        if variant.train_split in found and variant.test_split in found:
            return (
                tff_sqlite.Source(path=path, train_split=variant.train_split, test_split=variant.test_split),
                variant,
            )
    if found.keys() >= {"train", "test"}:
        return tff_sqlite.Source(path=path, train_split="train", test_split="test"), None
    if len(found) > 1:
        message = _("Expected the splits 'train' and 'test' in {file}, found {found}.")
        raise DatasetError(message.format(file=path.name, found=", ".join(sorted(found))))
    return tff_sqlite.Source(path=path, train_split=next(iter(found)), test_split=None), None


def load(
    variant: Variant, root: Path, progress: Progress, *, url: str | None = None, tff_cache: Path | None = None
) -> federated.FederatedDataset:
    """Returns a variant; on the first call from TFF's cache if there is a good one, else downloaded.

    Takes some 4 GB of room while it converts, and 0.5 to 0.8 GB afterwards, the download among them.

    Args:
        variant: One of `VARIANTS`.
        root: The folder that data sets are kept in. `emnist_all.sqlite` or `emnist_all.sqlite.lzma` put there
            by hand are used, if they are good.
        progress: Told what is being done, and the fraction that is done.
        url: Where to download from; `None` is `URL`.
        tff_cache: Where TFF keeps its files; `None` is where it does by default.

    Raises:
        DatasetError: If there is no good file and none can be downloaded.
    """
    folder = root / variant.name
    cache = Path("~/.tff").expanduser() if tff_cache is None else tff_cache

    def make() -> None:
        with lock(root / f"{_FILE}.lock", wait=True):  # both variants share the download
            _make(variant, root, [root / _FILE, cache / _FILE], url or URL, progress)

    return federated.open_or_make(folder, make)


def _make(variant: Variant, root: Path, unpacked: list[Path], url: str, progress: Progress) -> None:
    packed, problems = download_of(root), []
    partial = packed.with_name(packed.name + ".partial")
    for path in filter(Path.exists, unpacked):
        try:
            return _convert(variant, path, root, progress)
        except DatasetError as err:
            problems.append(_("{file} was not used: {reason}").format(file=path, reason=err))
    if packed.exists():
        try:
            return _convert_packed(variant, packed, root, progress)
        except DatasetError as err:
            problems.append(_("{file} was not used: {reason}").format(file=packed, reason=err))
    try:
        download.fetch(url, partial, progress)
    except DatasetError as err:
        message = _(
            "Federated EMNIST could not be downloaded from {url}: {reason}. Try again (what arrived "
            "is kept), or copy {file} (TensorFlow Federated keeps it in ~/.tff) or {packed} to {folder}, "
            "or use the data set writers."
        ).format(url=url, reason=str(err).rstrip(".。"), file=_FILE, packed=packed.name, folder=root)
        raise DatasetError(" ".join([message, *problems])) from err
    try:
        _convert_packed(variant, partial, root, progress)
    except DatasetError as err:
        partial.unlink()  # or the next try would continue it
        message = _(
            "What was downloaded from {url} cannot be used: {reason} Try again, or use the data set writers."
        )
        raise DatasetError(message.format(url=url, reason=err)) from err
    partial.rename(packed)


def download_of(root: Path) -> Path:
    """The compressed file that both variants are made from; it is kept for the other one."""
    return root / f"{_FILE}.lzma"


def _convert_packed(variant: Variant, packed: Path, root: Path, progress: Progress) -> None:
    unpacked = root / f"{_FILE}.partial"
    try:
        download.unpack(packed, unpacked, progress)
        _convert(variant, unpacked, root, progress)
    finally:
        unpacked.unlink(missing_ok=True)


def _convert(variant: Variant, path: Path, root: Path, progress: Progress) -> None:
    source = tff_sqlite.Source(path=path, train_split=variant.train_split, test_split=variant.test_split)
    _check_counts(variant, path)
    tff_sqlite.convert(
        source,
        root / variant.name,
        progress,
        name=variant.name,
        num_classes=len(variant.class_names),
        description=federated.Description(
            source=N_("Federated EMNIST as TensorFlow Federated publishes it"), class_names=variant.class_names
        ),
    )


def _check_counts(variant: Variant, path: Path) -> None:
    """Refuses another file before anything is read; that it holds what it promises is seen when it is read."""
    promised = tff_sqlite.num_examples(path)
    train, test = (promised.get(split, {}) for split in (variant.train_split, variant.test_split))
    found = (len(train.keys() | test.keys()), sum(train.values()), sum(test.values()))
    expected = (variant.num_users, variant.num_train, variant.num_test)
    if found != expected:
        message = _("Expected {0:,} users, {1:,} training and {2:,} test examples, found {3:,}, {4:,} and {5:,}.")
        raise DatasetError(message.format(*expected, *found))
