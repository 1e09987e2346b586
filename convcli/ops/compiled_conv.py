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
from convcli.ops.conv_geometry import ConvGeometry
from convcli.ops.operands import Array, for_loops, namespace
from convcli.ops.sliding_window import SlidingWindow
from convcli.ops.stride_phases import phases
from convcli.ops.tensor_threads import cores, scratch

__all__ = ["Share", "phase_shares", "shares"]

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
    if not _serves(sliding.xp, work, out):
        return None
    workers = _workers(out.size * sliding.depth)
    numbers = _numbers(
        x.shape[1], out.shape[1], sliding.groups, sliding.outputs, sliding.kernel, sliding.stride,
        sliding.dilation, sliding.start, work.itemsize * 8, workers,
    )  # fmt: skip
    return _shares(numbers, x, np.ascontiguousarray(for_loops(weight, work)), bias, out, workers)


def phase_shares(
    geometry: ConvGeometry, small: Array, turned: Array, bias: Array | None, out: Array, work: Any
) -> list[Share] | None:
    """All phases of a transposed convolution into ``out``, in one call of the loops.

    ``turned`` is the weight as (C, C'/groups, \\*kernel). None as above, or where cells of
    ``out`` are reached by no tap.
    """
    g = geometry
    found, dilation = phases(g.kernel, g.stride, g.dilation, g.before, g.size)
    if not _serves(namespace(out), work, out) or any(0 in p.kernel for p in found):
        return None
    workers, ones = _workers(small.size * turned.size // g.small_channels), (1,) * g.rank
    numbers = b"".join(
        _numbers(
            g.small_channels, g.big_channels, g.groups, phase.outputs, phase.kernel, ones,
            dilation, phase.start, work.itemsize * 8, workers, phase.first, g.stride,
        )
        for phase in found
    )  # fmt: skip
    weight, end = np.empty(turned.size, work), 0
    for phase in found:
        picked = turned[phase.picked]
        begin, end = end, end + picked.size
        weight[begin:end].reshape(picked.shape)[...] = picked
    return _shares(numbers, small, weight[:end], bias, out, workers)


def _serves(xp: Any, work: Any, out: Array) -> bool:
    return (
        xp is np
        and work in _FLOATS
        and out.dtype == work
        and extension("_tensors").module is not None
    )


def _workers(products: int) -> int:
    return cores() if products > MIN_PRODUCTS else 1


def _shares(
    numbers: bytes, x: Array, weight: Array, bias: Array | None, out: Array, workers: int
) -> list[Share]:
    """One for each thread, with the memory that they share."""
    work = out.dtype
    x = for_loops(x, work)
    bias = None if bias is None else np.ascontiguousarray(for_loops(bias, work))
    module = extension("_tensors").module
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
    first: tuple[int, ...] = (),
    apart: tuple[int, ...] = (),
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
    ones, none = (1,) * more, (0,) * more
    axes = (*ones, *kernel, *ones, *stride, *ones, *dilation, *none, *start)
    places = (*none, *first, *ones, *apart) if first else (0, 0, 0, 1, 1, 1)
    pieces = workers * PIECES if workers > 1 else 1
    return pack("21q", algorithm.code, groups, pieces, *axes, *places)
