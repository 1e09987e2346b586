"""One step on the CPU with the compiled loops: taps, lanes and numbers handed over to C."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.cpu.box_mean import NONE, Reciprocal
from convcli.engine.cpu.c_loops import CODE, c_loops
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.numerics import FULL
from convcli.engine.step import Maps, Method, Problem, Tap

__all__ = ["CompiledMethod", "Lists", "can_blur", "can_box"]

_TAP = np.dtype([("lane", "i4"), ("row", "i4"), ("shift", "i8"), ("weight", "f8")])
_COMBINE = {"none": "n", "magnitude": "m", "maximum": "x"}
_ROW_SAMPLES = 24576
_RING_BYTES = 768 * 1024

Lists = tuple[list[list[Tap]], list[list[Tap]]]
"""Taps along a row that make each line, and taps over rows that make each plane."""


def can_box(rows: Window, cols: Window, value: float) -> bool:
    """Whether the geometry suits running sums, and their 32 bits hold the largest of them."""
    plain = rows.stride == cols.stride == rows.dilation == cols.dilation == 1
    fits = rows.kernel_size * cols.kernel_size * 65535 < 2**31
    return plain and fits and 0 <= value <= 65535


def can_blur(p: Problem) -> bool:
    """Whether bytes stay bytes on the way to the sums; see blur.h."""
    return p.on_bytes and p.rows.stride == p.cols.stride == 1 and is_byte(p.border.value)


def is_byte(value: float) -> bool:
    """Whether a border's value can stand among bytes."""
    return 0 <= value <= 255 and value == int(value)


def _packed(lists: list[list[Tap]]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Lists one behind the other, and where each starts."""
    taps = np.array([tap for taps in lists for tap in taps], _TAP)
    starts = np.cumsum([0, *(len(taps) for taps in lists)]).astype(np.int32)
    return taps, starts


class CompiledMethod(Method):
    """A method that the compiled loops carry out."""

    division: Reciprocal = NONE
    """How whole sums are divided in 16 bits, if they are."""

    def lists(self) -> Lists:
        """The taps as the loops take them."""
        raise NotImplementedError

    @property
    def sums(self) -> str:
        """How the loops call the type of the sums, and with it the way they are made."""
        return CODE[self.problem.accumulate]

    @cached_property
    def _lists(self) -> Lists:
        return self.lists()

    @cached_property
    def reach(self) -> int:
        """Rows of input that a row of output reads."""
        return 1 + max((tap[1] for plane in self._lists[1] for tap in plane), default=0)

    @cached_property
    def tile(self) -> tuple[int, int]:
        """Columns whose ring of input rows stays in the cache; rows that outweigh those read twice.

        Whole rows if they fit: memory delivers them faster than pieces.
        """
        p, lines = self.problem, len(self._lists[0])
        lanes = lines or p.maps[1].stride * (p.shape_in[2] if p.is_bank else 1)
        block = min(max(_RING_BYTES // (self.reach * lanes * self.itemsize), 512), _ROW_SAMPLES)
        return max(128, 6 * self.reach), max(block // p.group, 1)

    @property
    def itemsize(self) -> int:
        """Bytes of a sum."""
        return np.dtype(self.problem.accumulate).itemsize

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, (rows, cols) = self.problem, maps
        tile, finish, sums = c_loops().tile, p.finish, self.sums
        work = CODE[p.accumulate if finish.work == "integer" else finish.work]
        if sums == "i" and finish.work == "integer":
            work = "f" if p.accumulate != "float64" else "d"
        lines, planes = self._lists
        fixed = (
            np.ascontiguousarray(x),
            CODE[str(x.dtype)],
            *x.shape,
            out,
            CODE[finish.out_dtype],
            *out.shape,
            *(rows.index, cols.index, rows.stride, cols.stride, cols.first, cols.last, cols.step),
            *(sums, p.is_bank, _held(p.border.value, p.accumulate)),
            *(*_packed(lines), *_packed(planes), self.reach, rows.dilation),
            "b" if p.is_bank else _COMBINE[finish.combine],
            work,
            *(finish.scale, finish.bias, finish.offset, finish.ratio),
            FULL.get(finish.out_dtype, 0.0),
            *(finish.absolute, count and finish.clip),
            *self.division,
        )

        def make_worker() -> Callable[[Tile], int]:
            return lambda place: int(tile(*fixed, *place))

        tiles = grid(out.shape[0], out.shape[1], *self.tile)
        return work_through(tiles, make_worker, threads)


def _held(value: float, accumulate: str) -> float:
    """The border's value as the sums see it."""
    return float(value) if "float" in accumulate else float(int(value))
