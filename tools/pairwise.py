"""Rows of option values in which every pair of values that may stand together occurs.

Most faults show with one value or with two together (Kuhn, Wallace and Gallo 2004), and rows that
hold all pairs are few: about as many as the two longest lists of values have pairs.

    >>> axes = {"colour": ("red", "blue"), "size": (1, 2), "shape": ("round", "flat")}
    >>> rows = cover(axes)
    >>> len(rows) < 2 * 2 * 2, uncovered(axes, rows)
    (True, set())
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

Row = dict[str, Any]
Allowed = Callable[[Row], bool]
"""Whether a row may stand; it is also asked about rows of which some axes are still missing."""
Pair = tuple[tuple[str, int], tuple[str, int]]
"""Two axes, in the order of the table, each with the number of its value."""


def anything(_row: Row) -> bool:
    """No two values exclude each other."""
    return True


def cover(axes: Mapping[str, Sequence[Any]], allowed: Allowed = anything) -> list[Row]:
    """Rows with a value for every axis that together hold each pair that ``allowed`` lets stand.

    Greedy: each row begins with a pair that is still missing and takes, axis by axis, the value
    that brings most missing pairs. The same axes give the same rows.

    Raises
    ------
    ValueError
        If not even one row is allowed.
    """
    missing = dict.fromkeys(_pairs(axes))
    rows = []
    while missing:
        (one, i), (two, j) = next(iter(missing))
        start = {one: axes[one][i], two: axes[two][j]}
        row = _complete(axes, allowed, start, missing)
        if row is None:  # the two exclude each other
            del missing[(one, i), (two, j)]
            continue
        rows.append(row)
        for pair in _pairs_of(axes, row):
            missing.pop(pair, None)
    if not rows:
        raise ValueError("no row is allowed")
    return rows


def uncovered(
    axes: Mapping[str, Sequence[Any]], rows: Sequence[Row], allowed: Allowed = anything
) -> set[Pair]:
    """The pairs that some allowed row could hold and none of ``rows`` does."""
    missing = set(_pairs(axes))
    for row in rows:
        missing.difference_update(_pairs_of(axes, row))
    return {
        pair
        for pair in missing
        if _complete(axes, allowed, {axis: axes[axis][n] for axis, n in pair}, {}) is not None
    }


def _pairs(axes: Mapping[str, Sequence[Any]]) -> Iterator[Pair]:
    """All pairs, those of the longest lists first: they decide how many rows there are."""
    order = {axis: n for n, axis in enumerate(axes)}
    by_length = sorted(
        combinations(axes, 2), key=lambda two: -len(axes[two[0]]) * len(axes[two[1]])
    )
    for one, two in by_length:
        assert order[one] < order[two]
        for i in range(len(axes[one])):
            for j in range(len(axes[two])):
                yield (one, i), (two, j)


def _pairs_of(axes: Mapping[str, Sequence[Any]], row: Row) -> Iterator[Pair]:
    return combinations([(axis, axes[axis].index(row[axis])) for axis in axes], 2)  # type: ignore[return-value]


def _complete(
    axes: Mapping[str, Sequence[Any]], allowed: Allowed, row: Row, missing: Mapping[Pair, None]
) -> Row | None:
    """A whole row that holds ``row``, with many missing pairs; None if there is none.

    Axes are filled in the order of the table, so those that exclude each other best stand first
    and together in it.
    """
    if not allowed(row):
        return None
    axis = next((axis for axis in axes if axis not in row), None)
    if axis is None:
        return row
    order = {axis: n for n, axis in enumerate(axes)}
    chosen = [(other, axes[other].index(value)) for other, value in row.items()]

    def gain(n: int) -> int:
        found = 0
        for other in chosen:
            pair = (other, (axis, n)) if order[other[0]] < order[axis] else ((axis, n), other)
            found += pair in missing
        return found

    # Ties turn round with the number of what is missing, or the first value would stand everywhere.
    turn, length = len(missing), len(axes[axis])
    for n in sorted(range(length), key=lambda n: (-gain(n), (n + turn) % length)):
        whole = _complete(axes, allowed, {**row, axis: axes[axis][n]}, missing)
        if whole is not None:
            return whole
    return None
