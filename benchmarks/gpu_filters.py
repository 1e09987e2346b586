"""Filters on the device, from its memory to its memory, beside peers and against a copy.

Each is compared with the CPU on a small picture before it is timed; what is wrong has no time.
Kernels are timed by events after a warm-up, recorded into a graph so that launching costs nothing,
over buffers that together are several times larger than the L2 cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from gpu_bench import Bench, Row, picture
from gpu_cases import BENCHMARKED, PICKING, SHORT, Case
from gpu_peers import is_sum, peers

from convcli.engine.dispatch import execute
from convcli.engine.gpu.chain_steps import run_resident
from convcli.engine.plan import plan_filter
from convcli.kernels.load import load_kernel

FIRST = ("3x3", "sobel-x", "5x5", "separable 7x7", "box:15", "median:3", "erode:3")
"""The filters whose figures matter most."""


def rows(bench: Bench) -> list[Row]:
    """The most important first: 8 bits before others, small pictures before large."""
    cases = [*BENCHMARKED, *PICKING]
    cases.sort(key=lambda c: c.name not in FIRST)
    return [
        Row(f"{side} {SHORT[dtype]} {'RGB' if channels == 3 else 'gray'} {case.name}",
            partial(row, bench, (side, side, channels), dtype, case))
        for side in bench.amount.sides
        for dtype in ("uint8", "float32", "uint16")
        for case in cases
        for channels in (1, 3)
    ]  # fmt: skip


def kernel_of(case: Case) -> Any:
    """The kernel of a case, which may give its name."""
    return load_kernel(case.kernel) if isinstance(case.kernel, str) else case.kernel


def row(
    bench: Bench, shape: tuple[int, int, int], dtype: str, case: Case
) -> Iterator[dict[str, Any]]:
    """Seconds of ours, then with those of one peer after the other."""
    off = difference(bench, shape[2], dtype, case)
    if off > (1 if dtype.startswith("u") else 2e-5):
        raise ValueError(f"{off:g} off the CPU's result")
    with bench.device:
        inputs, found = timed(bench, shape, dtype, case)
        found |= {"off": off, "peers": {}}
        yield found
        for name, taken in peers(bench, inputs, case.name, kernel_of(case), case.options):
            found["peers"][name] = taken
            yield found
    del inputs
    bench.free()


def difference(bench: Bench, channels: int, dtype: str, case: Case) -> float:
    """The largest between GPU and CPU on a small picture."""
    x = picture((*bench.amount.checked, channels), dtype)
    kernel = kernel_of(case)
    gpu, cpu = (
        execute(plan_filter(x.shape, dtype, [kernel], backend=b, **case.options), x).pixels
        for b in ("cupy", "numpy")
    )
    return float(np.abs(gpu.astype(np.float64) - cpu.astype(np.float64)).max())


def timed(
    bench: Bench, shape: tuple[int, int, int], dtype: str, case: Case
) -> tuple[list[Any], dict[str, Any]]:
    """Pictures on the device, and the seconds that one takes, with the work that there is to do."""
    kernel = kernel_of(case)
    plan = plan_filter(shape, dtype, [kernel], backend="cupy", **case.options)
    step = plan.steps[0]
    size = math.prod(shape) * np.dtype(dtype).itemsize
    bytes_out = math.prod(plan.shape_out) * np.dtype(plan.out_dtype).itemsize
    copies = max(2, min(8, bench.amount.spread // (size + bytes_out)))
    x = bench.cp.asarray(picture(shape, dtype))
    inputs = [x, *(x.copy() for _ in range(copies - 1))]
    device = bench.device
    device.launches = []
    kept = [run_resident(device, plan, one) for one in inputs]
    launches, device.launches = device.launches, []
    if launches and not step.method.transform:
        seconds = bench.time(bench.as_graph(launches), repeat=copies)
    else:  # arrays of CuPy do it
        seconds = bench.time(
            lambda: [run_resident(device, plan, one) for one in inputs], repeat=copies
        )
    del kept, launches
    made = {"s": seconds, "bytes": size + bytes_out, "algorithm": step.algorithm}
    if is_sum(kernel):
        made["taps"] = taps_of(step) * math.prod(plan.shape_out)
    return inputs, made


def taps_of(step: Any) -> float:
    """Multiply-adds of a sample, as planned."""
    if step.method.factors:
        return float(sum(len(a) + len(b) for member in step.method.factors for a, b in member))
    return float(np.count_nonzero(step.weights))
