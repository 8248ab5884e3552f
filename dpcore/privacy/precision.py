"""How near to the true epsilon an answer is wanted. Each is an upper bound."""

from enum import Enum


class Precision(Enum):
    """What an epsilon is for.

    PREVIEW: an answer at once, while a slider moves. For rounds that are all alike it is that of `curves.py`, 1e-7 to
        3e-5 above what is reported; else that of a coarse grid, up to a hundredth above.
    REPORTED: the number to keep, on the grid that is the library's own default. Where epsilon is in the hundreds that
        grid is made coarser (`accounting._pld_grid`), and the answer may be a ten thousandth above the preview.
    """

    PREVIEW = 1e-3
    REPORTED = 1e-4

    @property
    def step(self) -> float:
        """The step of the grid that privacy losses are rounded up to."""
        return self.value

    @property
    def closeness(self) -> float:
        """The part of an epsilon that `composition.py` may be above what a finer grid would give."""
        return 0.3 * self.value
