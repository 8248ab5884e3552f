"""The one setting that says where runs, data and caches live."""

import os
from pathlib import Path

from dpcore.errors import StoreError


def folder(given: str | Path | None = None) -> Path:
    """Returns the home folder: `given`, else EPSILON_LAB_HOME, else ~/.local/share/epsilon-lab."""
    chosen = given or os.environ.get("EPSILON_LAB_HOME")
    if chosen:
        try:
            return Path(chosen).expanduser().resolve()
        except RuntimeError as err:
            raise StoreError(f"Expected a folder as home, found {chosen}: {err}") from err
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data).resolve() / "epsilon-lab"
