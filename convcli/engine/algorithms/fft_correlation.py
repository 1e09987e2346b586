"""Correlation through Fourier transforms: large kernels cost little more than small ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate, gpu_transforms, on_cpu
from convcli.engine.cpu.fft_sizes import efficiency, transform_length
from convcli.engine.numerics import EPS32
from convcli.engine.step import Maps, Method, Problem

__all__ = ["FFT"]


class FftCorrelation:
    """Tiles are transformed, multiplied and transformed back (overlap-save)."""

    name = "fft"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        kind = _transform(p)
        if kind is None:
            return None
        work, note = _samples(p), f"{kind} transforms"
        if p.on_gpu:
            price = CostEstimate(self.name, gpu_transforms(kind, work), note)
        else:
            price = on_cpu(self.name, note, p.loops.name, self.name, kind, work)
        return _Transformed(p, price, transform=kind)


FFT = FftCorrelation()


class _Transformed(Method):
    @cached_property
    def tile(self) -> tuple[int, int]:
        rows, cols = (
            max((transform_length(size, taps, m) - (taps - 1) * m.dilation - 1) // m.stride + 1, 1)
            for size, taps, m in zip(
                self.problem.shape_out, self.problem.kernel_size, self.problem.maps, strict=False
            )
        )
        return rows, cols

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.overlap_save import run_tiles

        return run_tiles(self, x, out, maps, threads, count)


def _samples(p: Problem) -> float:
    """Samples transformed, there or back, per output sample."""
    share = 1.0
    for window, line in zip((p.rows, p.cols), p.maps, strict=True):
        span = (window.kernel_size - 1) * line.dilation + 1
        dense = (window.output - 1) * line.stride + 1
        share *= efficiency(span, dense) * window.output / dense
    transforms = 1.0 + (p.weights.shape[1] / p.weights.shape[0] if p.is_bank else len(p.weights))
    return float(transforms / share)


def _transform(p: Problem) -> str | None:
    """Type of the transforms that keeps the promise, if one does.

    A float32 transform rounds relative to the whole tile, so only bounded pictures go through
    one. Exact sums are whole numbers, found again by rounding while the error is below 1/4.
    """
    if p.values is None:
        return "float64"
    error = 0.0
    for member in p.weights:
        spread = float(np.sqrt((member**2).sum())) * 2 + float(np.abs(member).sum())
        error = max(error, 8 * EPS32 * p.values * spread)
    if p.exact:
        return "float32" if error < 0.25 else "float64" if error < 2.0**25 else None
    return "float32" if p.accumulate == "float32" else "float64"
