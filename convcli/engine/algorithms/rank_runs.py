"""The smallest and the largest under large rectangles, by runs: on a GPU.

On the CPU such ranks are found as others are; ``erode`` and ``dilate`` are the same by runs.
"""

from __future__ import annotations

from convcli.engine.algorithms.gpu_picks import NETWORK_SIDE, on_gpu
from convcli.engine.algorithms.rank_select import SELECT
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Method, Problem

__all__ = ["RANK_RUNS"]


class RankRuns:
    """What networks are too small for."""

    name = "runs"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if not p.on_gpu or not isinstance(p, RankProblem) or not p.is_extremum:
            return None
        return on_gpu(self.name, p, SELECT.on_cpu(p)) if max(p.kernel_size) > NETWORK_SIDE else None


RANK_RUNS = RankRuns()
