"""What erosion and dilation compute, as their algorithms see it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from convcli.engine.numerics import LIMITS
from convcli.engine.plane_windows import Padding2d
from convcli.engine.step import Problem

__all__ = ["Extrema", "Picked", "mirrored_padding"]

_MIRRORED = {"same": "same_lower", "same_lower": "same"}


class Picked(NamedTuple):
    """How samples are compared: in which type, what stands outside, and what is looked for."""

    dtype: str
    outside: float
    largest: bool
    gray: bool
    """Whether the weights are added to the samples first."""


class Extrema(Problem):
    """The smallest or the largest of the samples under a window, or of their sums with weights.

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

    @property
    def direct(self) -> bool:
        """Whether a cast makes samples of values."""
        return self.stays or (self.plain and self.requantize.out_dtype not in LIMITS)


def mirrored_padding(padding: Padding2d) -> Padding2d:
    """The padding that puts the anchor where the mirrored window has it.

    Cells that are counted out stay as they are.

    >>> mirrored_padding("same"), mirrored_padding(("same", 3)), mirrored_padding(((1, 2), "full"))
    ('same_lower', ('same_lower', 3), ((1, 2), 'full'))
    """
    if isinstance(padding, str):
        return _MIRRORED.get(padding, padding)
    if isinstance(padding, Sequence):
        return tuple(_MIRRORED.get(p, p) if isinstance(p, str) else p for p in padding)  # type: ignore[return-value]
    return padding
