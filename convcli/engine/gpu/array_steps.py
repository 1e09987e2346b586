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
from convcli.engine.cpu.fft_sizes import fft_length
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
    """Overlap and save, as on the CPU: tiles of one length, a row of them at a time.

    The kernel's spectrum is that of a tile, and made on the CPU in double precision.
    """
    strides, dilations, outputs = zip(*geometry, strict=True)
    spans = [(k - 1) * d + 1 for k, d in zip(step.kernel_size, dilations, strict=True)]
    spread = np.zeros((*step.weights.shape[:-2], *spans))
    spread[..., :: dilations[0], :: dilations[1]] = step.weights
    lengths = [
        fft_length(span, (n - 1) * every + 1)
        for span, n, every in zip(spans, outputs, strides, strict=True)
    ]
    kind = np.result_type(step.method.transform, np.complex64)
    spectrum = xp.asarray(np.conj(np.fft.rfft2(spread, lengths)).astype(kind))
    # Of each axis: outputs of a tile, and how many tiles there are.
    made = [
        max((length - span + 1) // every, 1)
        for length, span, every in zip(lengths, spans, strides, strict=True)
    ]
    tiles = [-(-n // per) for n, per in zip(outputs, made, strict=True)]
    size = [
        (count - 1) * per * every + length
        for count, per, every, length in zip(tiles, made, strides, lengths, strict=True)
    ]
    planes = xp.zeros((padded.shape[2], *size), step.method.transform)
    seen = [min(n, room) for n, room in zip(padded.shape, size, strict=False)]
    planes[:, : seen[0], : seen[1]] = xp.moveaxis(padded[: seen[0], : seen[1]], 2, 0)
    channels = 1 if step.is_bank else padded.shape[2]
    shape = (tiles[0] * made[0], tiles[1] * made[1], channels)
    sums = [xp.empty(shape, step.accumulate) for _ in spectrum]
    for row in range(tiles[0]):
        top = row * made[0] * strides[0]
        lanes = _tiles(
            xp, planes[:, top : top + lengths[0]], tiles[1], made[1] * strides[1], lengths
        )
        spectra = xp.fft.rfft2(lanes, lengths)
        for member, whole in zip(spectrum, sums, strict=True):
            if step.is_bank:
                product = (spectra * member[:, None]).sum(axis=0)[None]
            else:
                product = spectra * member
            part = xp.fft.irfft2(product, lengths)[
                ..., : made[0] * strides[0] : strides[0], : made[1] * strides[1] : strides[1]
            ]
            if step.exact:  # the true sums are whole numbers, less than 1/4 away
                part = xp.rint(part)
            # (channel, tile, row, column) to (row, tile, column, channel)
            part = part.transpose(2, 1, 3, 0).reshape(made[0], shape[1], channels)
            whole[row * made[0] : (row + 1) * made[0]] = part
    for whole in sums:
        cut = whole[: outputs[0], : outputs[1]]
        yield cut[..., 0] if step.is_bank else cut


def _tiles(xp: Any, lanes: Any, count: int, apart: int, lengths: list[int]) -> Any:
    """Tiles of a row, which overlap: ``(channel, tile, row, column)``, a view."""
    plane, line, cell = lanes.strides
    return xp.lib.stride_tricks.as_strided(
        lanes, (lanes.shape[0], count, *lengths), (plane, apart * cell, line, cell)
    )
