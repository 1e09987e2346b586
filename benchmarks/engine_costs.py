"""Measure what convcli/engine/costs.py holds, and print it ready to be pasted there.

Each algorithm is timed on one thread with kernels of several sizes; a line through the times
gives its fixed cost and its cost per unit of work, in ns per output sample.

    python benchmarks/engine_costs.py
"""

from __future__ import annotations

import time

import numpy as np

from convcli.engine import planner
from convcli.engine.cpu import choice, compiled_loops, numpy_loops, overlap_save
from convcli.engine.plan import plan_filter
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
    for loops, module in (("compiled", compiled_loops), ("numpy", numpy_loops)):
        if loops == "compiled" and choice.loops()[0] != "compiled":
            continue
        for algorithm in (*planner.ALGORITHMS, *(SPECIAL if loops == "compiled" else ())):
            forced = SPECIAL.get(algorithm, algorithm)
            for accumulate in ("int16", "uint16", "float32", "float64"):
                dtype = "float64" if accumulate == "float64" else "uint8"
                x = rng.integers(0, 256, SHAPE).astype(dtype)
                works, times, row = [], [], algorithm
                for kernel in kernels(accumulate, algorithm):
                    try:
                        plan = plan_filter(x.shape, dtype, [kernel], algorithm=forced)
                    except ValueError:
                        continue
                    step = plan.steps[0]
                    if step.accumulate != accumulate or (
                        module is compiled_loops
                        and not (compiled_loops.can(step) or algorithm == "fft")
                    ):
                        continue
                    out = np.empty(step.shape_out, step.finish.out_dtype)
                    best = min(timed(module, step, x, out) for _ in range(5))
                    works.append(
                        sum(step.kernel_size)
                        if algorithm == "flat"
                        else planner.work_of(step, loops)
                    )
                    if algorithm == "box" and numpy_loops.can_run(step):
                        works[-1], row = 0.0, "running"
                    times.append(best / out.size * 1e9)
                if len(works) >= 2:
                    slope, fixed = line(works, times)
                    print(
                        f'    ("{loops}", "{row}", "{accumulate}"): ({fixed:.2f}, {slope:.4f}),',
                        "#",
                        [f"{w:.3g}: {t:.2f}" for w, t in zip(works, times, strict=True)],
                        flush=True,
                    )


def line(works: list[float], times: list[float]) -> tuple[float, float]:
    """Slope and intercept of the times over the works, neither negative."""
    if max(works) == min(works):
        return 0.0, float(np.mean(times))
    slope, fixed = np.polyfit(works, times, 1)
    if fixed < 0.05:  # a line through 0.05 instead
        fixed = 0.05
        slope = float(np.dot(works, np.subtract(times, fixed)) / np.dot(works, works))
    return max(float(slope), 0.0), float(fixed)


def timed(module, step, x, out) -> float:
    """Processor seconds of one run on one thread: other programs do not disturb those much."""
    start = time.process_time()
    if step.algorithm == "fft":
        overlap_save.run_step(step, x, out, 1, False, module is compiled_loops)
    else:
        module.run_step(step, x, out, 1, False)
    return time.process_time() - start


if __name__ == "__main__":
    main()
