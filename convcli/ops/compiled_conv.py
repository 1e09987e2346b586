"""The compiled loops of tensors: windows times weights without gathering columns.

Optional: where the extension was not built, or ``CONVCLI_LOOPS=numpy`` is set, the products of
``convcli.ops.forward_backward`` go through im2col and BLAS, with the same results up to rounding.
"""

from __future__ import annotations

from functools import lru_cache
from struct import pack
from typing import Any

import numpy as np

from convcli.extensions import extension
from convcli.ops.algorithms import ConvProblem, choose
from convcli.ops.operands import Array
from convcli.ops.sliding_window import SlidingWindow
from convcli.ops.tensor_threads import cores, scratch

__all__ = ["Share", "shares"]

MIN_PRODUCTS = 1 << 17
"""Products below which a second thread costs more than it gains."""

PIECES = 4
"""Units of work for each thread, where there is enough to do: one who starts late does less."""

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_BYTES = np.dtype(np.uint8)


class Share:
    """One thread's share of a convolution: the first takes all of it if no other comes."""

    __slots__ = ("_own_bytes", "_rest", "_run")

    def __init__(self, run: Any, rest: tuple[Any, ...], own_bytes: int) -> None:
        self._run, self._rest, self._own_bytes = run, rest, own_bytes

    def __call__(self) -> None:
        self._run(*self._rest, scratch(np, "cells", (self._own_bytes,), _BYTES))


def shares(
    sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array
) -> list[Share] | None:
    """As ``convcli.ops.forward_backward.tasks``, without columns: float32 and float64 on the CPU.

    None where there are no compiled loops for it.
    """
    work, x = sliding.work, sliding.x
    if sliding.xp is not np or work not in _FLOATS or out.dtype != work:
        return None
    module = extension("_tensors").module
    if module is None or any(step % x.itemsize for step in x.strides):
        return None
    if x.dtype != work:
        x = x.astype(work)
    weight = np.ascontiguousarray(weight, work)
    bias = None if bias is None else np.ascontiguousarray(bias, work)
    workers = cores() if out.size * sliding.depth > MIN_PRODUCTS else 1
    numbers = _numbers(
        x.shape[1], out.shape[1], sliding.groups, sliding.outputs, sliding.kernel, sliding.stride,
        sliding.dilation, sliding.start, work.itemsize * 8, workers,
    )  # fmt: skip
    shared_bytes, own_bytes = module.memory(numbers, x, weight, bias, out)
    shared = np.empty(shared_bytes // 8 + 1, np.int64)
    shared[:8] = 0
    share = Share(module.run, (numbers, x, weight, bias, out, shared), own_bytes)
    return [share] * workers


@lru_cache(256)
def _numbers(
    channels: int,
    out_channels: int,
    groups: int,
    outputs: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    start: tuple[int, ...],
    bits: int,
    workers: int,
) -> bytes:
    """What the loops are told besides the arrays, with three axes (``loops/job.h``).

    Cached: a network asks for the same few again and again, and Python counts slowly.
    """
    algorithm = choose(
        ConvProblem(
            channels // groups, out_channels // groups, groups, outputs, kernel, stride, dilation,
            bits,
        )
    )  # fmt: skip
    more = 3 - len(kernel)
    axes = (*(1,) * more, *kernel, *(1,) * more, *stride, *(1,) * more, *dilation)
    pieces = workers * PIECES if workers > 1 else 1
    return pack("15q", algorithm.code, groups, pieces, *axes, *(0,) * more, *start)
