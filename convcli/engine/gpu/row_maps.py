"""Which rows of a picture a tile of the output needs, through a whole chain of steps.

A tile is any set of output rows. Borders may send it anywhere (``wrap`` to the other end, a wide
``reflect`` back inside), so what lies outside is looked up; what lies inside is a range.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.algorithms.in_turn import InTurn
from convcli.engine.axis_maps import OUTSIDE, Span, border_index, merged, places_in

if TYPE_CHECKING:
    from convcli.engine.plan import Plan
    from convcli.engine.step import Problem

__all__ = [
    "Rows",
    "SeenCells",
    "count_rows",
    "needed_rows",
    "place_of",
    "row_map",
    "rows_in_turn",
    "seen_by",
]

Rows: TypeAlias = tuple[Span, ...]
"""Runs of neighbouring rows, ascending; those of a tile lie in memory one after another."""


def count_rows(rows: Rows) -> int:
    """How many rows there are.

    >>> count_rows(((0, 3), (7, 9)))
    5
    """
    return sum(stop - start for start, stop in rows)


class SeenCells(NamedTuple):
    """Where the cells are that a run of outputs sees of one axis.

    Positions ``[first, end)`` of ``length`` are cells of the input, neighbours in memory from
    ``place`` on; those before and after them have places of their own, ``OUTSIDE`` being the
    constant.
    """

    length: int
    first: int
    end: int
    place: int
    before: NDArray[np.int32]
    after: NDArray[np.int32]


def _positions(window: Window, outputs: Span) -> tuple[int, int, int, int]:
    """First position that outputs see, how many there are, and which of them lie inside.

    Output ``o`` and tap ``t`` see position ``(o - outputs[0]) * stride + t * dilation``.
    """
    lowest = outputs[0] * window.stride - window.before
    length = (outputs[1] - outputs[0] - 1) * window.stride + window.effective_kernel
    first = min(max(-lowest, 0), length)
    return lowest, length, first, min(max(window.size - lowest, first), length)


def _outside(window: Window, mode: str, outputs: Span) -> tuple[NDArray[np.intp], ...]:
    """Input cells that stand at the positions before and after those inside."""
    lowest, length, first, end = _positions(window, outputs)
    before, after = (
        border_index(np.arange(a, b, dtype=np.intp) + lowest, window.size, mode)
        for a, b in ((0, first), (end, length))
    )
    return before, after


def needed_rows(plan: Plan, wanted: Rows) -> list[Rows]:
    """Rows before each step and after the last, so that the last has those ``wanted``.

    Rows that a stride leaps over are among them: neighbours stay neighbours.
    """
    found = [wanted]
    for step in reversed(plan.steps):
        problem = step.method.problem
        needed = rows_in_turn(problem, found[0])[0] if isinstance(problem, InTurn) else None
        found.insert(0, needed or _rows_under(step, found[0]))
    return found


def rows_in_turn(problem: InTurn, wanted: Rows) -> list[Rows]:
    """Rows of the input, and of what each turn makes of it, from which those ``wanted`` are made."""
    values: list[list[Span]] = [[] for _ in range(len(problem.turns) + 1)]
    for value in problem.difference or (len(problem.turns),):
        values[value] += wanted
    for number in range(len(problem.turns), 0, -1):
        step, source = problem.turns[number - 1]
        values[source] += _rows_under(step, merged(values[number], 0))
    return [merged(spans, 0) for spans in values]


def _rows_under(step: Problem, wanted: Rows) -> Rows:
    """Rows that the windows of some outputs see."""
    spans: list[Span] = []
    for outputs in wanted:
        lowest, _, first, end = _positions(step.rows, outputs)
        if first < end:
            spans.append((lowest + first, lowest + end))
        spans += _runs(np.concatenate(_outside(step.rows, step.border.mode, outputs)))
    # A picture of constants alone still needs one row to point at.
    return merged(spans or [(0, 1)], 0)


def _runs(cells: NDArray[np.intp]) -> list[Span]:
    cells = np.sort(cells[cells != OUTSIDE])
    if not cells.size:
        return []
    edges = [0, *(np.flatnonzero(np.diff(cells) > 1) + 1).tolist(), cells.size]
    return [(int(cells[a]), int(cells[b - 1]) + 1) for a, b in pairwise(edges)]


def seen_by(window: Window, mode: str, outputs: Span, have: Rows) -> SeenCells:
    """Places, in the cells that are there, of what a run of outputs sees.

    >>> from convcli.arithmetic.window import conv_window
    >>> seen_by(conv_window(9, 3, padding=1), "wrap", (0, 9), ((0, 9),))
    SeenCells(length=11, first=1, end=10, place=0, before=array([8], dtype=int32), after=array([0], dtype=int32))
    """
    lowest, length, first, end = _positions(window, outputs)
    before, after = (
        places_in(have, each).astype(np.int32) for each in _outside(window, mode, outputs)
    )
    place = places_in(have, np.array([lowest + first] if first < end else [0]))[0]
    return SeenCells(length, first, end, int(place) if first < end else 0, before, after)


def place_of(row: int, have: Rows) -> int:
    """Where a row lies that is there."""
    return int(places_in(have, np.array([row]))[0])


def row_map(window: Window, mode: str, outputs: Span, have: Rows) -> NDArray[np.int32]:
    """Place in ``have`` of the row at each position that a run of outputs sees."""
    seen = seen_by(window, mode, outputs, have)
    inside = np.arange(seen.end - seen.first, dtype=np.int32) + seen.place
    return np.concatenate([seen.before, inside, seen.after])
