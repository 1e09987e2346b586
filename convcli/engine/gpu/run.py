"""A chain of steps on the GPU, through CuPy."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from convcli.engine.gpu.arrays import run_chain_on
from convcli.engine.plan import Plan
from convcli.errors import BackendError

__all__ = ["run_chain"]


def run_chain(plan: Plan, x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Filter a picture; returns the samples and how many lay outside the output's range.

    Raises
    ------
    BackendError
        If the picture does not fit into the device's memory.
    """
    import cupy  # not at the top: this module must import on machines without it

    try:
        values, clipped = run_chain_on(cupy, plan, cupy.asarray(x))
        return cupy.asnumpy(values), clipped
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise BackendError(
            f"backend cupy: the device is out of memory for {plan.shape_in[1]}x"
            f"{plan.shape_in[0]}x{plan.shape_in[2]} ({error}); use --backend numpy"
        ) from error
