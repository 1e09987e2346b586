"""Whether alpha hides anything, and alpha that is left as it is: under differences, or single pixels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.plan import Plan, Step
from convcli.imaging.header import full_scale
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.missing import slabs
from convcli.kernels.kernel import Kernel
from convcli.records import NamedTuple

__all__ = [
    "EMPTY",
    "Placed",
    "hides_some",
    "is_opaque",
    "leaves_alpha",
    "picker",
    "picker_of",
    "picks_in_place",
    "placed",
    "visible",
]

EMPTY = 1e-6
"""Alpha below which a pixel has no colour: well under one level of 16 bits."""


def leaves_alpha(kernel: Kernel) -> bool:
    """Whether a kernel acts on colour alone."""
    if kernel.shape == (1, 1) or not kernel.is_correlation or kernel.combine != "none":
        return True
    size = float(np.abs(kernel.weights).sum())
    return abs(float(kernel.weights.sum())) <= 1e-9 * size


def visible(alpha: Pixels) -> NDArray[np.bool_]:
    """Which pixels are not transparent altogether, of samples of alpha."""
    return np.asarray(alpha > EMPTY * full_scale(alpha.dtype))


def hides_some(plane: Plane) -> bool:
    """Whether some pixel of a plane with alpha is transparent altogether."""
    return not all(visible(rows[..., -1]).all() for rows in slabs(plane))


def is_opaque(plane: Plane) -> bool:
    """Whether every pixel of a plane with alpha is opaque."""
    white = full_scale(plane.dtype)
    return all((rows[..., -1] == white).all() for rows in slabs(plane))


@lru_cache(maxsize=64)
def picker(shape: tuple[int, int]) -> Kernel:
    """The kernel of ``shape`` that gives each position the pixel under its centre.

    The centre of an even size is the one before the middle: the extra row is at the end.
    """
    height, width = shape
    return picker_at(shape, ((height - 1) // 2, (width - 1) // 2))


@lru_cache(maxsize=64)
def picker_at(shape: tuple[int, int], cell: tuple[int, int]) -> Kernel:
    """The kernel of ``shape`` that gives each position the pixel under one of its cells."""
    weights = np.zeros(shape)
    weights[cell] = 1
    return Kernel(weights, name="centre")


class Placed(NamedTuple):
    """Windows of a step, wide enough to say where they stand by a padding that is not negative."""

    shape: tuple[int, int]
    first: tuple[int, int]
    """Where the first row and column of the step's own windows are in these."""
    padding: tuple[tuple[int, int], tuple[int, int]]

    @property
    def how(self) -> dict[str, Any]:
        """Options of a plan whose windows stand so."""
        return {"padding": self.padding, "flip": False}


def placed(step: Step) -> Placed:
    """The windows of a step, for plans that pick and count what lies under them."""
    axes = []
    for window in (step.rows, step.cols):
        ahead = max(-(window.before // window.dilation), 0)
        behind = max(-(window.after // window.dilation), 0)
        padding = window.before + ahead * window.dilation, window.after + behind * window.dilation
        axes.append((window.kernel_size + ahead + behind, ahead, padding))
    (height, top, rows), (width, left, cols) = axes
    return Placed((height, width), (top, left), (rows, cols))


def picker_of(step: Step, *, mirrored: bool) -> tuple[Kernel, Placed]:
    """The kernel that picks what lies under the centres of a step's windows, and where it stands.

    The centre of an even size is the one behind the middle where the window is mirrored.
    """
    there = placed(step)
    sides = step.rows.kernel_size, step.cols.kernel_size
    row, column = (
        first + (side - (not mirrored)) // 2 for first, side in zip(there.first, sides, strict=True)
    )
    return picker_at(there.shape, (row, column)), there


def picks_in_place(plan: Plan) -> bool:
    """Whether each output of a plan of pickers is the input at its own place."""
    return all(
        axis.stride == 1 and axis.output == axis.size and axis.before == cell * axis.dilation
        for step in plan.steps
        for axis, cell in zip(
            (step.rows, step.cols), np.argwhere(step.weights[0])[0].tolist(), strict=True
        )
    )
