"""Numbers as colours: maps that are even to the eye and survive a print in gray."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["diverging", "hex_of", "luminance", "sequential", "settled"]

Colours = NDArray[np.uint8]

BITS = 34
"""Of a settled number, counted from the largest beside it: ten decimal digits."""

# Points of viridis (van der Walt and Smith, 2015): brightness rises all the way.
_VIRIDIS = [(68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
            (31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37)]  # fmt: skip
# Blue to red over the ground (ColorBrewer RdBu, Brewer 2003).
_NEGATIVE, _POSITIVE = (
    [(146, 197, 222), (67, 147, 195), (33, 102, 172)],
    [
        (244, 165, 130),
        (214, 96, 77),
        (178, 24, 43),
    ],
)


def settled(values: Any) -> NDArray[np.float64]:
    """``values`` to ten digits of the largest of them.

    Sines, sums and products differ in their last bit between processors and between BLAS
    libraries. What is drawn is decided by settled numbers, so it is the same everywhere.

    >>> (settled([0.1, 1 / 3]) == settled([0.1 + 1e-17, 1 / 3 - 1e-16])).all()
    np.True_
    """
    array: NDArray[np.float64] = np.asarray(values, np.float64)
    reach = float(np.abs(array).max(initial=0.0))
    if reach == 0 or not math.isfinite(reach):
        return array
    unit = math.ldexp(1.0, max(math.frexp(reach)[1] - BITS, -1074))  # a power of two: exact
    return np.asarray(np.rint(array / unit) * unit)


def _along(values: Any, points: list[tuple[int, int, int]]) -> Colours:
    at = np.clip(np.asarray(values, np.float64), 0, 1) * (len(points) - 1)
    parts = [np.interp(at, range(len(points)), [p[i] for p in points]) for i in range(3)]
    return np.rint(settled(np.stack(parts, -1))).astype(np.uint8)


def luminance(colours: Any) -> NDArray[np.float64]:
    """Brightness (...) of colours (..., 3) as the eye weighs them (ITU-R BT.601), 0 to 255.

    >>> luminance([[255, 255, 255], [10, 20, 30]]).tolist()
    [255.0, 18.15]
    """
    red, green, blue = np.moveaxis(np.asarray(colours, np.int64), -1, 0)
    return np.asarray((299 * red + 587 * green + 114 * blue) / 1000)


def sequential(values: Any) -> Colours:
    """Colours (..., 3) of values from 0 to 1.

    >>> sequential([0, 1]).tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    return _along(values, _VIRIDIS)


def diverging(values: Any, middle: tuple[int, int, int] = (247, 247, 247)) -> Colours:
    """Colours (..., 3) of values from -1 (blue) over 0 (``middle``) to 1 (red).

    >>> diverging([-1, 0, 1]).tolist()
    [[33, 102, 172], [247, 247, 247], [178, 24, 43]]
    """
    values = np.asarray(values, np.float64)
    low, high = _along(-values, [middle, *_NEGATIVE]), _along(values, [middle, *_POSITIVE])
    return np.where((values < 0)[..., None], low, high).astype(np.uint8)


def hex_of(colour: Any) -> str:
    """``#rrggbb`` of three numbers from 0 to 255.

    >>> hex_of((255, 0, 10))
    '#ff000a'
    """
    return "#" + "".join(f"{int(part):02x}" for part in colour)
