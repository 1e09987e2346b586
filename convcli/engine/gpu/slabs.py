"""Pictures on a device: rows that start at multiples of 16 bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.engine.gpu.device_protocol import Device
from convcli.engine.gpu.row_maps import Rows, count_rows

__all__ = ["Slab", "new_slab", "pitch", "slab_of"]


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
    return Slab(device.xp.empty((count_rows(rows), width), dtype), rows, samples)


def slab_of(device: Device, x: Any, rows: Rows) -> Slab:
    """Rows ``(N, W, C)`` that are on the device already, as they lie or copied."""
    flat = x.reshape(x.shape[0], -1)
    if _is_slab(device, flat):
        return Slab(flat, rows, flat.shape[1])
    slab = new_slab(device, rows, flat.shape[1], x.dtype.name)
    slab.data[:, : slab.samples] = flat
    return slab


def _is_slab(device: Device, flat: Any) -> bool:
    """Whether rows start at multiples of 16 bytes already; a view may begin anywhere."""
    return bool(
        flat.flags.c_contiguous
        and flat.shape[1] == pitch(flat.shape[1], flat.dtype.name)
        and device.address(flat) % 16 == 0
    )
