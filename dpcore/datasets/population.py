"""Who the population is: users with examples to train on, and not those who only test."""

from dpcore.datasets.federated import FederatedDataset, Manifest
from dpcore.errors import InvalidValueError
from dpcore.language import _


def label(*, num_users: int, users_without_train: int) -> str:
    """Returns how many users there are, and how many of them are the population where some only test."""
    if not users_without_train:
        return _("{users:,} users").format(users=num_users)
    return _("{users:,} users, of whom {trainers:,} train and the others only test").format(
        users=num_users + users_without_train, trainers=num_users
    )


def check(name: str, known: Manifest | FederatedDataset, planned: int) -> None:
    """Refuses a plan for other users than those who train.

    Raises:
        InvalidValueError: If `planned` is not their number.
    """
    if planned == known.num_users:
        return
    message = _(
        "Expected the plan's population to be that of {name}, {users:,} users with examples to train on, found "
        "{population:,}: its epsilon would not be that of this training. Start a new run."
    )
    if planned == known.num_users + known.users_without_train:
        message = _(
            "Expected the plan's population to be the {users:,} users of {name} who train, found {population:,}, which "
            "also counts those who only test: cohorts are no longer drawn from them. What was trained is shown and "
            "charged as it was; start a new run."
        )
    raise InvalidValueError("population", message.format(name=name, users=known.num_users, population=planned))
