"""Correlation through the FFT, tile by tile (overlap-save).

A tile's circular correlation is the linear one wherever no window wraps around, so each tile
gives ``tile - kernel + 1`` outputs per axis. [Oppenheim & Schafer, Discrete-Time Signal
Processing, 8.7]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.borders import axis_map
from convcli.engine.cpu.gather import Gatherer
from convcli.engine.cpu.tiles import Tile, grid

if TYPE_CHECKING:
    from convcli.engine.plan import Step

__all__ = ["Fft", "Sums", "fft_length"]

Sums = Callable[[NDArray[Any], int, int], Iterator[NDArray[Any]]]
"""``(lanes, output rows, output samples per row)`` to the sums of each member or channel."""


def fft_length(kernel: int, outputs: int) -> int:
    """Transform length of one axis: a power of two some four times the kernel, or what suffices.

    >>> fft_length(31, 4000), fft_length(31, 20)
    (256, 50)
    """
    enough = _smooth(outputs + kernel - 1)
    length = 256
    while length < 4 * kernel:
        length *= 2
    return min(length, enough)


def _smooth(n: int) -> int:
    """Smallest even number from ``n`` on with no prime factor above 5."""
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1 and n % 2 == 0:
            return n
        n += 1


def _spans(step: Step) -> tuple[int, int, int, int]:
    """Span of the kernel and stride per axis, on the positions that the maps keep."""
    rows, cols = axis_map(step.rows, "edge"), axis_map(step.cols, "edge")
    kh, kw = step.kernel_size
    return (kh - 1) * rows.dilation + 1, rows.stride, (kw - 1) * cols.dilation + 1, cols.stride


class Fft:
    """Sums of one step's tiles; holds the kernel's spectrum."""

    def __init__(self, step: Step, gather: Gatherer, direct: Sums) -> None:
        self.step = step
        self.gather = gather
        self.group = gather.group
        self.real = np.dtype(step.transform)
        self._direct = direct
        height, self.row_stride, width, self.col_stride = _spans(step)
        self.width = width
        shape = step.shape_out
        self.length = (
            fft_length(height, (shape[0] - 1) * self.row_stride + 1),
            fft_length(width, (shape[1] - 1) * self.col_stride + 1),
        )
        spread = np.zeros((*step.weights.shape[:-2], height, width))
        spread[..., :: gather.rows.dilation, :: gather.cols.dilation] = step.weights
        spectrum = np.conj(np.fft.rfft2(spread, self.length))
        self.spectrum = spectrum.astype(np.result_type(self.real, np.complex64))

    @staticmethod
    def tiles(step: Step) -> list[Tile]:
        """Tiles that fill the transforms."""
        height, row_stride, width, col_stride = _spans(step)
        rows, cols, _ = step.shape_out
        sizes = [
            max((fft_length(k, (n - 1) * s + 1) - k) // s + 1, 1)
            for k, n, s in ((height, rows, row_stride), (width, cols, col_stride))
        ]
        return grid(rows, cols, *sizes)

    def __call__(self, lanes: NDArray[Any], rows: int, samples: int) -> Iterator[NDArray[Any]]:
        if not np.isfinite(lanes).all():  # a transform would spread it over the whole tile
            yield from self._direct(lanes, rows, samples)
            return
        cols = samples // self.group
        height, width = lanes.shape[1], lanes.shape[2] // self.group
        # (channels, positions down, positions across): the phases of a stride go back in line.
        phases = self.gather.phases
        planes = lanes.reshape(-1, phases, height, width, self.group)
        joined = planes.transpose(0, 4, 2, 3, 1).reshape(-1, height, width * phases)
        joined = joined[:, :, : (cols - 1) * self.col_stride + self.width]
        spectra = np.fft.rfft2(joined.astype(self.real, copy=False), self.length)
        for member in self.spectrum:
            if self.step.is_bank:
                sums = self._back((spectra * member).sum(axis=0)[None], rows, cols)
                yield sums[0]
            else:
                sums = self._back(spectra * member, rows, cols)
                yield np.ascontiguousarray(sums.transpose(1, 2, 0)).reshape(rows, samples)

    def _back(self, spectra: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
        sums = np.fft.irfft2(spectra, self.length)
        kept = sums[
            :,
            : (rows - 1) * self.row_stride + 1 : self.row_stride,
            : (cols - 1) * self.col_stride + 1 : self.col_stride,
        ]
        if self.step.exact:  # the true sums are whole numbers, less than 1/4 away
            kept = np.rint(kept)
        return kept.astype(self.step.accumulate, copy=False)
