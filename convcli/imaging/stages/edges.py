"""Edges of a picture of which some samples are missing, or transparent: one kernel of a chain.

Where the window of a gradient lacks a sample there is no edge; where one is missing itself it stays
so. They are followed across the whole picture, so the layers before are made whole for any region.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.engine.plan import Step
from convcli.engine.regions import Ranges
from convcli.errors import UsageError
from convcli.imaging.stages.alpha import visible
from convcli.imaging.stages.carry_out import step_on, whole_of
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.rasters import needs_float64
from convcli.imaging.stages.window_stage import WindowStage
from convcli.kernels.kernel import Kernel

__all__ = ["EdgeStage"]


class EdgeStage(WindowStage):
    """Edges of samples of type ``dtype``, not all of which are there."""

    def __init__(
        self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans, dtype: np.dtype[Any]
    ) -> None:
        self.held = np.dtype("float64" if needs_float64(dtype) else "float32")
        super().__init__(before, step, plans, self.held)
        options = plans.options
        asked = options.fill or options.min_valid or options.missing
        if asked and self.missing.possible:
            raise UsageError(
                f"kernel {kernel.name!r} has no edges beside missing samples, and leaves those missing: "
                "leave out --missing, --fill and --min-valid"
            )
        self.plan = self.use(plans.voted(step.shape_in, self.held, kernel, self.held))
        self.alpha = self.picking_alpha(kernel)

    def needed(self, want: Ranges) -> Ranges:
        """All that there is."""
        return whole_of(self.step.shape_in)

    def read(self, want: Ranges) -> Layers:
        """Layers of a region."""
        have = self.needed(want)
        x, alpha, _, there = self.before.read(have)
        x = x.astype(self.held)
        if self.plans.weighs and alpha is not None:
            x = np.where(visible(alpha), x, self.held.type(np.nan))
        elif there is not None:
            x = np.where(there != 0, x, self.held.type(np.nan))
        found = step_on(self.plan, x, have, want)
        picked = self.alpha_under(self.alpha, alpha, have, want)
        known = ~np.isnan(found)
        found[~known] = 0 if self.plans.weighs else self.hole
        if self.plans.weighs or known.all():
            return Layers(found, picked)
        return Layers(found, picked, None, known.view(np.uint8))
