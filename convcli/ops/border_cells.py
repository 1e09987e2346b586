"""The border of a tensor: cells of its padding are filled from the input, and handed back to it.

A border is an index map for each axis (``Border.sources``). Padding reads cells through it, axis
by axis; its adjoint, the backward pass, adds what arrived in a cell of the padding to the cell
that was read. Zeros need neither, and go the way they went.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convcli.arithmetic.borders import Border
from convcli.errors import TensorError
from convcli.ops.conv_geometry import ConvGeometry
from convcli.ops.operands import Array, namespace
from convcli.ops.polynomial import exact_number

__all__ = [
    "add_repeated",
    "fold_border",
    "outside_value",
    "refuse_affine",
    "repeats",
    "with_border",
]


def with_border(g: ConvGeometry, x: Array) -> tuple[ConvGeometry, Array]:
    """The input with its border in place, and the convolution of it that has no padding.

    Where the padding holds zeros both are what they were.

    Parameters
    ----------
    x
        Shape ``g.big_shape``, (N, C, \\*size).

    Raises
    ------
    TensorError
        If ``constant:V`` is no number of the type of ``x``.

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> g = conv_geometry((3,), (3,), padding=2, border="wrap")
    >>> with_border(g, np.array([[[1, 2, 3]]]))[1]
    array([[[2, 3, 1, 2, 3, 1, 2]]])
    """
    if not g.has_border:
        return g, x
    if g.border.is_constant:
        value, dtype = _constant(g.border, x)
        cells = namespace(x).full((*x.shape[:2], *g.padded), value, dtype)
        cells[g.interior] = x
        return g.unpadded, cells
    cells = namespace(x).empty((*x.shape[:2], *g.padded), x.dtype)
    cells[g.interior] = x
    for axis, outside, read in _axes(g):
        # What is left and right of the input on later axes is filled by their turns.
        cells[_where(g, axis, outside)] = cells[_where(g, axis, read)]
    return g.unpadded, cells


def fold_border(g: ConvGeometry, cells: Array) -> Array:
    """The adjoint of :func:`with_border`: every cell of the padding is added to its source.

    ``cells`` (N, C, \\*padded) is changed; what comes back is a part of it, (N, C, \\*size).

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> g = conv_geometry((3,), (3,), padding=2, border="wrap")
    >>> fold_border(g, np.array([[[1, 10, 2, 3, 4, 20, 30]]]))
    array([[[22, 34, 14]]])
    """
    if g.has_border and not g.border.is_constant:
        for axis, outside, read in reversed(list(_axes(g))):
            _scatter(cells[_where(g, axis, slice(None))], 2 + axis, outside, read)
    return cells[g.interior]


def _axes(g: ConvGeometry) -> Iterator[tuple[int, list[int], list[int]]]:
    """Each axis with its cells outside and the cells, of the padded axis too, that they repeat."""
    for axis, sources in enumerate(g.sources):
        before, size = g.before[axis], g.size[axis]
        outside = [*range(before), *range(before + size, len(sources))]
        yield axis, outside, [sources[cell] + before for cell in outside]


def _where(g: ConvGeometry, axis: int, cells: Any) -> tuple[Any, ...]:
    """Index of cells along an axis: all of the axes before it, the input of those behind it."""
    return (..., *(slice(None),) * axis, cells, *g.interior[axis + 2 :])


def _scatter(array: Array, axis: int, outside: list[int], read: list[int]) -> None:
    """Add the cells ``outside`` of one axis to those that they ``read``, which may repeat."""
    lead = (slice(None),) * axis
    places: dict[int, list[int]] = {}
    for cell, source in zip(outside, read, strict=True):
        places.setdefault(source, []).append(cell)
    if not places:
        return
    rounds = max(map(len, places.values()))
    if rounds > len(places):  # few sources for many cells, as of an edge
        for source, cells in places.items():
            array[(*lead, source)] += array[(*lead, cells)].sum(axis=axis, dtype=array.dtype)
        return
    for turn in range(rounds):  # no source twice in one turn
        pairs = [(source, cells[turn]) for source, cells in places.items() if turn < len(cells)]
        sources, cells = (list(column) for column in zip(*pairs, strict=True))
        array[(*lead, sources)] += array[(*lead, cells)]


def repeats(g: ConvGeometry) -> int:
    """Most cells of the padded input that one cell of the input stands in: a bound for sums.

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> repeats(conv_geometry((3, 2), (3, 1), padding=(2, 0), border="edge"))
    3
    """
    most = 1
    if g.has_border and not g.border.is_constant:
        for sources in g.sources:
            most *= int(np.bincount(np.array(sources)).max())
    return most


def _constant(border: Border, x: Array) -> tuple[Any, Any]:
    """``constant:V`` as ``x`` can hold it, and the type that holds both."""
    value, kind = border.value, x.dtype.kind
    if kind == "f":
        if abs(value) > float(np.finfo(x.dtype).max):
            raise TensorError(f"border {border} does not fit into {x.dtype.name}")
        return value, x.dtype
    whole = int(value) == value
    if kind == "O":
        return int(value) if whole else border.fraction or exact_number(value), x.dtype
    if not whole:
        raise TensorError(
            f"border {border} beside whole numbers, whose sums are exact; give x as "
            "float64, or a whole number"
        )
    limits = np.iinfo(x.dtype)
    if limits.min <= value <= limits.max:
        return int(value), x.dtype
    if not -(2**63) <= value < 2**63 or (x.dtype == np.uint64 and x.size and x.max() >= 2**63):
        raise TensorError(f"border {border} does not fit beside {x.dtype.name} into int64")
    return int(value), np.dtype(np.int64)


def outside_value(border: Border, x: Array) -> Any:
    """What a constant border puts around ``x``, as its sums show it; 0 for zeros.

    >>> from convcli.arithmetic.borders import parse_filling
    >>> outside_value(parse_filling("constant:7"), np.array([1, 2]))
    7
    """
    return 0 if border.is_zeros or not border.is_constant else _constant(border, x)[0]


def refuse_affine(g: ConvGeometry, what: str) -> None:
    """Refuse a constant border for what only a linear operation has.

    Raises
    ------
    TensorError
        ``what`` is what there is not, such as "a matrix of the kernel".
    """
    if g.has_border and g.border.is_affine:
        raise TensorError(
            f"with border {g.border} the convolution adds a constant, so it is affine, not linear, "
            f"and there is no {what}; take zeros, edge, reflect, symmetric or wrap"
        )


def add_repeated(keys: Array, values: Array) -> tuple[Array, Array]:
    """Each key once, in ascending order, with the sum of its values.

    Whole numbers are added in int64, float16 in float32.

    >>> add_repeated(np.array([4, 2, 4]), np.array([1, 10, 100]))
    (array([2, 4]), array([ 10, 101]))
    """
    xp = namespace(keys)
    order = xp.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    first = xp.ones(keys.shape, bool)
    first[1:] = keys[1:] != keys[:-1]
    starts = xp.flatnonzero(first)
    segment = xp.cumsum(first) - 1
    turn = xp.arange(len(keys)) - starts[segment]
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    total = values[first]
    for number in range(1, int(turn.max()) + 1):
        now = turn == number
        total[segment[now]] += values[now]
    return keys[first], total
