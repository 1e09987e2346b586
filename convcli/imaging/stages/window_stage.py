"""What the stages of a chain have in common that put one kernel on the layers before them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.plan import Plan, Step
from convcli.engine.regions import Ranges, join, needed, within
from convcli.imaging.source import Pixels
from convcli.imaging.stages.alpha import picks_in_place
from convcli.imaging.stages.carry_out import is_whole, step_on, whole_of
from convcli.imaging.stages.float_layers import LayerStage
from convcli.imaging.stages.plans import Plans
from convcli.kernels.kernel import Kernel

__all__ = ["WindowStage"]


class WindowStage:
    """One kernel of a chain, by plans that all have the windows of its step.

    Parameters
    ----------
    before
        Makes the layers that it works on.
    step
        The kernel's step in the plan of the whole chain, for its geometry.
    dtype
        Of the samples that come out.
    """

    def __init__(self, before: LayerStage, step: Step, plans: Plans, dtype: np.dtype[Any]) -> None:
        self.before, self.step, self.plans, self.dtype = before, step, plans, dtype
        self.missing = plans.missing
        self.hole: float | int = 0
        """Stands where a sample of the result is missing."""
        self._used: list[Plan] = []

    def ends(self) -> None:
        """Nothing comes after it: its results are the samples, and say themselves what is missing."""
        if self.missing.says is not None and self.plans.ends_so(self.dtype):
            self.hole = self.missing.says

    def use(self, plan: Plan) -> Plan:
        """The plan, whose input will be read for every region."""
        self._used.append(plan)
        return plan

    def counting(self, cells: Kernel, out_dtype: Any = "float32", **how: Any) -> Plan:
        """Sums of weights where samples are there: 1 in a mask of bytes, 0 elsewhere."""
        known = {"bounds": (0, 1), "values": True, "any_algorithm": True, **how}
        outside = 0.0 if self.missing.outside else 1.0
        shape = self.step.shape_in
        return self.use(self.plans.sums(shape, "uint8", cells, out_dtype, outside=outside, **known))

    def picking_alpha(self, kernel: Kernel) -> Plan | None:
        """What picks the alpha under the centres of the kernel's windows, if there is any."""
        plans = self.plans
        if not plans.alpha:
            return None
        dtype = plans.float_dtype if plans.weighs else plans.dtype
        return self.use(plans.picking_under(kernel, self.step, dtype))

    def needed(self, want: Ranges) -> Ranges:
        """The region of the layers before that a region of its own is made of."""
        if is_whole(want, self.step.shape_out):
            return whole_of(self.step.shape_in)
        if self.plans.backend.on_gpu:
            from convcli.engine.gpu.resident import cells_for

            return join(*(cells_for(plan, want) for plan in self._used))
        return join(*(needed(plan.steps[0], want) for plan in self._used))

    def under_centres(self, plan: Plan, x: Pixels, have: Ranges, want: Ranges) -> Pixels:
        """What lies under the centres of the windows, by a plan that picks it."""
        place = within(have, want) if picks_in_place(plan) else None
        return step_on(plan, x, have, want) if place is None else x[place]

    def alpha_under(self, plan: Plan | None, alpha: Any, have: Ranges, want: Ranges) -> Any:
        """Alpha under the centres, of its own type; as it is if there is no plan, or no alpha."""
        if plan is None or alpha is None:
            return alpha
        picked = self.under_centres(plan, alpha, have, want)
        return self.plans.xp.asarray(picked, alpha.dtype)

    def all_there(self, x: Pixels) -> NDArray[np.uint8]:
        """The mask of samples of which none is missing."""
        mask: NDArray[np.uint8] = self.plans.xp.ones(x.shape, np.uint8)
        return mask
