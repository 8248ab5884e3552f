"""LEAF's JSON: `users`, `num_samples`, and in `user_data` each user's `x` and `y`.

Caldas et al. (2018), "LEAF: A Benchmark for Federated Settings" <https://arxiv.org/abs/1812.01097>.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dpcore.datasets.forms.arrow_types import nested
from dpcore.datasets.forms.json_stream import JsonStream
from dpcore.datasets.importing.tabular import Batch, Roles, Table, column_of
from dpcore.errors import DatasetError
from dpcore.language import _

KEYS = ("users", "num_samples", "user_data", "hierarchies")
_FEMNIST = 784  # numbers of an example: 28 x 28 pixels
_NUMBERS = "biuf"  # kinds of NumPy's types


class LeafTable(Table):
    """Rows are examples; the columns are `user`, `x` and `y`. Memory holds a user at a time."""

    def __init__(self, path: Path):
        super().__init__(path)
        try:
            first = next(self._users())
        except StopIteration:
            raise DatasetError(_("{file} holds no examples.").format(file=path.name)) from None
        self.columns = tuple(column_of(pa.field(name, column.type)) for name, column in first[0].items())
        flat = pa.types.is_fixed_size_list(first[0]["x"].type) and first[0]["x"].type.list_size == _FEMNIST
        self.roles = Roles(
            user="user", label="y", numbered=True, image_shape=(28, 28) if flat else None, as_it_is=flat
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        for batch, fraction in self._users():
            yield {name: batch[name] for name in names}, fraction

    def _users(self) -> Iterator[tuple[Batch, float]]:
        """Yields the examples of each user who has some, and the fraction of the file that is then read."""
        size, promised, held = max(self._path.stat().st_size, 1), {}, dict[str, Any]()
        with self._path.open(encoding="utf-8-sig") as file:
            stream = JsonStream(file, self._path)
            for key in stream.items():
                if key == "user_data":
                    for user in stream.items():
                        batch = self._examples(user, stream.value())
                        held[user] = held.get(user, 0) + len(batch["user"])
                        if len(batch["user"]):
                            yield batch, min(stream.characters / size, 1.0)
                else:
                    promised[key] = stream.value()
            stream.end()
        self._keeps(promised, held)

    def _examples(self, user: str, data: Any) -> Batch:
        if not isinstance(data, dict) or not {"x", "y"} <= data.keys():
            raise self._unlike(_("no x and y of user {user!r}").format(user=user))
        self._must_not_be_text(user, data["x"])
        x, y = self._array(user, "x", data["x"], _NUMBERS), self._array(user, "y", data["y"], _NUMBERS + "U")
        if len(x) != len(y):
            found = _("{examples:,} x and {labels:,} y of user {user!r}")
            raise self._unlike(found.format(examples=len(x), labels=len(y), user=user))
        return {"user": pa.array([user] * len(x), pa.string()), "x": nested(x), "y": nested(y)}

    def _must_not_be_text(self, user: str, value: Any) -> None:
        while isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str):
            message = _(
                "{file} holds text, or names of other files, as x of user {user!r}: {found!r}. Expected numbers: models "
                "here learn from images and vectors, not from text."
            )
            raise DatasetError(message.format(file=self._path.name, user=user, found=value[:40]))

    def _array(self, user: str, name: str, values: Any, kinds: str) -> np.ndarray:
        if not isinstance(values, list):
            raise self._unlike(_("no list as {name} of user {user!r}").format(name=name, user=user))
        try:
            array = np.array(values)
        except (ValueError, OverflowError) as err:
            found = _("lists of different lengths as {name} of user {user!r}")
            raise self._unlike(found.format(name=name, user=user)) from err
        if array.dtype.kind not in kinds:
            found = _("something that is no number as {name} of user {user!r}")
            raise self._unlike(found.format(name=name, user=user))
        return array

    def _keeps(self, promised: dict[str, Any], held: dict[str, int]) -> None:
        """Checks that there is what the lists of users and of numbers say."""
        users, counts = promised.get("users"), promised.get("num_samples")
        if not held or not isinstance(users, list) or not isinstance(counts, list) or len(users) != len(counts):
            raise self._unlike(", ".join([*promised, *["user_data"] * bool(held)]) or _("nothing"))
        told = dict.fromkeys(held, 0) | dict(zip(map(str, users), counts, strict=True))
        for user, count in told.items():
            if held.get(user, 0) != count:
                found = _("{held:,} examples of user {user!r}, who should have {promised}")
                raise self._unlike(found.format(held=held.get(user, 0), user=user, promised=count))

    def _unlike(self, found: str) -> DatasetError:
        message = _(
            "Expected {file} to be as LEAF writes it, with users, num_samples and user_data, found {found}. Rows a line "
            "of JSON are read from files that end in .jsonl."
        )
        return DatasetError(message.format(file=self._path.name, found=found))
