"""Values mapped from the least to the most: ``--range stretch``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.dispatch import stretched
from convcli.engine.numerics import EPS32, EPS64, full_scale
from convcli.engine.rounding import largest_of, rounding
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.carry_out import SampleCounts, is_whole
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Correlated, Result, declared

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["Stretched", "Watched", "join_limits"]

STEEPEST = 12.92
"""Slope of the sRGB curve at black, by which errors of light grow."""


class Watched(Plane):
    """A plane, and the largest absolute sample of a colour that has been read of it."""

    def __init__(self, plane: Plane, plans: Plans) -> None:
        self.plane, self.shape, self.dtype = plane, plane.shape, plane.dtype
        self.meta, self.duration, self.disposal = plane.meta, plane.duration, plane.disposal
        self._colours, self._hole = plane.shape[2] - plans.alpha, plans.missing.value
        self._found = [0.0]  # appending is one step for every thread

    def read(self, want: Ranges) -> Pixels:
        """The cutout."""
        x = self.plane.read(want)
        colours = x[..., : self._colours]
        if self._hole is not None:  # it may be larger than all that is there
            colours = colours[colours != self._hole]
        self._found.append(largest_of(colours))
        return x

    @property
    def largest(self) -> float:
        """So far."""
        return max(self._found)


class Stretched(Plane):
    """Values mapped so that the smallest is black and the largest white: they are read twice.

    ``limits`` are the two, for which it is a survey itself; one that is read whole finds them.
    Values that lie no further apart than rounding may set them are flat, and become black.

    ``seen`` is what ``before`` is made of, where the limits are still to be found.
    """

    def __init__(
        self, before: Result, seen: Watched | None, limits: tuple[float, float] | None = None
    ) -> None:
        self.before, self.seen, self.alpha = before, seen, before.plans.alpha
        self.shape, self.dtype = before.shape, before.dtype
        self.limits = limits

    def look(self, want: Ranges) -> tuple[float, float, float]:
        """Smallest and largest value of a region, and how far apart rounding may set equal ones.

        The first two are NaN where all of it is missing.
        """
        return self._found(self.before.read(want))

    def join(self, found: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
        """The limits of the whole."""
        regions = list(found)
        low, high = join_limits(region[:2] for region in regions)
        flat = high - low <= max(region[2] for region in regions)
        return low, low if flat else high

    def read(self, want: Ranges) -> Pixels:
        """A region of the picture."""
        values = self.before.read(want)
        limits = self.limits
        if limits is None:
            assert is_whole(want, self.shape), "the limits of all regions are needed first"
            limits = self.join([self._found(values)])
        colours = self._colours(values)
        gone = np.isnan(colours) if colours.dtype.kind == "f" else None
        mapped = stretched(colours, *limits, self.dtype.name)
        there = None if gone is None or not gone.any() else (~gone).view(np.uint8)
        mapped, lost, moved = declared(mapped, there, self.before.plans.missing)
        # They were counted as samples when they were made.
        self.before.counts.add(SampleCounts(-lost, missing=lost, moved=moved))
        if not self.alpha:
            return mapped
        return np.concatenate([mapped, values[..., -1:].astype(self.dtype)], axis=-1)

    def _colours(self, values: Pixels) -> Pixels:
        return values[..., : values.shape[-1] - self.alpha]

    def _found(self, values: Pixels) -> tuple[float, float, float]:
        assert self.seen is not None, "limits that are given are not looked for"
        colours = self._colours(values)
        low, high = np.fmin.reduce(colours, axis=None), np.fmax.reduce(colours, axis=None)
        return float(low), float(high), self._noise(self.seen.largest, colours.dtype)

    def _noise(self, largest: float, dtype: np.dtype[np.generic]) -> float:
        """How far apart rounding may set equal values of a type, made of samples up to ``largest``."""
        before, plans = self.before, self.before.plans
        if isinstance(before, Correlated):
            return rounding(before.plan, largest)
        # Sums of layers may be quotients: both parts round, and what they are divided by is small.
        eps = EPS64 if dtype == np.float64 else EPS32
        if plans.in_light:
            largest /= full_scale(plans.dtype.name)
            largest = max(largest, largest**2.4)
        noise = 4 * rounding(before.plan, largest, eps)
        if noise or plans.in_colours:
            noise += 4 * eps * largest
        if plans.in_light:
            return STEEPEST * noise
        return noise / full_scale(before.plan.dtype) if plans.in_colours else noise * plans.depth


def join_limits(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The limits of a whole from those of its parts, which are NaN where all is missing.

    >>> join_limits([(3.0, 4.0), (np.nan, np.nan), (2.0, 3.0)]), join_limits([(np.nan, np.nan)])
    ((2.0, 4.0), (0.0, 0.0))
    """
    lows, highs = zip(*found, strict=True)
    low, high = np.fmin.reduce(lows), np.fmax.reduce(highs)
    return (0.0, 0.0) if np.isnan(low) else (float(low), float(high))
