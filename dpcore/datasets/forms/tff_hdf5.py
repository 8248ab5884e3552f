"""TFF's older HDF5: in the group `examples` a group of each user, and in it an array of each feature.

As `tff.simulation.datasets.HDF5ClientData` reads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from dpcore.datasets.forms.arrow_types import nested
from dpcore.datasets.forms.unpacking import check_size
from dpcore.datasets.importing.tabular import BYTES, Batch, Roles, Table, column_of, only_text_error
from dpcore.errors import DatasetError
from dpcore.language import _

_GROUP, _USER, _LABELS = "examples", "client_id", ("label", "labels")
_NUMBERS = "biuf"  # kinds of NumPy's types
_SEEN = 20  # users who say which features there are


class Hdf5Table(Table):
    """Rows are examples; the columns are `client_id` and the features. Memory holds some users at a time."""

    def __init__(self, path: Path):
        super().__init__(path)
        with self._examples() as examples:
            found = ((user, *self._features(examples, user)) for user in examples)
            first = [*islice(((user, features) for user, features, rows in found if rows), _SEEN)]
            if not first:
                raise DatasetError(_("{file} holds no examples.").format(file=path.name))
            user, features = max(first, key=lambda one: len(one[1]))  # who lacks one is told of it
            batch = self._joined([self._read(user, features, list(features), slice(0, 1))])
        self.columns = tuple(column_of(pa.field(name, column.type)) for name, column in batch.items())
        if all(column.kind == "text" for column in self.columns):
            raise only_text_error(path, list(batch)[1:])
        label = next((name for name in batch if name in _LABELS), None)
        # As TFF publishes them: pixels of EMNIST between 0 and 1, bytes of CIFAR-100.
        self.roles = Roles(user=_USER, label=label, numbered=True, as_it_is=True)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        with self._examples() as examples:
            parts, size, total = [], 0, 0
            for number, user in enumerate(examples):
                features, rows = self._features(examples, user)
                whole = sum(feature.nbytes for feature in features.values())
                total += whole
                check_size(self._path, total)  # what was never written takes no room in the file
                step = max(1, BYTES * rows // max(1, whole))
                for start in range(0, rows, step):
                    chosen = [name for name in names if name != _USER]
                    parts.append(self._read(user, features, chosen, slice(start, min(start + step, rows))))
                    size += sum(array.nbytes for array in parts[-1].values())
                    if size >= BYTES:
                        yield self._joined(parts), number / len(examples)
                        parts, size = [], 0
            if parts:
                yield self._joined(parts), 1.0

    @contextmanager
    def _examples(self) -> Iterator:
        import h5py  # a tenth of a second, for a form that few have

        try:
            with h5py.File(self._path, "r") as file:
                examples = self._inside(file, _GROUP, h5py.Group)
                if examples is None:
                    message = _("Expected a group 'examples' in {file}, with a group for each user, found {found}.")
                    found = ", ".join(list(file)[:10]) or _("nothing")
                    raise DatasetError(message.format(file=self._path.name, found=found))
                yield examples
        except (RuntimeError, KeyError, TypeError, AttributeError) as err:  # what h5py says of a damaged file
            message = _("{file} is damaged: {reason}.")
            raise DatasetError(message.format(file=self._path.name, reason=err)) from err

    def _inside(self, group, name: str, kind: type):
        """Returns what a group holds by a name if it is of a kind, and lies in this file: links lead to others."""
        import h5py

        if not isinstance(group.get(name, getlink=True), h5py.HardLink) or not isinstance(group[name], kind):
            return None
        found = group[name]
        if kind is h5py.Dataset and (found.external or found.is_virtual):
            message = _("{file} keeps {name!r} in other files, which are not read. Copy the data into one.")
            raise DatasetError(message.format(file=self._path.name, name=found.name))
        return found

    def _features(self, examples, user: str) -> tuple[dict, int]:
        """Returns a user's arrays by name, and how many rows each has."""
        import h5py

        group = self._inside(examples, user, h5py.Group)
        arrays = {} if group is None else {name: self._inside(group, name, h5py.Dataset) for name in group}
        lengths = {array.shape[0] if array is not None and array.shape else None for array in arrays.values()}
        if not arrays or None in lengths or len(lengths) > 1 or _USER in arrays:
            message = _(
                "Expected arrays of a row an example, all as long, of user {user!r} in {file}, found {found}."
            )
            found = ", ".join(
                _("{name}, which is no array of this file").format(name=name)
                if array is None
                else f"{name} {array.shape}"
                for name, array in arrays.items()
            )
            raise DatasetError(message.format(user=user, file=self._path.name, found=found or _("nothing")))
        return arrays, int(lengths.pop() or 0)

    def _read(self, user: str, features: dict, names: list[str], rows: slice) -> dict[str, np.ndarray]:
        """Returns some rows of a user's arrays, and whose they are."""
        import h5py

        batch = {_USER: np.full(rows.stop - rows.start, user, object)}
        for name in names:
            if name not in features:
                message = _("Expected {name!r} of every user in {file}, found none of user {user!r}.")
                raise DatasetError(message.format(name=name, file=self._path.name, user=user))
            kind, text = features[name].dtype, h5py.check_string_dtype(features[name].dtype) is not None
            if not text and kind.kind not in _NUMBERS:
                message = _("Expected numbers or text as {name!r} in {file}, found {kind}.")
                raise DatasetError(message.format(name=name, file=self._path.name, kind=str(kind)[:60]))
            batch[name] = features[name].asstr(errors="replace")[rows] if text else features[name][rows]
        return batch

    def _joined(self, parts: list[dict[str, np.ndarray]]) -> Batch:
        for name in parts[0]:
            shapes = {part[name].shape[1:]: part[_USER][0] for part in parts}
            if len(shapes) > 1:
                (one, _first), (other, user) = list(shapes.items())[:2]
                message = _("Expected {name!r} of shape {one} in {file}, found {other} of user {user!r}.")
                words = message.format(name=name, one=one, file=self._path.name, other=other, user=user)
                raise DatasetError(words)
        return {name: nested(np.concatenate([part[name] for part in parts])) for name in parts[0]}
