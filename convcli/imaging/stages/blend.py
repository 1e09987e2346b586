"""Samples between those of two pictures, in their own type: ``x + (y - x) m / white``.

Rounded once, half to even. White of a mask of whole numbers is odd, so that no half arises there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.imaging.source import Pixels

__all__ = ["between", "between_pixels"]


def between(x: Pixels, y: Pixels, m: Pixels, white: float) -> Pixels:
    """Samples of whole numbers or floats, of which ``m`` says how much is ``y``.

    Exact but for masks of floats, and samples of floats, which are computed in float64.

    >>> between(np.array([0, 255], np.uint8), np.array([255, 0], np.uint8), np.uint8([1, 254]), 255)
    array([1, 1], dtype=uint8)
    """
    whole = int(white)
    if x.dtype.kind == "f":
        with np.errstate(all="ignore"):
            far = y.astype(np.float64) - x
            return (x + far * m / white).astype(x.dtype)
    if x.dtype.itemsize == 8:
        return _between_wide(x, y, m, white)
    if m.dtype.kind == "f":
        first = x.astype(np.float64)
        return np.rint(first + (y - first) * m).astype(x.dtype)
    # The largest sums: 255 * 255 + 127 in 16 bits, 65535 * 65535 + 32767 in 32.
    work: Any = np.int64
    if x.dtype.kind == "u" and x.dtype.itemsize <= 2:
        work = np.uint16 if x.dtype == m.dtype == np.uint8 else np.uint32
    share = m.astype(work)
    sums = x.astype(work)
    sums *= work(whole) - share
    sums += y.astype(work) * share
    sums += work(whole // 2)
    sums //= work(whole)
    return sums.astype(x.dtype)


def _between_wide(x: Pixels, y: Pixels, m: Pixels, white: float) -> Pixels:
    """Of 64 bits: how far ``y`` is, up or down, fits without a sign."""
    first, last = x.view(np.uint64), y.view(np.uint64)
    up = y >= x
    far = np.where(up, last - first, first - last)
    if m.dtype.kind == "f":
        most = np.nextafter(2.0**64, 0)
        step = np.minimum(np.rint(far.astype(np.float64) * m), most).astype(np.uint64)
        step = np.minimum(step, far)
    else:
        whole, share = np.uint64(white), m.astype(np.uint64)
        times, rest = np.divmod(far, whole)
        step = times * share + (rest * share + whole // np.uint64(2)) // whole
    return np.where(up, first + step, first - step).view(x.dtype)


def between_pixels(x: Pixels, y: Pixels, m: Pixels, white: float) -> Pixels:
    """Pixels ``(N, colours and alpha)`` of light: colours count by their alpha, as in compositing.

    So the colour that hides under transparent pixels makes no fringe.
    Source: T. Porter and T. Duff, Compositing digital images (1984).
    """
    made = between(x, y, m, white)
    before, after = x[..., -1:].astype(np.float64), y[..., -1:].astype(np.float64)
    left = before * (white - m.astype(np.float64))
    right = after * m
    there = left + right
    mean = x[..., :-1] * left + y[..., :-1] * right  # whole numbers up to 2^48: exact
    weighed = np.broadcast_to((before != after) & (there > 0), mean.shape)
    np.divide(mean, there, out=mean, where=weighed)
    if x.dtype.kind != "f":
        np.rint(mean, out=mean, where=weighed)
    np.copyto(made[..., :-1], mean, where=weighed, casting="unsafe")
    return made
