"""One step on the CPU with the compiled loops: taps, lanes and numbers handed over to C."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.axis_maps import AxisMap, axis_map
from convcli.engine.cpu.box_mean import divides
from convcli.engine.cpu.choice import CODE, compiled
from convcli.engine.cpu.tiles import Tile, grid, work_through

if TYPE_CHECKING:
    from convcli.engine.plan import Step

__all__ = ["can", "can_blur", "can_box", "can_flat", "run_step", "tile_size"]


_TAP = np.dtype([("lane", "i4"), ("row", "i4"), ("shift", "i8"), ("weight", "f8")])
_COMBINE = {"none": "n", "magnitude": "m", "maximum": "x"}
_ROW_SAMPLES = 24576
_RING_BYTES = 768 * 1024

Taps = list[tuple[int, int, int, float]]


def can(step: Step) -> bool:
    """Whether the compiled loops do this step; the rest goes to NumPy.

    Running sums take away again what they added, so they need whole samples; see box.h.
    """
    if step.algorithm == "box":
        return step.exact and can_box(step.rows, step.cols, step.border.value)
    return step.algorithm in ("direct", "separable")


def can_box(rows: Window, cols: Window, value: float) -> bool:
    """Whether the geometry suits running sums, and their 32 bits hold the largest of them."""
    plain = rows.stride == cols.stride == rows.dilation == cols.dilation == 1
    fits = rows.kernel_size * cols.kernel_size * 65535 < 2**31
    return plain and fits and 0 <= value <= 65535


def can_flat(rows: Window, cols: Window, value: float) -> bool:
    """Whether the means of a box are made two rows at a time, columns first; see flat.h."""
    plain = rows.dilation == cols.dilation == 1 and can_blur(rows, cols, value)
    both = min(rows.kernel_size, cols.kernel_size) > 1
    return plain and both


def can_blur(rows: Window, cols: Window, value: float) -> bool:
    """Whether bytes stay bytes on the way to the sums; see blur.h."""
    whole = 0 <= value <= 255 and value == int(value)
    return rows.stride == cols.stride == 1 and whole and compiled().isa() != "base"


def run_step(
    step: Step,
    x: NDArray[Any],
    out: NDArray[Any],
    threads: int,
    count: bool,
    maps: tuple[AxisMap, AxisMap] | None = None,
) -> int:
    """Compute all of ``out``; returns the number of samples outside the range, if counted.

    ``maps`` say which cells of ``x`` stand where, if ``x`` and ``out`` are parts of pictures.
    """
    rows, cols = maps or _maps(step)
    lines, planes = _lists(step, rows, cols)
    reach = _reach(planes)
    tile = compiled().tile
    finish = step.finish
    sums = "i" if step.algorithm == "box" else "q" if step.pairs else CODE[step.accumulate]
    work = CODE[step.accumulate if finish.work == "integer" else finish.work]
    if sums == "i" and finish.work == "integer":
        work = "f" if step.accumulate != "float64" else "d"
    line_taps, line_starts = _packed(lines)
    taps, starts = _packed(planes)
    source = np.ascontiguousarray(x)
    fixed = (
        source,
        CODE[str(x.dtype)],
        *x.shape,
        out,
        CODE[finish.out_dtype],
        *out.shape,
        *(rows.index, cols.index, rows.stride, cols.stride, cols.first, cols.last, cols.step),
        *(sums, step.is_bank, _held(step.border.value, step.accumulate)),
        *(line_taps, line_starts, taps, starts, reach, rows.dilation),
        "b" if step.is_bank else _COMBINE[finish.combine],
        work,
        *(finish.scale, finish.bias, finish.offset, finish.ratio),
        finish.limit if finish.out_dtype in ("uint8", "uint16") else 0.0,
        *(finish.absolute, count and finish.clip),
        *divides(step.weights, finish, step.accumulate, step.exact, str(x.dtype)),
    )

    def make_worker() -> Callable[[Tile], int]:
        return lambda place: int(tile(*fixed, *place))

    tiles = grid(out.shape[0], out.shape[1], *_tile_size(step, cols, reach, len(lines)))
    return work_through(tiles, make_worker, threads)


def _maps(step: Step) -> tuple[AxisMap, AxisMap]:
    return axis_map(step.rows, step.border.mode), axis_map(step.cols, step.border.mode)


def tile_size(step: Step) -> tuple[int, int]:
    """Rows and columns of a tile; they depend on the whole picture, not on a part of it."""
    rows, cols = _maps(step)
    lines, planes = _lists(step, rows, cols)
    return _tile_size(step, cols, _reach(planes), len(lines))


def _reach(planes: list[Taps]) -> int:
    return 1 + max((tap[1] for plane in planes for tap in plane), default=0)


def _held(value: float, accumulate: str) -> float:
    """The border's value as the sums see it."""
    return float(value) if "float" in accumulate else float(int(value))


