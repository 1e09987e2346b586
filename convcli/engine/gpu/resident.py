"""Pictures that stay on a GPU between the stages of a filter.

A picture is uploaded once; steps, and whatever stands between them, work on arrays of CuPy; the
result is downloaded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.dispatch import native
from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.passes import TYPES
from convcli.engine.gpu.slabs import pitch, run_resident
from convcli.engine.plan import Plan, Step
from convcli.engine.requantize import Requantizer

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["download", "run_part", "upload"]


def upload(device: CupyDevice, x: NDArray[Any]) -> Any:
    """Pixels ``(H, W, C)`` on the device; their rows start at multiples of 16 bytes."""
    flat = native(x).reshape(len(x), -1)
    dtype = flat.dtype.name
    slab = device.xp.empty((len(flat), pitch(flat.shape[1], dtype)), dtype)
    device.upload([flat], slab)
    return slab[:, : flat.shape[1]].reshape(x.shape)


def download(device: CupyDevice, x: Any) -> NDArray[Any]:
    """Pixels ``(H, W, C)`` in host memory."""
    out = np.empty(x.shape, x.dtype)
    flat = x.reshape(len(out), -1)
    if flat.strides[1] != flat.itemsize:
        flat = device.xp.ascontiguousarray(flat)
    device.download(flat, out.reshape(len(out), -1))
    return out


def run_part(plan: Plan, x: Any, have: Ranges, want: Ranges) -> tuple[NDArray[Any], int]:
    """Outputs ``want`` of a plan of one step, on the device where the cutout ``have`` lies.

    Returns the samples, which stay there, and how many lay outside the range. To be called with
    the device chosen.
    """
    device, (step,) = device_of_thread(plan.backend.device), plan.steps
    if _is_pointwise(step) and step.requantize.out_dtype not in TYPES:
        return _by_samples(device, step, x)
    if x.dtype.name not in TYPES:
        # Such sums are exact in float64, and in float32 where the plan says so.
        x = x.astype("float32" if x.dtype.itemsize < 4 else "float64")
    return run_resident(device, plan, x)


def _is_pointwise(step: Step) -> bool:
    """Whether each sample is made of the one at its place."""
    plain = all(w.stride == 1 and w.before == w.after == 0 for w in (step.rows, step.cols))
    return plain and step.weights.shape[-2:] == (1, 1) and len(step.weights) == 1


def _by_samples(device: CupyDevice, step: Step, x: Any) -> tuple[Any, int]:
    """To types that no kernel writes, such as signed integers."""
    out = device.xp.empty(step.shape_out, step.requantize.out_dtype)
    values = x.astype(step.accumulate)
    weight = float(step.weights.flat[0])
    if weight != 1.0:
        values *= values.dtype.type(weight)
    return out, Requantizer(step.requantize, device.xp).apply([values], out, count=True)
