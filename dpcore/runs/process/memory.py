"""How much memory there still is: of the machine, and of what this process was given of it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
# Of both versions of control groups: the most, what is used, and what of that is files that would make room.
_NAMES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_bytes() -> int:
    """Returns what can still be had without swapping, in bytes: a container may have less than its machine."""
    machine = _numbers(Path("/proc/meminfo"))["MemAvailable:"] * 1024
    return min([machine, *_left_by_groups()])


def _left_by_groups() -> Iterator[int]:
    """What each control group that this process is in, and those around it, leave."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers not in _NAMES:
            continue
        most, used, files = _NAMES[controllers]
        whole = Path(path.lstrip("/"))
        for group in (whole, *whole.parents):
            folder = _GROUPS / controllers / group
            with suppress(OSError, ValueError, KeyError):  # none there, or "max"
                reclaimable = _numbers(folder / "memory.stat")[files]
                yield int((folder / most).read_text()) - int((folder / used).read_text()) + reclaimable


def _numbers(file: Path) -> dict[str, int]:
    """The first number of each line, by its name."""
    return {name: int(number) for name, number, *_ in map(str.split, file.read_text().splitlines())}
