"""Where in a region something does not vote, so that the rest goes the plain and faster way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Span
from convcli.engine.plan import Step
from convcli.engine.regions import Ranges

__all__ = ["lacking"]


def lacking(
    steps: Sequence[Step],
    there: NDArray[np.bool_],
    have: Ranges,
    want: Ranges,
    *,
    outside: bool = False,
) -> list[Ranges]:
    """Parts of a region whose windows may see a cell that is not there.

    Parameters
    ----------
    steps
        From the cells to the region; parts are tiles of the last.
    there
        Which of the cells ``have`` are there.
    outside
        Whether what lies outside the picture is not.

    Returns
    -------
    The region itself where the parts would be most of it, or cannot be told.
    """
    if any(len(spans) != 1 for spans in (*have, *want)):
        return [want]
    gone = ~there
    bands, columns = (
        [(span, *_reach(steps, axis, span, have[axis][0][0])) for span in _cut(steps, axis, want)]
        for axis in (0, 1)
    )
    parts: list[Ranges] = []
    for rows, (first, last), beyond in bands:
        line: NDArray[np.bool_] = np.any(gone[first:last], axis=0)
        runs: list[Span] = []
        for cols, (left, right), beside in columns:
            if not (line[left:right].any() or (outside and (beyond or beside))):
                continue
            if runs and runs[-1][1] == cols[0]:
                runs[-1] = runs[-1][0], cols[1]
            else:
                runs.append(cols)
        parts += [((rows,), (run,)) for run in runs]
    cells = sum((b - a) * (d - c) for ((a, b),), ((c, d),) in parts)
    (top, bottom), (left, right) = want[0][0], want[1][0]
    return [want] if 2 * cells > (bottom - top) * (right - left) else parts


def _cut(steps: Sequence[Step], axis: int, want: Ranges) -> list[Span]:
    """The region's rows or columns by tiles of the last step."""
    (start, stop), tile = want[axis][0], steps[-1].tile[axis]
    edges = [start, *range((start // tile + 1) * tile, stop, tile), stop]
    return list(pairwise(edges))


def _reach(steps: Sequence[Step], axis: int, span: Span, first: int) -> tuple[Span, bool]:
    """Cells around all that outputs see, counted from ``first``; whether they see the outside."""
    beyond = False
    for step in reversed(steps):
        span, outside = step.axes[axis].seen(span)
        beyond |= outside
    return (max(span[0] - first, 0), max(span[1] - first, 0)), beyond
