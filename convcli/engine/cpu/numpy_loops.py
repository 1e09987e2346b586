"""One step on the CPU with NumPy alone: a worker per thread, a tile at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap, axis_map
from convcli.engine.cpu.compiled_loops import can_box
from convcli.engine.cpu.taps import Direct, Tap, box_line
from convcli.engine.cpu.tile_loader import Gatherer
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.requantize import Finisher

if TYPE_CHECKING:
    from convcli.engine.plan import Step

__all__ = ["run_step", "tile_size"]

Sums = Callable[[NDArray[Any], int, int], Iterator[NDArray[Any]]]
"""``(lanes, output rows, output samples per row)`` to the sums of each member or channel."""

_TILE_SAMPLES = 6144
_TILE_BYTES = 1536 * 1024
"""Of a tile's sums. Measured from 480 to 4000 KiB with five kernels: in smaller tiles the threads
wait for each other between NumPy's calls (640 took 1.7 times as long), larger ones leave the
caches."""


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
    if maps is None:
        maps = axis_map(step.rows, step.border.mode), axis_map(step.cols, step.border.mode)
    group = 1 if step.is_bank else step.shape_in[2]
    tiles = grid(out.shape[0], out.shape[1], *tile_size(step))
    where = maps

    def make_worker() -> Callable[[Tile], int]:
        held = "int32" if step.algorithm == "box" and can_run(step) else step.accumulate
        gather = Gatherer(x, where, step.kernel_size, step.border.value, held, step.is_bank)
        finisher = Finisher(step.finish)
        sums = _ALGORITHMS[step.algorithm](step, gather)

        def work(tile: Tile) -> int:
            with np.errstate(all="ignore"):
                lanes = gather(tile)
                rows, cols = tile.bottom - tile.top, tile.right - tile.left
                planes = sums(lanes, rows, cols * group)
                target = out[tile.top : tile.bottom, tile.left : tile.right]
                if not step.is_bank:
                    flat = _flat(target)
                    if flat is not None:
                        return finisher.apply(planes, flat, count)
                    whole = np.empty((rows, cols * group), out.dtype)
                    clipped = finisher.apply(planes, whole, count)
                    target[...] = whole.reshape(target.shape)
                    return clipped
                return sum(
                    finisher.apply([plane], target[:, :, channel], count)
                    for channel, plane in enumerate(planes)
                )

        return work

    return work_through(tiles, make_worker, threads)


def _flat(target: NDArray[Any]) -> NDArray[Any] | None:
    """View of ``(rows, cols, channels)`` as ``(rows, samples)``, if its memory allows one."""
    rows, cols, channels = target.shape
    item = target.itemsize
    if target.strides[1:] != (channels * item, item) and cols * channels > 1:
        return None
    return np.lib.stride_tricks.as_strided(
        target, (rows, cols * channels), (target.strides[0], item)
    )


def tile_size(step: Step) -> tuple[int, int]:
    """Rows and columns of a tile, whose scratch stays in the cache of one core.

    They depend on the whole picture, not on a part of it.
    """
    height, width, _ = step.shape_out
    group = 1 if step.is_bank else step.shape_in[2]
    row_stride = axis_map(step.rows, step.border.mode).stride
    if step.algorithm == "box":
        return (max(64, 4 * step.kernel_size[0]), max(6144 // group, 1))
    span = step.rows.effective_kernel + step.cols.effective_kernel
    cols = min(width, max(_TILE_SAMPLES // group, 4 * step.cols.kernel_size, 1))
    itemsize = np.dtype(step.accumulate).itemsize
    line = cols * group * itemsize * (step.shape_in[2] if step.is_bank else 1)
    rows = max(_TILE_BYTES // max(line, 1), 4, min(span // 4, 64)) // row_stride
    return min(max(rows, 1), height), cols


def _taps(weights: NDArray[np.float64], gather: Gatherer, channel: int = 0) -> list[Tap]:
    taps: list[Tap] = []
    for (i, j), weight in np.ndenumerate(weights):
        if weight:
            lane, shift = gather.lane(channel, j * gather.cols.dilation)
            taps.append((lane, i * gather.rows.dilation, shift, float(weight)))
    return taps


def _direct(step: Step, gather: Gatherer) -> Sums:
    if step.is_bank:
        lists = [
            [tap for c, plane in enumerate(filters) for tap in _taps(plane, gather, c)]
            for filters in step.weights
        ]
    else:
        lists = [_taps(member, gather) for member in step.weights]
    loops = [Direct(taps, step.accumulate) for taps in lists]
    every = gather.rows.stride

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        for loop in loops:
            yield loop(lanes, rows, samples, every)

    return sums


def _separable(step: Step, gather: Gatherer) -> Sums:
    members = []
    for terms in step.factors:
        passes = []
        for column, row in terms:
            down = [
                Direct(
                    [(lane, i * gather.rows.dilation, 0, float(w)) for i, w in enumerate(column)],
                    step.accumulate,
                )
                for lane in range(gather.phases)
            ]
            passes.append((down, Direct(_taps(row[None], gather), step.accumulate)))
        members.append(passes)
    every = gather.rows.stride

    def one(
        lanes: NDArray[Any], rows: int, samples: int, down: list[Direct], across: Direct
    ) -> NDArray[Any]:
        lines = [loop(lanes, rows, lanes.shape[2], every) for loop in down]
        middle = lines[0][None] if len(lines) == 1 else np.stack(lines)
        return across(middle, rows, samples)

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        for passes in members:
            total = one(lanes, rows, samples, *passes[0])
            for more in passes[1:]:
                np.add(total, one(lanes, rows, samples, *more), out=total)
            yield total

    return sums


def _box(step: Step, gather: Gatherer) -> Sums:
    if can_run(step):
        return _running(step, gather)
    return _doubling(step, gather)


def can_run(step: Step) -> bool:
    """Whether running sums do this box: they need whole samples and a plain geometry."""
    return step.exact and can_box(step.rows, step.cols, step.border.value)


def _running(step: Step, gather: Gatherer) -> Sums:
    """Sums down the columns, row from row; then differences of cumulative sums along them."""
    height, width = step.kernel_size
    group, weight = gather.group, step.weights.flat[0]
    held: list[NDArray[Any]] = []

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        lane = lanes[0]
        if not held or held[0].shape != (rows, lane.shape[1]):
            held[:] = [np.empty((rows, lane.shape[1]), np.int32)]
        tall = held[0]
        np.sum(lane[:height], axis=0, out=tall[0])
        for r in range(1, rows):
            np.add(tall[r - 1], lane[r + height - 1], out=tall[r])
            np.subtract(tall[r], lane[r - 1], out=tall[r])
        cells = tall.reshape(rows, -1, group)
        np.add.accumulate(cells, axis=1, out=cells)  # wraps, and its differences wrap back
        total = tall[:, (width - 1) * group :].copy()
        total[:, group:] -= tall[:, : samples - group]
        yield total if weight == 1.0 else total.astype(step.accumulate) * _weight(step)

    return sums


def _weight(step: Step) -> Any:
    return np.asarray(step.weights.flat[0]).astype(step.accumulate)[()]


def _doubling(step: Step, gather: Gatherer) -> Sums:
    height, width = step.kernel_size
    weight = step.weights.flat[0]
    group = gather.group
    row_map, col_map = gather.rows, gather.cols

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        every = row_map.stride
        total: NDArray[Any] | None = None
        for phase in range(gather.phases):
            # The taps of this phase, as a run of neighbours on its lane.
            taps = [j for j in range(width) if j * col_map.dilation % col_map.stride == phase]
            if not taps:
                continue
            lane = lanes[phase]
            step_rows = row_map.dilation
            tall = np.empty(((rows - 1) * every + 1, lane.shape[1]), lane.dtype)
            down = box_line(lane, height, step_rows, tall.shape[0], 0, tall)[::every]
            shifts = [gather.lane(0, j * col_map.dilation)[1] for j in taps]
            pitch = shifts[1] - shifts[0] if len(shifts) > 1 else group
            part = np.empty((rows, samples), lane.dtype)
            box_line(down[:, shifts[0] :], len(taps), pitch, samples, 1, part)
            total = part if total is None else np.add(total, part, out=total)
        assert total is not None
        if weight != 1.0:
            np.multiply(total, _weight(step), out=total)
        yield total

    return sums


_ALGORITHMS: dict[str, Callable[[Step, Gatherer], Sums]] = {
    "direct": _direct,
    "separable": _separable,
    "box": _box,
}
