"""The value of a rank by itself for every window, whatever the footprint."""

from __future__ import annotations

import numpy as np

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_ranks import CompiledRanks, can_compile
from convcli.engine.cpu.numpy_ranks import NumpyRanks, Values
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["SELECT"]


class RankSelect:
    """Compiled, bit by bit from the highest; in NumPy by partitions."""

    name = "select"

    def offer(self, problem: Problem) -> Method | None:
        if problem.on_gpu or not isinstance(problem, RankProblem):
            return None
        return self.on_cpu(problem)

    def on_cpu(self, p: RankProblem) -> Method:
        """The offer, also where a GPU hands over to the CPU."""
        bits = 8 * np.dtype(p.held).itemsize
        note = f"rank {p.rank} of {p.cells}"
        if can_compile():
            return CompiledRanks(
                p, on_cpu(self.name, note, "compiled", "bits", f"int{bits}", bits * p.cells)
            )
        return _Partition(p, on_cpu(self.name, note, "numpy", "partition", f"int{bits}", p.cells))


SELECT = RankSelect()


class _Partition(NumpyRanks):
    def values(self, every: int) -> Values:
        from convcli.engine.cpu.numpy_ranks import partitioned

        return partitioned(self.problem, every)
