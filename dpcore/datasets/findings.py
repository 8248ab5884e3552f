"""What a reader should know of a table: warnings, which forbid nothing."""

import numpy as np

_FEW_USERS = 1000


def sentences(
    users: list[str], classes: list[str], user: np.ndarray, label: np.ndarray, chosen: dict[str, np.ndarray]
) -> list[str]:
    """Returns what is remarkable, a sentence each.

    Args:
        users: Who there is.
        classes: The names of the classes.
        user: Whose each row is, int32 [num_rows].
        label: The class of each row, int32 [num_rows].
        chosen: The rows of "train" and of "test".
    """
    kept = np.concatenate(list(chosen.values()))
    found, num_users, num_classes = [], len(users), len(classes)
    if num_users < _FEW_USERS:
        found.append(
            f"{num_users:,} users are few: user-level privacy with a useful model takes thousands, because the "
            "noise does not shrink with their number."
        )
    single = int((np.bincount(user[kept], minlength=num_users) == 1).sum())
    if single:
        found.append(f"{_users(single)} one example, which is for training or for testing.")
    for split, rows in chosen.items():
        without = num_users - len(np.unique(user[rows]))
        if without > (single if split == "test" else 0):
            found.append(f"{_users(without)} no examples to {split} on.")
    pairs = np.unique(user[kept].astype(np.int64) * num_classes + label[kept])
    owners = np.bincount(pairs % num_classes, minlength=num_classes)
    alone = [name for name, count in zip(classes, owners, strict=True) if count == 1]
    if alone:
        found.append(
            "Classes that one user owns alone, so that the list of classes tells of that user: "
            f"{', '.join(alone[:5])}{', ...' if len(alone) > 5 else ''}."
        )
    balance = np.bincount(label[chosen["train"]], minlength=num_classes) / len(chosen["train"])
    if balance.min() == 0:
        found.append(f"Nobody trains on class {classes[int(balance.argmin())]}.")
    if balance.max() > 0.8:
        found.append(
            f"{balance.max():.0%} of the training examples are of class {classes[int(balance.argmax())]}: a model "
            "that says nothing else is as accurate."
        )
    return found


def _users(count: int) -> str:
    return "1 user has" if count == 1 else f"{count:,} users have"
