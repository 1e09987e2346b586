"""Algorithms and backends timed against each other on this machine, for ``convcli bench``."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from convcli.engine.dispatch import execute
from convcli.engine.operations import operation_of
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import BackendError, UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["Timing", "bench_kernels", "time_kernels", "why_no_gpu"]

BUDGET = 0.8
"""Seconds that the rounds of one entry may take."""

TOO_LONG = 2.5
"""Predicted seconds beyond which an entry is left out: nobody would choose it."""

ROUNDS = 5


@dataclass(slots=True)
class Timing:
    """One kernel: milliseconds by algorithm, and by the GPU if there is one.

    ``taken`` is the algorithm that the planner chooses on the CPU; ``predicted`` its seconds by
    the cost table.
    """

    name: str
    taken: str
    predicted: float
    milliseconds: dict[str, float] = field(default_factory=dict)
    gpu: float | None = None


def bench_kernels() -> tuple[Kernel, ...]:
    """Small to large, exact and not, separable and not."""
    from convcli.kernels.load import load_kernel

    rng = np.random.default_rng(7)
    presets = [load_kernel(text) for text in ("sobel-x", "gaussian:1", "gaussian:5", "box:9")]
    dense = [
        Kernel(rng.normal(size=(n, n)) / n**1.5, name=f"random {n}x{n}") for n in (3, 7, 15, 31)
    ]
    return (*presets, *dense)


def why_no_gpu() -> str:
    """Why no GPU takes part; empty if one does."""
    from convcli.engine.backends import Backend, pick_backend

    try:
        pick_backend(Backend("cupy"))
    except BackendError as error:
        return str(error).removeprefix("backend cupy: ")
    return ""


def time_kernels(
    kernels: Sequence[Kernel], size: tuple[int, int], channels: int, *, gpu: bool
) -> Iterator[Timing]:
    """Time every algorithm that can do each kernel, on random 8-bit pictures in memory.

    Parameters
    ----------
    size
        Height and width.
    gpu
        Whether to time the GPU too, transfers included.

    Raises
    ------
    UsageError
        If a kernel mixes another number of channels.
    """
    x = np.random.default_rng(0).integers(0, 256, (*size, channels)).astype(np.uint8)
    for kernel in kernels:
        if kernel.is_bank and kernel.weights.shape[1] != channels:
            raise UsageError(
                f"kernel {kernel.name!r} mixes {kernel.weights.shape[1]} channels; "
                f"the test picture has {channels}"
            )
        best = plan_filter(x.shape, x.dtype, [kernel], backend="numpy", range="auto")
        taken = best.steps[0].algorithm
        found = Timing(kernel.name, taken, best.cpu_seconds)
        operation = operation_of(kernel)
        for algorithm in [algorithm.name for algorithm in operation.algorithms]:
            try:
                plan = plan_filter(
                    x.shape, x.dtype, [kernel], backend="numpy", range="auto", algorithm=algorithm
                )
            except UsageError:
                continue  # this one cannot do the kernel
            if algorithm == taken or plan.cpu_seconds < TOO_LONG:
                found.milliseconds[algorithm] = _time(plan, x)
        if gpu and not operation.cpu_only(best.steps[0].method.problem):
            plan = plan_filter(x.shape, x.dtype, [kernel], backend="cupy", range="auto")
            found.gpu = _time(plan, x)
        yield found


def _time(plan: Plan, x: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """Median milliseconds; the first round warms up and does not count if there is time."""
    laps: list[float] = []
    while len(laps) <= ROUNDS and sum(laps) < BUDGET:
        begin = perf_counter()
        execute(plan, x)
        laps.append(perf_counter() - begin)
    return statistics.median(laps[1:] or laps) * 1e3
