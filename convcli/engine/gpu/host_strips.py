"""A picture in host memory, filtered on a device in strips of rows.

As much as fits into the device's memory is a *tile*, nearly always all of the picture; tiles become
smaller where memory runs out. A tile's input lies on the device in one slab. It is filtered in
*strips*: the rows that a strip reads, and that are not there yet, are sent up, its kernels are
launched, its result is sent down; meanwhile the strip before it is computed, and the one before
that comes down. Each sample goes over the bus once each way, whatever strips share, and since
borders are looked up in the picture's own maps, the samples are those of one piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Span, merged
from convcli.engine.gpu.chain_steps import FFT_BYTES, clipped_by, new_counts, run_steps
from convcli.engine.gpu.device_protocol import Device
from convcli.engine.gpu.failures import OutOfDeviceMemory, memory_lack
from convcli.engine.gpu.pass_launch import ROWS_PER_LAUNCH
from convcli.engine.gpu.pipeline import HANDS, best_strips, bus_seconds
from convcli.engine.gpu.row_maps import Rows, count_rows, needed_rows
from convcli.engine.gpu.slabs import Slab, new_slab
from convcli.engine.numerics import loaded_type
from convcli.engine.plan import Plan
from convcli.engine.speeds import load_speeds
from convcli.system.machine import default_threads

__all__ = ["in_tiles", "run_tiles", "strip_rows", "tile_rows"]

FEWEST_ROWS = 16
"""Smaller tiles would not save the day: their halo is larger than they are."""

HALOS = 8
"""A strip is so many times as high as what one of its rows reads: an eighth of the rows between two
kernels is computed twice at most."""


def tile_rows(plan: Plan, free: int) -> int:
    """Output rows whose slabs, through all steps, fit into so many bytes."""
    per_row = 0.0
    rows_out = plan.shape_out[0]
    for step in plan.steps:
        seen = step.shape_in[0] / rows_out
        samples_in = step.shape_in[1] * step.shape_in[2]
        samples_out = step.shape_out[1] * step.shape_out[2]
        per_row += seen * samples_in * 8 + step.shape_out[0] / rows_out * samples_out * 8
        if step.method.transform:
            per_row += seen * samples_in * FFT_BYTES
    return max(min(int(free / per_row), rows_out, ROWS_PER_LAUNCH), 1)


def strip_rows(plan: Plan) -> int:
    """Output rows of a strip: all of them, unless the picture is large enough for several.

    What a transform gives depends in the last bits on where it begins, so it is not cut for speed.
    """
    height = plan.shape_out[0]
    if any(step.method.transform for step in plan.steps):
        return height
    speeds = load_speeds()
    up = _one_way(plan.shape_in, plan.dtype, speeds.upload, speeds.host_copy)
    down = _one_way(plan.shape_out, plan.out_dtype, speeds.download, speeds.host_copy)
    # Kernels are left out: they would make it half as many strips again at most.
    strips = best_strips(up + down, bus_seconds(up, down, speeds.overlap))
    if strips == 1:
        return height
    middle = height // 2
    least = HALOS * max(map(count_rows, needed_rows(plan, ((middle, middle + 1),))))
    return min(max(-(-height // strips), least), height)


def _one_way(shape: tuple[int, ...], dtype: str, rate: float, copy: float) -> float:
    """Seconds of samples on the bus, unless the copy to or from pinned memory takes longer."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return size / min(rate, copy * min(HANDS, default_threads()))


