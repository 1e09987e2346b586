"""Carries out a plan on the backend it names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.backends import taken_over
from convcli.engine.cpu.c_loops import loops
from convcli.engine.numerics import LIMITS
from convcli.engine.plan import Plan, Step
from convcli.engine.requantize import put_whole
from convcli.engine.step import Maps
from convcli.errors import BackendError, ShapeError, UsageError
from convcli.records import NamedTuple

__all__ = [
    "Outcome",
    "Values",
    "execute",
    "filtered_values",
    "loops",
    "native",
    "run_step",
    "stretched",
]


_WORTH_A_THREAD = 2e-3
"""Seconds of work below which starting threads, and importing them, costs more than it saves."""


class Outcome(NamedTuple):
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


class Values(NamedTuple):
    """Samples as they are before ``stretch``, how many were clipped, and what to note."""

    samples: NDArray[Any]
    clipped: int
    note: str = ""
    taken_over: str = ""
    """Why the CPU made them instead of a GPU; empty where it did not."""

    @property
    def told(self) -> str:
        """All that there is to tell."""
        return self.note or self.taken_over


def execute(plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None) -> Outcome:
    """Filter a picture.

    Parameters
    ----------
    plan
        From :func:`convcli.engine.plan.plan_filter`.
    x
        ``(H, W, C)``, of the plan's shape and type.
    out
        Where the samples go, of the plan's output shape and type, C-contiguous and apart from
        ``x``; a new array by default. In a loop it saves the system from clearing fresh memory,
        which takes longer than a 3x3 filter.

    Raises
    ------
    ShapeError
        If the picture or ``out`` is not of the plan's shape.
    UsageError
        If one of them is not of the plan's type, or ``out`` cannot be written in one run.

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
    if out is not None:
        _check_out(plan, x, out)
    if plan.range != "stretch":
        made = filtered_values(plan, x, out)
        return Outcome(made.samples, made.clipped, note=made.told)
    made = filtered_values(plan, x, None)
    from convcli.engine.rounding import SamplesSeen, flat_level, rounding

    values = made.samples
    low, high = float(values.min()), float(values.max())
    seen = SamplesSeen()
    seen.look(x)
    level = flat_level(seen.found)
    flat = level is not None and high - low <= rounding(plan, level)
    pixels = _placed(stretched(values, low, low if flat else high, plan.out_dtype), out)
    return Outcome(pixels, 0, low, high, made.told)


def _check_out(plan: Plan, x: NDArray[Any], out: NDArray[Any]) -> None:
    if out.shape != plan.shape_out:
        raise ShapeError(f"out has shape {out.shape}; the plan's output is {plan.shape_out}")
    if out.dtype != np.dtype(plan.out_dtype):
        raise UsageError(f"out is of type {out.dtype}; the plan's output is {plan.out_dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise UsageError("out must be C-contiguous and writeable")
    if np.may_share_memory(x, out):
        raise UsageError("out shares memory with the picture, which is read until the end")


def _placed(values: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    if out is None:
        return values
    np.copyto(out, values)
    return out


def filtered_values(plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None) -> Values:
    """Filter a picture on the backend of the plan, before ``stretch`` where that is the range."""
    if not plan.backend.on_gpu:
        return Values(*run_on_cpu(plan, x, out))
    from convcli.engine.gpu.cupy_run import run_chain as on_gpu
    from convcli.engine.gpu.notes import to_tell

    try:
        values, clipped = on_gpu(plan, x, out)
    except BackendError as error:
        if not plan.fallback:
            raise
        return Values(*run_on_cpu(plan, x, out), taken_over=taken_over(error))
    return Values(values, clipped, to_tell())


def stretched(values: NDArray[Any], low: float, high: float, dtype: str) -> NDArray[Any]:
    """Map ``[low, high]`` to what lies between 0 and the type's largest value, 1 for floats.

    A flat picture becomes black.
    """
    white = float(LIMITS[dtype][1]) if dtype in LIMITS else 1.0
    with np.errstate(all="ignore"):
        values = values.astype(np.float64)
        values -= low
        values *= white / (high - low) if high > low else 0.0
        if dtype in LIMITS:
            np.rint(values, out=values)
            if "64" in dtype:
                whole = np.empty(values.shape, dtype)
                put_whole(np.fmax(values, 0.0, out=values), whole)
                return whole
            np.fmin(np.fmax(values, 0.0, out=values), white, out=values)
    return values.astype(dtype)


def run_on_cpu(
    plan: Plan, x: NDArray[Any], out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], int]:
    """Filter a picture, into ``out`` if it is given.

    Returns the samples and how many lay outside the output's range.
    """
    x, clipped = native(x), 0
    for step in plan.steps:
        into = out if step is plan.steps[-1] else None
        if into is None:
            into = np.empty(step.shape_out, step.requantize.out_dtype)
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
