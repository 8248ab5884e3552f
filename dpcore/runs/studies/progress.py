"""A study as it is now: its runs, what its sweep says, and how far it is."""

from dataclasses import dataclass

from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies.outcome import Setting, SweepOutcome, settings
from dpcore.runs.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A study as it is now.

    Attributes:
        study: What it asks.
        sweep: Its runs over the grid.
        final: Its final runs.
        outcome: What the sweep says.
        status: going; paused (by a person); stuck (`message` says why); finished.
        message: What keeps it from going on.
        owner: Whose it is; see `Run`.
    """

    study: Study
    sweep: list[Run]
    final: list[Run]
    outcome: SweepOutcome
    status: str
    message: str
    owner: str = ""

    @property
    def runs(self) -> list[Run]:
        return [*self.sweep, *self.final]

    @property
    def finished(self) -> int:
        """How many runs have finished."""
        return sum(run.status == "finished" for run in self.runs)

    @property
    def open(self) -> bool:
        """Whether something may still come by itself."""
        return self.status == "going"

    @property
    def baseline(self) -> Setting | None:
        return self.outcome.baseline

    @property
    def final_setting(self) -> Setting | None:
        """The final setting, where all its runs have finished."""
        found = settings(self.final)
        return found[0] if len(found) == 1 and not found[0].missing else None


def rounds_done(now: Progress) -> tuple[int, int]:
    """Returns how many rounds of a study are done, of how many that are known to come."""
    return (
        sum(run.last_round or 0 for run in now.runs),
        sum(run.plan.privacy.rounds for run in now.runs),
    )
