"""What ``auto`` needs to know of a machine, measured: ``convcli bench --calibrate``."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import row_name, split
from convcli.engine.dispatch import execute
from convcli.engine.plan import Plan, plan_filter
from convcli.engine.speeds import Speeds, load_speeds, save_speeds
from convcli.errors import OutputError
from convcli.kernels.kernel import Kernel
from convcli.system.machine import default_threads

__all__ = ["calibrate", "measure_cpu"]

ROUNDS, SHARED_ROUNDS = 3, 12

LEAST_FACTOR = 0.1
"""Of the other: a fit that says less was made of noise."""

FILTERS = {
    ("uint8", 3): (
        "sobel-x",
        "gaussian:1",
        "gaussian:2",
        "gaussian:5",
        "box:9",
        "box:31",
        3,
        5,
        7,
        11,
        15,
        31,
    ),
    ("uint16", 3): ("sobel-x", "gaussian:2", 3, 7, 31),
    ("float32", 1): ("gaussian:2", "box:9", 3, 7, 31),
    ("float64", 1): ("gaussian:2", "box:9", 3, 7, 31),
}
"""By type and channels: presets, and sides of dense kernels, that take most rows of the cost table
between them. Floats are rasters, mostly of one band."""

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
    timed: dict[str, list[Sequence[float]]] = defaultdict(list)
    for (dtype, channels), filters in FILTERS.items():
        x = _picture((*size, channels), dtype)
        for name in filters:
            plan = _plan(name, x, threads=1)
            estimate, seconds = plan.steps[0].method.estimate, _least(plan, x)
            fixed, units = (share * 1e-9 * x.size / seconds for share in split(estimate))
            timed[row_name(estimate, dtype)].append((fixed, units))
    rows = {row: _factors(np.array(found)) for row, found in timed.items()}
    typical = statistics.median(1 / sum(one) for found in timed.values() for one in found)
    serial, together = _shared(size)
    return replace(speeds, cpu=typical, cpu_rows=rows, serial=serial, together=together)


def _factors(predicted: NDArray[np.float64]) -> tuple[float, float]:
    """By what to multiply a row of the cost table: what is fixed, and what each unit costs.

    Parameters
    ----------
    predicted
        ``(filters, 2)``: both, as shares of the time that was measured.

    >>> _factors(np.array([[0.5, 0.5], [0.1, 0.9]]))
    (1.0, 1.0)
    >>> _factors(np.array([[0.5, 0.0]]))
    (2.0, 2.0)
    """
    shares = predicted.sum(axis=1)
    if len({round(float(share), 3) for share in predicted[:, 1] / shares}) > 1:
        found, *_ = np.linalg.lstsq(predicted, np.ones(len(predicted)))
        if found.min() > LEAST_FACTOR * found.max():
            return round(float(found[0]), 4), round(float(found[1]), 4)
    one = round(float(np.median(1 / shares)), 4)
    return one, one


def _shared(size: tuple[int, int]) -> tuple[float, float]:
    """The share of a filter that threads do not make shorter; how much longer a thread takes when
    all cores have pictures of their own."""
    cores = default_threads()
    if cores == 1:
        return 0.0, 1.0
    x = _picture((*size, 3), "uint8")
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

            together.append(_least_of(at_once, rounds=SHARED_ROUNDS) / alone)
    return min(max(statistics.median(serial), 0.0), 1.0), max(statistics.median(together), 1.0)


def _picture(shape: tuple[int, int, int], dtype: str) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


def _plan(name: str | int, x: NDArray[Any], threads: int) -> Plan:
    from convcli.kernels.load import load_kernel

    if isinstance(name, str):
        kernel = load_kernel(name)
    else:
        weights = np.random.default_rng(7).normal(size=(name, name)) / name**1.5
        kernel = Kernel(weights, name=f"random {name}x{name}")
    return plan_filter(x.shape, x.dtype, [kernel], backend="numpy", range="auto", threads=threads)


def _least(plan: Plan, x: NDArray[Any]) -> float:
    """Of one thread its own time, which is the same where others are at work."""
    out = np.empty(plan.shape_out, plan.out_dtype)
    if plan.threads == 1:
        return _least_of(lambda: execute(plan, x, out), process_time)
    return _least_of(lambda: execute(plan, x, out), rounds=SHARED_ROUNDS)


def _least_of(
    action: Callable[[], Any],
    clock: Callable[[], float] = perf_counter,
    rounds: int = ROUNDS,
) -> float:
    """Seconds of the fastest of some rounds: what disturbs it only makes it longer."""
    laps = []
    for _ in range(rounds):
        begin = clock()
        action()
        laps.append(clock() - begin)
    return min(laps)
