"""Which arrays are images, and where their channels are."""

import math
from dataclasses import dataclass

import numpy as np

from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_CHANNELS = (1, 2, 3, 4)
_CNN_SIDE = 16  # the smallest that leaves a pixel after both convolutions and poolings
# Times as long as wide an image is at most; more where an axis of channels speaks for one.
_GREY, _COLOUR = 3, 6
_BOTH = N_(
    "Arrays of {axes} may have their channels first or last: they are taken for images of {shape} (height x width x "
    "channels)."
)
_MOVED = N_(
    "Arrays of {axes} have their channels first: they were moved to the end, which makes images of {shape}."
)
_NONE = N_(
    "Arrays of {axes} are taken for rows of numbers, not for images. If they are images, say so by the image shape: "
    "height x width, or height x width x channels."
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the features of an example are.

    Attributes:
        shape: (height, width) or (height, width, channels); `None` if they are no image.
        first: Whether the channels come first in the file, and have to be moved to the end.
        note: What a reader should know of that, in English; or empty.
    """

    shape: tuple[int, ...] | None = None
    first: bool = False
    note: str = ""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Returns rows of features [num_rows, num_features] in the order of `shape`."""
        if not self.first or self.shape is None:
            return features
        height, width, channels = self.shape
        moved = features.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(moved).reshape(features.shape)


def guessed_layout(axes: tuple[int, ...], *, told: bool = False) -> Layout:
    """Returns what arrays of these axes are.

    Two axes are a grey image unless one is far longer than the other, as in a series. Of three, the first or the last has
    the one to four channels. If both could, it is the one that leaves a square, or else the last.

    Args:
        axes: Of an example, without that of the rows.
        told: Whether somebody has said that it is an image.

    >>> [guessed_layout(axes).shape for axes in ((28, 28), (3, 32, 32), (100, 3))]
    [(28, 28), (32, 32, 3), None]
    """
    if len(axes) == 2:
        return Layout(shape=axes) if told or _is_picture(axes, _GREY) else Layout(note=_NONE.format(axes=_by(axes)))
    if len(axes) != 3:
        return Layout(note=_NONE.format(axes=_by(axes)) if len(axes) > 3 else "")
    first, last = axes[0] in _CHANNELS, axes[2] in _CHANNELS
    moved = first and (not last or (axes[1] == axes[2] and axes[0] != axes[1]))
    shape = (*axes[1:], axes[0]) if moved else axes
    if not told and not ((first or last) and _is_picture(shape[:2], _COLOUR)):
        return Layout(note=_NONE.format(axes=_by(axes)))
    note = _BOTH if first and last else _MOVED if moved else ""
    return Layout(shape=shape, first=moved, note=note.format(axes=_by(axes), shape=_by(shape)))


def chosen_layout(
    axes: tuple[int, ...] | None, width: int, *, given: tuple[int, ...] | None, usual: tuple[int, ...] | None
) -> Layout:
    """Returns what the features of a table are.

    Args:
        axes: Of the arrays of an example; `None` where the features are columns.
        width: How many numbers an example has.
        given: The image shape that somebody has said, with the channels last, or first.
        usual: The shape that the form of the file has for a row of pixels.

    Raises:
        InvalidValueError: If what was said does not fit.
    """
    if given is None:
        flat = axes is None or len(axes) == 1
        return Layout(shape=usual) if flat and usual and math.prod(usual) == width else guessed_layout(axes or ())
    if len(given) not in (2, 3) or math.prod(given) != width or min(given) < 1:
        message = _(
            "Expected image_shape to be (height, width) or (height, width, channels) of {width:,} features, "
            "found {given}."
        )
        raise InvalidValueError("image_shape", message.format(width=width, given=given))
    given, flat = tuple(given), len(_without_ones(axes or ())) < 2
    if axes is not None and len(given) == 3 and axes == (given[2], *given[:2]) != given:
        return Layout(shape=given, first=True, note=_MOVED.format(axes=_by(axes), shape=_by(given)))
    if axes is not None and len(axes) == 3 and given == (axes[2], *axes[:2]) != axes:
        return Layout(shape=axes)
    if axes is not None and not flat and _without_ones(given) != _without_ones(axes):
        message = _("Expected image_shape to be that of the arrays, {axes}, found {given}. Leave it out.")
        raise InvalidValueError("image_shape", message.format(axes=_by(axes), given=_by(given)))
    return guessed_layout(given, told=True)


def _without_ones(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in axes if size > 1)


def check_model(model: str, shape: tuple[int, ...] | None, dataset: str) -> None:
    """Checks that a model can be trained on what a data set holds.

    Args:
        model: One of `dpcore.plan.MODELS`.
        shape: (height, width) or (height, width, channels) of its images; `None` if they are none.
        dataset: Its name.

    Raises:
        InvalidValueError: If the model takes images, and these are none or too small.
    """
    if model == "cnn" and (shape is None or min(shape[:2]) < _CNN_SIDE):
        message = _(
            "Expected images of at least {side} x {side} pixels for model cnn, found {found} in {dataset}. Use mlp or "
            "linear."
        )
        found = _("no images") if shape is None else _("{0} x {1} pixels").format(*shape)
        raise InvalidValueError("model", message.format(side=_CNN_SIDE, found=found, dataset=dataset))


def parsed_shape(text: str | None) -> tuple[int, ...] | None:
    """Returns the image shape that a text says, as 28x28 or 32x32x3; `None` of nothing.

    Raises:
        InvalidValueError: If it says none.
    """
    if not text or not text.strip():
        return None
    try:
        return tuple(int(part) for part in text.lower().split("x"))
    except ValueError as err:
        message = _("Expected image_shape to be numbers with 'x' between them, as 28x28, found {text!r}.")
        raise InvalidValueError("image_shape", message.format(text=text)) from err


def _is_picture(sides: tuple[int, ...], most: int) -> bool:
    return max(sides) <= most * min(sides)


def _by(axes: tuple[int, ...]) -> str:
    return "x".join(map(str, axes))
