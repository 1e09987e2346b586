"""Launches whose readers all see as much, the last ones too: what lies behind is in the frame."""

from __future__ import annotations

from typing import NamedTuple

from convcli.engine.gpu.frame_layout import Readers

__all__ = ["Whole"]


class Whole(NamedTuple):
    """What a reader makes, which is a thread or a block; and how many of them a block has."""

    rows: int
    samples: int
    across: int
    down: int

    def readers(
        self, made: tuple[int, int], step: tuple[int, int], seen: tuple[int, int]
    ) -> tuple[Readers, Readers]:
        """Those of a launch that makes so many rows and samples.

        Parameters
        ----------
        step, seen
            Rows and samples of the input: from one reader's first to the next one's, and those that
            it sees.
        """
        down, across = (
            Readers(count, by, length, (count - 1) * by + length)
            for count, by, length in zip(self._count(made), step, seen, strict=True)
        )
        return down, across

    def grid(self, made: tuple[int, int]) -> tuple[int, int]:
        """Blocks across and down."""
        down, across = self._count(made)
        return -(-across // self.across), -(-down // self.down)

    def _count(self, made: tuple[int, int]) -> tuple[int, int]:
        return -(-made[0] // self.rows), -(-made[1] // self.samples)
