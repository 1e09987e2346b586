"""A chain of steps on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap
from convcli.engine.cpu import compiled_loops
from convcli.engine.plan import Plan, Step

__all__ = ["run_chain", "run_step", "tile_size"]

_WORTH_A_THREAD = 2e-3
"""Seconds of work below which starting threads, and importing them, costs more than it saves."""


def run_chain(
    plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], int]:
    """Filter a picture, into ``out`` if it is given.

    Returns the samples and how many lay outside the output's range.
    """
    if x.dtype == np.float16 or not x.dtype.isnative:
        x = x.astype(np.float32 if x.dtype == np.float16 else x.dtype.newbyteorder("="))
    clipped = 0
    for step in plan.steps:
        into = out if step is plan.steps[-1] else None
        if into is None:
            into = np.empty(step.shape_out, step.finish.out_dtype)
        clipped = run_step(plan, step, x, into)
        x = into
    return x, clipped


def run_step(
    plan: Plan,
    step: Step,
    x: NDArray[Any],
    out: NDArray[Any],
    maps: tuple[AxisMap, AxisMap] | None = None,
) -> int:
    """Compute all of ``out``; returns the number of samples outside the range after the last step.

    ``maps`` say which cells of ``x`` stand where, if ``x`` and ``out`` are parts of pictures.
    """
    compiled, count = plan.loops == "compiled", step is plan.steps[-1]
    threads = plan.threads if _seconds(step, out) > _WORTH_A_THREAD else 1
    if step.algorithm == "fft":
        from convcli.engine.cpu import overlap_save

        return overlap_save.run_step(step, x, out, threads, count, compiled, maps)
    if compiled and compiled_loops.can(step):
        return compiled_loops.run_step(step, x, out, threads, count, maps)
    from convcli.engine.cpu import numpy_loops

    return numpy_loops.run_step(step, x, out, threads, count, maps)


def _seconds(step: Step, out: NDArray[Any]) -> float:
    """Predicted time on one thread."""
    return 1e-9 * out.size * next(c.cost for c in step.candidates if c.name == step.algorithm)


def tile_size(plan: Plan, step: Step) -> tuple[int, int]:
    """Rows and columns of the tiles that the output of a step is cut into."""
    if step.algorithm == "fft":
        from convcli.engine.cpu import overlap_save

        rows, cols = overlap_save.tile_size(step)
    elif plan.loops == "compiled" and compiled_loops.can(step):
        rows, cols = compiled_loops.tile_size(step)
    else:
        from convcli.engine.cpu import numpy_loops

        rows, cols = numpy_loops.tile_size(step)
    return min(rows, step.shape_out[0]), min(cols, step.shape_out[1])
