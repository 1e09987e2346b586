"""Boxes, all weights alike: sums that cost the same, or little more, for every size."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.costs import CostEstimate, gpu_taps, on_cpu
from convcli.engine.cpu.compiled_loops import CompiledMethod, Lists, can_box
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.numerics import WHITE, WIDE
from convcli.engine.step import Method, Problem

if TYPE_CHECKING:
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["BOX", "FEWEST_SLID"]

GPU_TAPS = 8.0
"""Multiply-adds that a sample of any box costs as much as on a GPU, about."""

FEWEST_SLID, WIDEST_SLID = 20, 1000
"""Cells of a box, and samples that it is wide, for which a GPU has running sums."""


def _slides(p: Problem) -> bool:
    """Whether the kernel of the GPU that slides sums does this box."""
    wide = p.kernel_size[1] * p.group
    large = p.weights.size >= FEWEST_SLID and wide <= WIDEST_SLID
    return large and can_box(p) and p.dtype in WHITE


class BoxFilter:
    """Running sums of whole samples; others by doubling, since what is added must not be lost."""

    name = "box"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if not p.is_box or (p.on_gpu and not _slides(p)):
            return None
        factors = tuple(((w[:, 0], np.ones(w.shape[1])),) for w in p.weights)
        if p.on_gpu:
            price = CostEstimate(self.name, gpu_taps("float32", GPU_TAPS), "running sums")
            return (_Compiled if p.loops.compiled else _Running)(p, price, factors=factors)
        if can_box(p):
            price = on_cpu(self.name, "running sums", p.loops.name, "running", "float32", 0.0)
            return (_Compiled if p.loops.compiled else _Running)(p, price, factors=factors)
        additions = sum(taps.bit_length() + taps.bit_count() for taps in p.kernel_size)
        kind = p.accumulate if "float" in p.accumulate else "float32"
        note = f"{additions} additions by doubling"
        price = on_cpu(self.name, note, "numpy", self.name, kind, additions)
        return _Doubling(p, price, factors=factors)


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

        return doubled_sums(self.problem, load)
