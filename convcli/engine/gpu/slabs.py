"""A chain of steps on a device, tile by tile; the device may be a GPU or, in tests, the CPU.

A device has an array module ``xp``, and compiles and launches kernels. Pictures lie on it as
:class:`Slab`: rows that start at multiples of 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.array_steps import run_rows_on
from convcli.engine.gpu.kernel_source import COUNTERS, KernelSource
from convcli.engine.gpu.passes import Pass, passes_of
from convcli.engine.gpu.row_maps import Rows, needed_rows, positions_of, row_map, runs_of
from convcli.engine.plan import Plan, Step

__all__ = ["Device", "OutOfDeviceMemory", "Slab", "pitch", "run_resident", "run_tiles", "tile_rows"]

BLOCK = (32, 4)
"""Threads of a block: a warp along a row, so that its loads are neighbours."""

ROWS_PER_LAUNCH = 1 << 17
"""A grid has at most 65535 blocks down, of 4 rows each at least."""

FFT_BYTES = 48
"""Per sample, of padded copies, spectra and sums."""

FEWEST_ROWS = 16
"""Smaller tiles would not save the day: their halo is larger than they are."""

THREADS_WANTED = 1 << 19
"""Twice as many as the largest devices run at once; measured on an H200, where 2^17 took up to 1.6
times as long. With more, each thread walks down fewer rows and reads its neighbours' more often."""

FEWEST_PER_THREAD, MOST_PER_THREAD = 2, 32
"""Rows that a thread walks down."""


class OutOfDeviceMemory(Exception):
    """A device cannot hold even a tile of few rows."""


class Device(Protocol):
    """What carries kernels out."""

    xp: Any
    out_of_memory: type[BaseException]
    """What it raises when it cannot allocate."""

    def launch(
        self,
        source: KernelSource,
        grid: tuple[int, int],
        block: tuple[int, int],
        args: tuple[Any, ...],
    ) -> None:
        """Start a kernel; arrays of ``xp`` pass their address, NumPy scalars their value."""

    def upload(self, pieces: list[NDArray[Any]], slab: Any) -> None:
        """Copy runs of rows of a picture in host memory, one after another, into a slab."""

    def download(self, samples: Any, out: NDArray[Any]) -> None:
        """Copy samples to host memory."""

    def kept(self, array: NDArray[Any]) -> Any:
        """A small array on the device; equal ones are moved once."""

    def host(self, array: Any) -> NDArray[Any]:
        """A small array, in host memory."""

    def address(self, array: Any) -> int:
        """Where an array begins."""

    def free_bytes(self) -> int:
        """Memory that a picture may take."""

    def release(self) -> None:
        """Free what is only kept for later."""


@dataclass(slots=True)
class Slab:
    """Some rows of a picture on a device.

    ``data`` is ``(rows, pitch)``; of each row the first ``samples`` are the picture's.
    """

    data: Any
    rows: Rows
    samples: int


