"""Filtering next to transparency: one step of a chain on colour and alpha together.

A weighted mean of colours must count each colour by how much of it is there, or the colour that
is hidden under transparent pixels bleeds out as a fringe. So kernels whose weights do not sum to
zero run on colour times alpha, and the result is divided by the filtered alpha. Kernels that sum
to zero measure differences; they, and kernels of one tap, leave alpha as it is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from convcli.engine.plan import Plan, Step
from convcli.engine.regions import Ranges, join, needed
from convcli.imaging.source import Pixels
from convcli.imaging.stages.alpha import EMPTY, leaves_alpha, picker, picks_in_place
from convcli.imaging.stages.carry_out import is_whole, step_on, whole_of
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.plans import Plans
from convcli.kernels.kernel import Kernel

__all__ = ["Weighted"]


class Weighted:
    """One kernel of a chain on layers, colours weighted by their alpha if they have any.

    Parameters
    ----------
    step
        The kernel's step in the plan of the whole chain, for its geometry.
    """

    def __init__(self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans) -> None:
        self.before, self.kernel = before, kernel
        size, colours = step.shape_in[:2], step.shape_in[2]
        self.size_in, self.size_out = size, step.shape_out[:2]
        self.absolute = plans.shows_absolute(kernel)
        self.presence = self.picked = self.chroma = None
        on_colour, centre = kernel, picker(kernel.shape)
        if plans.weighs and leaves_alpha(kernel):
            self.picked = plans.picking(size, plans.float_dtype, [centre])
        elif plans.weighs:
            on_colour, on_alpha = _weighted_by_presence(kernel)
            self.presence = plans.one((*size, 1), on_alpha, opaque=True)
        if plans.luma:
            self.chroma = plans.one((*size, 3), centre)
        self.colours = plans.one((*size, colours), on_colour)

    def read(self, want: Ranges) -> Layers:
        """Layers of a region of the filtered picture."""
        have = self._needed(want)
        colours, alpha, chroma, _ = self.before.read(have)
        if self.chroma is not None and chroma is not None:
            chroma = step_on(self.chroma, chroma, have, want)
        if self.presence is not None and alpha is not None:
            present = step_on(self.presence, alpha, have, want)
            colours = self._mean(step_on(self.colours, colours * alpha, have, want), present)
            alpha = present.clip(0, 1)
        else:
            colours = step_on(self.colours, colours, have, want)
        if self.picked is not None and alpha is not None:
            alpha = self._under_centres(self.picked, alpha, have, want)
        return Layers(np.abs(colours) if self.absolute else colours, alpha, chroma)

    def _needed(self, want: Ranges) -> Ranges:
        if is_whole(want, self.size_out):
            return whole_of(self.size_in)
        plans = (self.colours, self.presence, self.picked, self.chroma)
        return join(*(needed(plan.steps[0], want) for plan in plans if plan is not None))

    @staticmethod
    def _under_centres(plan: Plan, alpha: Pixels, have: Ranges, want: Ranges) -> Pixels:
        if have == want and picks_in_place(plan):
            return alpha
        return np.asarray(step_on(plan, alpha, have, want), alpha.dtype)

    def _mean(self, premultiplied: Pixels, present: Pixels) -> Pixels:
        """Sums of colour times alpha, divided by how much was there."""
        there = present > EMPTY
        mean = np.divide(premultiplied, present, out=np.zeros_like(premultiplied), where=there)
        # Where nothing is left there is no colour to offset either.
        mean += np.where(there, self.kernel.bias / 255, 0.0).astype(mean.dtype)
        return mean


@lru_cache(maxsize=64)
def _weighted_by_presence(kernel: Kernel) -> tuple[Kernel, Kernel]:
    """What runs on colour times alpha, and the weighted mean that runs on alpha."""
    spatial = kernel.weights.sum(axis=(0, 1)) if kernel.is_bank else kernel.weights
    return kernel.replace(bias=0.0), Kernel(spatial / spatial.sum(), name="presence")
