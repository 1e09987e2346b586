"""Ranks of bytes under large rectangles, by counts of what lies below a level."""

from __future__ import annotations

from functools import cached_property

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["COUNTS"]

_MOST_SIDE, _MOST_CELLS = 255, 65535
"""A column is counted in 8 bits, a window in 16."""


class RankCounts:
    """Compiled only; what it costs depends on the picture, hardly on the size of the window."""

    name = "counts"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if p.on_gpu or not isinstance(p, RankProblem) or not p.is_rectangle or not p.moves_by_one:
            return None
        if p.held not in ("uint8", "int8") or not can_compile():
            return None
        if max(p.kernel_size) > _MOST_SIDE or p.cells > _MOST_CELLS:
            return None
        note = "counts below levels"
        return _Counts(p, on_cpu(self.name, note, "compiled", self.name, "int8", 0.0))


COUNTS = RankCounts()


class _Counts(CompiledRanks):
    way = "c"

    @cached_property
    def tile(self) -> tuple[int, int]:
        height, width = self.problem.kernel_size
        return 64 * max(1, -(-2 * height // 64)), max(1024, 128 * (width // 64))
