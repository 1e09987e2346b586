"""``auto`` against both backends on pictures of 20 sizes: whole commands, start included.

The machine is calibrated first, as a user would: ``convcli bench --calibrate`` keeps what it
measures in the cache of convcli.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gpu_batches import both, folder, written
from gpu_bench import TINY, Bench, Row

KERNELS = ("gaussian:10", "sobel-x")
"""By turns: what a GPU is good for, and what it is not."""


def rows(bench: Bench) -> list[Row]:
    """Every fourth size first, so that a run that ends early has seen all magnitudes."""
    numbered = list(enumerate(bench.amount.auto_sides))
    spread = [one for begin in range(4) for one in numbered[begin::4]]
    sizes = [
        Row(f"{side} {KERNELS[n % 2]}", partial(row, bench, side, KERNELS[n % 2]))
        for n, side in spread
    ]
    return (
        sizes if bench.amount is TINY else [Row("calibration", partial(calibrated, bench)), *sizes]
    )


def calibrated(bench: Bench) -> dict[str, Any]:
    """What the prediction counts with from here on."""
    return {"s": bench.command(["bench", "--calibrate"])}


def row(bench: Bench, side: int, name: str) -> dict[str, Any]:
    """Seconds on either, the choice, and how much slower it is than the better one."""
    with folder() as home:
        source = written(home / "in.ppm", side, side)
        taken = both(bench, str(source), name, home / "out.ppm")
        said = bench.report(
            ["filter", str(source), "-k", name, "-o", str(home / "out.ppm"), "--overwrite"]
        )
    chosen = said["backend"].partition(":")[0]
    regret = taken[chosen] / min(taken["cupy"], taken["numpy"])
    return taken | {"auto": chosen, "why": said["backend_reason"], "regret": regret}
