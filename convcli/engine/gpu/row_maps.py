"""Which rows of a picture a tile of the output needs, through a whole chain of steps.

A tile is any set of output rows. Borders may send it anywhere (``wrap`` to the other end, a wide
``reflect`` back inside), so the rows it needs are looked up, not computed from a halo.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.axis_maps import OUTSIDE, border_index

if TYPE_CHECKING:
    from convcli.engine.plan import Plan

__all__ = ["Rows", "needed_rows", "positions_of", "row_map", "runs_of"]

Rows = NDArray[np.intp]
"""Row numbers, ascending."""


def needed_rows(plan: Plan, wanted: Rows) -> list[Rows]:
    """Rows before each step and after the last, so that the last has those ``wanted``."""
    found = [wanted]
    for step in reversed(plan.steps):
        window = step.rows
        taps = np.arange(window.kernel_size) * window.dilation
        seen = (found[0][:, None] * window.stride + taps).ravel() - window.before
        index = border_index(seen, window.size, step.border.mode)
        needed = np.zeros(window.size, bool)  # 20 times as fast as np.unique
        needed[index[index != OUTSIDE]] = True
        inside = np.flatnonzero(needed)
        # A picture of constants alone still needs one row to point at.
        found.insert(0, inside if inside.size else np.zeros(1, np.intp))
    return found


def runs_of(rows: Rows) -> list[tuple[int, int]]:
    """``(start, stop)`` in ``rows`` of each run of neighbouring rows.

    >>> runs_of(np.array([0, 1, 2, 7, 8]))
    [(0, 3), (3, 5)]
    """
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    return list(pairwise([0, *cuts.tolist(), len(rows)]))


def positions_of(window: Window, mode: str, first: int, count: int) -> NDArray[np.int32]:
    """Input cell at each position that outputs ``[first, first + count)`` read, -1 for none.

    Output ``o`` and tap ``t`` read position ``(o - first) * stride + t * dilation``.
    """
    length = (count - 1) * window.stride + window.effective_kernel
    positions = np.arange(length, dtype=np.intp) + (first * window.stride - window.before)
    return border_index(positions, window.size, mode).astype(np.int32)


def row_map(window: Window, mode: str, outputs: Rows, have: Rows) -> NDArray[np.int32]:
    """Place in ``have`` of the row at each position that a run of outputs reads."""
    index = positions_of(window, mode, int(outputs[0]), len(outputs))
    place = np.minimum(np.searchsorted(have, index), len(have) - 1)
    # Positions that a stride leaps over need not be there; nothing reads them.
    return np.where(have[place] == index, place, OUTSIDE).astype(np.int32)
