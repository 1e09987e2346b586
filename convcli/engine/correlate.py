"""Correlation: what a kernel does to the values under it, in which types, and how exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.engine.algorithms import CORRELATION
from convcli.engine.numerics import (
    EPS64,
    LIMITS,
    WHITE,
    Bounds,
    exact_type,
    float_error,
    sum_bounds,
    whole_weights,
)
from convcli.engine.requantize import Requantize
from convcli.engine.step import Problem, Signal, Slot
from convcli.errors import ShapeError
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Correlation"]


class Correlation:
    """Sums of weights times samples, and the kernel's formula on them."""

    algorithms = CORRELATION

    def cpu_only(self, problem: Problem) -> str:
        """A GPU does all."""
        return ""

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        kernel = kernel.flipped() if slot.flip else kernel
        channels, bounds = slot.shape[2], slot.bounds
        windows = slot.windows(kernel)
        weights = kernel.weights if kernel.weights.ndim > 2 else kernel.weights[None]
        if kernel.is_bank and weights.shape[1] != channels:
            raise ShapeError(
                f"kernel {kernel.name!r} has shape {weights.shape}: it reads {weights.shape[1]} "
                f"channels, but the picture has {channels}"
            )
        weights, scale, accumulate, exact = _sums(kernel, weights, slot)
        sums = None if bounds is None else _member_bounds(weights, bounds)
        requantize = slot.requantize(
            sums,
            accumulate=accumulate,
            exact=exact,
            combine=kernel.combine,
            scale=scale,
            bias=kernel.bias,
            absolute=kernel.absolute,
        )
        problem = Problem(
            slot,
            kernel,
            requantize,
            weights=weights,
            windows=windows,
            channels=weights.shape[0] if kernel.is_bank else channels,
            accumulate=accumulate,
            exact=exact,
            tolerance=_tolerance(weights, scale, slot),
        )
        problem.is_sum = True
        known = _through(kernel, weights, scale, slot, sums, requantize, exact)
        return problem, Signal(slot.precision, *known)


OPERATION = Correlation()


def _sums(
    kernel: Kernel, weights: NDArray[np.float64], slot: Slot
) -> tuple[NDArray[np.float64], float, str, bool]:
    """Weights and scale as the loops take them, the type of the sums, and whether they are exact."""
    scale, whole, bounds = kernel.scale, whole_weights(weights), slot.bounds
    if whole is not None and slot.signal.dtype in LIMITS and bounds is not None:
        numbers, factor, _ = whole
        sums = [bounds, *_member_bounds(numbers, bounds)]
        reach = Bounds(min(b.low for b in sums), max(b.high for b in sums))
        narrow = exact_type(reach) if reach.magnitude < 2**53 else None  # it is rounded itself
        fraction = slot.border.is_constant and slot.border.value != int(slot.border.value)
        if narrow is not None and not fraction:
            return numbers, scale * factor, narrow, True
        return weights, scale, "float64", False  # whole weights are promised to the last bit
    if slot.relative and float(np.abs(weights[weights != 0]).min(initial=1.0)) < 2.0**-64:
        return weights, scale, "float64", False  # float32 might lose the smallest altogether
    if slot.precision == "float32" and kernel.combine == "none":
        return weights * scale, 1.0, "float32", False
    return weights, scale, slot.precision, False


def _through(
    kernel: Kernel,
    weights: NDArray[np.float64],
    scale: float,
    slot: Slot,
    sums: list[Bounds] | None,
    requantize: Requantize,
    exact: bool,
) -> tuple[Bounds | None, float]:
    """Bounds of the values after a step, and the rounding error they carry, in native units."""
    signal = slot.signal
    inputs = signal.bounds.magnitude if signal.bounds is not None else slot.white
    axes = (1, 2, 3) if weights.ndim == 4 else (1, 2)
    gain = float(np.abs(weights).sum(axis=axes).max()) * abs(scale)
    taps = int(np.count_nonzero(weights, axis=axes).max())
    reach = gain * inputs + abs(requantize.bias) + abs(requantize.offset)
    if slot.precision == "float64":
        fresh = (
            float_error(0 if exact else taps, reach, EPS64)
            if not _is_sum(requantize, exact)
            else 0.0
        )
    elif exact or requantize.work == "float64":
        fresh = 0.0
    else:
        fresh = float_error(taps, gain * inputs + abs(requantize.bias))
    members = weights.shape[0] if kernel.combine == "magnitude" else 1
    error = (gain * signal.error + fresh) * members**0.5
    return requantize.known(sums), error


def _tolerance(weights: NDArray[np.float64], scale: float, slot: Slot) -> float:
    """Sum of absolute weights that an approximation may leave out.

    1/50 level of a whole-number output; else what the type of the sums cannot tell apart.
    """
    largest = float(np.abs(weights).sum(axis=(-2, -1)).max())
    known = slot.bounds
    if slot.target not in LIMITS or known is None:
        fine = slot.raster and slot.precision == "float64"
        fine = fine or "float64" in (slot.signal.dtype, slot.target)
        return largest * (1e-14 if fine else 1e-7)
    reach = known.magnitude * abs(scale)
    level = 1.0 if slot.raster else slot.white / WHITE[slot.target]
    return level * 0.02 / reach if reach else largest


def _is_sum(requantize: Requantize, exact: bool) -> bool:
    """Whether nothing is left that could round."""
    f = requantize
    plain = f.combine != "magnitude" and f.scale == f.ratio == 1.0 and f.offset == 0.0
    return exact and plain and f.bias == int(f.bias)


def _member_bounds(weights: NDArray[np.float64], values: Bounds) -> list[Bounds]:
    return [sum_bounds(member, values) for member in weights]
