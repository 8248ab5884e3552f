"""The form of a file, by how it begins and by the end of its name; and what to do with files that are not read."""

from pathlib import Path

from dpcore.datasets.forms import ENDINGS, FORMS, PACKED
from dpcore.errors import DatasetError
from dpcore.language import N_, _

_WORKBOOK = N_("{file} is a workbook. Save its sheet as CSV UTF-8, and import that.")
_PICKLE = N_(
    "{file} is a pickle: opening it would run whatever program is in it, and so it is not opened. Save the table as "
    "Parquet, CSV or NPZ."
)
_ARRAY = N_(
    "{file} is one array. Save users, labels and features in one file: numpy.savez('table.npz', user=..., ...)"
)
_OTHER = N_("{file} is a file of another program. Save the table as Parquet or as CSV UTF-8, and import that.")
_ZIPPED = N_(
    "{file} is a zip file or a workbook by its content. Save a workbook's sheet as CSV UTF-8; let the name of a zip file "
    "end in .zip."
)
_ARCHIVE = N_("{file} is packed in a way that is not read. Unpack it, and import what comes out.")

_BY_ENDING = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"), _WORKBOOK),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill"), _PICKLE),
    ".npy": _ARRAY,
    **dict.fromkeys((".mat", ".dta", ".sav", ".sas7bdat", ".rds", ".rdata", ".orc", ".avro", ".tfrecord"), _OTHER),
    **dict.fromkeys((".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".lzma", ".lz4"), _ARCHIVE),
}
# How files of a form begin.
_STARTS = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather and Arrow IPC",
    b"\x89HDF\r\n\x1a\n": "TFF's HDF5",
    b"SQLite format 3\0": "TFF's SQLite",
}
_ZIP, _OLD_WORKBOOK, _GZIP = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b"
_PICKLES = tuple(bytes([0x80, version]) for version in range(2, 6))


def form_of(path: Path) -> str:
    """Returns a key of `FORMS`: of a file that begins as one of them does, whatever its name, or else by its ending.

    Raises:
        DatasetError: If it is none that is read; the message says what to do.
    """
    ending = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(max(map(len, _STARTS)))
    npz = ending in FORMS["NPZ"]
    for begins, message in ((_PICKLES, _PICKLE), (_OLD_WORKBOOK, _WORKBOOK), (_ZIP, "" if npz else _ZIPPED)):
        if message and start.startswith(begins):
            raise DatasetError(_(_BY_ENDING.get(ending, message)).format(file=path.name))
    for begins, form in _STARTS.items():
        if start.startswith(begins):
            return form
    if start.startswith(_GZIP):
        message = _("{file} is packed. Let its name end in {ending}.gz, as what is in it.")
        raise DatasetError(message.format(file=path.name, ending=ending if ending in ENDINGS else ".csv"))
    by_ending = next((form for form, endings in FORMS.items() if ending in endings), None)
    if by_ending is None:
        message = _(_BY_ENDING.get(ending, "")) or _("Expected a file that ends in {endings}, found {file}.")
        raise DatasetError(message.format(endings=", ".join((*ENDINGS, *PACKED)), file=path.name))
    return by_ending
