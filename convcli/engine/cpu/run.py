"""A chain of steps on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.plan import Plan, Step
from convcli.engine.step import Maps

__all__ = ["native", "run_chain", "run_step"]

_WORTH_A_THREAD = 2e-3
"""Seconds of work below which starting threads, and importing them, costs more than it saves."""


def run_chain(
    plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], int]:
    """Filter a picture, into ``out`` if it is given.

    Returns the samples and how many lay outside the output's range.
    """
    x, clipped = native(x), 0
    for step in plan.steps:
        into = out if step is plan.steps[-1] else None
        if into is None:
            into = np.empty(step.shape_out, step.finish.out_dtype)
        clipped = run_step(plan, step, x, into)
        x = into
    return x, clipped


def native(x: NDArray[Any]) -> NDArray[Any]:
    """The samples in a type that the loops read: in this machine's byte order, and no float16."""
    if x.dtype == np.float16 or not x.dtype.isnative:
        return x.astype(np.float32 if x.dtype == np.float16 else x.dtype.newbyteorder("="))
    return x


def run_step(
    plan: Plan, step: Step, x: NDArray[Any], out: NDArray[Any], maps: Maps | None = None
) -> int:
    """Compute all of ``out``; returns the number of samples outside the range after the last step.

    ``maps`` say which cells of ``x`` stand where, if ``x`` and ``out`` are parts of pictures.
    """
    threads = plan.threads if 1e-9 * out.size * step.cost > _WORTH_A_THREAD else 1
    return step.method.run(x, out, maps or step.maps, threads, count=step is plan.steps[-1])
