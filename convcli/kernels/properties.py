"""What a kernel does, read off its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.blas import matmul
from convcli.kernels.factors import low_rank_factors, numerical_rank, separable_factors
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, reach_of

__all__ = ["WHITE", "Part", "Properties", "describe", "response_range", "symmetries"]

Array = NDArray[np.float64]

WHITE = 255.0
_TOWARDS = (
    "to the right",
    "to the upper right",
    "upwards",
    "to the upper left",
    "to the left",
    "to the lower left",
    "downwards",
    "to the lower right",
)
LARGEST_FOR_RANK = 512
"""Sides up to which the rank is computed: the singular values of more take seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """One two-dimensional kernel: all of a plain one, one of several in a stack.

    ``columns @ rows`` are the weights, but for ``error``; shapes ``(kH, rank)`` and
    ``(rank, kW)``. The rank is None where the kernel is too large to compute it.
    """

    weights: Array
    total: float
    symmetry: tuple[str, ...]
    rank: int | None
    columns: Array
    rows: Array
    error: float


@dataclass(frozen=True, slots=True)
class Properties:
    """What ``convcli kernel show`` says.

    ``low`` and ``high`` bound the result for a picture of 0 to 255. They are reached by a plain
    kernel; for a stack no picture may answer to all parts at once, so ``exact`` is False.
    """

    parts: tuple[Part, ...]
    total: float
    low: float
    high: float
    exact: bool
    whole: bool
    nonzero: int
    effect: str


def describe(kernel: Kernel) -> Properties:
    """Measure a kernel.

    >>> found = describe(Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> found.low, found.high, found.parts[0].rank, found.effect
    (-1020.0, 1020.0, 1, 'differentiates: slope to the right; flat areas become 0')
    """
    weights = kernel.weights
    stack = weights.reshape(-1, *kernel.shape) if kernel.is_correlation else ()
    low, high = response_range(kernel)
    return Properties(
        parts=tuple(_part(part, kernel.scale) for part in stack),
        total=0.0 if kernel.is_zero_sum else kernel.sum,
        low=low,
        high=high,
        exact=weights.ndim != 3,
        whole=bool((weights == np.rint(weights)).all()),
        nonzero=int(np.count_nonzero(weights)),
        effect=_effect(kernel),
    )


def response_range(kernel: Kernel) -> tuple[float, float]:
    """Least and greatest result for samples of 0 to 255, bias included.

    >>> response_range(Kernel([[-1, 9, -2]], bias=128))
    (-637.0, 2423.0)
    """
    if not kernel.is_correlation:
        return reach_of(kernel, WHITE)
    # Whole-number weights are added up before they are scaled: their sums are exact.
    weights = kernel.weights if kernel.scale >= 0 else -kernel.weights
    taps = (1, 2, 3) if kernel.is_bank else (-2, -1)
    lows = np.atleast_1d(np.minimum(weights, 0).sum(axis=taps) * abs(kernel.scale) * WHITE)
    highs = np.atleast_1d(np.maximum(weights, 0).sum(axis=taps) * abs(kernel.scale) * WHITE)
    if kernel.combine == "magnitude":
        low, high = 0.0, float(np.hypot.reduce(np.maximum(-lows, highs)))
    elif kernel.combine == "maximum":
        # Responses that always sum to zero have a maximum of at least zero.
        balanced = np.abs(weights.sum(axis=0)).max() <= 1e-12 * np.abs(weights).max()
        low, high = (0.0 if balanced else float(lows.max())), float(highs.max())
    else:
        low, high = float(lows.min()), float(highs.max())
    return low + kernel.bias, high + kernel.bias


