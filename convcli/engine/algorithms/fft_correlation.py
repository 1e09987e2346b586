"""Correlation through Fourier transforms: large kernels cost little more than small ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import CostEstimate, gpu_transforms, on_cpu
from convcli.engine.cpu.fft_sizes import efficiency, transform_length
from convcli.engine.numerics import EPS32, EPS64, LIMITS
from convcli.engine.step import Maps, Method, Problem

__all__ = ["FFT"]


class FftCorrelation:
    """Tiles are transformed, multiplied and transformed back (overlap-save)."""

    name = "fft"

    def offer(self, problem: Problem) -> Method | None:
        p = problem
        kind = _transform(p)
        if kind is None or (p.on_gpu and p.exacting):
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

    Where results have to be right beside the smallest weight, a double transform's error, 8 * 2**-53
    of the largest sample times twice the weights' norm and their absolute sum, must stay below
    2**-24 of that sample times the smallest weight.
    """
    spread = max(
        float(np.sqrt((member**2).sum())) * 2 + float(np.abs(member).sum()) for member in p.weights
    )
    if p.exact and p.values is not None:
        error = 8 * EPS32 * p.values * spread
        return "float32" if error < 0.25 else "float64" if error < 2.0**25 else None
    if p.relative:
        least = float(np.abs(p.weights[p.weights != 0]).min(initial=np.inf))
        return "float64" if 8 * EPS64 * spread < 2.0**-24 * least else None
    if p.values is None:
        return "float64"
    if p.raster:  # within a level, where there are levels
        levels = p.requantize.out_dtype in LIMITS
        return "float64" if not levels or 8 * EPS64 * p.values * spread < 0.25 else None
    return "float32" if p.accumulate == "float32" else "float64"
