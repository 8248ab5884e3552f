"""How the features of a table become the numbers that models see."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

NAMES = ("standardise", "bounds", "none")
Bounds = tuple[float, float] | dict[str, tuple[float, float]]

_HALF, _MOST, _ROUNDING = 128, 255, 1e-4  # of a byte
_CHUNK_BYTES = 1 << 24
_ACCESS = N_(
    "The features were standardised with the mean and the standard deviation of all users' training examples: "
    "an access to the data that the (epsilon, delta) guarantee does not cover. Fixed bounds need none."
)
_BYTES = N_(
    "That the pixels are bytes was seen in all users' examples: an access to the data that the (epsilon, delta) "
    "guarantee does not cover. Pixels of a type of bytes need none."
)


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """Clips to [low, high], takes the shift off and multiplies by the factor, column by column.

    Attributes:
        scaling: What it does, in words.
        access_note: What was looked at in the users' data to do so; empty where nothing was.
        warnings: What was noticed, a sentence each.
        dtype: The type of what comes out: uint8 for bytes that stay as they are, else float32.
        low: float64 [num_features], or `None` for no clipping; and so `high`.
        high: As `low`.
        shift: float64 [num_features].
        factor: float64 [num_features].
    """

    scaling: str
    access_note: str = ""
    warnings: tuple[str, ...] = ()
    dtype: type = np.float32
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    shift: np.ndarray | float = 0.0
    factor: np.ndarray | float = 1.0

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, int]:
        """Returns the scaled features, `dtype` of the shape of `features`, and how many values were outside the bounds.

        Args:
            features: uint8, float32 or float64 [rows, num_features].
        """
        if self.dtype is np.uint8:
            return np.rint(features * self.factor).astype(np.uint8), 0
        values, outside = features.astype(np.float64), 0
        if self.low is not None and self.high is not None:
            outside = int(((values < self.low) | (values > self.high)).sum())
            values = np.clip(values, self.low, self.high)
        return ((values - self.shift) * self.factor).astype(np.float32), outside


def chunks(features: np.ndarray, num_rows: int) -> Iterator[slice]:
    """Yields slices of `num_rows` rows as wide as those of `features` [_, num_features], some megabytes each."""
    step = max(1, _CHUNK_BYTES // (features.shape[1] * 8))
    return (slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step))


def fit(
    features: np.ndarray,
    names: list[str],
    train: np.ndarray,
    scaling: str | None,
    bounds: Bounds | None,
    *,
    image: bool = False,
    as_it_is: bool = False,
) -> Scaler:
    """Returns the scaler of a table.

    Args:
        features: uint8, float32 or float64 [num_rows, num_features].
        names: The column of each feature, or the one column of all.
        train: The rows that are trained on, int64 [num_train].
        scaling: One of `NAMES`; `None` divides bytes by 255 and standardises what is no bytes.
        bounds: (low, high) for all, or by name; only for "bounds".
        image: Whether a row is an image. Whole numbers from 0 to 255 are bytes then, and so are their 255ths.
        as_it_is: Whether the form of the file has images as models see them.

    Raises:
        InvalidValueError: If the bounds name a column that is no feature, or leave one out.
    """
    if scaling is None and features.dtype == np.uint8:
        return Scaler(scaling=N_("Bytes divided by 255"), dtype=np.uint8)
    if scaling is None and image and (factor := _of_bytes(features)) is not None:
        words = N_("Bytes divided by 255") if factor == 1 else N_("Pixels as they are, in steps of 1/255")
        seen = "" if as_it_is and factor != 1 else _BYTES  # else they would have been standardised
        return Scaler(scaling=words, access_note=seen, dtype=np.uint8, factor=factor)
    if scaling == "none" or (scaling is None and image and as_it_is):
        return Scaler(scaling=N_("As they are in the table"))
    if scaling == "bounds":
        assert bounds is not None  # as a `Mapping` has checked
        low, high = _low_and_high(names, bounds)
        return Scaler(
            scaling=N_("Clipped to fixed bounds, which become 0 and 1"),
            low=low,
            high=high,
            shift=low,
            factor=1 / (high - low),
        )
    return _standardiser(features, names, train)


def _standardiser(features: np.ndarray, names: list[str], train: np.ndarray) -> Scaler:
    """Returns what standardises every feature over the rows that are trained on; arguments as of `fit`."""
    rows = np.sort(train)  # in the order of the file, which reads faster
    total = sum(_part(features, rows[part]).sum(0) for part in chunks(features, len(rows)))
    mean = total / len(rows)
    squares = sum(((_part(features, rows[part]) - mean) ** 2).sum(0) for part in chunks(features, len(rows)))
    deviation = np.sqrt(squares / len(rows))
    constant = deviation <= 1e-12 * np.abs(mean)  # but for rounding
    return Scaler(
        scaling=N_("Standardised to mean 0 and standard deviation 1 over the training examples"),
        access_note=_ACCESS,
        warnings=_constant_warnings(names, constant),
        shift=mean,
        factor=1 / np.where(constant, 1.0, deviation),
    )


def _constant_warnings(names: list[str], constant: np.ndarray) -> tuple[str, ...]:
    """Returns what to say of features that do not vary, bool [num_features]; nothing where all do."""
    if not constant.any():
        return ()
    if len(names) == len(constant):
        message = N_("Features that are the same in every training example: {names}.")
        return (message.format(names=", ".join(names[place] for place in np.flatnonzero(constant)[:5])),)
    message = N_("Of the {total:,} numbers in column {name}, {count:,} are the same in every training example.")
    return (message.format(total=len(constant), name=names[0], count=int(constant.sum())),)


def _of_bytes(features: np.ndarray) -> int | None:
    """Returns what makes bytes of all numbers, 1 or 255; `None` if they are no bytes."""
    parts = [*chunks(features, len(features))]
    low, high = (reach([reach(features[part]) for part in parts]) for reach in (np.min, np.max))
    factor = 1 if high > 1 else _MOST
    # Images of few grey levels from 0 on would become almost nothing.
    if low < 0 or not _HALF <= high * factor <= _MOST + _ROUNDING:
        return None
    for part in parts:
        wide = features[part] * features.dtype.type(factor)
        if np.abs(wide - np.rint(wide)).max() > _ROUNDING:
            return None
    return factor


def _part(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return features[rows].astype(np.float64)


def _low_and_high(names: list[str], bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(bounds, dict):
        for wrong, message in (
            (set(bounds) - set(names), _("Expected bounds of every feature, found no feature for {names}.")),
            (set(names) - set(bounds), _("Expected bounds of every feature, found no bounds for {names}.")),
        ):
            if wrong:
                raise InvalidValueError("bounds", message.format(names=", ".join(sorted(wrong)[:5])))
        pairs = np.array([bounds[name] for name in names], np.float64)
    else:
        pairs = np.array([bounds], np.float64)
    return pairs[:, 0], pairs[:, 1]
