"""The colour of a noise level: the same in every chart."""

import functools
import math

from plotly.colors import sample_colorscale

_NONE = "#808080"
# The part of Plasma that stands out from white and from near-black alike, and that colour-blind eyes can order.
_SCALE, _LOW, _HIGH = "Plasma", 0.15, 0.75


@functools.lru_cache(maxsize=4096)
def of_noise(noise_multiplier: float) -> str:
    """Returns a CSS colour: grey without noise, then from purple to orange."""
    if noise_multiplier == 0:
        return _NONE
    return sample_colorscale(_SCALE, [_LOW + (_HIGH - _LOW) * math.tanh(noise_multiplier)])[0]
