"""What picks values among the samples of a window, as its algorithms see it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from convcli.arithmetic.window import Window
from convcli.engine.numerics import EPS64, LIMITS, Bounds
from convcli.engine.plane_windows import Padding2d
from convcli.engine.step import Problem

__all__ = ["Picked", "Picks", "mirrored"]

_ANCHORS = {"same": 1, "same_lower": -1}


class Picked(NamedTuple):
    """How samples are compared: in which type, what stands outside, and what is looked for."""

    dtype: str
    outside: float  # or a whole number that no float holds
    largest: bool
    gray: bool
    """Whether the weights are added to the samples first."""


class Picks(Problem):
    """One of the samples under a window, or of their sums with weights.

    ``weights`` are a footprint of 0 and 1 or, if ``picked.gray``, what is added to each cell, as
    the window has them: mirrored for a dilation.
    """

    def __init__(self, *args: Any, picked: Picked, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.picked = picked

    @cached_property
    def plain(self) -> bool:
        """Whether values become samples as they are, but for their type."""
        f = self.requantize
        return f.scale == f.ratio == 1.0 and f.bias == f.offset == 0.0 and not f.absolute

    @property
    def stays(self) -> bool:
        """Whether values are compared in the type of the output, and become it as they are."""
        return self.plain and self.picked.dtype == self.requantize.out_dtype

    def rounding(self, bounds: Bounds | None) -> float:
        """Error of values that pass through a type that does not hold them all."""
        if self.stays or bounds is None or bounds.magnitude <= 2**53:
            return 0.0
        return 4 * EPS64 * bounds.magnitude

    @property
    def direct(self) -> bool:
        """Whether a cast makes samples of values."""
        return self.stays or (self.plain and self.requantize.out_dtype not in LIMITS)


def mirrored(windows: tuple[Window, Window], padding: Padding2d) -> tuple[Window, Window]:
    """The windows with their anchors mirrored: by a cell further on where they have no middle.

    Only ``same`` has an anchor; cells that are counted out stay as they are.

    >>> from convcli.arithmetic.window import conv_window
    >>> odd, even = (conv_window(9, k, padding="same") for k in (3, 4))
    >>> [(w.before, w.after) for w in mirrored((odd, even), "same")]
    [(1, 1), (2, 1)]
    """
    names = (padding, padding) if isinstance(padding, int | str) else padding
    rows, cols = (
        window._replace(before=window.before + by, after=window.after - by)
        for window, name in zip(windows, names, strict=True)
        for by in (_ANCHORS.get(str(name), 0) * ((window.effective_kernel + 1) % 2),)
    )
    return rows, cols
