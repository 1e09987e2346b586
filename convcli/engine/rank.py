"""Ranks: the median and other percentiles of the values under a footprint."""

from __future__ import annotations

from typing import cast

from convcli.engine.algorithms.gpu_picks import why_cpu_only
from convcli.engine.algorithms.rank_histograms import HISTOGRAMS
from convcli.engine.algorithms.rank_levels import LEVELS
from convcli.engine.algorithms.rank_network import NETWORK
from convcli.engine.algorithms.rank_runs import RANK_RUNS
from convcli.engine.algorithms.rank_select import SELECT
from convcli.engine.algorithms.rank_slide import SLIDE
from convcli.engine.rank_problem import RankProblem, rank_problem
from convcli.engine.step import Algorithm, Problem, Signal, Slot
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Rank"]


class Rank:
    """The value of a percentile under the kernel's cells, taken from the values that are there.

    Value number ``floor(n P / 100)`` of the ``n`` that vote, counted from 0, and the last for 100.
    NaN does not vote; where none votes the result is NaN.
    """

    algorithms: tuple[Algorithm, ...] = (SELECT, NETWORK, HISTOGRAMS, LEVELS, SLIDE, RANK_RUNS)

    def cpu_only(self, problem: Problem) -> str:
        """A GPU does small rectangles, and the smallest and the largest of any."""
        return why_cpu_only(cast(RankProblem, problem))

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[RankProblem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        return rank_problem(kernel, slot)


OPERATION = Rank()
