"""Ranks and extrema on a GPU: which it can do, and what they cost there.

The kernels are in ``gpu/cuda``: ``network.cu`` for any rank of rectangles up to 7x7, ``extrema.cu`` for
the smallest and the largest of larger ones.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

from numpy.typing import NDArray

from convcli.engine.axis_maps import TiledAxis
from convcli.engine.costs import NETWORK_COMPARISONS, CostEstimate, gpu_comparisons
from convcli.engine.numerics import WHITE, loaded_type
from convcli.engine.picks import Picks
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import CPU_ONLY, Maps, Method

__all__ = ["NETWORK_SIDE", "OnGpu", "comparisons", "on_gpu", "why_cpu_only", "why_not_of"]

NETWORK_SIDE = 7
"""Of rectangles whose samples are found by a network in registers; larger ones do not fit."""

MOST_CHANNELS = 4
"""That strided samples may have: whole pixels stay together in one thread."""


def why_cpu_only(p: RankProblem | Picks) -> str:
    """Why a GPU cannot do a problem, as what is said of its kernel; empty if it can."""
    why = _beyond(p)
    return f"{why}, which {CPU_ONLY}" if why else why_not_of(p.dtype, p.requantize.out_dtype)


def _beyond(p: RankProblem | Picks) -> str:
    """What a problem has that no kernel does; empty if nothing."""
    large = f"is larger than {NETWORK_SIDE}x{NETWORK_SIDE}"
    if isinstance(p, Picks) and p.picked.gray:
        return "has heights"
    if not (p.weights != 0).all():
        return "has a footprint that is no rectangle"
    if p.held != loaded_type(p.dtype):
        return "compares values that the picture's type does not hold"
    if max(p.kernel_size) <= NETWORK_SIDE:
        strided = p.cols.stride > 1 and p.shape_in[2] > MOST_CHANNELS
        return f"has a stride, and more than {MOST_CHANNELS} channels" if strided else ""
    if isinstance(p, RankProblem) and not p.is_extremum:
        return large
    strided = any(w.stride > 1 or w.dilation > 1 for w in (p.rows, p.cols))
    return f"has a stride or gaps, and {large}" if strided else ""


def why_not_of(*dtypes: str) -> str:
    """Why no kernel reads or writes one of several types; empty if all are read and written."""
    strange = [t for t in dtypes if t not in (*WHITE, "float16", "float32", "float64")]
    return f"of {strange[0]} {CPU_ONLY}" if strange else ""


def comparisons(p: RankProblem | Picks) -> float:
    """About how many there are for each sample."""
    cells = p.weights[0].size
    if isinstance(p, RankProblem) and not p.is_extremum:
        return NETWORK_COMPARISONS * float(cells)
    return float(sum(min(ceil(log2(n)), 3) for n in p.kernel_size if n > 1))


def on_gpu(name: str, p: RankProblem | Picks, instead: Method) -> Method:
    """The offer of an algorithm; ``instead`` is done where a GPU hands over to the CPU."""
    work = comparisons(p)
    where = "in registers" if max(p.kernel_size) <= NETWORK_SIDE else "in shared memory"
    price = gpu_comparisons(p.held, work)
    return OnGpu(p, CostEstimate(name, price, f"about {ceil(work)} comparisons {where}"), instead)


class OnGpu(Method):
    """What kernels of a GPU do; on the CPU it is another method."""

    def __init__(
        self, problem: RankProblem | Picks, estimate: CostEstimate, instead: Method
    ) -> None:
        super().__init__(problem, estimate)
        self.instead = instead

    @property
    def tile(self) -> tuple[int, int]:
        return self.instead.tile

    @property
    def rows_apart(self) -> bool:
        return self.instead.rows_apart

    def axes(self, tile: tuple[int, int]) -> tuple[TiledAxis, TiledAxis]:
        return self.instead.axes(tile)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        return self.instead.run(x, out, maps, threads, count)
