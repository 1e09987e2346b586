"""Erosion and dilation: the smallest and the largest sample under a footprint, flat or gray.

Erosion takes the cells that the footprint covers; dilation takes those of the mirrored footprint,
its anchor mirrored too, so that ``dilate:B(x) = -erode:mirrored B(-x)`` and each is the other's
adjoint. With the number 1 the weights are gray levels, which erosion subtracts and dilation adds;
every cell counts then. NaN does not vote, nor does what lies outside where the border is
``missing``; where nothing votes, floats give NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.algorithms.gray_morphology import GRAY
from convcli.engine.algorithms.run_minima import RUNS
from convcli.engine.numerics import LIMITS, Bounds, exact_type
from convcli.engine.picks import Picked, Picks, mirrored
from convcli.engine.step import Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["MORPHOLOGY", "OPERATION", "Morphology", "always_votes", "extrema", "is_gray"]

MORPHOLOGY = (RUNS, GRAY)

KINDS = {"erode": (False, False), "dilate": (True, True), "largest": (True, False)}
"""Whether the largest is looked for, and whether the footprint is mirrored."""


class Morphology:
    """Picks under a footprint; which, the kernel's operation says."""

    algorithms = MORPHOLOGY
    on_gpu = False

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Picks, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        if kernel.weights.ndim != 2:
            raise UsageError(f"kernel {kernel.name!r}: a footprint has rows and columns only")
        unit = 1.0 if slot.raster else slot.white / 255.0
        return extrema(kernel, slot, kernel.operation, unit)


OPERATION = Morphology()


def extrema(
    kernel: Kernel,
    slot: Slot,
    kind: str,
    unit: float,
    *,
    keep: bool = False,
    windows: tuple[Window, Window] | None = None,
) -> tuple[Picks, Signal]:
    """The problem of one of :data:`KINDS`, and what is known of the result.

    Parameters
    ----------
    unit
        What a level of gray weights comes to in the picture.
    keep
        Whether values stay what they are, in their own type where it can hold them all.
    windows
        Where they do not stand as the place says.
    """
    largest, turned = KINDS[kind]
    gray = is_gray(kernel)
    weights = kernel.weights if gray else (kernel.weights != 0).astype(np.float64)
    if not weights.any() and not gray:
        raise UsageError(f"kernel {kernel.name!r}: no cell of the footprint counts: all are 0")
    if turned != slot.flip:
        weights = weights[::-1, ::-1]
    if gray:
        weights = weights * (unit if largest else -unit)  # what is added
    if windows is None:
        windows = slot.windows(kernel)
        windows = mirrored(windows, slot.padding) if turned else windows
    picked = _held(slot, weights, windows, largest=largest, gray=gray)
    if keep:
        own = slot.signal.dtype if picked.dtype == slot.signal.dtype and not gray else ""
        slot = slot._replace(target=own if own in LIMITS else "", range="clip", raster=True)
    bounds = _reach(slot.bounds, weights) if gray else slot.bounds
    whole = slot.signal.dtype in LIMITS and picked.dtype in LIMITS
    sums = (whole and bounds and exact_type(bounds)) or slot.precision
    requantize = slot.requantize(bounds and [bounds], accumulate=sums, exact=sums != slot.precision)
    if np.isnan(picked.outside) and slot.signal.dtype in LIMITS:
        requantize = requantize._replace(nan=True, clip=requantize.out_dtype in LIMITS)
    problem = Picks(
        slot,
        kernel.name,
        np.ascontiguousarray(weights)[None],
        windows,
        slot.shape[2],
        requantize,
        accumulate=sums,
        exact=sums != slot.precision,
        numbers=kernel.numbers,
        picked=picked,
    )
    error = slot.signal.error + problem.rounding(bounds)
    known = None if bounds is None else requantize._replace(ratio=1.0).bounds([bounds])
    return problem, Signal(slot.precision, known, error)


def is_gray(kernel: Kernel) -> bool:
    """Whether the weights are levels, and not a footprint."""
    return kernel.numbers == (1.0,)


def _reach(values: Bounds | None, added: NDArray[np.float64]) -> Bounds | None:
    """Bounds of samples with any of the weights added."""
    if values is None:
        return None
    return Bounds(values.low + float(added.min()), values.high + float(added.max()))


def _held(
    slot: Slot,
    weights: NDArray[np.float64],
    windows: tuple[Window, Window],
    *,
    largest: bool,
    gray: bool,
) -> Picked:
    """In which type samples are compared, and what stands outside among them."""
    dtype, border = slot.signal.dtype, slot.border
    omitted = border.mode == "missing"
    outside = float("nan") if omitted else border.value
    if dtype not in LIMITS:
        return Picked("float64" if dtype == "float64" else "float32", outside, largest, gray)
    low, high = LIMITS[dtype]
    wide = "float64"
    if not gray and omitted and always_votes(weights, windows):
        return Picked(dtype, low if largest else high, largest, gray)
    fits = not border.is_constant or outside.is_integer()
    if not gray:
        return Picked(dtype if fits and low <= outside <= high else wide, outside, largest, gray)
    assert slot.bounds is not None
    if fits and (weights == np.rint(weights)).all():
        reach = slot.bounds.magnitude + float(np.abs(weights).max())
        wide = "int32" if reach < 2**31 else "int64" if reach < 2**62 else wide
    return Picked(wide, outside, largest, gray)


def always_votes(weights: NDArray[np.float64], windows: tuple[Window, Window]) -> bool:
    """Whether one and the same cell of the footprint is inside the picture at every place.

    >>> from convcli.arithmetic.window import conv_window
    >>> window = conv_window(9, 3, padding="same")
    >>> always_votes(np.eye(3), (window, window)), always_votes(1 - np.eye(3), (window, window))
    (True, False)
    """
    at = []
    for window in windows:
        cell, beside = divmod(window.before, window.dilation)
        if beside or not 0 <= cell < window.kernel_size:
            return False
        if (window.output - 1) * window.stride >= window.size:
            return False
        at.append(cell)
    return bool(weights[at[0], at[1]])
