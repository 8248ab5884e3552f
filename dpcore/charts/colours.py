"""The colour of a noise level: the same in every chart."""

from plotly.colors import sample_colorscale

_NONE = "#808080"
# The part of Plasma that stands out from white and from near-black alike, and that colour-blind eyes can order.
_SCALE, _LOW, _HIGH = "Plasma", 0.28, 0.68
_MIDDLE = 1.0  # the noise multiplier in the middle of it


def of_noise(noise_multiplier: float) -> str:
    """Returns a CSS colour: grey without noise, then from purple to orange."""
    if noise_multiplier == 0:
        return _NONE
    share = noise_multiplier / (noise_multiplier + _MIDDLE)
    return sample_colorscale(_SCALE, [_LOW + (_HIGH - _LOW) * share])[0]
