"""Pictures that stay on a GPU between the stages of a filter.

A picture is uploaded once; steps, and whatever stands between them, work on arrays of CuPy; the
result is downloaded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from convcli.engine.dispatch import native
from convcli.engine.gpu.chain_steps import clipped_by, new_counts, run_steps
from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.row_maps import count_rows, needed_rows
from convcli.engine.gpu.slabs import pitch, slab_of
from convcli.engine.plan import Plan

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["cells_for", "download", "run_part", "upload"]


def upload(device: CupyDevice, x: NDArray[Any]) -> Any:
    """Pixels ``(H, W, C)`` on the device; their rows start at multiples of 16 bytes."""
    flat = native(x).reshape(len(x), -1)
    dtype = flat.dtype.name
    slab = device.xp.empty((len(flat), pitch(flat.shape[1], dtype)), dtype)
    device.upload(flat, slab)
    return slab[:, : flat.shape[1]].reshape(x.shape)


def download(device: CupyDevice, x: Any, out: NDArray[Any]) -> None:
    """Pixels ``(H, W, C)`` into host memory of their type, once the device has finished."""
    flat = x.reshape(len(out), -1)
    if flat.strides[1] != flat.itemsize:
        flat = device.xp.ascontiguousarray(flat)
    device.download(flat, out.reshape(len(out), -1))


def cells_for(plan: Plan, want: Ranges) -> Ranges:
    """The input cells of a plan of one step for outputs ``want``: whole rows, as both are here."""
    return needed_rows(plan, want[0])[0], ((0, plan.shape_in[1]),)


def run_part(
    plan: Plan, x: Any, have: Ranges, want: Ranges, *, count: bool
) -> tuple[NDArray[Any], int]:
    """Outputs ``want`` of a plan of one step, on the device where the cutout ``have`` lies.

    Returns the samples, which stay there, and how many lay outside the range, if they are counted:
    that waits for the device. To be called with the device chosen.
    """
    device = device_of_thread(plan.backend.device)
    counts = new_counts(device, plan)
    slab = run_steps(device, plan, slab_of(device, x, have[0]), [have[0], want[0]], counts[0])
    made = slab.data[:, : slab.samples].reshape(count_rows(want[0]), *plan.shape_out[1:])
    return made, clipped_by(device, counts) if count else 0
