"""How fast a GPU is, measured for the cost model of ``auto``."""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.engine.gpu.chain_steps import run_resident
from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.workload import compile_seconds
from convcli.engine.plan import Plan, plan_filter
from convcli.engine.speeds import Speeds
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel

__all__ = ["measure_gpu"]

BUS_BYTES = 64 << 20
COPY_BYTES = 512 << 20
SIDE, SMALL = 4096, 64
TAPS, TAPS_COMPILED = 15, 7
LAUNCHES = 2  # a frame is filled, then the filter runs

# The second filter differs from the first by what is done once: compiling the kernel, if it is not
# in the cache, and loading it.
COLD_START = """
import time
start = time.perf_counter()
import numpy, cupy
cupy.zeros(1).sum().get()
ready = time.perf_counter()
from convcli.engine.dispatch import execute
from convcli.engine.gpu.measure import dense_plan
plan = dense_plan({side}, "uint8", {taps}, "cupy:{number}")
x = numpy.zeros(plan.shape_in, numpy.uint8)
laps = []
for _ in range(2):
    begin = time.perf_counter()
    execute(plan, x)
    laps.append(time.perf_counter() - begin)
print(ready - start, max(laps[0] - laps[1], 0.0005))
"""


def dense_plan(side: int, dtype: str, taps: int, backend: str) -> Plan:
    """Square pictures under a kernel that is neither separable nor of whole weights."""
    weights = np.random.default_rng(0).normal(size=(taps, taps)) / taps**2
    return plan_filter(
        (side, side, 1), dtype, [Kernel(weights)], backend=backend, algorithm="direct"
    )


def measure_gpu(speeds: Speeds, number: int = 0) -> Speeds:
    """The speeds with those of a GPU put in; takes some fifteen seconds.

    Raises
    ------
    BackendError
        If there is no GPU that can be used.
    """
    start, compiling, load = _cold_start(number)
    device = device_of_thread(number)
    with device:
        up, down, overlap, host_copy = _bus(device)
        memory = _copy(device)
        launch = _filter_seconds(device, SMALL, "uint8") / LAUNCHES
        adds, doubles = (
            TAPS**2 * SIDE**2 / _filter_seconds(device, SIDE, dtype)
            for dtype in ("float32", "float64")
        )
        name = device.xp.cuda.runtime.getDeviceProperties(number)["name"]
    nominal = compile_seconds(dense_plan(SMALL, "uint8", TAPS_COMPILED, "numpy"))
    return replace(
        speeds,
        start=start,
        compile=compiling / nominal,
        load=load / LAUNCHES,
        launch=launch,
        upload=up,
        download=down,
        overlap=overlap,
        host_copy=host_copy,
        memory=memory,
        multiply_adds=adds,
        doubles=doubles,
        matrices=float(device.multiplies_matrices),
        device=name.decode() if isinstance(name, bytes) else str(name),
    )


def _cold_start(number: int) -> tuple[float, float, float]:
    """Seconds to a working context, to compile a kernel, and to load it from the cache on disk."""
    code = COLD_START.format(side=SMALL, taps=TAPS_COMPILED, number=number)
    first = []
    with tempfile.TemporaryDirectory() as empty:
        for _ in range(2):  # the first run fills the cache
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "XDG_CACHE_HOME": empty},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise BackendError(f"backend cupy: a first filter on the GPU failed ({reason})")
            start, once = (float(word) for word in done.stdout.split()[-2:])
            first.append(once)
    return start, max(first[0] - first[1], 0.001), first[1]


def _median(device: CupyDevice, action: Callable[[], Any], rounds: int = 5) -> float:
    """Seconds of an action until the device is done with it; the first warms up."""
    laps = []
    for _ in range(rounds + 1):
        device.stream.synchronize()
        begin = time.perf_counter()
        action()
        device.stream.synchronize()
        laps.append(time.perf_counter() - begin)
    return statistics.median(laps[1:])


def _bus(device: CupyDevice) -> tuple[float, float, float, float]:
    """Bytes per second to the device, and back; what is hidden of one by the other; host copies.

    From and to pinned memory. What is hidden is a share of the shorter of the two.
    """
    cupy = device.xp
    memory = [cupy.cuda.alloc_pinned_memory(BUS_BYTES) for _ in range(2)]
    pinned = [np.frombuffer(each, np.uint8, BUS_BYTES) for each in memory]
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in pinned]
    slabs = [cupy.empty(BUS_BYTES, np.uint8) for _ in range(2)]
    other = cupy.cuda.Stream(non_blocking=True)

    def upload() -> None:
        slabs[0].data.copy_from_host_async(pointers[0], BUS_BYTES, device.stream)

    def download(stream: Any = device.stream) -> None:
        slabs[1].data.copy_to_host_async(pointers[1], BUS_BYTES, stream)

    def both() -> None:
        download(other)
        upload()
        other.synchronize()

    up, down = _median(device, upload), _median(device, download)
    hidden = (up + down - _median(device, both)) / min(up, down)
    source = np.ones(BUS_BYTES, np.uint8)
    copy = _median(device, lambda: np.copyto(pinned[0], source))
    rates = (BUS_BYTES / seconds for seconds in (up, down, copy))
    upload_rate, download_rate, copy_rate = rates
    return upload_rate, download_rate, min(max(hidden, 0.0), 1.0), copy_rate


def _copy(device: CupyDevice) -> float:
    """Bytes read plus written per second by a copy on the device."""
    size = min(COPY_BYTES, device.free_bytes() // 4)
    one, other = (device.xp.zeros(size, np.uint8) for _ in range(2))
    return 2 * size / _median(device, lambda: device.xp.copyto(other, one))


def _filter_seconds(device: CupyDevice, side: int, dtype: str) -> float:
    """Of a dense filter on a picture that is on the device."""
    plan = dense_plan(side, dtype, TAPS, "numpy")
    x = device.xp.zeros(plan.shape_in, dtype)
    return _median(device, lambda: run_resident(device, plan, x))
