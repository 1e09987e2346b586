"""How far the planner's choice is from the best one: every algorithm timed on 40 kernels.

    python benchmarks/engine_planner.py
    CONVCLI_LOOPS=numpy python benchmarks/engine_planner.py

Prints, per kernel, the algorithm chosen and its time over that of the fastest; the promise is at
most 1.3. Times are processor seconds on one thread.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from convcli.engine.dispatch import execute, loops
from convcli.engine.plan import plan_filter
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

ALLOWED = 1.3


def cases() -> list[tuple[str, str, tuple[int, int, int], Kernel, int]]:
    """Name, type, shape, kernel and stride of each case."""
    rng = np.random.default_rng(0)
    found = []

    def gauss(sigma: float) -> np.ndarray:
        t = np.arange(-np.ceil(3 * sigma), np.ceil(3 * sigma) + 1)
        g = np.exp(-t * t / (2 * sigma * sigma))
        return np.outer(g, g) / g.sum() ** 2

    def disk(radius: int) -> np.ndarray:
        t = np.arange(-radius, radius + 1)
        return (t[:, None] ** 2 + t**2 <= radius**2).astype(float)

    def add(name, weights, dtype="uint8", shape=(700, 900, 3), stride=1):
        weights = np.asarray(weights, float)
        scale = 1 / weights.sum() if (weights == np.rint(weights)).all() and weights.sum() else 1.0
        found.append((name, dtype, shape, Kernel(weights, scale=scale), stride))

    sobel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    for dtype in ("uint8", "uint16", "float32"):
        add(f"sobel {dtype}", sobel, dtype)
        add(f"gaussian 2 {dtype}", gauss(2), dtype)
        add(f"random 7 {dtype}", rng.normal(size=(7, 7)) / 9, dtype)
    add("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    for size in (3, 5, 9, 15, 31, 101):
        add(f"box {size}", np.ones((size, size)))
    for sigma in (0.5, 1, 5, 10, 30):
        add(f"gaussian {sigma}", gauss(sigma))
    for size in (3, 5, 11, 15, 21, 31, 45, 64, 101):
        w = rng.normal(size=(size, size))
        add(f"random {size}", w / np.abs(w).sum() * 3)
    for rank, size in ((2, 9), (3, 25), (6, 31)):
        w = sum(np.outer(rng.normal(size=size), rng.normal(size=size)) for _ in range(rank))
        add(f"rank {rank}, {size}", w / np.abs(w).sum())
    for radius in (2, 7, 20):
        add(f"disk {radius}", disk(radius))
    add("random 15 gray", rng.normal(size=(15, 15)) / 40, shape=(1200, 1600, 1))
    add("random 15 stride 3", rng.normal(size=(15, 15)) / 40, stride=3)
    add("random 41 stride 4", rng.normal(size=(41, 41)) / 200, stride=4)
    add("random 31 on 100x90", rng.normal(size=(31, 31)) / 90, shape=(90, 100, 3))
    return found


def seconds(plan, x) -> float:
    """Fastest of a few runs."""
    times = []
    while len(times) < 3 or (sum(times) < 0.1 and len(times) < 9):
        start = time.process_time()
        execute(plan, x)
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    """Print the table; returns 1 if a choice is too slow."""
    rng = np.random.default_rng(1)
    print("loops:", *loops())
    worst = 0.0
    for name, dtype, shape, kernel, stride in cases():
        x = rng.random(shape)
        x = x.astype(dtype) if dtype == "float32" else (x * np.iinfo(dtype).max).astype(dtype)
        options = {"stride": stride, "threads": 1}
        chosen = plan_filter(shape, dtype, [kernel], **options).steps[0]
        times = {}
        for candidate in chosen.candidates:
            try:
                plan = plan_filter(shape, dtype, [kernel], algorithm=candidate.name, **options)
            except UsageError:
                continue
            if candidate.cost < 12 * min(c.cost for c in chosen.candidates):
                times[candidate.name] = seconds(plan, x)
        ratio = times[chosen.algorithm] / min(times.values())
        worst = max(worst, ratio)
        listed = ", ".join(
            f"{k} {v * 1e3:.1f}" for k, v in sorted(times.items(), key=lambda t: t[1])
        )
        print(f"{name:22s} {chosen.algorithm:10s} {ratio:5.2f}  {listed}", flush=True)
    print(f"worst {worst:.2f}, allowed {ALLOWED}")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
