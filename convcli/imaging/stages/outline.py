"""What a filter does, told before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcli.engine.backends import NUMPY
from convcli.engine.plan import Plan
from convcli.imaging.header import Header
from convcli.imaging.stages.alpha import leaves_alpha
from convcli.imaging.stages.carry_out import SampleCounts
from convcli.kernels.kernel import Kernel
from convcli.records import Record, field

if TYPE_CHECKING:
    from convcli.imaging.stages.part_shown import Shown
    from convcli.imaging.stages.plans import Plans

__all__ = ["Outline", "brightens", "how_alpha", "range_told", "told_of_cpu"]


class Outline(Record):
    """What a filter does, in numbers and words that fit through a line between processes."""

    header: Header
    """Of the result."""
    plan: Plan
    how_alpha: str
    """How alpha was treated; empty if there is none."""
    flip: bool
    range: str
    """How values became pixels: ``auto`` is resolved."""
    sums: tuple[bool, ...] = (True,)
    """Whether each kernel is that of a sum, and no footprint."""
    brightens: str = ""
    """Which kernels make the picture brighter as a whole, or black; empty if none does."""
    values: bool = False
    """Whether samples are values in units of their own: a raster, no picture."""
    shown: Shown | None = None
    """Which part of the picture changes, if not all of it."""
    ways: tuple[str, ...] = ()
    """What each kernel makes of missing samples; empty if none can be missing."""
    tally: SampleCounts = field(default_factory=SampleCounts)
    seconds: float = 0.0
    levels: list[tuple[float, ...]] = field(default_factory=list)
    """Of each frame, those that its kernels looked for; empty if none does."""

    @property
    def clipped_fraction(self) -> float:
        """Share of the samples that fell outside the range; known once the frames are made."""
        return self.tally.clipped / self.tally.samples if self.tally.samples else 0.0


def how_alpha(plans: Plans, *, mixed: bool) -> str:
    """What becomes of alpha; ``mixed`` if it is one of the channels that a kernel mixes."""
    if mixed:
        return "alpha is one of the channels that the kernel mixes"
    if not plans.alpha:
        return ""
    if plans.values:
        return "pixels of which it is 0 are missing"
    left = all(map(leaves_alpha, plans.chain))
    if not all(kernel.is_correlation for kernel in plans.chain):
        mean = "" if left else "; sums are weighted by alpha"
        return f"pixels of which it is 0 do not vote; what votes leaves it as it is{mean}"
    if left:
        return "alpha is left as it is: the kernels measure differences or single pixels"
    return "colour is weighted by alpha, unless every pixel is opaque"


def range_told(plans: Plans) -> str:
    """How values become pixels, whatever was asked for."""
    if plans.options.range != "auto":
        return plans.options.range
    return "abs" if any(map(plans.shows_absolute, plans.chain)) else "clip"


def brightens(kernels: Sequence[Kernel]) -> str:
    """Kernels of several weights whose sum is neither that of a mean nor of a difference."""
    return ", ".join(
        f"the weights of {kernel.name} sum to {kernel.sum:g}"
        for kernel in kernels
        if kernel.is_correlation
        and kernel.shape != (1, 1)
        and not kernel.bias
        and not -0.01 <= kernel.sum <= 1.01
    )


def told_of_cpu(plan: Plan, why: str, taken: int, frames: int) -> Plan:
    """A plan for a GPU that says how many of the frames the CPU has taken, and why the first."""
    if taken == frames:
        return plan._replace(backend=NUMPY, backend_reason=why)
    of = f"{taken} of {frames} frames by the CPU: {why}"
    return plan._replace(backend_reason=f"{plan.backend_reason}; {of}")
