"""What picks values among the samples of a window, as its algorithms see it.

Footprints of all operations that are no weighted sums, too.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.numerics import EPS64, LIMITS, Bounds, exact_type
from convcli.engine.plane_windows import Padding2d
from convcli.engine.step import Problem, Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["Picked", "Picks", "footprint", "mirrored", "pick", "plane"]

_ANCHORS = {"same": 1, "same_lower": -1}


class Picked(NamedTuple):
    """How samples are compared: in which type, what stands outside, and what is looked for."""

    dtype: str
    outside: float  # or a whole number that no float holds
    largest: bool
    gray: bool
    """Whether the weights are added to the samples first."""


class Picks(Problem):
    """One of the samples under a window, or of their sums with weights.

    ``weights`` are a footprint of 0 and 1 or, if ``picked.gray``, what is added to each cell, as
    the window has them: mirrored for a dilation.
    """

    def __init__(self, *args: Any, picked: Picked, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.picked = picked

    @property
    def held(self) -> str:
        """Type of the values that are compared."""
        return self.picked.dtype

    @property
    def outside(self) -> float:
        """What stands outside of the picture."""
        return self.picked.outside

    @property
    def largest(self) -> bool:
        """Whether the largest is picked, else the smallest."""
        return self.picked.largest

    @cached_property
    def stays(self) -> bool:
        """Whether values are compared in the type of the output, and become it as they are."""
        return self.requantize.plain and self.held == self.requantize.out_dtype

    def rounding(self, bounds: Bounds | None) -> float:
        """Error of values that pass through a type that does not hold them all."""
        if self.stays or bounds is None or bounds.magnitude <= 2**53:
            return 0.0
        return 4 * EPS64 * bounds.magnitude

    @property
    def direct(self) -> bool:
        """Whether a cast makes samples of values."""
        f = self.requantize
        return self.stays or (f.plain and f.out_dtype not in LIMITS)


def pick(
    kernel: Kernel,
    slot: Slot,
    weights: NDArray[np.float64],
    windows: tuple[Window, Window],
    picked: Picked,
    bounds: Bounds | None,
) -> tuple[Picks, Signal]:
    """The problem of picking values within bounds, and what is known of the result."""
    whole = slot.signal.dtype in LIMITS and picked.dtype in LIMITS
    sums = (whole and bounds and exact_type(bounds)) or slot.precision
    exact = sums != slot.precision
    requantize = slot.requantize(bounds and [bounds], accumulate=sums, exact=exact)
    if np.isnan(picked.outside):
        requantize = requantize.with_nan()
    problem = Picks(
        slot,
        kernel,
        requantize,
        weights=np.ascontiguousarray(weights),
        windows=windows,
        accumulate=sums,
        exact=exact,
        picked=picked,
    )
    error = slot.signal.error + problem.rounding(bounds)
    return problem, Signal(slot.precision, requantize.known(bounds and [bounds]), error)


def plane(kernel: Kernel) -> NDArray[np.float64]:
    """The kernel's weights, if they have rows and columns only."""
    if kernel.weights.ndim != 2:
        raise UsageError(f"kernel {kernel.name!r}: a footprint has rows and columns only")
    return kernel.weights


def footprint(kernel: Kernel, *, flip: bool) -> NDArray[np.float64]:
    """1 where a cell counts and 0 where not, turned by half if asked for."""
    cells = (plane(kernel) != 0).astype(np.float64)
    if not cells.any():
        raise UsageError(f"kernel {kernel.name!r}: no cell of the footprint counts: all are 0")
    return np.ascontiguousarray(cells[::-1, ::-1]) if flip else cells


def mirrored(windows: tuple[Window, Window], padding: Padding2d) -> tuple[Window, Window]:
    """The windows with their anchors mirrored: by a cell further on where they have no middle.

    Only ``same`` has an anchor; cells that are counted out stay as they are.

    >>> from convcli.arithmetic.window import conv_window
    >>> odd, even = (conv_window(9, k, padding="same") for k in (3, 4))
    >>> [(w.before, w.after) for w in mirrored((odd, even), "same")]
    [(1, 1), (2, 1)]
    """
    names = (padding, padding) if isinstance(padding, int | str) else padding
    rows, cols = (
        window._replace(before=window.before + by, after=window.after - by)
        for window, name in zip(windows, names, strict=True)
        for by in (_ANCHORS.get(str(name), 0) * ((window.effective_kernel + 1) % 2),)
    )
    return rows, cols
