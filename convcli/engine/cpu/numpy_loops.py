"""One step on the CPU with NumPy alone: a worker per thread, a tile at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap
from convcli.engine.cpu.taps import Direct, box_line
from convcli.engine.cpu.tile_loader import TileLoader
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.requantize import Requantizer
from convcli.engine.step import Maps, Problem
from convcli.engine.weights import Factor

if TYPE_CHECKING:
    from convcli.engine.cpu.numpy_method import NumpyMethod, Sums

__all__ = [
    "doubled_sums",
    "run_tiles",
    "running_sums",
    "sums_of_lines",
    "sums_of_taps",
    "tile_size",
]

_TILE_SAMPLES = 6144
_TILE_BYTES = 1536 * 1024
"""Of a tile's sums. Measured from 480 to 4000 KiB with five kernels: in smaller tiles the threads
wait for each other between NumPy's calls (640 took 1.7 times as long), larger ones leave the
caches."""


def run_tiles(
    method: NumpyMethod,
    x: NDArray[Any],
    out: NDArray[Any],
    maps: Maps,
    threads: int,
    count: bool,
    *,
    by_phase: bool = True,
) -> int:
    """Compute all of ``out``; returns the number of samples outside the range, if counted.

    ``maps`` say which cells of ``x`` stand where, if ``x`` and ``out`` are parts of pictures.
    """
    p = method.problem
    tiles = grid(out.shape[0], out.shape[1], *method.tile)

    def make_worker() -> Callable[[Tile], int]:
        absent = method.absent if p.border.is_missing else None
        outside = p.border.value if absent is None else absent
        load = TileLoader(x, maps, p.kernel_size, outside, method.held, p.is_bank, by_phase)
        requantizer = Requantizer(p.requantize)
        sums = method.sums(load)

        def work(tile: Tile) -> int:
            with np.errstate(all="ignore"):
                lanes = load(tile)
                rows, cols = tile.bottom - tile.top, tile.right - tile.left
                planes = sums(lanes, rows, cols * p.group)
                target = out[tile.top : tile.bottom, tile.left : tile.right]
                if not p.is_bank:
                    flat = _flat(target)
                    if flat is not None:
                        return requantizer.apply(planes, flat, count)
                    whole = np.empty((rows, cols * p.group), out.dtype)
                    clipped = requantizer.apply(planes, whole, count)
                    target[...] = whole.reshape(target.shape)
                    return clipped
                return sum(
                    requantizer.apply([plane], target[:, :, channel], count)
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


def tile_size(p: Problem) -> tuple[int, int]:
    """Rows and columns of a tile, whose scratch stays in the cache of one core."""
    height, width, _ = p.shape_out
    span = p.rows.effective_kernel + p.cols.effective_kernel
    cols = min(width, max(_TILE_SAMPLES // p.group, 4 * p.cols.kernel_size, 1))
    itemsize = np.dtype(p.accumulate).itemsize
    line = cols * p.group * itemsize * (p.shape_in[2] if p.is_bank else 1)
    rows = max(_TILE_BYTES // max(line, 1), 4, min(span // 4, 64)) // p.maps[0].stride
    return min(max(rows, 1), height), cols


def sums_of_taps(lists: list[list[Tap]], accumulate: str, load: TileLoader) -> Sums:
    """Every list of taps, multiplied and added."""
    loops = [Direct(taps, accumulate) for taps in lists]
    every = load.rows.stride

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        for loop in loops:
            yield loop(lanes, rows, samples, every)

    return sums


def sums_of_lines(p: Problem, factors: tuple[tuple[Factor, ...], ...], load: TileLoader) -> Sums:
    """Separable terms: down the columns of every phase, then across."""
    members = []
    for terms in factors:
        passes = []
        for column, row in terms:
            down = [
                Direct(
                    [(lane, i * load.rows.dilation, 0, float(w)) for i, w in enumerate(column)],
                    p.accumulate,
                )
                for lane in range(load.phases)
            ]
            passes.append((down, Direct(p.taps(row[None]), p.accumulate)))
        members.append(passes)
    every = load.rows.stride

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


def running_sums(p: Problem, load: TileLoader) -> Sums:
    """Sums down the columns, row from row; then differences of cumulative sums along them."""
    height, width = p.kernel_size
    group, weight = load.group, p.weights.flat[0]
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
        yield total if weight == 1.0 else total.astype(p.accumulate) * _weight(p)

    return sums


def _weight(p: Problem) -> Any:
    return np.asarray(p.weights.flat[0]).astype(p.accumulate)[()]


def doubled_sums(p: Problem, load: TileLoader) -> Sums:
    """Sums of 1, 2, 4, ... neighbours, from which those of any number are put together."""
    height, width = p.kernel_size
    weight = p.weights.flat[0]
    group = load.group
    row_map, col_map = load.rows, load.cols

    def sums(lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        every = row_map.stride
        total: NDArray[Any] | None = None
        for phase in range(load.phases):
            # The taps of this phase, as a run of neighbours on its lane.
            taps = [j for j in range(width) if j * col_map.dilation % col_map.stride == phase]
            if not taps:
                continue
            lane = lanes[phase]
            tall = np.empty(((rows - 1) * every + 1, lane.shape[1]), lane.dtype)
            down = box_line(lane, height, row_map.dilation, tall.shape[0], 0, tall)[::every]
            shifts = [j * col_map.dilation // col_map.stride * group for j in taps]
            pitch = shifts[1] - shifts[0] if len(shifts) > 1 else group
            part = np.empty((rows, samples), lane.dtype)
            box_line(down[:, shifts[0] :], len(taps), pitch, samples, 1, part)
            total = part if total is None else np.add(total, part, out=total)
        assert total is not None
        if weight != 1.0:
            np.multiply(total, _weight(p), out=total)
        yield total

    return sums
