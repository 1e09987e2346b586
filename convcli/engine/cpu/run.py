"""A chain of steps on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu import compiled_loops, numpy_loops
from convcli.engine.plan import Plan

__all__ = ["run_chain"]


def run_chain(plan: Plan, x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Filter a picture; returns the samples and how many lay outside the output's range."""
    if x.dtype == np.float16 or not x.dtype.isnative:
        x = x.astype(np.float32 if x.dtype == np.float16 else x.dtype.newbyteorder("="))
    clipped = 0
    for step in plan.steps:
        out = np.empty(step.shape_out, step.finish.out_dtype)
        compiled = plan.loops == "compiled" and compiled_loops.can(step)
        loops = compiled_loops if compiled else numpy_loops
        clipped = loops.run_step(step, x, out, plan.threads, step is plan.steps[-1])
        x = out
    return x, clipped
