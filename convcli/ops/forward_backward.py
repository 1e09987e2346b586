"""The three products behind every operation here: forward, for the input, for the weight.

All are correlations. The gradient for the input, which is also the transposed convolution, is
done as one small correlation for each phase of the stride (``convcli.ops.stride_phases``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from convcli.kernels.blas import matmul
from convcli.ops import compiled_conv, compiled_gradient, depthwise_gpu
from convcli.ops.conv_geometry import ConvGeometry
from convcli.ops.operands import Array, namespace
from convcli.ops.sliding_window import OutputBlock, SlidingWindow
from convcli.ops.stride_phases import phases
from convcli.ops.tensor_threads import run_all

__all__ = ["backward_input", "backward_weight", "forward", "tasks"]

Shape: TypeAlias = tuple[int, ...]


def forward(
    geometry: ConvGeometry, big: Array, weight: Array, bias: Array | None, out: Array, work: Any
) -> None:
    """Convolve ``big`` (N, C, \\*size) into ``out`` (N, C', \\*output)."""
    sliding = _windows(geometry, namespace(out), big, work)
    _run(tasks(sliding, weight, bias, out), sliding)


def _windows(g: ConvGeometry, xp: Any, big: Array, work: Any) -> SlidingWindow:
    start = tuple(-before for before in g.before)
    return SlidingWindow(xp, big, g.groups, g.kernel, g.output, g.stride, g.dilation, start, work)


def tasks(
    sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array
) -> list[Callable[[], None]]:
    """Correlate the cells of ``sliding`` with ``weight`` (C', C/groups, \\*kernel) into ``out``.

    In pieces that can run at the same time.
    """
    if not out.size:  # a batch of none
        return []
    shares = compiled_conv.shares(*_flattened(sliding, weight, bias, out))
    if shares is not None:
        return list(shares)
    if depthwise_gpu.serves(sliding, weight, out):
        return [partial(depthwise_gpu.correlate, sliding, weight, bias, out)]
    xp, work, groups = sliding.xp, sliding.work, sliding.groups
    matrix = xp.ascontiguousarray(weight, work).reshape(groups, -1, sliding.depth)
    rows = matrix.shape[1]
    shift = None if bias is None else xp.asarray(bias, work).reshape(groups, rows, 1)
    direct = xp is np and out.flags.c_contiguous and out.dtype == work
    flat = out.reshape(out.shape[0], groups, rows, -1) if direct else out

    def product(block: OutputBlock) -> None:
        columns = sliding.columns(block)
        where = slice(block.offset, block.offset + block.length)
        if direct:
            target = flat[block.first : block.last, :, :, where]
            matmul(xp, matrix, columns, out=target)
        else:
            target = matmul(xp, matrix, columns)
        if shift is not None:
            target += shift
        if not direct:
            out[block.where] = target.reshape(columns.shape[0], -1, *block.shape)

    return [partial(product, block) for block in sliding.blocks()]


def _flattened(
    sliding: SlidingWindow, weight: Array, bias: Array | None, out: Array
) -> tuple[SlidingWindow, Array, Array | None, Array]:
    """A 1x1 convolution with its spatial axes flattened to one; any other as it is."""
    one = (1,) * len(sliding.kernel)
    if (
        sliding.kernel != one
        or sliding.stride != one
        or any(sliding.start)
        or sliding.outputs != sliding.x.shape[2:]
        or not (sliding.x.flags.c_contiguous and out.flags.c_contiguous)
    ):
        return sliding, weight, bias, out
    x = sliding.x.reshape(*sliding.x.shape[:2], -1)
    flat = replace(
        sliding, x=x, kernel=(1,), outputs=x.shape[2:], stride=(1,), dilation=(1,), start=(0,)
    )
    return flat, weight, bias, out.reshape(*out.shape[:2], -1)


def _run(jobs: list[Callable[[], None]], sliding: SlidingWindow) -> None:
    compiled = all(isinstance(job, compiled_conv.Share) for job in jobs)
    run_all(jobs, threaded=sliding.xp is np, blas=not compiled)


def backward_input(
    geometry: ConvGeometry, small: Array, weight: Array, bias: Array | None, out: Array, work: Any
) -> None:
    """Spread ``small`` (N, C', \\*output) into ``out`` (N, C, \\*size): the adjoint of forward."""
    xp = namespace(out)
    g = geometry
    jobs: list[Callable[[], None]] = []
    turned = weight.reshape(
        g.groups, g.small_channels // g.groups, g.big_channels // g.groups, *g.kernel
    )
    turned = turned.swapaxes(1, 2).reshape(g.big_channels, -1, *g.kernel)
    if max(g.stride) > 1 and out.size:
        shares = compiled_conv.phase_shares(g, small, turned, bias, out, work)
        if shares is not None:
            run_all(shares, blas=False)
            return
    found, dilation = phases(g.kernel, g.stride, g.dilation, g.before, g.size)
    ones = (1,) * g.rank
    for phase in found:
        view = out[phase.where]
        if 0 in phase.kernel:
            view[...] = 0 if bias is None else bias.reshape(-1, *ones)
            continue
        sliding = SlidingWindow(
            xp, small, g.groups, phase.kernel, phase.outputs, ones, dilation, phase.start, work
        )
        jobs += tasks(sliding, turned[phase.picked], bias, view)
    if jobs:
        _run(jobs, sliding)


def backward_weight(geometry: ConvGeometry, big: Array, small: Array, work: Any) -> Array:
    """Gradient for the weight: windows of ``big`` weighted by ``small``, in the working type."""
    g = geometry
    xp = namespace(big)
    if not g.batch:
        return xp.zeros(g.weight_shape, work)
    sliding = _windows(g, xp, big, work)
    if compiled_gradient.serves(sliding):
        out = np.empty(g.weight_shape, work)
        run_all(compiled_gradient.tasks(sliding, small, out), blas=False)
        return out
    rows = small.reshape(g.batch, g.groups, g.small_channels // g.groups, -1)
    total = xp.zeros((g.groups, rows.shape[2], sliding.depth), work)
    guard = threading.Lock()

    def product(block: OutputBlock) -> None:
        columns = sliding.columns(block)
        part = rows[block.first : block.last, :, :, block.offset : block.offset + block.length]
        part = matmul(xp, part.astype(work, copy=False), columns.swapaxes(2, 3)).sum(axis=0)
        with guard:
            xp.add(total, part, out=total)

    run_all([partial(product, block) for block in sliding.blocks()], threaded=xp is np)
    return total.reshape(g.weight_shape)
