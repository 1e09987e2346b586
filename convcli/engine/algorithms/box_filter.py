"""Boxes, all weights alike: sums that cost the same, or little more, for every size."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_loops import CompiledMethod, Lists, can_box
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.numerics import WIDE
from convcli.engine.step import Method, Problem

if TYPE_CHECKING:
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["BOX"]


class BoxFilter:
    """Running sums of whole samples; others by doubling, since what is added must not be lost."""

    name = "box"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        if p.on_gpu or not p.is_box:
            return None
        factors = tuple(((w[:, 0], np.ones(w.shape[1])),) for w in p.weights)
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
