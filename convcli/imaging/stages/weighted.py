"""Filtering next to transparency: one step of a chain on colour and alpha together.

A weighted mean of colours must count each colour by how much of it is there, or the colour that
is hidden under transparent pixels bleeds out as a fringe. So kernels whose weights do not sum to
zero run on colour times alpha, and the result is divided by the filtered alpha. Kernels that sum
to zero measure differences; they, and kernels of one tap, leave alpha as it is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from convcli.engine.plan import Step
from convcli.engine.regions import Ranges
from convcli.imaging.source import Pixels
from convcli.imaging.stages.alpha import EMPTY, leaves_alpha, picker
from convcli.imaging.stages.carry_out import step_on
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.window_stage import WindowStage
from convcli.kernels.kernel import Kernel

__all__ = ["Weighted"]


class Weighted(WindowStage):
    """One kernel of a chain on layers, colours weighted by their alpha if they have any."""

    def __init__(self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans) -> None:
        super().__init__(before, step, plans, plans.float_dtype)
        self.kernel = kernel
        (height, width, colours), centre = step.shape_in, picker(kernel.shape)
        self.absolute = plans.shows_absolute(kernel)
        self.presence = self.picked = self.chroma = None
        on_colour = kernel
        if plans.weighs and leaves_alpha(kernel):
            picked = plans.picking((height, width), plans.float_dtype, [centre])
            self.picked = self.use(picked)
        elif plans.weighs:
            on_colour, on_alpha = _weighted_by_presence(kernel)
            self.presence = self.use(plans.one((height, width, 1), on_alpha, opaque=True))
        if plans.luma:
            self.chroma = self.use(plans.one((height, width, 3), centre, flip=False))
        self.colours = self.use(plans.one((height, width, colours), on_colour))

    def read(self, want: Ranges) -> Layers:
        """Layers of a region of the filtered picture."""
        have = self.needed(want)
        colours, alpha, chroma, _ = self.before.read(have)
        if self.chroma is not None and chroma is not None:
            chroma = self.under_centres(self.chroma, chroma, have, want)
        if self.presence is not None and alpha is not None:
            present = step_on(self.presence, alpha, have, want)
            colours = self._mean(step_on(self.colours, colours * alpha, have, want), present)
            alpha = present.clip(0, 1)
        else:
            colours = step_on(self.colours, colours, have, want)
        alpha = self.alpha_under(self.picked, alpha, have, want)
        return Layers(abs(colours) if self.absolute else colours, alpha, chroma)

    def _mean(self, premultiplied: Pixels, present: Pixels) -> Pixels:
        """Sums of colour times alpha, divided by how much was there."""
        xp, there, kind = self.plans.xp, present > EMPTY, present.dtype.type
        if xp is np:
            mean = np.divide(premultiplied, present, out=np.zeros_like(premultiplied), where=there)
        else:  # CuPy divides everywhere; this is one pass over the colours
            mean = premultiplied / xp.where(there, present, kind(np.inf))
        # Where nothing is left there is no colour to offset either.
        mean += xp.where(there, kind(self.kernel.bias / 255), kind(0))
        return mean


@lru_cache(maxsize=64)
def _weighted_by_presence(kernel: Kernel) -> tuple[Kernel, Kernel]:
    """What runs on colour times alpha, and the weighted mean that runs on alpha."""
    spatial = kernel.weights.sum(axis=(0, 1)) if kernel.is_bank else kernel.weights
    return kernel.replace(bias=0.0), Kernel(spatial / spatial.sum(), name="presence")