def _lists(step: Step, rows: AxisMap, cols: AxisMap) -> tuple[list[Taps], list[Taps]]:
    """Taps along a row that make each line, and taps over rows that make each plane."""
    group = 1 if step.is_bank else step.shape_in[2]

    def place(channel: int, tap: int) -> tuple[int, int]:
        shift, phase = divmod(tap * cols.dilation, cols.stride)
        return channel * cols.stride + phase, shift * group

    def taps_of(weights: NDArray[np.float64], channel: int = 0) -> Taps:
        found = []
        for (i, j), weight in np.ndenumerate(weights):
            if weight:
                lane, shift = place(channel, j)
                found.append((lane, i * rows.dilation, shift, float(weight)))
        return found

    if step.is_bank:
        return [], [
            [tap for c, plane in enumerate(filters) for tap in taps_of(plane, c)]
            for filters in step.weights
        ]
    if step.algorithm == "box":  # its last corner says it all
        corner = ((step.kernel_size[1] - 1) * group, float(step.weights.flat[0]))
        return [], [[(0, step.kernel_size[0] - 1, *corner)]]
    if step.algorithm == "direct":
        return [], [taps_of(member) for member in step.weights]
    if step.pairs:
        down, along = (
            [(tap, float(w)) for *ends, w in line for tap in ends] for line in step.pairs
        )
        line = [(0, 0, place(0, tap)[1], w) for tap, w in along]
        return [line], [[(0, tap * rows.dilation, 0, w) for tap, w in down]]
    lines: list[Taps] = []
    planes: list[Taps] = []
    for terms in step.factors:
        plane: Taps = []
        for column, row in terms:
            plane += [
                (len(lines), i * rows.dilation, 0, float(w)) for i, w in enumerate(column) if w
            ]
            lines.append(taps_of(row[None]))
        planes.append(plane)
    return lines, planes


def _packed(lists: list[Taps]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Lists one behind the other, and where each starts."""
    taps = np.array([tap for taps in lists for tap in taps], _TAP)
    starts = np.cumsum([0, *(len(taps) for taps in lists)]).astype(np.int32)
    return taps, starts


def _tile_size(step: Step, cols: AxisMap, reach: int, lines: int) -> tuple[int, int]:
    """Columns whose ring of input rows stays in the cache; rows that outweigh those read twice.

    Whole rows if they fit: memory delivers them faster than pieces (3x3, 24 megapixels: 11 ms
    for 17).
    """
    group = 1 if step.is_bank else step.shape_in[2]
    lanes = lines or cols.stride * (step.shape_in[2] if step.is_bank else 1)
    if step.algorithm == "box":
        return (max(128, 6 * reach), max(4096 // group, 8 * step.kernel_size[1]))
    per_sample = reach * lanes * (2 if step.pairs else np.dtype(step.accumulate).itemsize)
    block = min(max(_RING_BYTES // per_sample, 512), _ROW_SAMPLES)
    return (max(128, 6 * reach), max(block // group, 1))
