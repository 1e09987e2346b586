"""Samples of which some are missing: told apart, and windows of them finished.

What windows give is said in :mod:`convcli.imaging.stages.normalized`. Compiled loops do each in one
pass over the samples; NumPy gives the same numbers in ten, and so does CuPy of what lies on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.c_loops import CODE, c_loops, loops
from convcli.records import NamedTuple

__all__ = ["Vote", "known", "voted"]


class Vote(NamedTuple):
    """What makes results of the sums of a kernel.

    ``way`` is ``counted`` (renormalised by the number of cells, which weigh ``total`` each),
    ``weighted`` (renormalised by their weights), ``centred`` (missing ones stand for the centre;
    all weights together are ``total``) or ``plain``.
    """

    way: str
    taps: int
    least: int
    """Cells that must be there."""
    fill: bool
    """Whether there is a result where the centre is missing."""
    scale: float
    gain: float
    """``scale`` times the sum of all weights."""
    total: float
    bias: float
    absolute: bool
    hole: float = 0.0
    """Stands where there is no result."""


def known(
    x: NDArray[Any], value: float | int | None, *, nan: bool, xp: Any = np
) -> tuple[NDArray[Any], NDArray[np.uint8], int, int]:
    """Samples with 0 where they are missing, and 1 in a mask where they are there.

    Parameters
    ----------
    value
        Stands for a missing sample, if one does.
    nan
        Whether NaN does.
    xp
        The module of the array: NumPy, or CuPy.

    Returns
    -------
    kept, mask, missing, strange
        How many are missing, and how many others are no finite numbers.

    >>> kept, mask, missing, _ = known(np.array([7, -9, 8], np.int16), -9, nan=False)
    >>> kept.tolist(), mask.tolist(), missing
    ([7, 0, 8], [1, 0, 1], 1)
    """
    compiled = xp is np and loops().compiled and x.dtype.isnative
    if compiled and x.dtype.itemsize < 8 + (x.dtype.kind == "f"):
        x = np.ascontiguousarray(x)
        kept, mask = np.empty_like(x), np.empty(x.shape, np.uint8)
        letter = CODE[x.dtype.name]
        code = (letter, x, kept, mask, float(value or 0), value is not None, nan)
        missing, strange = c_loops().known(*code)
        return kept, mask, missing, strange
    there = xp.ones(x.shape, bool) if value is None else x != x.dtype.type(value)
    if nan:
        there &= ~xp.isnan(x)
    strange = int(xp.count_nonzero(~xp.isfinite(x) & there)) if x.dtype.kind == "f" else 0
    kept = xp.where(there, x, x.dtype.type(0))
    return kept, there.view(np.uint8), int(there.size - xp.count_nonzero(there)), strange


def voted(
    vote: Vote,
    sums: NDArray[Any],
    votes: NDArray[Any],
    centre: NDArray[np.uint8],
    *,
    weights: NDArray[Any] | None = None,
    under: NDArray[Any] | None = None,
    precise: NDArray[np.float64] | None = None,
    present: NDArray[np.float64] | None = None,
    xp: Any = np,
) -> tuple[NDArray[np.uint8], int]:
    """Results in place of ``sums``, and ``vote.hole`` where there is none.

    Parameters
    ----------
    sums
        Of what is there, float32 or float64; like all others C-contiguous and of one shape.
    votes
        How many cells are there; uint8, uint16 or float32.
    centre
        1 where the sample under the centre is there.
    weights
        Of the cells that are there; for ``weighted``.
    under, precise, present
        For ``centred``: the sample under the centre, and sums of products and of weights in float64.
    xp
        The module of the arrays: NumPy, or CuPy.

    Returns
    -------
    found, lost
        1 where there is a result, and how many have none.
    """
    numbers = vote.taps, vote.least, vote.scale, vote.gain, vote.total, vote.bias, vote.hole
    arrays = weights, under, precise, present
    if xp is np and loops().compiled:
        found = np.empty(sums.shape, np.uint8)
        letter = {"counted": "c", "weighted": "w", "centred": "m", "plain": "p"}[vote.way]
        code, kind_of_votes = CODE[sums.dtype.name], CODE[votes.dtype.name]
        flags = vote.fill, vote.absolute
        lost = c_loops().voted(
            letter, code, kind_of_votes, sums, votes, centre, found, *arrays, *numbers, *flags
        )
        return found, lost
    kind = sums.dtype.type
    with np.errstate(all="ignore"):
        if vote.way == "counted":
            mended = sums * kind(vote.gain) / (votes.astype(kind) * kind(vote.total))
        elif vote.way == "weighted":
            mended = sums * kind(vote.gain) / weights
        elif vote.way == "centred":
            assert under is not None and present is not None and precise is not None
            mended = vote.scale * (precise + (vote.total - present) * under.astype(np.float64))
        else:
            mended = None
    plain = sums if vote.scale == 1.0 else sums * kind(vote.scale)
    if mended is not None:
        plain = xp.where(votes == vote.taps, plain, mended).astype(kind, copy=False)
    values = plain + kind(vote.bias)
    there = (votes >= vote.least) & (vote.fill | (centre != 0))
    if vote.absolute:
        xp.abs(values, out=values)
    sums[...] = xp.where(there, values, kind(vote.hole))
    return there.view(np.uint8), int(there.size - xp.count_nonzero(there))
