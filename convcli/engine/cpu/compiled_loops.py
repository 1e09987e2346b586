"""One step on the CPU with the compiled loops: taps, lanes and numbers handed over to C."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap
from convcli.engine.cpu.box_mean import NONE, Reciprocal
from convcli.engine.cpu.c_loops import CODE, c_loops, formula, pack_job, tap_type
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.step import Maps, Method, Problem
from convcli.records import NamedTuple

__all__ = ["CompiledMethod", "Lists", "Loop", "can_blur", "can_box", "is_byte"]

_COMBINE = {"none": "n", "magnitude": "m", "maximum": "x"}
_ROW_SAMPLES = 24576
_RING_BYTES = 768 * 1024
_STREAMED = 32 << 20
"""Bytes of an output that is too large to be found in a cache later; it is written past them."""
_WORTH_GROUPING = {"h": 12, "H": 12}
"""Taps of a plane from which four rows at a time are faster; 5 of other sums."""
_OF_TAPS = ("h", "H", "f", "d")
"""Types of the sums that are made tap by tap."""

Lists = tuple[list[list[Tap]], list[list[Tap]]]
"""Taps along a row that make each line, and taps over rows that make each plane."""


def can_box(p: Problem) -> bool:
    """Whether the geometry suits running sums, and their 32 bits hold the largest of them."""
    rows, cols = p.rows, p.cols
    plain = rows.stride == cols.stride == rows.dilation == cols.dilation == 1
    if not plain or not p.exact or p.values is None:
        return False
    narrow = p.dtype in ("uint8", "uint16", "int8", "int16")
    low, high = (-32768, 32767) if p.dtype.startswith("i") else (0, 65535)
    if p.loops.compiled and not (narrow and low <= p.border.value <= high):
        return False
    most = max(p.values, 65535.0)
    return rows.kernel_size * cols.kernel_size * most < 2**31


def can_blur(p: Problem) -> bool:
    """Whether bytes stay bytes on the way to the sums of a picture; see blur.h."""
    plain = not (p.raster or p.relative)
    return plain and p.on_bytes and p.rows.stride == p.cols.stride == 1 and is_byte(p.border.value)


def is_byte(value: float) -> bool:
    """Whether a border's value can stand among bytes."""
    return 0 <= value <= 255 and value == int(value)


class Loop(NamedTuple):
    """Which of the extension's loops runs, with its numbers; see ``loops/job.h``."""

    sum_type: str
    narrow: bool = False
    straight: bool = False
    flat: int = 0
    gap: int = 0
    add: int = 0
    multiply: int = 0
    shift: int = 0


