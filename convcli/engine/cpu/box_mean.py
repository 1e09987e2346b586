"""Division of whole sums in 16 bits: a multiplication and a shift in place of floating point.

A box of 3x3 spent more time on turning sums into floats and back than on the sums.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from convcli.engine.step import Problem

__all__ = ["NONE", "Reciprocal", "divides", "reciprocal"]

Reciprocal = tuple[int, int, int]
"""``(add, multiply, shift)``: the sample is ``(sum + add) * multiply >> 16 + shift``."""

NONE: Reciprocal = (0, 0, 0)
"""There is no such division."""


def divides(p: Problem) -> Reciprocal:
    """How a step that only divides sums of bytes does so in 16 bits; zeros if it does not."""
    f = p.requantize
    plain = f.combine == "none" and f.bias == f.offset == 0.0 and f.ratio == 1.0 and not f.clip
    if not plain or f.scale == 1.0 or not p.exact or {p.dtype, f.out_dtype} != {"uint8"}:
        return NONE
    if p.accumulate not in ("int16", "uint16") or p.weights.min() < 0:
        return NONE
    return reciprocal(f.scale, int(p.weights.sum()) * 255)


@cache
def reciprocal(scale: float, high: int) -> Reciprocal:
    """Numbers that give ``rint(sum * scale)`` for every sum from 0 to ``high``, all of them tried.

    Zeros if there are none, as where halves must go to even numbers.

    >>> reciprocal(1 / 9, 9 * 255)
    (4, 58255, 3)
    >>> reciprocal(1 / 16, 16 * 255)
    (0, 0, 0)
    """
    if not 0.0 < scale < 1.0 or high > 0xFFFF:
        return NONE
    sums = np.arange(high + 1)
    want = np.rint(sums * scale)
    shift = min(int(np.floor(-np.log2(scale))), 15)
    for multiply in (int(np.ceil(scale * 2.0 ** (16 + shift))), int(scale * 2.0 ** (16 + shift))):
        for add in {int(0.5 / scale), int(np.ceil(0.5 / scale)) - 1}:
            if not 0 < multiply <= 0xFFFF or high + add > 0xFFFF:
                continue
            if ((((sums + add) * multiply) >> (16 + shift)) == want).all():
                return add, multiply, shift
    return NONE
