"""Ranks under rectangles by a network of minima and maxima, shared between windows."""

from __future__ import annotations

from functools import cached_property
from math import ceil

import numpy as np

from convcli.engine.algorithms.gpu_picks import NETWORK_SIDE, on_gpu
from convcli.engine.algorithms.rank_select import SELECT
from convcli.engine.costs import NETWORK_COMPARISONS, NETWORK_MADE, on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile, compiled_medians
from convcli.engine.cpu.numpy_ranks import NumpyRanks, Values
from convcli.engine.cpu.rank_programs import Program, group_of, program
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["NETWORK"]

_MOST_CELLS = 1024
"""Larger networks take long to make, and other ways are faster."""
_LINES = 192 * 1024
"""Bytes of the rows under a window: they stay in the second cache."""


class RankNetwork:
    """Rectangles of up to 1024 cells, without a stride; on a GPU of up to 7x7, with one."""

    name = "network"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if not isinstance(p, RankProblem) or not p.is_rectangle:
            return None
        if p.on_gpu:
            small = max(p.kernel_size) <= NETWORK_SIDE
            return on_gpu(self.name, p, SELECT.on_cpu(p)) if small else None
        if not 1 < p.cells <= _MOST_CELLS or p.rows.stride > 1 or p.cols.stride > 1:
            return None
        bits = 8 * np.dtype(p.held).itemsize
        work = ceil(NETWORK_COMPARISONS * p.cells)
        loops, method = ("compiled", _Compiled) if can_compile() else ("numpy", _Numpy)
        price = on_cpu(self.name, f"about {work} comparisons", loops, self.name, f"int{bits}", work)
        if p.kernel_size in {(n, n) for n in compiled_medians()} and p.rank == p.cells // 2:
            price = on_cpu(self.name, price.note, loops, "median", f"int{bits}", work)
            return _Median(p, price)
        making = NETWORK_MADE * p.cells / max(int(np.prod(p.shape_out)), 1)
        return method(p, price._replace(cost=round(price.cost + making, 3)))


NETWORK = RankNetwork()


def _program(p: RankProblem) -> Program:
    height, width = p.kernel_size
    return program(height, width, p.rank, group_of(height))


class _Compiled(CompiledRanks):
    way = "n"

    @cached_property
    def program(self) -> Program:
        return _program(self.problem)


class _Median(CompiledRanks):
    """Read where the samples are, so that long rows cost nothing."""

    way = "m"

    @cached_property
    def tile(self) -> tuple[int, int]:
        p = self.problem
        line = p.rows.effective_kernel * p.group * np.dtype(p.held).itemsize
        return 8 * self.band, max(_LINES // line, 2 * p.cols.effective_kernel, 64)


class _Numpy(NumpyRanks):
    def values(self, every: int) -> Values:
        from convcli.engine.cpu.numpy_ranks import by_network

        return by_network(self.problem, _program(self.problem))