def symmetries(weights: Array) -> tuple[str, ...]:
    """Names of the reflections and rotations that leave the weights, or negate them.

    >>> symmetries(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    ('antisymmetric left-right', 'symmetric top-bottom', 'antisymmetric under half a turn')
    """
    images = {
        "left-right": weights[:, ::-1],
        "top-bottom": weights[::-1],
        "under half a turn": weights[::-1, ::-1],
    }
    if weights.shape[0] == weights.shape[1]:
        images["under transposition"] = weights.T
        images["under a quarter turn"] = np.rot90(weights)
    near = 1e-12 * float(np.abs(weights).max())
    found = []
    for name, image in images.items():
        if np.abs(image - weights).max() <= near:
            found.append(f"symmetric {name}")
        elif np.abs(image + weights).max() <= near:
            found.append(f"antisymmetric {name}")
    return tuple(found)


def _part(weights: Array, scale: float) -> Part:
    total, symmetry = float(weights.sum() * scale), symmetries(weights)
    none = np.empty((len(weights), 0)), np.empty((0, weights.shape[1])), 0.0
    factors = separable_factors(weights)
    if factors is not None:
        column, row = factors[0][:, None], factors[1][None, :]
        error = float(np.abs(matmul(np, column, row) - weights).max())
        return Part(weights, total, symmetry, 1, column, row, error)
    if not weights.any():
        return Part(weights, total, symmetry, 0, *none)
    if min(weights.shape) > LARGEST_FOR_RANK:
        return Part(weights, total, symmetry, None, *none)
    rank = numerical_rank(weights)
    return Part(weights, total, symmetry, rank, *low_rank_factors(weights, rank))


def _effect(kernel: Kernel) -> str:
    if not kernel.is_correlation:
        return facts_of(kernel).verb
    if kernel.is_bank:
        outputs, inputs = kernel.weights.shape[:2]
        return f"mixes channels: {inputs} in, {outputs} out"
    scaled = kernel.weights * kernel.scale
    if not scaled.any():
        return f"gives {kernel.bias:g} everywhere"
    if kernel.is_zero_sum:
        flat = f"flat areas become {kernel.bias:g}"
        how = {
            "magnitude": f"root of the summed squares of {len(scaled)} slopes",
            "maximum": f"strongest of {len(scaled)} directions",
        }.get(kernel.combine) or _derivative(scaled)
        return f"differentiates: {how}; {flat}"
    if kernel.combine != "none":
        return f"takes the {kernel.combine} of {len(scaled)} responses"
    return _weighted(scaled, kernel)


def _weighted(scaled: Array, kernel: Kernel) -> str:
    total = float(scaled.sum())
    kept = math.isclose(total, 1, rel_tol=1e-9)
    brightness = "brightness kept" if kept and not kernel.bias else f"flat areas times {total:.6g}"
    if kernel.bias:
        brightness += f" plus {kernel.bias:g}"
    if np.count_nonzero(scaled) == 1:
        middle = tuple((side - 1) // 2 for side in scaled.shape)
        centred = scaled[middle] != 0
        if centred and kept and not kernel.bias:
            return "changes nothing"
        return ("rescales" if centred else "shifts") + f": {brightness}"
    if (scaled >= 0).all() or (scaled <= 0).all():
        return f"{'adds up' if kernel.total else 'smooths'}: {brightness}"
    mirrored = np.abs(scaled - scaled[::-1, ::-1]).max() <= 1e-12 * np.abs(scaled).max()
    return (
        "sharpens" if mirrored and total > 0 else "smooths and differentiates"
    ) + f": {brightness}"


def _derivative(weights: Array) -> str:
    """Which derivative: the first if a ramp is answered to, else the second or higher."""
    height, width = weights.shape
    x = np.arange(width) - (width - 1) / 2
    y = np.arange(height) - (height - 1) / 2
    near = 1e-9 * np.abs(weights).sum() * max(weights.shape)
    right = float((weights * x).sum())
    down = float((weights * y[:, None]).sum())
    if abs(right) <= near and abs(down) <= near:
        return "second or higher derivative"
    angle = math.degrees(math.atan2(-down, right))
    eighth = round(angle / 45)
    if abs(angle - 45 * eighth) < 1e-6:
        return f"slope {_TOWARDS[eighth % 8]}"
    return f"slope along {angle:.4g} degrees, counterclockwise from the right"
