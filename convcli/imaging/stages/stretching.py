"""Values mapped from the least to the most: ``--range stretch``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from convcli.engine.dispatch import stretched
from convcli.engine.numerics import full_scale
from convcli.engine.rounding import Sample, SamplesSeen, flat_level, rounding
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.carry_out import SampleCounts, is_whole
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Correlated, Result, declared

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["Stretched", "Watched", "join_limits"]

STEEPEST = 12.92
"""Slope of the sRGB curve at black, by which errors of light grow."""
DIVIDED = 16.0
"""By which those of sums grow that are divided by the alpha, or the weights, that are there."""

Found: TypeAlias = tuple[float, float, frozenset[Sample]]


class Watched(Plane):
    """A plane, and whether the colours that have been read of it are flat, but for hidden ones."""

    def __init__(self, plane: Plane, plans: Plans) -> None:
        self.plane, self.shape, self.dtype = plane, plane.shape, plane.dtype
        self.meta, self.duration, self.disposal = plane.meta, plane.duration, plane.disposal
        self._alpha = plans.alpha
        self.samples = SamplesSeen(plans.missing.value)

    def read(self, want: Ranges) -> Pixels:
        """The cutout."""
        x = self.plane.read(want)
        if self._alpha:
            self.samples.look(x[..., :-1], x[..., -1] != 0)
        else:
            self.samples.look(x)
        return x


class Stretched(Plane):
    """Values mapped so that the smallest is black and the largest white: they are read twice.

    ``limits`` are the two, for which it is a survey itself; one that is read whole finds them.
    Those of a flat picture become black where nothing but rounding sets them apart.

    ``seen`` is what ``before`` is made of, where the limits are still to be found and rounding may
    set apart what is flat.
    """

    def __init__(
        self, before: Result, seen: Watched | None, limits: tuple[float, float] | None = None
    ) -> None:
        self.before, self.seen, self.alpha = before, seen, before.plans.alpha
        self.shape, self.dtype = before.shape, before.dtype
        self.limits = limits

    def look(self, want: Ranges) -> Found:
        """Of a region: its smallest and largest value, NaN where all is missing, and its samples."""
        return self._found(self.before.read(want))

    def join(self, found: Iterable[Found]) -> tuple[float, float]:
        """The limits of the whole."""
        lows, highs, samples = zip(*found, strict=True)
        low, high = join_limits(zip(lows, highs, strict=True))
        level = flat_level(frozenset().union(*samples))
        flat = level is not None and high - low <= self._noise(level)
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

    def _found(self, values: Pixels) -> Found:
        colours = self._colours(values)
        low, high = np.fmin.reduce(colours, axis=None), np.fmax.reduce(colours, axis=None)
        return float(low), float(high), frozenset(self.seen.samples.found if self.seen else ())

    def _noise(self, level: float) -> float:
        """How far apart rounding sets the values of a flat picture."""
        before, plans = self.before, self.before.plans
        if isinstance(before, Correlated):
            return rounding(before.plan, level)
        factor = 1 / full_scale(before.plan.dtype) if plans.in_colours else plans.depth
        if plans.in_light:
            level /= full_scale(plans.dtype.name)
            level, factor = max(level, level**2.4), STEEPEST
        return DIVIDED * factor * rounding(before.plan, level, in_floats=True)


def join_limits(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The limits of a whole from those of its parts, which are NaN where all is missing.

    >>> join_limits([(3.0, 4.0), (np.nan, np.nan), (2.0, 3.0)]), join_limits([(np.nan, np.nan)])
    ((2.0, 4.0), (0.0, 0.0))
    """
    lows, highs = zip(*found, strict=True)
    low, high = np.fmin.reduce(lows), np.fmax.reduce(highs)
    return (0.0, 0.0) if np.isnan(low) else (float(low), float(high))
