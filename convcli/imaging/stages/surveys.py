"""What has to be known of all values of a frame before it is made, for which it is read once.

A survey looks at one region after another, wherever that is done, and joins what was found; the
answer goes into the stages that make the frame. ``stretch`` asks for the smallest and the largest
value, Otsu's threshold for a histogram of the values that it is to part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine.otsu import otsu_index
from convcli.imaging.stages.stretching import join_limits

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["Answer", "Ends", "Histogram", "Seen", "Survey", "level_of"]

Answer: TypeAlias = Any
"""Numbers, which can be sent to where parts are made."""

BINS = 256
"""Of the histogram of floats, as in scikit-image."""
_BLOCK = 1 << 16
"""Samples that are counted together: what NumPy makes of them on the way stays in a cache."""
_DENSE = 2
"""Bytes of whole numbers of which every value has a bin."""


class Survey(Protocol):
    """A question about all values of a frame."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns that have to be looked at, and more."""

    def look(self, want: Ranges) -> Any:
        """What is found in a region; it can be sent between processes."""

    def join(self, found: Iterable[Any]) -> Answer:
        """The answer, from what was found in regions that cover the frame."""


class Seen(NamedTuple):
    """The values before a kernel: their type, and how a region of them is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Ranges], tuple[NDArray[Any], NDArray[Any] | None]]
    """Values, and where they count; all do without a mask."""

    def blocks(self, want: Ranges) -> Iterable[NDArray[Any]]:
        """Those of a region that count, some at a time."""
        values, counts = self.read(want)
        flat = values[np.broadcast_to(counts, values.shape)] if counts is not None else values
        flat = flat.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK]
            finite = np.isfinite(block) if block.dtype.kind == "f" else None
            yield block if finite is None or finite.all() else block[finite]


class Ends:
    """The smallest and the largest finite value, NaN in a region that has none."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self.shape = seen, seen.shape

    def look(self, want: Ranges) -> tuple[float, float]:
        """Those of a region."""
        ends = [(float(b.min()), float(b.max())) for b in self.seen.blocks(want) if b.size]
        return join_limits(ends) if ends else (nan, nan)

    def join(self, found: Iterable[tuple[float, float]]) -> tuple[float, float]:
        """Those of all; 0 and 0 if there is none."""
        return join_limits(found)


class Histogram:
    """Otsu's level of the values: the answer is in their own unit.

    Whole numbers are counted one by one. Of floats ``ends`` are given, and their bins lie between.
    """

    def __init__(self, seen: Seen, ends: tuple[float, float] | None) -> None:
        self.seen, self.shape, self.ends = seen, seen.shape, ends

    def look(self, want: Ranges) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Values that occur in a region, or their bins, and how often."""
        if self.ends is None and self.seen.dtype.itemsize > _DENSE:
            return _joined([np.unique(b, return_counts=True) for b in self.seen.blocks(want)])
        dtype = self.seen.dtype
        low = 0 if self.ends else int(np.iinfo(dtype).min)
        bins = BINS if self.ends else 1 << 8 * dtype.itemsize
        counts = np.zeros(bins, np.int64)
        for block in self.seen.blocks(want):
            if self.ends:
                block = _bins(block, *self.ends)
            elif low:
                block = block.astype(np.int32) - low
            counts += np.bincount(block, minlength=bins)
        there = np.flatnonzero(counts)
        return there + low, counts[there]

    def join(self, found: Iterable[tuple[NDArray[Any], NDArray[np.int64]]]) -> float:
        """The level; 0 where nothing was counted."""
        values, counts = _joined(found)
        if not values.size:
            return 0.0
        level = int(values[otsu_index(values, counts)])
        if self.ends is None:
            return level
        low, high = self.ends
        at = (level + 0.5) / BINS
        return low * (1 - at) + high * at


def level_of(ends: tuple[float, float]) -> float | None:
    """The level of floats between these, if it takes no histogram to tell."""
    low, high = ends
    return low if low == high else None


def _bins(block: NDArray[Any], low: float, high: float) -> NDArray[np.intp]:
    """Which of the bins between two values each is in; halved first, so that nothing overflows."""
    span = high / 2 - low / 2 or 1.0  # two numbers that have none between their halves
    share = (block.astype(np.float64) / 2 - low / 2) / span
    return np.minimum(share * BINS, BINS - 1).astype(np.intp)


def _joined(
    found: Iterable[tuple[NDArray[Any], NDArray[np.int64]]],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values in ascending order, and how often each occurs in all."""
    parts = list(found)
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    values, at = np.unique(np.concatenate([v for v, _ in parts]), return_inverse=True)
    counts = np.zeros(len(values), np.int64)
    np.add.at(counts, at.reshape(-1), np.concatenate([n for _, n in parts]))
    return values, counts
