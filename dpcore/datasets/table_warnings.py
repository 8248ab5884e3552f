"""What a reader should know of a table: warnings, which forbid nothing. In English: pages tell them again."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dpcore.datasets.importing import spelling
from dpcore.language import N_

if TYPE_CHECKING:
    from dpcore.datasets.columns import Codes

_FEW_USERS = 1000
_WITHOUT = {
    "train": N_("Users without examples to train on: {users:,}."),
    "test": N_("Users without examples to test on: {users:,}."),
}


def name_warnings(users: list[str], user: "Codes", classes: list[str], label: "Codes") -> tuple[str, ...]:
    """Returns what is remarkable of the names of users and classes, and of their columns, a sentence each."""
    found = []
    if user.dropped:
        found.append(N_("Rows without a user, which were left out: {rows:,}.").format(rows=user.dropped))
    if label.dropped:
        found.append(N_("Rows without a label, which were left out: {rows:,}.").format(rows=label.dropped))
    if user.inexact:
        found.append(
            N_(
                "User ids are floating-point numbers so large that several may have become one: save them as whole "
                "numbers or as text."
            )
        )
    if same := similar_ids_warning(users):
        again = N_("If they are the same, remove the data set and import it again with join user.")
        found.append(f"{same} {again}")
    if same := _examples(classes):
        found.append(
            N_(
                "Classes that may be the same in other spellings: {classes}. If they are, remove the data set and import "
                "it again with join label."
            ).format(classes=same)
        )
    return tuple(found)


def similar_ids_warning(ids: Iterable[str]) -> str:
    """Returns what there is to say of ids that may be one person's; empty if there are none."""
    same = _examples(ids)
    if not same:
        return ""
    return N_(
        "Users that may be the same people in other spellings: {users}. Who has two ids is protected as two."
    ).format(users=same)


def _examples(names: Iterable[str]) -> str:
    """How many names may be others as well, and two examples; quoted, so that what cannot be seen is seen."""
    groups = spelling.groups_alike(names)
    if not groups:
        return ""
    shown = ", ".join(" = ".join(repr(name[:40]) for name in group[:3]) for group in groups[:2])
    return f"{sum(map(len, groups)):,} ({shown})"


def sentences(classes: tuple[str, ...], splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[str, ...]:
    """Returns what is remarkable, a sentence each.

    Args:
        classes: The names of the classes.
        splits: Offsets int64 [num_users + 1] and labels [num_examples] of "train" and of "test".
    """
    found, num_classes = [], len(classes)
    counts = {split: np.diff(offsets) for split, (offsets, _) in splits.items()}
    num_users, trainers = len(counts["train"]), int(np.count_nonzero(counts["train"]))
    if trainers < _FEW_USERS:
        found.append(
            N_(
                "{users:,} users are few: user-level privacy with a useful model takes thousands, because the noise does "
                "not shrink with their number."
            ).format(users=trainers)
        )
    single = int((counts["train"] + counts["test"] == 1).sum())
    if single:
        found.append(
            N_("Users with one example, which is for training or for testing: {users:,}.").format(users=single)
        )
    for split in splits:
        without = int((counts[split] == 0).sum())
        if without > (single if split == "test" else 0):
            found.append(_WITHOUT[split].format(users=without))
    cells = [  # users and the classes that they have, each pair once
        np.unique(np.repeat(np.arange(num_users), counts[split]) * num_classes + labels)
        for split, (_, labels) in splits.items()
    ]
    owners = np.bincount(np.unique(np.concatenate(cells)) % num_classes, minlength=num_classes)
    alone = [name for name, count in zip(classes, owners, strict=True) if count == 1]
    if alone:
        found.append(
            N_(
                "Classes that one user owns alone, so that the list of classes tells of that user: {classes}."
            ).format(classes=", ".join([*alone[:5], *["..."] * (len(alone) > 5)]))
        )
    labels = splits["train"][1]
    balance = np.bincount(labels, minlength=num_classes) / len(labels)
    if balance.min() == 0:
        found.append(N_("Nobody trains on class {name}.").format(name=classes[int(balance.argmin())]))
    if balance.max() > 0.8:
        found.append(
            N_(
                "{share:.0%} of the training examples are of class {name}: a model that says nothing else is as accurate."
            ).format(share=balance.max(), name=classes[int(balance.argmax())])
        )
    return tuple(found)
