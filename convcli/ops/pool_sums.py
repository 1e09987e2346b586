"""One output of pooling, or one entry of its gradient, with the cells that it is made of."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from convcli.ops.operands import Array
from convcli.ops.output_sum import item
from convcli.ops.pool_geometry import PoolGeometry

__all__ = ["PoolCell", "PoolShare", "PoolSum", "pool_shares", "pool_sum", "quotient"]

Index = tuple[int, ...]
Kind = Literal["input", "padding", "overhang"]


class PoolCell(NamedTuple):
    """A cell under a window: on the input, on its padding, or hanging over the end."""

    kind: Kind
    at: Index
    value: Any = None


@dataclass(frozen=True, slots=True)
class PoolSum:
    """One output: its cells in the order of the window, and what becomes of them.

    ``divisor`` is what the mean divides by; ``winners`` are the places of the largest value.
    """

    index: Index
    cells: tuple[PoolCell, ...]
    divisor: int
    winners: tuple[Index, ...]

    @property
    def values(self) -> list[Any]:
        """What stands under the window on the input."""
        return [cell.value for cell in self.cells if cell.kind == "input"]

    def count(self, kind: Kind) -> int:
        """Cells of a kind."""
        return sum(cell.kind == kind for cell in self.cells)


class PoolShare(NamedTuple):
    """What an output hands back to a cell that it read: its gradient over ``divisor``."""

    grad: Any
    at: Index
    divisor: int = 1


def quotient(total: Any, divisor: int) -> Any:
    """A sum over a count, exactly for whole numbers, fractions and symbols.

    >>> quotient(14, 4), quotient(1.5, 2)
    (Fraction(7, 2), 0.75)
    """
    if isinstance(total, float):
        return total / divisor
    return total * Fraction(1, divisor)


def pool_sum(
    pool: PoolGeometry,
    x: Array,
    index: Index,
    *,
    count_include_pad: bool = True,
    compare: bool = True,
) -> PoolSum:
    """The cells under the window of the output at ``index``.

    Parameters
    ----------
    pool
        Windows on the last axes of ``x``.
    index
        Of the output, with the leading axes of ``x``.
    compare
        Whether to look for the largest value, which symbols do not have.

    >>> from convcli.ops.pool_geometry import pool_geometry
    >>> import numpy as np
    >>> x = np.array([4, 9, 9])
    >>> found = pool_sum(pool_geometry(x, 2, 1, 0, 1, False, 1), x, (1,))
    >>> found.values, found.winners, found.divisor
    ([9, 9], ((1,), (2,)), 2)
    """
    rank = len(pool.windows)
    lead, place = index[:-rank], index[-rank:]
    cells = []
    for tap in itertools.product(*(range(w.kernel_size) for w in pool.windows)):
        at = tuple(
            o * w.stride + t * w.dilation - w.before
            for o, t, w in zip(place, tap, pool.windows, strict=True)
        )
        kind: Kind = "input"
        if any(c >= w.size + w.after for c, w in zip(at, pool.windows, strict=True)):
            kind = "overhang"
        elif not all(0 <= c < w.size for c, w in zip(at, pool.windows, strict=True)):
            kind = "padding"
        where = (*lead, *at)
        cells.append(PoolCell(kind, where, item(x, where) if kind == "input" else None))
    divisor = 1
    for window, position in zip(pool.windows, place, strict=True):
        divisor *= window.divisor(position, count_include_pad=count_include_pad)
    found = [cell for cell in cells if cell.kind == "input"]
    winners: tuple[Index, ...] = ()
    if compare:
        largest = max(cell.value for cell in found)
        winners = tuple(cell.at for cell in found if cell.value == largest)
    return PoolSum(index, tuple(cells), divisor, winners)


def pool_shares(
    pool: PoolGeometry,
    grad_y: Array,
    x: Array,
    index: Index,
    *,
    count_include_pad: bool | None = None,
) -> list[PoolShare]:
    """What reaches the cell of ``x`` at ``index``, from each output whose window holds it.

    Parameters
    ----------
    count_include_pad
        Of average pooling; None is max pooling, where the first of the largest gets everything.

    >>> from convcli.ops.pool_geometry import pool_geometry
    >>> import numpy as np
    >>> x, grad_y = np.array([4, 9, 9]), np.array([10, 20])
    >>> pool = pool_geometry(x, 2, 1, 0, 1, False, 1)
    >>> pool_shares(pool, grad_y, x, (1,))
    [PoolShare(grad=10, at=(0,), divisor=1), PoolShare(grad=20, at=(1,), divisor=1)]
    """
    rank = len(pool.windows)
    lead, place = index[:-rank], index[-rank:]
    outputs = [
        sorted(
            output
            for tap in range(w.kernel_size)
            for output, rest in [divmod(cell + w.before - tap * w.dilation, w.stride)]
            if rest == 0 and 0 <= output < w.output
        )
        for cell, w in zip(place, pool.windows, strict=True)
    ]
    shares = []
    for output in itertools.product(*outputs):
        at = (*lead, *output)
        mean = count_include_pad is not None
        found = pool_sum(pool, x, at, count_include_pad=bool(count_include_pad), compare=not mean)
        if mean:
            shares.append(PoolShare(item(grad_y, at), at, found.divisor))
        elif found.winners[0] == index:
            shares.append(PoolShare(item(grad_y, at), at))
    return shares
