"""Arrow's own files (Feather, Arrow IPC, the shards of Hugging Face's data sets): Arrow arrays as they lie in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from dpcore.datasets.forms.arrow_types import plain, plain_field
from dpcore.datasets.importing.tabular import Batch, Roles, Table, column_of, rows_per_batch
from dpcore.errors import DatasetError
from dpcore.language import _

_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"


class ArrowTable(Table):
    """An Arrow IPC file, or a stream of the same batches."""

    def __init__(self, path: Path):
        super().__init__(path)
        with path.open("rb") as file:
            start = file.read(len(_FILE))
        if start.startswith(_FEATHER_1):
            message = _("{file} is Feather's first version, which few programs read. Save it as Parquet.")
            raise DatasetError(message.format(file=path.name))
        self._random = start == _FILE
        with self._opened(None)[1] as reader:
            self._schema = reader.schema
        self.columns = tuple(column_of(plain_field(field)) for field in self._schema)
        self.roles = Roles(class_names=class_names(self._schema))

    def _opened(self, names: list[str] | None):
        # Mapped, and so not held in memory: what is read of it is what the columns take.
        source = pa.memory_map(str(self._path))
        wanted = None if names is None else [self._schema.get_field_index(name) for name in names]
        options = pa.ipc.IpcReadOptions(included_fields=wanted)
        opened = pa.ipc.open_file if self._random else pa.ipc.open_stream
        return source, opened(source, options=options)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        source, reader = self._opened(names)
        size = max(source.size(), 1)
        with reader:
            count = reader.num_record_batches if self._random else 0
            parts = (reader.get_batch(place) for place in range(count)) if self._random else reader
            for place, part in enumerate(parts):
                part.validate(full=True)  # a damaged file would lead outside of it
                step = rows_per_batch(part, self.columns)
                for start in range(0, len(part), step):
                    rows = part.slice(start, step)
                    fraction = (place + 1) / count if count else source.tell() / size
                    yield {name: plain(rows.column(name)) for name in names}, min(fraction, 1.0)


def class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Returns the names of the classes that Hugging Face's `ClassLabel` has, by column."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        kinds = {name: kind for name, kind in features.items() if isinstance(kind, dict)}
        return {
            name: tuple(map(str, kind["names"]))
            for name, kind in kinds.items()
            if kind.get("_type") == "ClassLabel" and kind.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # they are a convenience, and not what the table is read by
