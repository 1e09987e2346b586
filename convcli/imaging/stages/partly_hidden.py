"""Pictures of which some pixels are transparent: what sees none of them goes from samples to samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.engine.regions import needed, within
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import leaves_alpha, visible
from convcli.imaging.stages.carry_out import Counts
from convcli.imaging.stages.lacking import lacking
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import Correlated, Requantised
from convcli.kernels.operation_facts import picks_values

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges
    from convcli.imaging.stages.float_layers import LayerStage

__all__ = ["PartlyHidden", "same_from_samples"]


def same_from_samples(plans: Plans) -> bool:
    """Whether what sees no transparent pixel is the same from samples as from floats."""
    border, chain = plans.options.border, plans.chain
    held = border.mode != "constant" or (
        float(border.value).is_integer() and 0 <= border.value <= 255
    )
    return (
        (plans.weighs and not plans.in_light and held)
        and (plans.dtype.kind == "u" and plans.dtype == plans.out_dtype)
        and plans.options.range in ("auto", "clip")
        and all(leaves_alpha(kernel) and picks_values(kernel) for kernel in chain)
    )


class PartlyHidden(Correlated):
    """The result of a chain that gives the same from samples as from ``layers`` of floats.

    What sees transparent pixels is made from the layers, all else from samples.
    """

    def __init__(self, plane: Plane, plans: Plans, layers: LayerStage, counts: Counts) -> None:
        super().__init__(plane, plans, counts, opaque=False)
        size = plane.shape[:2]
        self.steps = plans.chained(size).steps
        self.floats = Requantised(layers, plans, size, counts)
        self.again = Requantised(layers, plans, size, Counts())

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture."""
        have = want
        for step in reversed(self.steps):
            have = needed(step, have)
        there = visible(self.plane.read(have)[..., -1])
        parts = lacking(self.steps, there, have, want)
        if parts == [want]:
            return self.floats.read(want)
        made = super().read(want)
        for part in parts:
            place = within(want, part)
            assert place is not None
            made[place] = self.again.read(part)
        return made