def pitch(samples: int, dtype: str) -> int:
    """Samples from row to row, so that rows start at multiples of 16 bytes.

    >>> pitch(30, "uint8"), pitch(30, "float32")
    (32, 32)
    """
    per = 16 // np.dtype(dtype).itemsize
    return -(-samples // per) * per


def _slab(device: Device, rows: Rows, samples: int, dtype: str, by: int = 1) -> Slab:
    """Room for rows that are written ``by`` samples at a time."""
    width = pitch(-(-samples // by) * by, dtype)
    return Slab(device.xp.empty((len(rows), width), dtype), rows, samples)


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


def run_tiles(device: Device, plan: Plan, x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Filter a picture in host memory; returns samples and how many lay outside the range.

    Raises
    ------
    OutOfDeviceMemory
        If even a tile of few rows does not fit.
    """
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    final = plan.steps[-1]
    out = np.empty(plan.shape_out, final.requantize.out_dtype)
    rows = tile_rows(plan, device.free_bytes())
    top, clipped = 0, 0
    while top < plan.shape_out[0]:
        bottom = min(top + rows, plan.shape_out[0])
        try:
            clipped += _run_tile(device, plan, x, out, top, bottom)
        except device.out_of_memory as error:
            device.release()
            if rows <= FEWEST_ROWS:
                raise OutOfDeviceMemory(" ".join(str(error).split())) from error
            rows = max(min(rows, bottom - top) // 2, FEWEST_ROWS)
            continue
        top = bottom
    return out, clipped


def _run_tile(
    device: Device, plan: Plan, x: NDArray[Any], out: NDArray[Any], top: int, bottom: int
) -> int:
    wanted = needed_rows(plan, np.arange(top, bottom))
    flat = x.reshape(x.shape[0], -1)
    slab = _slab(device, wanted[0], flat.shape[1], x.dtype.name)
    pieces = [flat[wanted[0][a] : wanted[0][b - 1] + 1] for a, b in runs_of(wanted[0])]
    device.upload(pieces, slab.data)
    slab, clipped = _run_steps(device, plan, slab, wanted)
    samples = slab.data[:, : slab.samples]
    device.download(samples, out[top:bottom].reshape(bottom - top, -1))
    return clipped


def run_resident(device: Device, plan: Plan, x: Any) -> tuple[Any, int]:
    """Filter a picture ``(H, W, C)`` that is on the device already; the result stays there."""
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    height = x.shape[0]
    flat = x.reshape(height, -1)
    slab = Slab(flat, np.arange(height), flat.shape[1])
    if not _is_slab(device, flat):
        slab = _slab(device, slab.rows, flat.shape[1], x.dtype.name)
        slab.data[:, : slab.samples] = flat
    wanted = needed_rows(plan, np.arange(plan.shape_out[0]))
    slab.rows = np.arange(height)
    slab, clipped = _run_steps(device, plan, slab, [slab.rows, *wanted[1:]])
    return slab.data[:, : slab.samples].reshape(plan.shape_out), clipped


def _is_slab(device: Device, flat: Any) -> bool:
    """Whether rows start at multiples of 16 bytes already; a view may begin anywhere."""
    return bool(
        flat.flags.c_contiguous
        and flat.shape[1] == pitch(flat.shape[1], flat.dtype.name)
        and device.address(flat) % 16 == 0
    )


def _run_steps(device: Device, plan: Plan, slab: Slab, wanted: list[Rows]) -> tuple[Slab, int]:
    counts = device.xp.zeros((len(plan.steps), COUNTERS), np.uint64)
    clipped = 0
    for number, step in enumerate(plan.steps):
        passes = _passes(step, slab.data.dtype.name)
        if passes is None:
            slab, clipped = _by_arrays(device, step, slab, wanted[number + 1])
            continue
        clipped = 0
        for place, each in enumerate(passes):
            last = place == len(passes) - 1
            # A first pass across leaves the rows as they are.
            rows = wanted[number + 1] if last else slab.rows
            slab = _run_pass(device, each, slab, rows, not last, counts[number])
    return slab, clipped + int(device.host(counts[-1]).sum())


_passes = lru_cache(maxsize=64)(passes_of)


def _run_pass(
    device: Device, each: Pass, slab: Slab, rows: Rows, same_rows: bool, counts: Any
) -> Slab:
    """Launch a pass for each run of neighbouring output rows."""
    samples_out = each.cols.output * each.channels_out
    result = _slab(device, rows, samples_out, each.out_dtype, each.samples)
    columns = positions_of(each.cols, each.mode, 0, each.cols.output)
    weights = device.kept(
        np.zeros(1, each.acc) if each.weights is None else each.weights.astype(each.acc)
    )
    for start, stop in _cut(runs_of(rows) if not same_rows else [(0, len(rows))]):
        places = (
            np.arange(start, stop, dtype=np.int32)
            if same_rows
            else row_map(each.rows, each.mode, rows[start:stop], slab.rows)
        )
        tile, grid = _grid(each, stop - start, result.samples)
        args = (
            slab.data,
            result.data[start:stop],
            device.kept(places),
            device.kept(columns),
            weights,
            counts,
            np.int64(slab.data.shape[1]),
            np.int64(result.data.shape[1]),
            np.int32(slab.samples),
            np.int32(result.samples),
            np.int32(stop - start),
            np.int32(tile),
            np.int32(each.cols.before),
            np.int32(columns.size),
            np.float64(each.border),
        )
        device.launch(each.source, grid, BLOCK, args)
    return result


def _cut(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [
        (a, min(a + ROWS_PER_LAUNCH, stop))
        for start, stop in runs
        for a in range(start, stop, ROWS_PER_LAUNCH)
    ]


def _grid(each: Pass, rows: int, samples: int) -> tuple[int, tuple[int, int]]:
    """Rows per thread and blocks.

    A thread that walks far reads few rows twice, but then there are fewer threads. It reads as
    many rows before its first output as the kernel is high, so a high kernel wants a long walk.
    """
    across = -(-samples // each.samples)
    least = max(FEWEST_PER_THREAD, each.rows.kernel_size)
    tile = each.tile or min(max(rows * across // THREADS_WANTED, least), MOST_PER_THREAD)
    return tile, (-(-across // BLOCK[0]), -(-rows // (tile * BLOCK[1])))


def _by_arrays(device: Device, step: Step, slab: Slab, rows: Rows) -> tuple[Slab, int]:
    """A step that array operations do, such as one by FFT."""
    channels = step.shape_in[2]
    x = slab.data[:, : slab.samples].reshape(len(slab.rows), -1, channels)
    result = _slab(device, rows, step.shape_out[1] * step.shape_out[2], step.requantize.out_dtype)
    clipped = 0
    for start, stop in runs_of(rows):
        places = row_map(step.rows, step.border.mode, rows[start:stop], slab.rows)
        done, outside = run_rows_on(device.xp, step, x, places, stop - start)
        result.data[start:stop, : result.samples] = done.reshape(stop - start, -1)
        clipped += outside
    return result, clipped
