"""A chain of steps on the GPU, through CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.chain_steps import run_resident
from convcli.engine.gpu.cupy_device import device_in_turn, device_of_thread
from convcli.engine.gpu.failures import failures_told
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.plan import Plan

__all__ = ["run_chain"]


def run_chain(plan: Plan, x: Any, out: NDArray[Any] | None = None) -> tuple[Any, int]:
    """Filter a picture; returns the samples and how many lay outside the output's range.

    A picture that is on the device already (an array of CuPy) stays there. One in host memory may
    be given a place to go to, ``out``. Any number of threads may call this at the same time.

    Raises
    ------
    BackendError
        If a kernel cannot be compiled, if even a few rows do not fit into the device's memory,
        or if the device fails.
    """
    number = plan.backend.device
    with failures_told(number, plan.shape_in):
        if not isinstance(x, np.ndarray):
            return _where_it_is(plan, x)
        with device_in_turn(number) as device:
            return run_tiles(device, plan, x, out)


def _where_it_is(plan: Plan, x: Any) -> tuple[Any, int]:
    with device_of_thread(plan.backend.device) as device:
        # What made the picture may still be under way on another stream.
        device.xp.cuda.runtime.deviceSynchronize()
        done = run_resident(device, plan, x)
        device.stream.synchronize()
        return done
