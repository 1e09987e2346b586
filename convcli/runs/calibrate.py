"""What ``auto`` needs to know of a machine, measured: ``convcli bench --calibrate``."""

from __future__ import annotations

import statistics
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.dispatch import execute
from convcli.engine.plan import Plan, plan_filter
from convcli.engine.speeds import Speeds, load_speeds, save_speeds
from convcli.errors import OutputError
from convcli.kernels.kernel import Kernel
from convcli.system.machine import default_threads

__all__ = ["calibrate", "measure_cpu"]

ROUNDS = 3

FILTERS = {
    "uint8": ("sobel-x", "gaussian:1", "gaussian:5", "box:9", "box:31", 3, 7, 15, 31),
    "uint16": ("sobel-x", "gaussian:2", 5),
    "float32": ("gaussian:2", "box:9", 5, 15),
    "float64": ("gaussian:2", "box:9", 5, 15, 31),
}
"""Presets, and sides of dense kernels, that take most rows of the cost table between them."""

SHARED = ("sobel-x", "gaussian:2", 7)
"""What threads share is measured with these, on bytes."""


def calibrate(size: tuple[int, int], *, gpu: bool) -> tuple[Speeds, str]:
    """Measure what ``auto`` needs and keep it; returns the speeds and where they are.

    Parameters
    ----------
    size
        Height and width of the pictures.
    gpu
        Whether to measure the GPU too.

    Raises
    ------
    OutputError
        If they cannot be kept.
    """
    speeds = measure_cpu(load_speeds(), size)
    if gpu:
        from convcli.engine.gpu.measure import measure_gpu

        speeds = measure_gpu(speeds)
    try:
        return speeds, str(save_speeds(speeds))
    except OSError as error:
        raise OutputError(
            f"the measured speeds cannot be kept in {error.filename or 'the cache'}: "
            f"{error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def measure_cpu(speeds: Speeds, size: tuple[int, int]) -> Speeds:
    """The speeds with those of the CPU put in; takes some ten seconds for 3000x2000."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for dtype, filters in FILTERS.items():
        x = _picture(size, dtype)
        for name in filters:
            plan = _plan(name, x, threads=1)
            row = " ".join(plan.steps[0].method.estimate.row)
            ratios[row].append(_least(plan, x) / plan.cpu_seconds)
    rows = {row: statistics.median(found) for row, found in ratios.items()}
    serial, together = _shared(size)
    typical = statistics.median(rows.values())
    return replace(speeds, cpu=typical, cpu_rows=rows, serial=serial, together=together)


def _shared(size: tuple[int, int]) -> tuple[float, float]:
    """The share of a filter that threads do not make shorter; how much longer a thread takes when
    all cores have pictures of their own."""
    cores = default_threads()
    if cores == 1:
        return 0.0, 1.0
    x = _picture(size, "uint8")
    serial, together = [], []
    with ThreadPoolExecutor(cores) as pool:
        for name in SHARED:
            one, all_of_them = _plan(name, x, threads=1), _plan(name, x, threads=cores)
            alone = _least(one, x)
            ratio = cores * _least(all_of_them, x) / alone
            serial.append((ratio - 1) / (cores - 1))
            outs = [np.empty(one.shape_out, one.out_dtype) for _ in range(cores)]

            def at_once(one: Plan = one, outs: list[NDArray[Any]] = outs) -> None:
                list(pool.map(lambda out: execute(one, x, out), outs))

            together.append(_least_of(at_once) / alone)
    return min(max(statistics.median(serial), 0.0), 1.0), max(statistics.median(together), 1.0)


def _picture(size: tuple[int, int], dtype: str) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(dtype)


def _plan(name: str | int, x: NDArray[Any], threads: int) -> Plan:
    from convcli.kernels.load import load_kernel

    if isinstance(name, str):
        kernel = load_kernel(name)
    else:
        weights = np.random.default_rng(7).normal(size=(name, name)) / name**1.5
        kernel = Kernel(weights, name=f"random {name}x{name}")
    return plan_filter(x.shape, x.dtype, [kernel], backend="numpy", range="auto", threads=threads)


def _least(plan: Plan, x: NDArray[Any]) -> float:
    out = np.empty(plan.shape_out, plan.out_dtype)
    return _least_of(lambda: execute(plan, x, out))


def _least_of(action: Any) -> float:
    """Seconds of the fastest of some rounds: what disturbs it only makes it longer."""
    laps = []
    for _ in range(ROUNDS):
        begin = perf_counter()
        action()
        laps.append(perf_counter() - begin)
    return min(laps)
