"""A chain of steps on a device, which may be a GPU or, in tests, the CPU.

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

__all__ = [
    "FFT_BYTES",
    "ROWS_PER_LAUNCH",
    "Device",
    "Slab",
    "clipped_by",
    "new_counts",
    "new_slab",
    "pitch",
    "run_resident",
    "run_steps",
]

BLOCK = (32, 4)
"""Threads of a block: a warp along a row, so that its loads are neighbours."""

ROWS_PER_LAUNCH = 1 << 17
"""A grid has at most 65535 blocks down, of 4 rows each at least."""

FFT_BYTES = 48
"""Per sample, of padded copies, spectra and sums."""

THREADS_WANTED = 1 << 19
"""Twice as many as the largest devices run at once; measured on an H200, where 2^17 took up to 1.6
times as long. With more, each thread walks down fewer rows and reads its neighbours' more often."""

FEWEST_PER_THREAD, MOST_PER_THREAD = 2, 32
"""Rows that a thread walks down."""


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


def new_slab(device: Device, rows: Rows, samples: int, dtype: str, by: int = 1) -> Slab:
    """Room for rows that are written ``by`` samples at a time."""
    width = pitch(-(-samples // by) * by, dtype)
    return Slab(device.xp.empty((len(rows), width), dtype), rows, samples)


def run_resident(device: Device, plan: Plan, x: Any) -> tuple[Any, int]:
    """Filter a picture ``(H, W, C)`` that is on the device already; the result stays there."""
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    height = x.shape[0]
    flat = x.reshape(height, -1)
    slab = Slab(flat, np.arange(height), flat.shape[1])
    if not _isnew_slab(device, flat):
        slab = new_slab(device, slab.rows, flat.shape[1], x.dtype.name)
        slab.data[:, : slab.samples] = flat
    wanted = needed_rows(plan, np.arange(plan.shape_out[0]))
    slab.rows = np.arange(height)
    counts = new_counts(device, plan)
    slab = run_steps(device, plan, slab, [slab.rows, *wanted[1:]], counts)
    return slab.data[:, : slab.samples].reshape(plan.shape_out), clipped_by(device, counts)


def _isnew_slab(device: Device, flat: Any) -> bool:
    """Whether rows start at multiples of 16 bytes already; a view may begin anywhere."""
    return bool(
        flat.flags.c_contiguous
        and flat.shape[1] == pitch(flat.shape[1], flat.dtype.name)
        and device.address(flat) % 16 == 0
    )


def new_counts(device: Device, plan: Plan) -> Any:
    """On the device: samples outside the range after each step, to be read when all is done."""
    return device.xp.zeros((len(plan.steps), COUNTERS), np.uint64)


def clipped_by(device: Device, counts: Any) -> int:
    """Samples outside the range after the last step; waits for the kernels that count them."""
    return int(device.host(counts[-1]).sum())


def run_steps(device: Device, plan: Plan, slab: Slab, wanted: list[Rows], counts: Any) -> Slab:
    """The last rows ``wanted`` from a slab of the first; nothing waits for the device.

    ``counts`` is from :func:`new_counts`.
    """
    for number, step in enumerate(plan.steps):
        passes = _passes(step, slab.data.dtype.name)
        if passes is None:
            slab = _by_arrays(device, step, slab, wanted[number + 1], counts[number])
            continue
        for place, each in enumerate(passes):
            last = place == len(passes) - 1
            # A first pass across leaves the rows as they are.
            rows = wanted[number + 1] if last else slab.rows
            slab = _run_pass(device, each, slab, rows, not last, counts[number])
    return slab


_passes = lru_cache(maxsize=64)(passes_of)


def _run_pass(
    device: Device, each: Pass, slab: Slab, rows: Rows, same_rows: bool, counts: Any
) -> Slab:
    """Launch a pass for each run of neighbouring output rows."""
    samples_out = each.cols.output * each.channels_out
    result = new_slab(device, rows, samples_out, each.out_dtype, each.samples)
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


def _by_arrays(device: Device, step: Step, slab: Slab, rows: Rows, counts: Any) -> Slab:
    """A step that array operations do, such as one by FFT."""
    channels = step.shape_in[2]
    x = slab.data[:, : slab.samples].reshape(len(slab.rows), -1, channels)
    result = new_slab(
        device, rows, step.shape_out[1] * step.shape_out[2], step.requantize.out_dtype
    )
    for start, stop in runs_of(rows):
        places = row_map(step.rows, step.border.mode, rows[start:stop], slab.rows)
        done, outside = run_rows_on(device.xp, step, x, places, stop - start)
        result.data[start:stop, : result.samples] = done.reshape(stop - start, -1)
        counts[0] += np.uint64(outside)
    return result
