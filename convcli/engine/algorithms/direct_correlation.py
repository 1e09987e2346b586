"""Direct correlation: every tap is multiplied and added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap
from convcli.engine.costs import CostEstimate, gpu_taps, on_cpu
from convcli.engine.cpu.box_mean import NONE, Reciprocal, divides
from convcli.engine.cpu.c_loops import c_loops
from convcli.engine.cpu.compiled_loops import CompiledMethod, Lists, is_byte
from convcli.engine.cpu.numpy_method import NumpyMethod, Sums
from convcli.engine.step import Method, Problem

if TYPE_CHECKING:
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["DIRECT", "passes", "tap_lists"]


class DirectCorrelation:
    """All taps of the kernel, whatever its weights."""

    name = "direct"

    def offer(self, problem: Problem) -> Method:
        p = problem
        taps = int(np.count_nonzero(p.weights))
        note = f"{taps} tap{'s' * (taps != 1)}"
        work = passes(p.weights, p.loops.compiled)
        division = divides(p) if p.loops.compiled else NONE
        flat = _flat_columns(p) if division != NONE else 0
        if p.on_gpu:
            estimate = CostEstimate(self.name, gpu_taps(p.accumulate, _on_gpu(p, work)), note)
        else:
            way, work = ("flat", sum(p.kernel_size)) if flat else (self.name, work)
            estimate = on_cpu(self.name, note, p.loops.name, way, p.accumulate, work)
        if p.loops.compiled:
            return Compiled(p, estimate, division, flat)
        return _Numpy(p, estimate)


DIRECT = DirectCorrelation()


class Compiled(CompiledMethod):
    """By the compiled loops; means of bytes are divided in 16 bits."""

    def __init__(
        self, problem: Problem, estimate: CostEstimate, division: Reciprocal, flat: int
    ) -> None:
        super().__init__(problem, estimate)
        self.division, self.flat = division, flat

    def lists(self) -> Lists:
        return [], tap_lists(self.problem)


class _Numpy(NumpyMethod):
    def sums(self, load: TileLoader) -> Sums:
        from convcli.engine.cpu.numpy_loops import sums_of_taps
        from convcli.engine.cpu.overflow import without_overflow

        p, lists = self.problem, tap_lists(self.problem)
        return without_overflow(p, sums_of_taps(lists, p.accumulate, load), lambda: lists)


def _on_gpu(p: Problem, work: float) -> float:
    """Multiply-adds that take a GPU as long, where it multiplies matrices instead."""
    from convcli.engine.gpu.toeplitz_tile import products_for

    found = products_for(p)
    return work if found is None else found.tile.cost


def tap_lists(p: Problem) -> list[list[Tap]]:
    """The taps of each member of a stack, or of each output channel of a bank."""
    if not p.is_bank:
        return [p.taps(member) for member in p.weights]
    return [
        [tap for channel, plane in enumerate(filters) for tap in p.taps(plane, channel)]
        for filters in p.weights
    ]


def _flat_columns(p: Problem) -> int:
    """Columns of a box whose mean is divided in 16 bits, if they are added first; else 0.

    Compiled loops then make two rows at a time; see flat.h.
    """
    rows, cols = p.maps
    tall, wide = p.kernel_size
    plain = rows.stride == rows.dilation == cols.stride == 1 and min(tall, wide) > 1
    if not (p.loops.bytes and p.dtype == "uint8" and plain and is_byte(p.border.value)):
        return 0
    if not p.is_box or p.weights.flat[0] != 1.0:
        return 0
    return wide if (wide - 1) * cols.dilation * p.group <= c_loops().FLAT_SHIFT else 0


def passes(weights: NDArray[np.float64], compiled: bool) -> float:
    """Taps per output sample; for NumPy, with a multiplication per distinct weight."""
    outputs = weights.shape[0] if weights.ndim == 4 else 1
    taps = float(np.count_nonzero(weights))
    if not compiled:
        taps += sum(len(set(np.abs(member[member != 0]).ravel()) - {1.0}) for member in weights)
    return taps / outputs
