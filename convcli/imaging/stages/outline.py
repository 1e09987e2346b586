"""What a filter does, told before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.engine.plan import Plan
from convcli.imaging.header import Header
from convcli.imaging.stages.carry_out import SampleCounts
from convcli.records import Record, field

if TYPE_CHECKING:
    from convcli.imaging.stages.part_shown import Shown

__all__ = ["Outline"]


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
