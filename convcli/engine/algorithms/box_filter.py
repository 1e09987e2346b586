"""Boxes, all weights alike: sums that cost the same, or little more, for every size."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.algorithms.direct_correlation import tap_lists
from convcli.engine.costs import GPU_BOX_TAPS, CostEstimate, gpu_taps, on_cpu
from convcli.engine.cpu.compiled_loops import CompiledMethod, Lists, can_box
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.numerics import WHITE, WIDE
from convcli.engine.step import Method, Problem

if TYPE_CHECKING:
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["BOX"]

FEWEST_SLID, WIDEST_SLID = 20, 1000
"""Cells of a box, and samples that it is wide, for which a GPU has running sums."""

MOST_CHANNELS = 8
"""More leave too few pixels to a thread that slides."""


def _slides(p: Problem) -> bool:
    """Whether the kernel of the GPU that slides sums, exact in 32 bits, does this box."""
    plain = p.rows.stride == p.cols.stride == p.rows.dilation == p.cols.dilation == 1
    if not plain or not p.exact or p.dtype not in WHITE or p.group > MOST_CHANNELS:
        return False
    cells = p.weights.size
    fits = cells >= FEWEST_SLID and p.kernel_size[1] * p.group <= WIDEST_SLID
    return fits and abs(float(p.weights.flat[0])) * cells * WHITE[p.dtype] < 2**31


class BoxFilter:
    """Running sums of whole samples; others by doubling, since what is added must not be lost."""

    name = "box"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if not p.is_box:
            return None
        slides = _slides(p)
        if p.on_gpu and not slides:
            return None
        factors = tuple(((w[:, 0], np.ones(w.shape[1])),) for w in p.weights)
        running = _Compiled if p.loops.compiled else _Running
        if p.on_gpu:
            price = CostEstimate(self.name, gpu_taps("float32", GPU_BOX_TAPS), "running sums")
            # The CPU, which may have to take over, has other bounds.
            way = running if can_box(p) else _Doubling
            return way(p, price, factors=factors, slides=slides)
        if can_box(p):
            price = on_cpu(self.name, "running sums", p.loops.name, "running", "float32", 0.0)
            return running(p, price, factors=factors, slides=slides)
        additions = sum(taps.bit_length() + taps.bit_count() for taps in p.kernel_size)
        kind = p.accumulate if "float" in p.accumulate else "float32"
        note = f"{additions} additions by doubling"
        price = on_cpu(self.name, note, "numpy", self.name, kind, additions)
        return _Doubling(p, price, factors=factors, slides=slides)


BOX = BoxFilter()


class _Compiled(CompiledMethod):
    sums = "i"

    @property
    def work(self) -> str:
        p = self.problem
        wide = "float64" in (p.accumulate, p.requantize.work) or p.requantize.out_dtype in WIDE
        return "d" if wide else "f"

    def lists(self) -> Lists:
        """The last corner says it all."""
        p = self.problem
        shift = (p.kernel_size[1] - 1) * p.group
        return [], [[(0, p.kernel_size[0] - 1, shift, float(p.weights.flat[0]))]]

    @cached_property
    def tile(self) -> tuple[int, int]:
        width = self.problem.kernel_size[1]
        return max(128, 6 * self.reach), max(4096 // self.problem.group, 8 * width)


class _Numpy(NumpyMethod):
    @cached_property
    def tile(self) -> tuple[int, int]:
        return max(64, 4 * self.problem.kernel_size[0]), max(6144 // self.problem.group, 1)


class _Running(_Numpy):
    held = "int32"

    def sums(self, load: TileLoader) -> Sums:
        from convcli.engine.cpu.numpy_loops import running_sums

        return running_sums(self.problem, load)


class _Doubling(_Numpy):
    def sums(self, load: TileLoader) -> Sums:
        from convcli.engine.cpu.numpy_loops import doubled_sums
        from convcli.engine.cpu.overflow import without_overflow

        p = self.problem
        return without_overflow(p, doubled_sums(p, load), lambda: tap_lists(p))
