"""Correlation through the FFT, tile by tile (overlap-save).

A tile's circular correlation is the linear one wherever no window wraps around, so each tile
gives ``tile - kernel + 1`` outputs per axis. [Oppenheim & Schafer, Discrete-Time Signal
Processing, 8.7]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap
from convcli.engine.cpu.fft_io import CompiledEnds, NumpyEnds
from convcli.engine.cpu.fft_sizes import transform_length
from convcli.engine.cpu.taps import Direct
from convcli.engine.cpu.tiles import Tile, grid, work_through
from convcli.engine.step import Maps, Method

__all__ = ["run_tiles"]


def run_tiles(
    method: Method,
    x: NDArray[Any],
    out: NDArray[Any],
    maps: Maps,
    threads: int,
    count: bool,
) -> int:
    """Compute all of ``out``; returns the number of samples outside the range, if counted.

    ``maps`` say which cells of ``x`` stand where, if ``x`` and ``out`` are parts of pictures.
    """
    transform = _Transform(method, maps)
    ends_of = CompiledEnds if method.problem.loops.compiled else NumpyEnds

    def make_worker() -> Callable[[Tile], int]:
        ends = ends_of(method, maps, x, out, count)
        buffers = _Buffers()

        def work(tile: Tile) -> int:
            with np.errstate(all="ignore"):
                lanes, clipped = ends.lanes(tile), 0
                for channel, members in transform(lanes, tile, buffers):
                    clipped += ends.requantize(members, tile, channel)
                return clipped

        return work

    tiles = grid(out.shape[0], out.shape[1], *method.tile)
    return work_through(tiles, make_worker, threads)


class _Buffers:
    """Arrays that one thread uses again for every tile: fresh ones cost as much as transforms."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        held = self._held.get(name)
        if held is None or held.shape != shape:
            held = self._held[name] = np.empty(shape, dtype)
        return held


class _Transform:
    """The kernel's spectrum, and the sums of a tile through it."""

    def __init__(self, method: Method, maps: Maps) -> None:
        p = self.problem = method.problem
        self.transform, self.maps = method.transform, maps
        spans = [(k - 1) * m.dilation + 1 for k, m in zip(p.kernel_size, maps, strict=True)]
        # Of the whole picture, also where the maps are those of a part.
        tall, wide = map(transform_length, p.shape_out, p.kernel_size, p.maps)
        self.length = tall, wide
        spread = np.zeros((*p.weights.shape[:-2], *spans))
        spread[..., :: maps[0].dilation, :: maps[1].dilation] = p.weights
        # The pictures' transforms are divided by the length (see forward), the kernel's are not.
        spectrum = np.conj(np.fft.rfft2(spread, self.length)) * (self.length[0] * self.length[1])
        self.spectrum = spectrum.astype(np.result_type(method.transform, np.complex64))

    def __call__(
        self, lanes: NDArray[Any], tile: Tile, buffers: _Buffers
    ) -> Iterator[tuple[int, Iterator[NDArray[Any]]]]:
        """Each output channel with the sums of its members, at every position across."""
        rows, cols = tile.bottom - tile.top, tile.right - tile.left
        if self.problem.requantize.nan and not np.isfinite(lanes).all():
            # A transform would spread it over the whole tile.
            yield from self._direct(lanes, rows, cols)
            return
        half = (self.length[0], self.length[1] // 2 + 1)
        product = buffers("product", half, self.spectrum.dtype)
        if self.problem.is_bank:
            spectra = self._forward(lanes, buffers)
            part = buffers("part", product.shape, product.dtype)
            for channel, member in enumerate(self.spectrum):
                np.multiply(spectra[0], member[0], out=product)
                for spectrum, weights in zip(spectra[1:], member[1:], strict=True):
                    np.add(product, np.multiply(spectrum, weights, out=part), out=product)
                yield channel, iter([self._back(product, rows, buffers)])
            return

        def members(spectrum: NDArray[Any]) -> Iterator[NDArray[Any]]:
            for member in self.spectrum:
                np.multiply(spectrum, member, out=product)
                yield self._back(product, rows, buffers)

        for channel in range(lanes.shape[0]):  # one at a time: all of it stays in the cache
            yield channel, members(self._forward(lanes[channel : channel + 1], buffers)[0])

    def _forward(self, lanes: NDArray[Any], buffers: _Buffers) -> NDArray[Any]:
        """Spectra of planes, divided by the length.

        That scaling keeps NumPy in single precision: without one it multiplies by the integer 1,
        which it takes for double, and is 5 times slower (NumPy 2.4, 512 x 512).
        """
        (tall, wide), planes = self.length, lanes.shape[0]
        kind, half = self.spectrum.dtype, wide // 2 + 1
        lines = buffers("lines", (planes, lanes.shape[1], half), kind)
        spectra = buffers("spectra", (planes, tall, half), kind)
        np.fft.rfft(lanes, wide, axis=2, norm="forward", out=lines)
        np.fft.fft(lines, tall, axis=1, norm="forward", out=spectra)
        return spectra

    def _back(self, spectrum: NDArray[Any], rows: int, buffers: _Buffers) -> NDArray[Any]:
        """Sums from a spectrum, which is overwritten."""
        every = self.maps[0].stride
        np.fft.ifft(spectrum, axis=0, out=spectrum)
        sums = buffers("sums", (rows, self.length[1]), self.transform)
        lines = spectrum[: (rows - 1) * every + 1 : every]
        np.fft.irfft(lines, self.length[1], axis=1, out=sums)
        return sums

    def _direct(
        self, lanes: NDArray[Any], rows: int, cols: int
    ) -> Iterator[tuple[int, Iterator[NDArray[Any]]]]:
        """The sums tap by tap."""
        tall, wide = self.maps

        def sums(taps: list[Tap]) -> NDArray[Any]:
            samples = (cols - 1) * wide.stride + 1
            return Direct(taps, self.transform)(lanes, rows, samples, tall.stride)

        def taps_of(weights: NDArray[np.float64], lane: int) -> list[Tap]:
            return [
                (lane, i * tall.dilation, j * wide.dilation, float(w))
                for (i, j), w in np.ndenumerate(weights)
            ]

        p = self.problem
        if p.is_bank:
            for channel, filters in enumerate(p.weights):
                together = [tap for c, plane in enumerate(filters) for tap in taps_of(plane, c)]
                yield channel, iter([sums(together)])
            return
        for channel in range(p.shape_in[2]):
            yield channel, (sums(taps_of(member, channel)) for member in p.weights)
