"""A step by whole-array operations, over an array module: CuPy, or NumPy in tests.

Every step is carried out as planned, in the planned types, so results agree with the CPU's.
Kernels of our own do what is faster in one pass; the FFT and unusual shapes run here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import OUTSIDE, axis_map
from convcli.engine.cpu.fft_sizes import smooth_length
from convcli.engine.plan import Step
from convcli.engine.requantize import Requantizer

__all__ = ["run_rows_on"]


def run_rows_on(xp: Any, step: Step, x: Any, places: NDArray[Any], rows: int) -> tuple[Any, int]:
    """Some output rows of a step; returns their samples and the clipped count.

    Parameters
    ----------
    x
        Rows of the picture, ``(rows, W, C)``.
    places
        Row of ``x`` at each position that the outputs read, ``OUTSIDE`` for the constant.
    rows
        Output rows, ``places`` being ``(rows - 1) * stride + effective_kernel`` long.
    """
    across = axis_map(step.cols, step.border.mode)
    padded = x.astype(step.accumulate)
    for axis, index in enumerate((places, across.index)):
        padded = _taken(xp, padded, index, axis, step.border.value)
    shape = (rows, *step.shape_out[1:])
    geometry = [
        (step.rows.stride, step.rows.dilation, rows),
        (across.stride, across.dilation, shape[1]),
    ]
    out = xp.empty(shape, step.requantize.out_dtype)
    requantizer = Requantizer(step.requantize, xp)
    planes = _sums(xp, step, padded, geometry)
    if not step.is_bank:
        return out, requantizer.apply(planes, out, count=True)
    clipped = 0
    for channel, plane in enumerate(planes):
        clipped += requantizer.apply([plane], out[:, :, channel], count=True)
    return out, clipped


def _taken(xp: Any, x: Any, index: NDArray[np.intp], axis: int, value: float) -> Any:
    taken = xp.take(x, xp.asarray(np.maximum(index, 0)), axis=axis)
    outside = np.flatnonzero(index == OUTSIDE)
    if outside.size:
        taken[(slice(None),) * axis + (xp.asarray(outside),)] = value
    return taken


def _sums(xp: Any, step: Step, padded: Any, geometry: list[tuple[int, int, int]]) -> Iterator[Any]:
    """Sums of each member of a stack ``(H, W, C)``, or of each output channel ``(H, W)``."""
    if step.method.transform:
        yield from _transformed(xp, step, padded, geometry)
        return
    if step.method.factors:
        for terms in step.method.factors:
            total = None
            for column, row in terms:
                tall = _line(xp, padded, column, 0, geometry[0], step.accumulate)
                part = _line(xp, tall, row, 1, geometry[1], step.accumulate)
                total = part if total is None else total + part
            yield total
        return
    for member in step.weights:
        total = None
        for place in zip(*np.nonzero(member), strict=True):
            run = padded[..., place[0]] if step.is_bank else padded
            for axis in (0, 1):
                run = _run(run, axis, int(place[axis - 2]), geometry[axis])
            part = run * _weight(member[place], step.accumulate)
            total = part if total is None else xp.add(total, part, out=total)
        shape = (geometry[0][2], geometry[1][2], *(() if step.is_bank else step.shape_out[2:]))
        yield xp.zeros(shape, step.accumulate) if total is None else total


def _line(
    xp: Any,
    x: Any,
    weights: NDArray[np.float64],
    axis: int,
    geometry: tuple[int, int, int],
    dtype: str,
) -> Any:
    total = None
    for tap in np.flatnonzero(weights):
        part = _run(x, axis, int(tap), geometry) * _weight(weights[tap], dtype)
        total = part if total is None else xp.add(total, part, out=total)
    return _run(x, axis, 0, geometry) * _weight(0.0, dtype) if total is None else total


def _run(x: Any, axis: int, tap: int, geometry: tuple[int, int, int]) -> Any:
    stride, dilation, outputs = geometry
    start = tap * dilation
    return x[(slice(None),) * axis + (slice(start, start + (outputs - 1) * stride + 1, stride),)]


def _weight(value: float, dtype: str) -> Any:
    return np.asarray(int(value) if "int" in dtype else value).astype(dtype)[()]


def _transformed(
    xp: Any, step: Step, padded: Any, geometry: list[tuple[int, int, int]]
) -> Iterator[Any]:
    (row_stride, row_dilation, rows), (col_stride, col_dilation, cols) = geometry
    size = tuple(smooth_length(n) for n in padded.shape[:2])
    spread = np.zeros(
        (
            *step.weights.shape[:-2],
            (step.kernel_size[0] - 1) * row_dilation + 1,
            (step.kernel_size[1] - 1) * col_dilation + 1,
        )
    )
    spread[..., ::row_dilation, ::col_dilation] = step.weights
    spectra = xp.fft.rfft2(xp.moveaxis(padded, 2, 0).astype(step.method.transform), size)
    for member in xp.asarray(spread):
        product = spectra * xp.conj(xp.fft.rfft2(member, size)).astype(spectra.dtype)
        if step.is_bank:
            product = product.sum(axis=0)
        sums = xp.fft.irfft2(product, size)[
            ...,
            : (rows - 1) * row_stride + 1 : row_stride,
            : (cols - 1) * col_stride + 1 : col_stride,
        ]
        if step.exact:  # the true sums are whole numbers, less than 1/4 away
            sums = xp.rint(sums)
        sums = sums.astype(step.accumulate)
        yield sums if step.is_bank else xp.ascontiguousarray(xp.moveaxis(sums, 0, 2))
