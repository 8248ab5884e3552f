"""What the columns of a table stand for, and what becomes of them."""

import dataclasses
import math
from dataclasses import dataclass

from dpcore.datasets import columns
from dpcore.datasets.importing import scaling
from dpcore.datasets.importing.tabular import Roles
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import check_choice

JOINED = ("user", "label")  # the columns whose spellings can be joined


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What the columns of a table stand for, and what becomes of them.

    Attributes:
        user: The column that says whose example a row is; `None` is that which the form of the file has for it.
        label: The column that says its class: text, or numbers; `None` as for `user`.
        features: The columns of numbers, or one column of arrays or images; empty takes all others
            but numbers of rows.
        image_shape: (height, width) or (height, width, channels) of the features, where they are an image and
            the file does not tell; or (channels, height, width), if one of them can only be channels.
        split: A column of "train" and "test", or of yes and no; `None` is that of the form, if it has one, and else
            splits each user's examples by the seed.
        test_fraction: How many of a user's examples are for testing, where no column says; one of two at least.
        test_users: The share of users who only test, while all others only train; `None` is nobody.
        seed: Fixes which.
        max_examples_per_user: How many examples a user may have, chosen by the seed; `None` is all.
        scaling: "standardise" to mean 0 and standard deviation 1; "bounds" clips to fixed bounds and maps them
            to 0 and 1; "none" takes the numbers as they are. `None` divides bytes by 255 and standardises
            what is no bytes.
        bounds: (low, high) for all features, or by the name of a column; only with scaling "bounds".
        all_classes: Whether to take all 62 classes of TFF's file of both variants of Federated EMNIST.
        missing_user: One of `columns.MISSING`: what becomes of rows without a user.
        missing_label: The same of rows without a label.
        join: Of which columns, "user" and "label", names that differ only in case, in width, or in how a number is
            written are one.

    Raises:
        InvalidValueError: If a value is out of range or two of them contradict each other.
    """

    user: str | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    split: str | None = None
    test_fraction: float = 0.1
    test_users: float | None = None
    seed: int = 0
    max_examples_per_user: int | None = None
    scaling: str | None = None
    bounds: tuple[float, float] | dict[str, tuple[float, float]] | None = None
    missing_user: str = columns.MISSING[0]
    missing_label: str = columns.MISSING[0]
    join: tuple[str, ...] = ()
    all_classes: bool = False

    def __post_init__(self):
        if self.test_users is not None and not 0 < self.test_users < 1:
            message = _("Expected test_users in (0, 1), found {value}.")
            raise InvalidValueError("test_users", message.format(value=self.test_users))
        if self.test_users is not None and self.split is not None:
            message = _("Expected a split column or test_users, found both: either says who tests.")
            raise InvalidValueError("test_users", message)
        if not 0 < self.test_fraction < 1:
            message = _("Expected test_fraction in (0, 1), found {value}.")
            raise InvalidValueError("test_fraction", message.format(value=self.test_fraction))
        if self.max_examples_per_user is not None and self.max_examples_per_user < 1:
            message = _("Expected max_examples_per_user to be at least 1, found {value}.")
            raise InvalidValueError("max_examples_per_user", message.format(value=self.max_examples_per_user))
        if self.scaling is not None:
            check_choice("scaling", self.scaling, scaling.NAMES)
        check_choice("missing_user", self.missing_user, columns.MISSING)
        check_choice("missing_label", self.missing_label, columns.MISSING)
        for column in self.join:
            check_choice("join", column, JOINED)
        if (self.scaling == "bounds") != (self.bounds is not None):
            raise InvalidValueError("bounds", _("Expected bounds with scaling 'bounds', and only with it."))
        pairs = self.bounds.values() if isinstance(self.bounds, dict) else [self.bounds] if self.bounds else []
        for low, high in pairs:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                message = _("Expected bounds low < high, found {low} and {high}.")
                raise InvalidValueError("bounds", message.format(low=low, high=high))
        chosen = [name for name in (self.user, self.label, self.split, *self.features) if name is not None]
        for name in chosen:
            if chosen.count(name) > 1:
                message = _(
                    "Expected each column to be used once, found {name!r} twice among user, label, split and features."
                )
                raise InvalidValueError("features", message.format(name=name))


def completed(mapping: Mapping, roles: Roles, *, test_file: bool) -> Mapping:
    """Returns a mapping in which the form of the file has said what nobody else has.

    Args:
        mapping: What somebody has said.
        roles: What the form says.
        test_file: Whether a second file has the test examples.

    Raises:
        InvalidValueError: If somebody has said twice who tests.
    """
    if test_file and (mapping.split is not None or mapping.test_users is not None):
        message = _(
            "Expected one of a second file, a split column and test_users, found several: each says who tests."
        )
        raise InvalidValueError("split" if mapping.split is not None else "test_users", message)
    split = mapping.split or (roles.split if mapping.test_users is None else None)
    return dataclasses.replace(
        mapping, user=mapping.user or roles.user, label=mapping.label or roles.label, split=split
    )
