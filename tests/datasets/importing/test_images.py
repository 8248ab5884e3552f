import numpy as np
import pytest

from dpcore.datasets.importing import images
from dpcore.errors import InvalidValueError


@pytest.mark.parametrize(
    ("axes", "shape", "first", "said"),
    [
        ((28, 28), (28, 28), False, ""),
        ((20, 16), (20, 16), False, ""),
        ((3, 3), (3, 3), False, ""),
        ((100, 3), None, False, "rows of numbers"),
        ((3, 100), None, False, "rows of numbers"),
        ((128, 9), None, False, "rows of numbers"),
        ((50, 6), None, False, "rows of numbers"),
        ((24, 6), None, False, "rows of numbers"),
        ((2, 3), (2, 3), False, ""),
        ((5,), None, False, ""),
        ((), None, False, ""),
        ((1, 28, 28), (28, 28, 1), True, "channels first"),
        ((3, 32, 32), (32, 32, 3), True, "channels first"),
        ((4, 28, 20), (28, 20, 4), True, "channels first"),
        ((28, 28, 1), (28, 28, 1), False, ""),
        ((32, 32, 3), (32, 32, 3), False, ""),
        ((3, 4, 4), (4, 4, 3), True, "first or last: they are taken for images of 4x4x3"),
        ((4, 4, 3), (4, 4, 3), False, "first or last: they are taken for images of 4x4x3"),
        ((3, 3, 3), (3, 3, 3), False, "first or last: they are taken for images of 3x3x3"),
        ((3, 32, 3), None, False, "rows of numbers, not for images"),
        ((1, 100, 3), None, False, "rows of numbers"),
        ((100, 3, 1), None, False, "rows of numbers"),
        ((10, 64, 64), None, False, "rows of numbers"),
        ((1, 28, 28, 1), None, False, "rows of numbers"),
    ],
)
def test_what_arrays_of_some_axes_are(axes, shape, first, said):
    found = images.chosen_layout(axes, 0, given=None, usual=None)
    assert (found.shape, found.first) == (shape, first)
    assert said in found.note
    assert bool(said) == bool(found.note)


@pytest.mark.parametrize(
    ("axes", "given", "shape", "first"),
    [
        (None, (32, 32, 3), (32, 32, 3), False),
        (None, (3, 32, 32), (32, 32, 3), True),
        (None, (1, 28, 28), (28, 28, 1), True),
        ((3072,), (3, 32, 32), (32, 32, 3), True),
        ((3, 32, 32), (3, 32, 32), (32, 32, 3), True),
        ((3, 32, 32), (32, 32, 3), (32, 32, 3), True),
        ((32, 32, 3), (3, 32, 32), (32, 32, 3), False),
        ((32, 32, 3), (32, 32, 3), (32, 32, 3), False),
        ((3, 32, 3), (3, 32, 3), (3, 32, 3), False),
        ((3, 32, 3), (32, 3, 3), (32, 3, 3), True),
        ((100, 3), (100, 3), (100, 3), False),
        ((1, 28, 28), (28, 28), (28, 28), False),
        ((5, 28, 28), (5, 28, 28), (5, 28, 28), False),
        ((5, 4, 3), (3, 5, 4), (5, 4, 3), False),
        ((3, 5, 4), (5, 4, 3), (5, 4, 3), True),
        ((1, 784), (28, 28), (28, 28), False),
        ((28, 28), (28, 28, 1), (28, 28, 1), False),
    ],
)
def test_what_is_said_is_held_against_what_is_there(axes, given, shape, first):
    found = images.chosen_layout(axes, int(np.prod(given)), given=given, usual=None)
    assert (found.shape, found.first) == (shape, first)


@pytest.mark.parametrize("given", [(28, 27), (784,), (2, 2, 2, 98), (0, 784), (-28, -28)])
def test_shapes_that_do_not_fit(given):
    with pytest.raises(InvalidValueError, match="of 784 features"):
        images.chosen_layout(None, 784, given=given, usual=None)


@pytest.mark.parametrize(("axes", "given"), [((16, 20), (20, 16)), ((56, 14), (28, 28)), ((4, 6, 8), (6, 4, 8))])
def test_what_is_said_does_not_contradict_what_is_there(axes, given):
    with pytest.raises(InvalidValueError, match="to be that of the arrays"):
        images.chosen_layout(axes, int(np.prod(given)), given=given, usual=None)


def test_channels_are_moved_pixel_by_pixel():
    pixels = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)
    found = images.chosen_layout((3, 4, 5), 60, given=None, usual=None)
    first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(2, -1)
    np.testing.assert_array_equal(found(first), pixels.reshape(2, -1))
    assert images.chosen_layout((4, 5, 3), 60, given=None, usual=None)(first) is first


def test_a_row_of_pixels_has_the_usual_shape_of_its_form():
    for axes, width, shape in (
        (None, 784, (28, 28)),
        ((784,), 784, (28, 28)),
        (None, 60, None),
        ((8, 98), 784, None),
    ):
        assert images.chosen_layout(axes, width, given=None, usual=(28, 28)).shape == shape


@pytest.mark.parametrize(
    ("text", "shape"), [("28x28", (28, 28)), (" 3X32x32", (3, 32, 32)), ("", None), (None, None)]
)
def test_shapes_are_read(text, shape):
    assert images.parsed_shape(text) == shape


@pytest.mark.parametrize("text", ["28", "28*28", "axb", "28x", "2.5x2"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(InvalidValueError, match="image_shape"):
        images.chosen_layout(None, 784, given=images.parsed_shape(text), usual=None)
