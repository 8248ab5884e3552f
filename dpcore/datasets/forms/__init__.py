"""The forms that a user's own data come in. Commands, pages and the README name them from here.

Nothing is imported here: a command's help does not wait for Arrow. A module of this folder reads one form, and all
yield batches of columns (`dpcore.datasets.importing.tabular.Table`), so that ids, labels and features are checked in
one place.
"""

# What a form is called, and how names of its files end, in the order in which people are told.
FORMS = {
    "Parquet": (".parquet", ".pq"),
    "CSV": (".csv",),
    "TSV": (".tsv", ".tab"),
    "NPZ": (".npz",),
    "Feather and Arrow IPC": (".feather", ".arrow", ".ipc", ".arrows"),
    "JSON lines": (".jsonl", ".ndjson"),
    "LEAF's JSON": (".json",),
    "TFF's HDF5": (".h5", ".hdf5"),
    "TFF's SQLite": (".sqlite", ".sqlite3", ".db"),
}
PACKED = (".gz", ".zip")  # one of those, packed
ENDINGS = tuple(ending for endings in FORMS.values() for ending in endings)
ALL = f"{', '.join([*FORMS][:-1])} or {[*FORMS][-1]}"  # as commands, pages and the README say it
