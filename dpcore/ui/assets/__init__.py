"""The files that a browser gets: scripts, styles, markup and the icon, each in the language that it is written in."""

from pathlib import Path


def path(name: str) -> Path:
    """Returns where a file of this folder lies."""
    return Path(__file__).with_name(name)


def text(name: str) -> str:
    """Returns what a file of this folder says."""
    return path(name).read_text(encoding="utf-8")
