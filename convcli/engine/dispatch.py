"""Carries out a plan on the backend it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.backends import BACKENDS, pick_backend
from convcli.engine.cpu.choice import loops
from convcli.engine.numerics import FULL
from convcli.engine.plan import Plan
from convcli.errors import BackendError, ShapeError, UsageError

__all__ = ["BACKENDS", "Outcome", "execute", "loops", "pick_backend", "stretched"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The filtered picture.

    Parameters
    ----------
    pixels
        ``(H, W, C)`` of the plan's output type.
    clipped
        Samples that lay outside the output's range before clipping.
    low, high
        Smallest and largest value before the mapping, where ``stretch`` needed them.
    note
        What the user should know: that the CPU had to take over, and why.
    """

    pixels: NDArray[Any]
    clipped: int
    low: float | None = None
    high: float | None = None
    note: str = ""


def execute(plan: Plan, x: NDArray[Any]) -> Outcome:
    """Filter a picture.

    Raises
    ------
    ShapeError
        If the picture is not of the plan's shape.
    UsageError
        If it is not of the plan's type.

    >>> from convcli.engine.plan import plan_filter
    >>> from convcli.kernels.kernel import Kernel
    >>> x = np.array([[[1], [2], [4]]], np.uint8)
    >>> execute(plan_filter(x.shape, x.dtype, [Kernel([[0, 2, 0]])]), x).pixels.ravel()
    array([2, 4, 8], dtype=uint8)
    """
    if x.shape != plan.shape_in:
        raise ShapeError(f"picture has shape {x.shape}; the plan is for {plan.shape_in}")
    if x.dtype.name != plan.dtype:
        raise UsageError(f"picture is of type {x.dtype.name}; the plan is for {plan.dtype}")
    values, clipped, note = _run(plan, x)
    if plan.range != "stretch":
        return Outcome(values, clipped, note=note)
    low, high = float(values.min()), float(values.max())
    return Outcome(stretched(values, low, high, plan.out_dtype), 0, low, high, note)


def _run(plan: Plan, x: NDArray[Any]) -> tuple[NDArray[Any], int, str]:
    from convcli.engine.cpu.run import run_chain as on_cpu

    if plan.backend != "cupy":
        return *on_cpu(plan, x), ""
    from convcli.engine.gpu.run import run_chain as on_gpu

    try:
        return *on_gpu(plan, x), ""
    except BackendError as error:
        if not plan.fallback:
            raise
        reason = str(error).removeprefix("backend cupy: ").removesuffix("; use --backend numpy")
        return *on_cpu(plan, x), f"done on the CPU, since the GPU could not: {reason}"


def stretched(values: NDArray[Any], low: float, high: float, dtype: str) -> NDArray[Any]:
    """Map ``[low, high]`` to the full range; a flat picture becomes black."""
    white = FULL.get(dtype, 1.0)
    with np.errstate(all="ignore"):
        values = values.astype(np.float64)
        values -= low
        values *= white / (high - low) if high > low else 0.0
        if dtype in FULL:
            np.rint(values, out=values)
            np.fmin(np.fmax(values, 0.0, out=values), white, out=values)
    return values.astype(dtype)