def in_tiles(
    device: Device, height: int, rows: int, make: Callable[[int, int], tuple[int, str]]
) -> None:
    """Make so many rows of output, in tiles that become smaller where the device's memory runs out.

    Parameters
    ----------
    height, rows
        Of the output, and of a tile at first.
    make
        Makes rows from one to another. It returns the row that was reached, and what the device said
        when its memory ran out (:func:`memory_lack`): all of the tile has been let go by then.

    Raises
    ------
    OutOfDeviceMemory
        If even a tile of few rows does not fit.
    """
    top = 0
    while top < height:
        bottom = min(top + rows, height)
        done, lack = make(top, bottom)
        if lack:
            device.release()
            if rows <= FEWEST_ROWS:
                raise OutOfDeviceMemory(lack)
            rows = max(min(rows, bottom - top) // 2, FEWEST_ROWS)
        top = done


def run_tiles(
    device: Device, plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], int]:
    """Filter a picture in host memory; returns samples and how many lay outside the range.

    Parameters
    ----------
    out
        Where the samples go, if not into a new array.

    Raises
    ------
    OutOfDeviceMemory
        If even a tile of few rows does not fit.
    """
    if out is None:
        out = np.empty(plan.shape_out, plan.steps[-1].requantize.out_dtype)
    height, rows, strip = plan.shape_out[0], tile_rows(plan, device.free_bytes()), strip_rows(plan)
    if rows <= FEWEST_ROWS and rows < height:  # what is only kept may be in the way
        device.release()
        rows = tile_rows(plan, device.free_bytes())
    clipped = 0

    def make(top: int, bottom: int) -> tuple[int, str]:
        nonlocal clipped
        counts: Any = None
        strips, lack = 0, ""
        try:
            tile = _Tile(device, plan, x, needed_rows(plan, ((top, bottom),))[0])
            counts = new_counts(device, plan, -(-(bottom - top) // strip))
            while top < bottom:
                stop = min(top + strip, bottom)
                slab = tile.strip(top, stop, counts[strips])
                samples = slab.data[:, : slab.samples]
                device.download(samples, out[top:stop].reshape(stop - top, -1))
                top, strips = stop, strips + 1
        except device.out_of_memory as error:
            lack = memory_lack(error)
        device.finish()
        clipped += clipped_by(device, counts[:strips]) if strips else 0
        return top, lack

    in_tiles(device, height, rows, make)
    return out, clipped


class _Tile:
    """Rows ``have`` of the input, in one slab on the device, sent there when they are read first."""

    def __init__(self, device: Device, plan: Plan, x: NDArray[Any], have: Rows) -> None:
        self.device, self.plan, self.have = device, plan, have
        self._source = x.reshape(x.shape[0], -1)
        dtype = loaded_type(x.dtype.name)
        self._slab = new_slab(device, have, self._source.shape[1], dtype)
        self._there = np.zeros(count_rows(have), bool)

    def strip(self, top: int, bottom: int, counts: Any) -> Slab:
        """Launch what makes some output rows; what lies outside the range is counted."""
        wanted = needed_rows(self.plan, ((top, bottom),))
        for run in wanted[0]:
            self._send(run)
        return run_steps(self.device, self.plan, self._rows(wanted[0]), wanted, counts)

    def _place(self, row: int) -> int:
        """Where in the slab a row is."""
        begin = 0
        for start, stop in self.have:
            if start <= row < stop:
                return begin + row - start
            begin += stop - start
        raise LookupError(f"row {row} is not in the tile")

    def _send(self, run: Span) -> None:
        """Send those of a run of rows that are not there."""
        offset = self._place(run[0]) - run[0]
        there = self._there[run[0] + offset : run[1] + offset]
        edges = np.flatnonzero(np.diff(there, prepend=True, append=True)).tolist()
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            first, last = run[0] + start, run[0] + stop
            target = self._slab.data[first + offset : last + offset]
            # Before the slab was made, all that was under way had been waited for.
            self.device.upload(self._source[first:last], target, beside=True)
            there[start:stop] = True

    def _rows(self, wanted: Rows) -> Slab:
        """A slab of some of the rows: where they stand, unless they stand apart."""
        data, samples = self._slab.data, self._slab.samples
        places = [(place := self._place(start), place + stop - start) for start, stop in wanted]
        runs = merged(places, 0)
        if len(runs) == 1:
            return Slab(data[slice(*runs[0])], wanted, samples)
        slab = new_slab(self.device, wanted, samples, data.dtype.name)
        begin = 0
        for start, stop in runs:
            slab.data[begin : begin + stop - start] = data[start:stop]
            begin += stop - start
        return slab
