"""A picture in host memory, filtered on a device tile by tile.

Tiles are as many rows as fit into the device's memory, and become fewer where it runs out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.row_maps import needed_rows
from convcli.engine.gpu.slabs import (
    FFT_BYTES,
    ROWS_PER_LAUNCH,
    Device,
    clipped_by,
    new_counts,
    new_slab,
    run_steps,
)
from convcli.engine.plan import Plan

__all__ = ["FEWEST_ROWS", "OutOfDeviceMemory", "run_tiles", "tile_rows"]

FEWEST_ROWS = 16
"""Smaller tiles would not save the day: their halo is larger than they are."""


class OutOfDeviceMemory(Exception):
    """A device cannot hold even a tile of few rows."""


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
    wanted = needed_rows(plan, ((top, bottom),))
    flat = x.reshape(x.shape[0], -1)
    slab = new_slab(device, wanted[0], flat.shape[1], x.dtype.name)
    device.upload([flat[start:stop] for start, stop in wanted[0]], slab.data)
    counts = new_counts(device, plan)
    slab = run_steps(device, plan, slab, wanted, counts)
    samples = slab.data[:, : slab.samples]
    device.download(samples, out[top:bottom].reshape(bottom - top, -1))
    return clipped_by(device, counts)
