"""How fast a GPU is, measured for the cost model of ``auto``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.slabs import Device, run_resident
from convcli.engine.plan import plan_filter
from convcli.engine.speeds import Speeds
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel

__all__ = ["measure_gpu"]

BUS_BYTES = 64 << 20
COPY_BYTES = 512 << 20
SIDE = 4096
TAPS = 15

# The second filter differs from the first by what is done once: loading the compiled kernel.
COLD_START = """
import time
start = time.perf_counter()
import numpy, cupy
cupy.zeros(1).sum().get()
ready = time.perf_counter()
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel
x = numpy.zeros((64, 64, 1), numpy.uint8)
plan = plan_filter(x.shape, x.dtype, [Kernel([[1, 2, 1]])], backend="cupy:{number}")
laps = []
for _ in range(2):
    begin = time.perf_counter()
    execute(plan, x)
    laps.append(time.perf_counter() - begin)
print(ready - start, max(laps[0] - laps[1], 0.001))
"""


def measure_gpu(speeds: Speeds, number: int = 0) -> Speeds:
    """The speeds with those of a GPU put in; takes some ten seconds.

    Raises
    ------
    BackendError
        If there is no GPU that can be used.
    """
    start, load = _cold_start(number)
    device = device_of_thread(number)
    with device:
        up, down = _bus(device)
        memory = _copy(device)
        adds = _multiply_adds(device)
        name = device.xp.cuda.runtime.getDeviceProperties(number)["name"]
    return replace(
        speeds,
        start=start,
        compile=load,
        upload=up,
        download=down,
        memory=memory,
        multiply_adds=adds,
        device=name.decode() if isinstance(name, bytes) else str(name),
    )


def _cold_start(number: int) -> tuple[float, float]:
    """Seconds to a working context, and to load a kernel from the cache on disk."""
    for _ in range(2):  # the first run fills the cache
        done = subprocess.run(
            [sys.executable, "-c", COLD_START.format(number=number)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BackendError(f"backend cupy: a first filter on the GPU failed ({reason})")
    start, load = (float(word) for word in done.stdout.split()[-2:])
    return start, load


def _median(device: Any, action: Callable[[], Any], rounds: int = 5) -> float:
    """Seconds of an action until the device is done with it; the first warms up."""
    laps = []
    for _ in range(rounds + 1):
        device.stream.synchronize()
        begin = time.perf_counter()
        action()
        device.stream.synchronize()
        laps.append(time.perf_counter() - begin)
    return statistics.median(laps[1:])


def _bus(device: CupyDevice) -> tuple[float, float]:
    """Bytes per second to the device and back, as a filter moves them."""
    host = np.ones((BUS_BYTES >> 14, 1 << 14), np.uint8)
    slab = device.xp.empty(host.shape, np.uint8)
    up = _median(device, lambda: device.upload([host], slab))
    down = _median(device, lambda: device.download(slab, host))
    return host.nbytes / up, host.nbytes / down


def _copy(device: CupyDevice) -> float:
    """Bytes read plus written per second by a copy on the device."""
    size = min(COPY_BYTES, device.free_bytes() // 4)
    one, other = (device.xp.zeros(size, np.uint8) for _ in range(2))
    return 2 * size / _median(device, lambda: device.xp.copyto(other, one))


def _multiply_adds(device: CupyDevice) -> float:
    """Per second, in a large kernel."""
    weights = np.random.default_rng(0).normal(size=(TAPS, TAPS)) / TAPS**2
    plan = plan_filter(
        (SIDE, SIDE, 1), "float32", [Kernel(weights)], backend="numpy", algorithm="direct"
    )
    x = device.xp.zeros(plan.shape_in, np.float32)
    kernel_device: Device = device
    return TAPS**2 * SIDE**2 / _median(device, lambda: run_resident(kernel_device, plan, x))
