"""The compiled gradient for the weights: windows times the output's gradient, without columns.

Optional: where the extension was not built, or ``CONVCLI_LOOPS=numpy`` is set, the products of
``convcli.ops.forward_backward`` go through im2col and BLAS, with the same results up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from convcli.extensions import extension
from convcli.ops.operands import Array, for_loops
from convcli.ops.sliding_window import SlidingWindow
from convcli.ops.tensor_threads import cores

__all__ = ["serves", "tasks"]

MIN_PRODUCTS = 1 << 19
"""Products below which a second thread costs more than it gains (about 0.05 ms to start)."""


def serves(sliding: SlidingWindow) -> bool:
    """Whether the compiled loops compute with these operands: float32 and float64 on the CPU."""
    return (
        sliding.xp is np
        and sliding.work in (np.float32, np.float64)
        and extension("_tensors").module is not None
    )


def tasks(sliding: SlidingWindow, small: Array, out: Array) -> list[Callable[[], None]]:
    """Sum the windows of ``sliding`` times ``small`` (N, C', \\*outputs) into ``out``.

    In pieces that can run at the same time, each with weights of its own.
    """
    work = sliding.work
    x, grad = for_loops(sliding.x, work), for_loops(small, work)
    numbers = np.array(
        [sliding.groups, *sliding.stride, *sliding.dilation, *sliding.start], np.int64
    )
    products = small.size * math.prod(out.shape[1:])
    pieces = cores() if products > MIN_PRODUCTS else 1
    gradient = extension("_tensors").module.gradient
    return [partial(gradient, numbers, x, grad, out, n, pieces) for n in range(pieces)]
