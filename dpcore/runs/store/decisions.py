"""What people have decided for all runs: budgets, how many train side by side, visitors' rules, the cluster."""

from typing import Any

from dpcore import limits, messages
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.hosting import Rules
from dpcore.language import sentences
from dpcore.runs.store import policies, recovery
from dpcore.runs.store.database import Database
from dpcore.runs.store.policies import Policy

_PARALLEL, _HOSTING, _CLUSTER = "parallel", "hosting", "cluster"


class Decisions(Database):
    """The decisions that the file of runs holds: policies, visitors' rules, parallel runs, the cluster."""

    def policy(self, dataset: str) -> Policy:
        """Returns what was decided about a data set, or the default."""
        with self._connection() as db:
            return policies.of(db, dataset)

    def set_policy(self, policy: Policy) -> None:
        """Keeps what was decided about a data set."""
        with self._changing(*policies.paths(self.home)) as db:
            recovery.agree_on_policies(self.home, db)
            policies.keep(db, self.home, policy)

    def _configuration(self, name: str) -> Any:
        with self._connection() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def parallel_runs(self) -> int:
        """Returns how many runs train side by side."""
        return self._configuration(_PARALLEL) or int(limits.PARALLEL_RUNS.default)

    def set_parallel_runs(self, count: int) -> None:
        """Sets how many runs train side by side; those that train already go on.

        Raises:
            InvalidValueError: If it is no count, or too many.
        """
        count = limits.PARALLEL_RUNS.check(count)
        self._change("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", _PARALLEL, count)

    def rules(self) -> Rules:
        """Returns what visitors may ask for."""
        found = self._configuration(_HOSTING)
        return Rules.from_json(found) if found else Rules()

    def set_rules(self, rules: Rules) -> None:
        """Sets what visitors may ask for. Kept here, as a worker that goes on with a study must know it too."""
        self._change("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", _HOSTING, rules.to_json())

    def cluster(self, whose: str = "", *, own: bool = False) -> ClusterConfiguration | None:
        """Returns which cluster a run or a study uses: its own, else (unless only that is asked for) that of all."""
        told = (whose and self._configuration(f"{_CLUSTER}/{whose}")) or (not own and self._configuration(_CLUSTER))
        return ClusterConfiguration.from_json(told) if told else None

    def set_cluster(self, configuration: ClusterConfiguration | None, whose: str = "") -> None:
        """Sets the cluster of a run or a study, or of all that have none of their own; `None` unsets it."""
        name = f"{_CLUSTER}/{whose}" if whose else _CLUSTER
        if configuration is None:
            self._change("DELETE FROM settings WHERE name = ?", name)
        else:
            self._change(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, configuration.to_json()
            )

    def recovered(self) -> str:
        """Returns what was lost and read back, in English, until somebody has read it; else nothing."""
        return sentences(*messages.all_from_json(str(self._configuration(recovery.RECOVERED) or "")))

    def forget_recovered(self) -> None:
        """Notes that somebody has read it."""
        self._change("DELETE FROM settings WHERE name = ?", recovery.RECOVERED)
