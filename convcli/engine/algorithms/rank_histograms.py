"""Ranks of bytes under large rectangles, by histograms of columns."""

from __future__ import annotations

from functools import cached_property

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["HISTOGRAMS"]

_MOST_SIDE, _MOST_CELLS = 255, 32767
"""A column is counted in 8 bits, a window in 15."""
_STRIPS = 4
"""Of columns that are counted together, in a tile."""


class RankHistograms:
    """Compiled only; what it costs hardly depends on the size of the window."""

    name = "histograms"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if p.on_gpu or not isinstance(p, RankProblem) or not p.is_rectangle or not p.moves_by_one:
            return None
        if p.held not in ("uint8", "int8") or not can_compile():
            return None
        if max(p.kernel_size) > _MOST_SIDE or p.cells > _MOST_CELLS:
            return None
        note = "histograms of columns"
        return _Histograms(
            p, on_cpu(self.name, note, "compiled", self.name, "int8", p.kernel_size[1])
        )


HISTOGRAMS = RankHistograms()


class _Histograms(CompiledRanks):
    band = 0
    way = "h"

    @cached_property
    def tile(self) -> tuple[int, int]:
        return max(512, 8 * self.problem.kernel_size[0]), _STRIPS * 384
