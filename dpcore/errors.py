"""Every error that Epsilon Lab raises on purpose.

    EpsilonLabError
    ├── InvalidValueError          one value is out of its range; `.field` names it
    │   └── UnattainableTargetError    no value of the unknown reaches the target
    ├── DatasetError               a data set is missing, damaged or cannot be made
    ├── BudgetExceededError        a run would spend more than its data set's owner allows
    ├── NotAllowedError            a visitor asks for what is not theirs to do, or for more than their share
    ├── DivergedError              a model is not finite any more
    ├── CheckpointError            a run cannot go on from where it was
    │   └── DamagedCheckpointError     what was kept of it cannot be read
    ├── ClusterError               a cluster cannot be reached, or cannot compute
    │   ├── ClusterUnreachableError    nobody answers there: nothing is wrong with the run
    │   └── RoundAbandonedError        a round did not take place: the run was stopped while it waited
    └── StoreError                 the file of runs cannot be used as asked
        ├── RunNotFoundError
        └── StudyNotFoundError

A message says what was expected, what was found, and what to do about it. Pages show it beside the
control, the command line prints it and exits with 2.
"""


class EpsilonLabError(Exception):
    """Base of all errors that have a message made for the user."""

    @property
    def message(self) -> str:
        """What it says, as it was given: a `dpcore.language.Message` can be stored and told in another language."""
        return self.args[0] if self.args else ""


class InvalidValueError(EpsilonLabError):
    """A value out of its range. `field` is the name of the knob, as in `dpcore.limits`."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field


class UnattainableTargetError(InvalidValueError):
    """A calibration target that no allowed value reaches."""


class DatasetError(EpsilonLabError):
    """A data set that is missing, damaged or cannot be made."""


class BudgetExceededError(EpsilonLabError):
    """A run would take all runs on its data set past their budget."""


class NotAllowedError(EpsilonLabError):
    """A visitor of a shared dashboard asks for what is not theirs to do, or for more than their share."""


class DivergedError(EpsilonLabError):
    """A model that is not finite any more: there is nothing to go on with."""


class CheckpointError(EpsilonLabError):
    """A run cannot go on from where it was."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint that cannot be read."""


class ClusterError(EpsilonLabError):
    """A cluster cannot be reached, or cannot compute."""


class ClusterUnreachableError(ClusterError):
    """Nobody answers at a cluster's address: nothing is wrong with the run."""


class RoundAbandonedError(ClusterError):
    """A round did not take place: the run was stopped while it waited for a worker."""


class StoreError(EpsilonLabError):
    """The file of runs cannot be used as asked."""


class RunNotFoundError(StoreError):
    """No run has this id."""


class StudyNotFoundError(StoreError):
    """No study has this id."""
