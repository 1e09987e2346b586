"""Measure what convcli/engine/costs.py holds, and print it ready to be pasted there.

Each algorithm is timed on one thread with kernels of several sizes; a line through the times
gives its fixed cost and its cost per unit of work, in ns per output sample.

    python benchmarks/engine_costs.py
"""

from __future__ import annotations

import os
import time

import numpy as np

from convcli.engine.algorithms import ALGORITHMS
from convcli.engine.dispatch import execute
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

SHAPE = (900, 1500, 3)
SPECIAL = {"flat": "direct", "blur": "separable"}
"""Ways of the compiled loops that some kernels take to an algorithm."""


def kernels(accumulate: str, algorithm: str) -> list[Kernel]:
    """Kernels of growing size whose sums are of one type."""
    rng = np.random.default_rng(3)
    if algorithm == "flat":  # means, whose division the loops do in 16 bits
        return [Kernel(np.ones((k, k)), 1 / k**2) for k in (3, 5, 9)]
    if algorithm == "blur":  # of bytes, in 16 bits
        lines = [np.exp(-np.square(np.arange(-r, r + 1) / r) * 4.5) for r in (2, 7, 20)]
        return [Kernel(np.outer(line, line) / line.sum() ** 2) for line in lines]
    if algorithm == "box":
        return [
            Kernel(np.ones((k, k))) for k in ((3, 5, 9) if accumulate == "uint16" else (21, 41))
        ]
    if accumulate in ("int16", "uint16"):
        low = -1 if accumulate == "int16" else 0
        sides = [np.array(s, float) for s in ([1, 2, 1], [1, 1, 1, 1, 1], [1, 2, 3, 2, 2, 1, 1])]
        return [Kernel(np.outer(s, np.where(np.arange(s.size) % 2, 1, low or 1))) for s in sides]
    sizes = (3, 7, 15) if algorithm == "direct" else (5, 15, 41)
    if algorithm == "fft":
        sizes = (15, 41, 101)
    made = []
    for k in sizes:
        column, row = rng.normal(size=k), rng.normal(size=k)
        plane = np.outer(column, row) if algorithm == "separable" else rng.normal(size=(k, k))
        made.append(Kernel(plane / np.abs(plane).sum()))
    return made


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    for loops in ("compiled", "numpy"):
        os.environ["CONVCLI_LOOPS"] = loops
        try:
            plan_filter(SHAPE, "uint8", [Kernel([[1]])])
        except UsageError:
            continue  # not built
        for special in (*ALGORITHMS, *SPECIAL):
            for accumulate in ("int16", "uint16", "float32", "float64"):
                dtype = "float64" if accumulate == "float64" else "uint8"
                x = rng.integers(0, 256, SHAPE).astype(dtype)
                found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
                for kernel in kernels(accumulate, special):
                    forced = SPECIAL.get(special, special)
                    try:
                        plan = plan_filter(x.shape, dtype, [kernel], algorithm=forced, threads=1)
                    except UsageError:
                        continue
                    step = plan.steps[0]
                    estimate = step.method.estimate
                    if step.accumulate != accumulate or estimate.row[0] != loops:
                        continue
                    best = min(timed(plan, x) for _ in range(5)) / np.prod(step.shape_out) * 1e9
                    found.setdefault(estimate.row, []).append((estimate.work, best))
                for row, times in found.items():
                    if len(times) >= 2 and row[1] in (special, "running"):
                        show((*row[:2], accumulate), times)


def show(row: tuple[str, str, str], times: list[tuple[float, float]]) -> None:
    """Print a row of the table, and behind it the times by work that it was made from."""
    slope, fixed = line(*map(list, zip(*times, strict=True)))
    names = ", ".join(f'"{name}"' for name in row)
    print(f"    ({names}): ({fixed:.2f}, {slope:.4f}),", end="  # ")
    print([f"{work:.3g}: {best:.2f}" for work, best in times], flush=True)


def line(works: list[float], times: list[float]) -> tuple[float, float]:
    """Slope and intercept of the times over the works, neither negative."""
    if max(works) == min(works):
        return 0.0, float(np.mean(times))
    slope, fixed = np.polyfit(works, times, 1)
    if fixed < 0.05:  # a line through 0.05 instead
        fixed = 0.05
        slope = float(np.dot(works, np.subtract(times, fixed)) / np.dot(works, works))
    return max(float(slope), 0.0), float(fixed)


def timed(plan: Plan, x: np.ndarray) -> float:
    """Processor seconds of one run on one thread: other programs do not disturb those much."""
    start = time.process_time()
    execute(plan, x)
    return time.process_time() - start


if __name__ == "__main__":
    main()
