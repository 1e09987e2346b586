"""Erosion and dilation: the smallest and the largest sample under a footprint, flat or gray.

Erosion takes the cells that the footprint covers; dilation takes those of the mirrored footprint,
its anchor mirrored too, so that ``dilate:B(x) = -erode:mirrored B(-x)`` and each is the other's
adjoint. With the number 1 the weights are gray levels, which erosion subtracts and dilation adds;
every cell counts then. NaN does not vote, nor does what lies outside where the border is
``missing``; where nothing votes, floats give NaN.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.algorithms.gpu_picks import why_cpu_only
from convcli.engine.algorithms.gray_morphology import GRAY
from convcli.engine.algorithms.run_minima import RUNS
from convcli.engine.numerics import LIMITS, Bounds
from convcli.engine.picks import Picked, Picks, footprint, mirrored, pick, plane
from convcli.engine.step import Problem, Signal, Slot
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import has_heights

__all__ = ["MORPHOLOGY", "OPERATION", "Morphology", "always_votes", "extrema"]

MORPHOLOGY = (RUNS, GRAY)

KINDS = {"erode": (False, False), "dilate": (True, True), "largest": (True, False)}
"""Whether the largest is looked for, and whether the footprint is mirrored."""


class Morphology:
    """Picks under a footprint; which, the kernel's operation says."""

    algorithms = MORPHOLOGY

    def cpu_only(self, problem: Problem) -> str:
        """A GPU does flat rectangles."""
        return why_cpu_only(cast(Picks, problem))

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Picks, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        return extrema(kernel, slot, kernel.operation)


OPERATION = Morphology()


def extrema(
    kernel: Kernel,
    slot: Slot,
    kind: str,
    *,
    keep: bool = False,
    windows: tuple[Window, Window] | None = None,
) -> tuple[Picks, Signal]:
    """The problem of one of :data:`KINDS`, and what is known of the result.

    Parameters
    ----------
    keep
        Whether values stay what they are, in their own type where it can hold them all.
    windows
        Where they do not stand as the place says.
    """
    largest, turned = KINDS[kind]
    gray, flip = has_heights(kernel), turned != slot.flip
    if gray:
        heights = plane(kernel)[::-1, ::-1] if flip else plane(kernel)
        weights = heights * (slot.level if largest else -slot.level)  # what is added
    else:
        weights = footprint(kernel, flip=flip)
    if windows is None:
        windows = slot.windows(kernel)
        windows = mirrored(windows, slot.padding) if turned else windows
    picked = _held(slot, weights, windows, largest=largest, gray=gray)
    if keep:
        own = slot.signal.dtype if picked.dtype == slot.signal.dtype and not gray else ""
        slot = slot._replace(target=own if own in LIMITS else "", range="clip", raster=True)
    bounds = _reach(slot.bounds, weights) if gray else slot.bounds
    return pick(kernel, slot, weights, windows, picked, bounds)


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
    dtype, outside = slot.signal.dtype, slot.border.outside
    if dtype not in LIMITS:
        return Picked("float64" if dtype == "float64" else "float32", outside, largest, gray)
    wide = "float64"
    if not gray:
        if np.isnan(outside) and always_votes(weights, windows):
            low, high = LIMITS[dtype]
            return Picked(dtype, low if largest else high, largest, gray)
        return Picked(dtype if slot.fits(dtype) else wide, outside, largest, gray)
    assert slot.bounds is not None
    if outside.is_integer() and (weights == np.rint(weights)).all():
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
