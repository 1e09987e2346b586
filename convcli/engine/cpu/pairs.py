"""Blurs of bytes in 16 bits: twice as many samples in a register as in float32.

Each line of a separable kernel becomes pairs of taps with one weight, as symmetric kernels have
them; two samples are averaged and the average is multiplied by a weight of 16 bits. See
``loops/blur.h``, which works so, with 8 bits behind the point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.requantize import Requantize
    from convcli.engine.weights import Factor

__all__ = ["Pair", "Pairs", "blurs", "pairs_of"]

ONE = 1 << 16
"""The weight that stands for 1."""
UNIT = 1 / 256
"""Of a sum, in levels."""
WHITE = 255 * 256
MOST_ERROR = 0.45
"""Levels by which a blur may be off before it is rounded: with it, at most one level after."""


class Pair(NamedTuple):
    """Two taps, the same one twice if it has no partner, and the weight of their average."""

    first: int
    second: int
    weight: int


Pairs = tuple[Pair, ...]


def blurs(
    factors: tuple[Factor, ...], requantize: Requantize, most: int
) -> tuple[Pairs, Pairs] | tuple[()]:
    """Column and row of a separable blur of bytes as pairs; nothing if it cannot be done so.

    ``most`` pairs may stand in a line: then the halves that two lines add to white, and what
    rounding adds, stay within 16 bits. The weights must not be negative nor come to more than 1, so that no sum leaves 16 bits.

    >>> from convcli.engine.requantize import Requantize
    >>> plain = Requantize("none", 1, 0, False, 0, 1, "uint8", "float32", False)
    >>> line = np.array([0.25, 0.5, 0.25])
    >>> column, row = blurs(((line, line),), plain, 126)
    >>> row
    (Pair(first=0, second=2, weight=32768), Pair(first=1, second=1, weight=32768))
    """
    f = requantize
    plain = f.combine == "none" and f.scale == f.ratio == 1.0 and f.bias == f.offset == 0.0
    if not plain or f.out_dtype != "uint8" or len(factors) != 1:
        return ()
    column, row = factors[0]
    total = float(row.sum())
    if total == 0.0:
        return ()
    row, column = row / total, column * total
    if min(row.min(), column.min()) < 0 or column.sum() > 1 + 1e-9:
        return ()
    lines = pairs_of(column), pairs_of(row)
    if any(pair.weight >= ONE for line in lines for pair in line):
        return ()
    if not all(0 < len(line) <= most for line in lines):
        return ()
    # An average rounds up by half a unit; along the rows, where all is whole, it does not.
    error = sum(_error(p, w) for p, w in zip(lines, (column, row), strict=True)) + 0.5
    return lines if error * UNIT < MOST_ERROR else ()


def pairs_of(line: NDArray[np.float64]) -> Pairs:
    """Pairs of taps whose weights, rounded to 16 bits, come to what the line comes to.

    >>> pairs_of(np.array([1, 1, 1]) / 3)
    (Pair(first=0, second=2, weight=43691), Pair(first=1, second=1, weight=21845))
    """
    exact = {ends: weight * ONE for ends, weight in _ideal(line).items()}
    weights = {ends: int(weight) for ends, weight in exact.items()}
    missing = round(sum(exact.values())) - sum(weights.values())
    for ends in sorted(exact, key=lambda e: weights[e] - exact[e])[:missing]:
        weights[ends] += 1
    return tuple(Pair(*ends, weight) for ends, weight in weights.items() if weight)


def _ideal(line: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Weights of the averages, by the taps that go together."""
    last = len(line) - 1
    found: dict[tuple[int, int], float] = {}
    for tap, weight in enumerate(line.tolist()):
        partner = last - tap
        if weight == line[partner]:
            if tap < partner:
                found[tap, partner] = 2 * weight
            elif tap == partner:
                found[tap, tap] = weight
        else:
            found[tap, tap] = weight
    return {ends: weight for ends, weight in found.items() if weight}


def _error(pairs: Pairs, line: NDArray[np.float64]) -> float:
    """Largest error of one line's sums, in units.

    Each product is cut off by up to a unit, of which half a unit for each pair is put back;
    and each weight is off by what rounding left.
    """
    ideal = _ideal(line)
    given = {(p.first, p.second): p.weight for p in pairs}
    rounding = sum(abs(given.get(ends, 0) - weight * ONE) for ends, weight in ideal.items())
    return rounding * WHITE / ONE + (len(pairs) + 1) // 2
