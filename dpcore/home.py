"""The one setting that says where runs, data and caches live."""

import os
from pathlib import Path


def folder(given: str | Path | None = None) -> Path:
    """Returns the home folder: `given`, else EPSILON_LAB_HOME, else ~/.local/share/epsilon-lab."""
    chosen = given or os.environ.get("EPSILON_LAB_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "epsilon-lab"