class CompiledMethod(Method):
    """A method that the compiled loops carry out."""

    division: Reciprocal = NONE
    """How whole sums are divided in 16 bits, if they are."""
    flat = 0
    """Columns of a box whose columns are added first; 0 if they are not."""

    @abstractmethod
    def lists(self) -> Lists:
        """The taps as the loops take them."""

    @property
    def sums(self) -> str:
        """How the loops call the type of the sums, and with it the way they are made."""
        return CODE[self.problem.accumulate]

    @property
    def itemsize(self) -> int:
        """Bytes of a sum."""
        return np.dtype(self.problem.accumulate).itemsize

    @property
    def work(self) -> str:
        """How the loops call the type of the formula."""
        work = self.problem.requantize.work
        return CODE[self.problem.accumulate if work == "integer" else work]

    @cached_property
    def _lists(self) -> Lists:
        return self.lists()

    @cached_property
    def _packed(self) -> tuple[NDArray[Any], ...]:
        """Taps of the lines, one list behind the other, and where each starts; of the planes."""
        packed: list[NDArray[Any]] = []
        for lists in self._lists:
            packed.append(np.array([tap for taps in lists for tap in taps], tap_type()))
            packed.append(np.cumsum([0, *(len(taps) for taps in lists)]).astype(np.int32))
        return tuple(packed)

    @cached_property
    def reach(self) -> int:
        """Rows of input that a row of output reads."""
        return 1 + max((tap[1] for plane in self._lists[1] for tap in plane), default=0)

    @cached_property
    def loop(self) -> Loop:
        """The loop that will run."""
        p, (lines, planes) = self.problem, self._lists
        rows, f = p.maps[0], p.requantize
        whole = self.sums in ("h", "H")
        narrow = (
            whole
            and p.loops.bytes
            and p.dtype == "uint8"
            and not lines
            and is_byte(_held(p))
            and all(map(_fit_bytes, planes))
        )
        stays = self.work == self.sums and f.scale == f.ratio == 1.0 and f.bias == f.offset == 0.0
        single = len(planes) == 1 and f.combine == "none" and not p.is_bank
        to_bytes = f.out_dtype == "uint8" and rows.stride == 1
        straight = narrow and (stays or self.division != NONE) and single and to_bytes
        taps = sum(map(len, planes))
        grouped = (
            not narrow
            and self.sums in _OF_TAPS
            and self.reach > rows.dilation * rows.stride
            and taps >= _WORTH_GROUPING.get(self.sums, 5) * len(planes)
        )
        gap = rows.dilation if grouped else 0
        return Loop(self.sums, narrow, straight, self.flat, gap, *self.division)

    @cached_property
    def rows_apart(self) -> bool:
        """Always, but where sums are rounded and four rows are summed together (``loops/quads.h``).

        The order in which one of them adds its taps depends on its place among the four, unless the
        taps are one column without holes.
        """
        if not self.loop.gap or self.problem.exact or self.sums in ("h", "H"):
            return True
        return all(_is_column(plane, self.loop.gap) for plane in self._lists[1])

    @cached_property
    def tile(self) -> tuple[int, int]:
        """Columns whose ring of input rows stays in the cache; rows that outweigh those read twice.

        Whole rows if they fit: memory delivers them faster than pieces.
        """
        p, lines = self.problem, len(self._lists[0])
        lanes = lines or p.maps[1].stride * (p.shape_in[2] if p.is_bank else 1)
        block = min(max(_RING_BYTES // (self.reach * lanes * self.itemsize), 512), _ROW_SAMPLES)
        return max(128, 6 * self.reach), max(block // p.group, 1)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        p, tile, source = self.problem, c_loops().tile, np.ascontiguousarray(x)
        job = pack_job(
            source,
            out,
            maps,
            **self.loop._asdict(),
            **formula(p.requantize, self.work, count),
            combine="b" if p.is_bank else _COMBINE[p.requantize.combine],
            by_channel=p.is_bank,
            value=_held(p),
            reach=self.reach,
            stream=out.nbytes >= _STREAMED,
        )
        fixed = (job, source, out, maps[0].index, maps[1].index, *self._packed)

        def make_worker() -> Callable[[Tile], int]:
            return lambda place: int(tile(*fixed, *place))

        tiles = grid(out.shape[0], out.shape[1], *self.tile)
        return work_through(tiles, make_worker, threads)


def _held(p: Problem) -> float:
    """The border's value as the sums see it."""
    value = p.border.value
    return float(value) if "float" in p.accumulate else float(int(value))


def _is_column(taps: list[Tap], gap: int) -> bool:
    """Whether they stand one below the other without holes, the first one first."""
    lane, row, shift, _ = taps[0]
    return all(tap[:3] == (lane, row + n * gap, shift) for n, tap in enumerate(taps))


def _fit_bytes(taps: list[Tap]) -> bool:
    """Whether two neighbouring weights fit into signed bytes and, with any samples, into 16 bits."""
    weights = [tap[3] for tap in taps] + [0.0]
    together = zip(weights[::2], weights[1::2], strict=False)
    return max(weights) <= 127 and all(abs(a) + abs(b) <= 128 for a, b in together)
