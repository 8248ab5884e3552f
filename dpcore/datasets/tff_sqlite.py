"""TensorFlow Federated's SQLite files of tf.Example records, read without TensorFlow.

Two tables, as `tff.simulation.datasets.SqlClientData` has them: `client_metadata` (client_id, split_name,
num_examples) and `examples` (split_name, client_id, serialized_example_proto).
"""

import dataclasses
import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from dpcore.datasets import federated, splitting, table_warnings
from dpcore.datasets.importing import spelling
from dpcore.datasets.importing.file_errors import check_is_file, reason
from dpcore.errors import DatasetError
from dpcore.language import N_, _

Progress = Callable[[str, float], None]

_BATCH, _BATCH_BYTES = 2048, 1 << 25
_TEST_FRACTION = 0.1  # of a file that has no split of its own


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to read of a file.

    Attributes:
        path: The file.
        train_split: The split_name of what users train on.
        test_split: That of what models are evaluated on; `None` takes a tenth of each user's examples.
    """

    path: Path
    train_split: str
    test_split: str | None


def _example_class() -> type:
    """The message tf.train.Example, as <https://www.tensorflow.org/api_docs/python/tf/train/Example> has it.

    But for one thing: packed floats are declared as the bytes that they are on the wire (the same encoding),
    which NumPy takes as they come.
    """
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="lab", syntax="proto3")

    def add(name: str, **fields) -> descriptor_pb2.DescriptorProto:
        added = file.message_type.add(name=name)
        for field, (number, type_, repeated, type_name) in fields.items():
            label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
            added.field.add(name=field, number=number, type=type_, label=label, type_name=type_name)
        return added

    add("FloatList", value=(1, kind.TYPE_BYTES, False, None))
    add("Int64List", value=(1, kind.TYPE_INT64, True, None))
    add("BytesList", value=(1, kind.TYPE_BYTES, True, None))
    add(
        "Feature",
        bytes_list=(1, kind.TYPE_MESSAGE, False, ".lab.BytesList"),
        float_list=(2, kind.TYPE_MESSAGE, False, ".lab.FloatList"),
        int64_list=(3, kind.TYPE_MESSAGE, False, ".lab.Int64List"),
    )
    features = add("Features", feature=(1, kind.TYPE_MESSAGE, True, ".lab.Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=kind.TYPE_MESSAGE, label=kind.LABEL_OPTIONAL, type_name=".lab.Feature"
    )
    add("Example", features=(1, kind.TYPE_MESSAGE, False, ".lab.Features"))
    pool = descriptor_pool.DescriptorPool()  # of its own: TensorFlow registers the real one in the default pool
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("lab.Example"))


Example: Any = _example_class()  # its methods are made when it is


class _NotBytesError(Exception):
    """A pixel is no multiple of 1/255."""


def connect(path: Path) -> sqlite3.Connection:
    """Returns a connection that only reads."""
    # Immutable: no lock file or journal is looked for, so a read-only folder will do.
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)


def num_examples(path: Path, *, named: bool = True) -> dict[str, dict[str, int]]:
    """Returns how many examples each user of each split has, as the file promises it.

    Args:
        path: The file.
        named: Whether to refuse examples of nobody; else they are those of "".

    Raises:
        DatasetError: If it is no such file.
    """
    try:
        check_is_file(path)
        with closing(connect(path)) as connection:
            views = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
            if views:  # which compute whatever they like, for as long as they like
                raise ValueError(_("it has views ({names})").format(names=", ".join(views[:5])))
            rows = connection.execute(
                "SELECT split_name, client_id, SUM(num_examples) FROM client_metadata GROUP BY 1, 2"
            )
            found: dict[str, dict[str, int]] = {}
            for split, client_id, count in rows:
                users = found.setdefault(str(split), {})
                user = spelling.spelled(client_id) or ""
                if named and (not user or spelling.means_missing(user)):
                    nobody = _(
                        "{file} has examples of nobody, as the user {user!r}. Give them a name, or remove them."
                    )
                    raise DatasetError(nobody.format(file=path.name, user=client_id))
                users[user] = users.get(user, 0) + int(count)
    except DatasetError:
        raise
    except Exception as err:  # as of any other file, nobody can list what libraries raise
        message = _(
            "{file} is not a data set as TensorFlow Federated's SqlClientData reads it, or is cut off: {reason}."
        )
        raise DatasetError(message.format(file=path.name, reason=reason(err))) from err
    promised = [count for users in found.values() for count in users.values()]
    if min(promised, default=0) < 0 or sum(promised) > path.stat().st_size:
        message = _("{file} promises {count:,} examples, more than it can hold.")
        raise DatasetError(message.format(file=path.name, count=sum(map(abs, promised))))
    if not any(sum(users.values()) for users in found.values()):
        raise DatasetError(_("{file} holds no examples.").format(file=path.name))
    return found


def convert(
    source: Source,
    folder: Path,
    progress: Progress,
    *,
    name: str,
    description: federated.Description,
    num_classes: int | None = None,
) -> None:
    """Writes what a file holds to a new folder, in bounded memory.

    Every example must have floats "pixels" and an integer "label". Pixels that are all multiples of 1/255
    are kept as bytes, others as they are. Users come in the order of their sorted ids, a user's examples in
    that of the file.

    Args:
        source: What to read.
        folder: Where the data set goes; must not exist.
        progress: Told the fraction that is done.
        name: The data set's name.
        description: What its numbers stand for. The shape of square images is added.
        num_classes: Labels are below it; `None` takes one more than the highest label.

    Raises:
        DatasetError: If the file is no such file, damaged, or holds other examples than it promises.
    """
    layout = _layout(source, num_examples(source.path))
    for dtype, scaling in (
        (np.uint8, N_("Pixels divided by 255")),
        (np.float32, N_("Pixels as they are in the file")),
    ):
        try:
            with federated.new_folder(folder) as partial:
                width, labels = _write(source.path, layout, partial, progress, dtype, num_classes)
                classes = num_classes or 1 + max(int(values.max()) for values in labels.values())
                for split, values in labels.items():
                    np.save(partial / f"{split}_labels.npy", values.astype(federated.label_dtype(classes)))
                side = math.isqrt(width)
                splits = {split: (layout.offsets[split], values) for split, values in labels.items()}
                warnings = table_warnings.sentences(
                    description.class_names or tuple(map(str, range(classes))), splits
                )
                if same := table_warnings.similar_ids_warning(layout.user_ids):
                    warnings = (same, *warnings)
                words = dataclasses.replace(
                    description,
                    image_shape=(side, side) if side * side == width else None,
                    scaling=scaling,
                    warnings=warnings,
                )
                federated.write_manifest(partial, name=name, num_classes=classes, description=words)
            return
        except _NotBytesError:
            continue


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where each example goes. Examples are counted by split of the file, by user, and as the file has them.

    Attributes:
        user_ids: The users, sorted.
        splits: Of each split of the file, the number of every user's first example, int64 [num_users + 1].
        offsets: int64 [num_users + 1] of the data set's "train" and "test".
        in_test: Which examples go to "test", bool [num_examples].
        rows: Their rows there, or in "train", int64 [num_examples].
    """

    user_ids: list[str]
    splits: dict[str, np.ndarray]
    offsets: dict[str, np.ndarray]
    in_test: np.ndarray
    rows: np.ndarray


