"""Numbers as colours: maps that are even to the eye and survive a print in gray."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["diverging", "hex_of", "sequential"]

Colours = NDArray[np.uint8]

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


def _along(values: Any, points: list[tuple[int, int, int]]) -> Colours:
    at = np.clip(np.asarray(values, np.float64), 0, 1) * (len(points) - 1)
    parts = [np.interp(at, range(len(points)), [p[i] for p in points]) for i in range(3)]
    return np.rint(np.stack(parts, -1)).astype(np.uint8)


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
