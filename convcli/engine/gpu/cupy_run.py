"""A chain of steps on the GPU, through CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.failures import failures_told
from convcli.engine.gpu.host_strips import OutOfDeviceMemory, run_tiles
from convcli.engine.gpu.slabs import run_resident
from convcli.engine.plan import Plan
from convcli.errors import BackendError

__all__ = ["run_chain"]


def run_chain(plan: Plan, x: Any) -> tuple[Any, int]:
    """Filter a picture; returns the samples and how many lay outside the output's range.

    A picture that is on the device already (an array of CuPy) stays there.

    Raises
    ------
    BackendError
        If a kernel cannot be compiled, if even a few rows do not fit into the device's memory,
        or if the device fails.
    """
    with failures_told(plan.backend.device):
        return _run(device_of_thread(plan.backend.device), plan, x)


def _run(device: CupyDevice, plan: Plan, x: Any) -> tuple[Any, int]:
    with device:
        if not isinstance(x, np.ndarray):
            # What made the picture may still be under way on another stream.
            device.xp.cuda.runtime.deviceSynchronize()
            done = run_resident(device, plan, x)
            device.stream.synchronize()
            return done
        try:
            return run_tiles(device, plan, x)
        except OutOfDeviceMemory as error:
            height, width, channels = plan.shape_in
            raise BackendError(
                f"backend cupy: device {plan.backend.device} is out of memory for {width}x{height}x"
                f"{channels}, even in tiles of few rows ({error}); use --backend numpy"
            ) from error
