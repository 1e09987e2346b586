"""The samples of a result: made of samples by one plan, or of layers of floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.dispatch import stretched
from convcli.imaging.header import full_scale
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import picker, picks_in_place
from convcli.imaging.stages.carry_out import Counts, chain_on, is_whole, step_on, whole_of
from convcli.imaging.stages.plans import Plans

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges
    from convcli.imaging.stages.float_layers import LayerStage

__all__ = ["Correlated", "Requantised", "Stretched"]


class _Result(Plane):
    """A plane of the result; what is counted goes to ``counts``."""

    def __init__(self, plans: Plans, size: tuple[int, int], counts: Counts) -> None:
        self.plans, self.counts = plans, counts
        plan = plans.chained(size)
        channels = 3 if plans.luma else plan.shape_out[2]
        self.shape = (*plan.shape_out[:2], channels + plans.alpha)
        self.dtype = np.dtype(plans.out_dtype)

    def _at_depth(self, alpha: Pixels) -> Pixels:
        """Alpha at the depth of the result."""
        if alpha.dtype == self.dtype:
            return alpha
        all_of_it = whole_of(alpha.shape)
        return step_on(self.plans.deepening(alpha.shape, alpha.dtype), alpha, all_of_it, all_of_it)


class Correlated(_Result):
    """A chain whose colours go from samples to samples in one plan, alpha left as it is."""

    def __init__(self, plane: Plane, plans: Plans, counts: Counts, *, opaque: bool) -> None:
        super().__init__(plans, plane.shape[:2], counts)
        self.plane, self.opaque = plane, opaque

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture, before ``stretch`` where that is the range."""
        plan = self.plans.chained(self.plane.shape[:2])
        done = chain_on(plan, self._colours, want, self.counts)
        if not self.plans.alpha:
            return done
        if self.opaque:
            alpha = np.full((*done.shape[:2], 1), full_scale(self.dtype), self.dtype)
        else:
            alpha = self._alpha(want)
        return np.concatenate([done, alpha], axis=-1)

    def _colours(self, want: Ranges) -> Pixels:
        colours, _ = self.plans.split(self.plane.read(want))
        return np.ascontiguousarray(colours)

    def _alpha(self, want: Ranges) -> Pixels:
        """Alpha as it was, at the positions of the output."""
        pickers = [picker(kernel.shape) for kernel in self.plans.chain]
        plan = self.plans.picking(self.plane.shape[:2], self.plane.dtype, pickers)
        if picks_in_place(plan):
            return self._at_depth(self.plane.read(want)[..., -1:])
        picked = chain_on(plan, lambda have: self.plane.read(have)[..., -1:].copy(), want)
        return self._at_depth(np.asarray(picked, self.plane.dtype))


class Requantised(_Result):
    """Layers of floats as samples."""

    def __init__(
        self, before: LayerStage, plans: Plans, size: tuple[int, int], counts: Counts
    ) -> None:
        super().__init__(plans, size, counts)
        self.before = before

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture, before ``stretch`` where that is the range."""
        colours, alpha, _ = self.before.read(want)
        all_of_it = whole_of(colours.shape)
        plan = self.plans.ending(colours.shape)
        done = step_on(plan, colours, all_of_it, all_of_it, self.counts)
        if alpha is None:
            return done
        return np.concatenate([done, self._at_depth(alpha)], axis=-1)


class Stretched(Plane):
    """Values mapped so that the smallest is black and the largest white: they are read twice.

    ``limits`` are the two; a stage that is read whole finds them by itself.
    """

    def __init__(self, before: _Result) -> None:
        self.before, self.alpha = before, before.plans.alpha
        self.shape, self.dtype = before.shape, before.dtype
        self.limits: tuple[float, float] | None = None

    def limits_of(self, want: Ranges) -> tuple[float, float]:
        """Smallest and largest value of a region."""
        return self._limits(self.before.read(want))

    def read(self, want: Ranges) -> Pixels:
        """A region of the picture."""
        values = self.before.read(want)
        limits = self.limits
        if limits is None:
            assert is_whole(want, self.shape), "the limits of all regions are needed first"
            limits = self._limits(values)
        mapped = stretched(self._colours(values), *limits, self.dtype.name)
        if not self.alpha:
            return mapped
        return np.concatenate([mapped, values[..., -1:].astype(self.dtype)], axis=-1)

    def _colours(self, values: Pixels) -> Pixels:
        return values[..., : values.shape[-1] - self.alpha]

    def _limits(self, values: Pixels) -> tuple[float, float]:
        colours = self._colours(values)
        return float(colours.min()), float(colours.max())
