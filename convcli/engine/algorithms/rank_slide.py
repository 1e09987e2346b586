"""Ranks under large footprints: a set of sorted values that changes at its edges as it moves."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["SLIDE"]


class RankSlide:
    """Compiled only; any footprint and type, at a cost that grows with the edges."""

    name = "slide"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if p.on_gpu or not isinstance(p, RankProblem) or not p.moves_by_one or not can_compile():
            return None
        if max(p.kernel_size) > 1024:
            return None
        edge = int(np.count_nonzero(np.diff(p.footprint, axis=1, prepend=0, append=0)))
        bits = 8 * np.dtype(p.held).itemsize
        note = f"{edge} cells change at each step"
        return _Slide(p, on_cpu(self.name, note, "compiled", self.name, f"int{bits}", edge))


SLIDE = RankSlide()


class _Slide(CompiledRanks):
    band = 0
    way = "w"

    @cached_property
    def tile(self) -> tuple[int, int]:
        """What is sorted for a tile stays in the second cache."""
        height, width = self.problem.kernel_size
        return max(192, 5 * height // 2) - height + 1, max(192, 5 * width // 2) - width + 1
