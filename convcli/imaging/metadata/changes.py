"""How the pixels of a result lie, and count, beside those of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from convcli.imaging.metadata.georeference import Move, moved

if TYPE_CHECKING:
    from convcli.imaging.stages.filter import Filter

__all__ = ["SAME", "Changes", "changes_of"]


class Changes(NamedTuple):
    """What readers of a file's coordinates and units have to know."""

    down: Move = Move()
    """Where the centres of pixels lie, along the height."""
    across: Move = Move()
    gain: float | None = 1.0
    """What a filter makes of an offset common to all samples: so many times as much; None if the
    samples are not in the source's unit any more."""

    @property
    def corners(self) -> tuple[Move, Move]:
        """Where the corners of pixels lie, down and across."""
        return self.down.of_corners, self.across.of_corners


SAME = Changes()


def changes_of(chain: Filter) -> Changes:
    """What a filter changes."""
    steps = () if chain.effect.stays else chain.outline.plan.steps
    return Changes(
        moved([step.rows for step in steps], point=True),
        moved([step.cols for step in steps], point=True),
        chain.effect.gain,
    )