def _layout(source: Source, promised: dict[str, dict[str, int]]) -> _Layout:
    names = [source.train_split] + ([source.test_split] if source.test_split else [])
    for name in names:
        if name not in promised:
            message = _("{file} has no split {split}; it has {found}.")
            raise DatasetError(message.format(file=source.path.name, split=name, found=", ".join(sorted(promised))))
    user_ids = sorted({user for name in names for user in promised[name]})
    counts = {name: np.array([promised[name].get(user, 0) for user in user_ids]) for name in names}
    splits, begin = {}, 0
    for name in names:
        splits[name] = begin + _offsets(counts[name])
        begin = int(splits[name][-1])
    first = splits[source.train_split]
    if source.test_split:
        in_test = np.arange(begin) >= first[-1]
    else:
        tests = splitting.num_test_examples(counts[source.train_split], _TEST_FRACTION)
        in_test = splitting.ranks(user_ids, first, seed=0) < np.repeat(tests, np.diff(first))
    owner = np.concatenate([np.repeat(np.arange(len(user_ids)), counts[name]) for name in names])
    rows, offsets = np.empty(begin, np.int64), {}
    for split, chosen in {"train": ~in_test, "test": in_test}.items():
        if not chosen.any():
            message = (
                _("{file} leaves no example to train: every user has one at most.")
                if split == "train"
                else _("{file} leaves no example to test: every user has one at most.")
            )
            raise DatasetError(message.format(file=source.path.name))
        rows[chosen] = np.arange(chosen.sum())
        offsets[split] = _offsets(np.bincount(owner[chosen], minlength=len(user_ids)))
    return _Layout(user_ids=user_ids, splits=splits, offsets=offsets, in_test=in_test, rows=rows)


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _write(
    path: Path, layout: _Layout, partial: Path, progress: Progress, dtype: type, num_classes: int | None
) -> tuple[int, dict[str, np.ndarray]]:
    """Writes features and offsets; returns the number of pixels of an example, and the labels by split."""
    limit = num_classes or federated.MAX_CLASSES
    features: dict[str, np.ndarray] = {}
    labels, done = {}, 0
    for slots, pixels, values in _batches(path, layout):
        if not features:
            for split, offsets in layout.offsets.items():
                shape = (int(offsets[-1]), pixels.shape[1])
                features[split] = federated.new_array(partial, f"{split}_features", dtype, shape)
                labels[split] = np.zeros(shape[0], np.int64)
                np.save(partial / f"{split}_offsets.npy", offsets)
        wrong = values[(values < 0) | (values >= limit)]
        if len(wrong):
            message = _("Expected labels of 0 and more below {limit} in {file}, found {found}.")
            raise DatasetError(message.format(limit=limit, file=path.name, found=wrong[0]))
        content = _as_bytes(pixels) if dtype is np.uint8 else pixels
        for split, chosen in {"train": ~layout.in_test[slots], "test": layout.in_test[slots]}.items():
            rows = layout.rows[slots[chosen]]
            features[split][rows], labels[split][rows] = content[chosen], values[chosen]
        done += len(slots)
        progress(_("Converting the images"), done / len(layout.rows))
    return features["train"].shape[1], labels


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Returns 255 times the pixels, uint8, if they are whole but for rounding of float32."""
    if pixels.min() < -1e-6 or pixels.max() > 1 + 1e-6:
        raise _NotBytesError
    wide = pixels * np.float32(255)
    whole = np.rint(wide)
    if np.abs(wide - whole).max() > 1e-4:
        raise _NotBytesError
    return whole.astype(np.uint8)


def _batches(path: Path, layout: _Layout) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields numbers of examples (see `_Layout`), pixels float32 [examples, pixels] and labels int64 [examples]."""
    numbers = {user: number for number, user in enumerate(layout.user_ids)}
    known: dict[Any, int | None] = {}  # as the file has them: other spellings among them
    width = None
    try:
        with closing(connect(path)) as connection:
            for split, starts in layout.splits.items():
                # In the order of the file, each example straight to its place: nothing to sort.
                cursor = connection.execute(
                    "SELECT client_id, serialized_example_proto FROM examples WHERE split_name = ?", [split]
                )
                following, ends = starts[:-1].tolist(), starts[1:].tolist()
                size = 1
                while rows := cursor.fetchmany(size):
                    size = max(1, min(_BATCH, _BATCH_BYTES // max(1, len(rows[0][1]))))
                    slots, pixels, labels = [], [], []
                    for client_id, record in rows:
                        if client_id not in known:
                            known[client_id] = numbers.get(spelling.spelled(client_id) or "")
                        user = known[client_id]
                        if user is None or following[user] == ends[user]:
                            more = _("{file} holds more examples of user {user} than it promises.")
                            raise DatasetError(more.format(file=path.name, user=client_id))
                        slots.append(following[user])
                        following[user] += 1
                        floats, label = _parsed(record)
                        width = width or len(floats)
                        if len(floats) != width:
                            other = _(
                                "Expected {expected} pixels in each example of {file}, found {found} in one of user "
                                "{user}."
                            ).format(expected=width // 4, file=path.name, found=len(floats) // 4, user=client_id)
                            raise DatasetError(other)
                        pixels.append(floats)
                        labels.append(label)
                    block = np.frombuffer(b"".join(pixels), "<f4").reshape(len(rows), -1)
                    if not np.isfinite(block).all():
                        raise DatasetError(
                            _("{file} holds a pixel that is not a finite number.").format(file=path.name)
                        )
                    yield np.array(slots), block, np.array(labels)
                lacking = sum(ends) - sum(following)
                if lacking:
                    fewer = _("{file} lacks {lacking:,} of the examples that it promises in {split}.")
                    raise DatasetError(fewer.format(file=path.name, lacking=lacking, split=split))
    except DatasetError:
        raise
    except Exception as err:
        raise DatasetError(_("{file} is damaged: {reason}.").format(file=path.name, reason=reason(err))) from err


def _parsed(record: bytes) -> tuple[bytes, int]:
    """Returns the pixels of a serialised tf.Example, float32 as bytes, and its label."""
    feature = Example.FromString(record).features.feature
    labels = feature["label"].int64_list.value if "label" in feature else []
    pixels = feature["pixels"].float_list.value if "pixels" in feature else b""
    if len(labels) != 1 or not pixels or len(pixels) % 4:
        words = _("Expected floats 'pixels' and one integer 'label' in each example, found {found}.")
        raise DatasetError(words.format(found=", ".join(sorted(feature)) or _("nothing")))
    return pixels, labels[0]
