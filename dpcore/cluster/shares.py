"""Which workers are whose, where runs of one store train side by side: each has some to itself.

A worker of the cluster stands for a lock, which the run that uses it holds. The kernel drops it however the run ends.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dpcore.cluster.members import Member
from dpcore.cluster.status import WorkerStatus
from dpcore.locks import take


class Shares:
    """The workers that one run has to itself.

    Args:
        folder: Where the locks of all runs are.
        place: Returns which of the runs that train now on this cluster this one is, from 0, and how many they are.
    """

    def __init__(self, folder: Path, place: Callable[[], tuple[int, int]]):
        self._folder, self._place = folder, place
        self._held: dict[str, int] = {}

    def assigned(self, able: list[Member]) -> list[Member]:
        """Returns the workers that this run may use: its share, and all where there are more runs than workers."""
        addresses = {member.address for member in able}
        for address in [address for address in self._held if address not in addresses]:
            self._drop(address)
        mine, runs = self._place()
        share = max(1, len(able) // runs + (mine < len(able) % runs))
        for address in list(self._held)[share:]:  # another run has begun
            self._drop(address)
        for member in able:
            if len(self._held) < share and member.address not in self._held:
                held = take(self._folder / hashlib.sha256(member.address.encode()).hexdigest()[:16])
                if held is not None:
                    self._held[member.address] = held
        return [member for member in able if member.address in self._held] or able

    def adjusted(self, statuses: list[WorkerStatus]) -> list[WorkerStatus]:
        """Returns the workers as they are for this run: ready ones that are not its own work elsewhere."""
        return [
            replace(one, state="elsewhere") if one.state == "ready" and one.address not in self._held else one
            for one in statuses
        ]

    def close(self) -> None:
        """Leaves all workers to others."""
        for address in list(self._held):
            self._drop(address)

    def _drop(self, address: str) -> None:
        os.close(self._held.pop(address))
