"""Samples in the centres of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import OUTSIDE
from convcli.engine.step import Maps

__all__ = ["centres"]


def centres(
    x: NDArray[Any], maps: Maps, taps: tuple[int, int], sizes: tuple[int, ...], outside: float
) -> NDArray[Any]:
    """What lies under the centres of windows, the cell before the middle of an even side."""
    rows, cols = (
        m.index[(k - 1) // 2 * m.dilation :: m.stride][:size]
        for m, k, size in zip(maps, taps, sizes, strict=True)
    )
    places = [_run(index) for index in (rows, cols)]
    if places[0] is not None and places[1] is not None:
        return x[places[0], places[1]]
    found: NDArray[Any] = x[np.ix_(np.maximum(rows, 0), np.maximum(cols, 0))]
    absent = (rows == OUTSIDE)[:, None] | (cols == OUTSIDE)
    if absent.any():
        value = np.asarray(outside)
        found = found.astype(np.result_type(found.dtype, "float64"))
        found[absent] = value
    return found


def _run(index: NDArray[np.intp]) -> slice | None:
    """A slice that takes the same cells, if they follow one another."""
    if not index.size or index[0] < 0 or (np.diff(index) != 1).any():
        return None
    return slice(int(index[0]), int(index[-1]) + 1)
