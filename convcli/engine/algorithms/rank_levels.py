"""Ranks of bytes under footprints that are no rectangles, by counts below each level."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["LEVELS"]

_MOST_SIDE, _MOST_CELLS = 255, 32767
"""A window is counted in 15 bits."""


class RankLevels:
    """Compiled only; at a cost that grows with the edges."""

    name = "levels"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if p.on_gpu or not isinstance(p, RankProblem) or not p.moves_by_one or not can_compile():
            return None
        if p.held not in ("uint8", "int8") or p.is_rectangle:
            return None
        if max(p.kernel_size) > _MOST_SIDE or p.cells > _MOST_CELLS:
            return None
        edge = int(np.count_nonzero(np.diff(p.footprint, axis=0, append=0) < 0))
        note = f"{edge} cells come and go at each step"
        return _Levels(p, on_cpu(self.name, note, "compiled", self.name, "int8", edge))


LEVELS = RankLevels()


class _Levels(CompiledRanks):
    band = 0
    way = "l"

    @cached_property
    def tile(self) -> tuple[int, int]:
        """The first windows of a tile are counted cell by cell."""
        return max(256, 6 * self.problem.kernel_size[0]), 256
