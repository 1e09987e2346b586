"""``auto`` against both backends on pictures of 20 sizes: whole commands, start included."""

from __future__ import annotations

from functools import partial
from typing import Any

from gpu_batches import both, folder, written
from gpu_bench import Bench, Row

from convcli.engine.plan import plan_filter
from convcli.kernels.load import load_kernel

KERNELS = ("gaussian:10", "sobel-x")
"""By turns: what a GPU is good for, and what it is not."""


def rows(bench: Bench) -> list[Row]:
    """Every fourth size first, so that a run that ends early has seen all magnitudes."""
    numbered = list(enumerate(bench.amount.auto_sides))
    spread = [one for begin in range(4) for one in numbered[begin::4]]
    return [
        Row(f"{side} {KERNELS[n % 2]}", partial(row, bench, side, KERNELS[n % 2]))
        for n, side in spread
    ]


def row(bench: Bench, side: int, name: str) -> dict[str, Any]:
    """Seconds on either, the choice, and how much slower it is than the better one."""
    shape = (side, side, 3)
    plan = plan_filter(shape, "uint8", [load_kernel(name)], backend=None)
    with folder() as home:
        source = written(home / "in.ppm", side, side)
        taken = both(bench, str(source), name, home / "out.ppm")
    chosen = plan.backend.name
    return taken | {"auto": chosen, "regret": taken[chosen] / min(taken["cupy"], taken["numpy"])}
