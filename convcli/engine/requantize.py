"""From sums to output samples: combine, scale, bias, range, depth, rounding, clipping.

The formula, in this order, is the same for every backend::

    r = combine(scale * sum_p) + bias        one response per sample; |r| if the kernel says so
    r = |r| or r + half or r                 the range, after the last step
    y = clip(rint(r * ratio), low, high)     ratio = white of the output / white of the input

The ends are those of the output's type; in a raster, whose values are no light, the ratio is 1.
Floating-point output is neither rounded nor clipped: it has room for every value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import LIMITS, WIDE, Bounds
from convcli.records import NamedTuple

__all__ = ["Requantize", "Requantizer", "make_requantize", "put_whole"]

_VERIFY_AT_MOST = 2**17
"""Sums with no more values than this are all tried, to see whether float32 rounds alike."""


class Requantize(NamedTuple):
    """The formula above with its numbers put in.

    ``work`` is the type it is evaluated in: ``integer`` (the type of the sums), ``float32`` or
    ``float64``. ``clip`` says that values outside the output's range are possible, ``nan`` that
    the input may hold anything, NaN included.
    """

    combine: str = "none"
    scale: float = 1.0
    bias: float = 0.0
    absolute: bool = False
    offset: float = 0.0
    ratio: float = 1.0
    out_dtype: str = "float32"
    work: str = "float64"
    clip: bool = True
    nan: bool = True

    @property
    def limits(self) -> tuple[int, int]:
        """Ends of a whole-number output."""
        return LIMITS[self.out_dtype]

    @property
    def plain(self) -> bool:
        """Whether values become samples as they are, but for rounding and clipping."""
        shifts = self.bias or self.offset or self.absolute
        return self.scale == self.ratio == 1.0 and not shifts

    def with_nan(self) -> Requantize:
        """The same for values among which NaN may be, whatever their bounds."""
        return self._replace(nan=True, clip=self.out_dtype in LIMITS)

    def known(self, values: list[Bounds] | None) -> Bounds | None:
        """Bounds of what the next step reads, in the input's unit; none if nothing is known."""
        return None if values is None else self._replace(ratio=1.0).bounds(values)

    def bounds(self, sums: list[Bounds]) -> Bounds:
        """Bounds of what leaves the formula before rounding and clipping."""
        ends = [sorted((s.low * self.scale, s.high * self.scale)) for s in sums]
        if self.combine == "magnitude":
            low = float(np.sqrt(sum(max(a, -b, 0.0) ** 2 for a, b in ends)))
            high = float(np.sqrt(sum(max(-a, b) ** 2 for a, b in ends)))
        elif self.combine == "maximum":
            low, high = max(a for a, _ in ends), max(b for _, b in ends)
        else:
            low, high = min(a for a, _ in ends), max(b for _, b in ends)
        low, high = low + self.bias, high + self.bias
        if self.absolute:
            low, high = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high)), max(-low, high)
        return Bounds((low + self.offset) * self.ratio, (high + self.offset) * self.ratio)


def make_requantize(
    draft: Requantize, sums: list[Bounds] | None, accumulate: str, exact: bool
) -> Requantize:
    """Choose the cheapest type in which the formula gives what float64 would give.

    ``sums`` are the bounds of each member's sums, or ``None`` if nothing is known of the input.
    """
    out_dtype = draft.out_dtype
    clip = integer_out = out_dtype in LIMITS
    if sums is not None:
        values = draft.bounds(sums)
        low, high = LIMITS.get(out_dtype, (0, 0))
        clip = integer_out and not (values.low > low - 0.5 and values.high < high + 0.5)
    requantize = draft._replace(clip=clip, nan=sums is None)
    wide = out_dtype in WIDE  # more values than float32 tells apart
    if accumulate == "float64" or (wide and (accumulate == "float32" or "64" in out_dtype)):
        return requantize
    if not exact or sums is None:
        return requantize._replace(work="float32")
    if not integer_out:
        return requantize._replace(work="float32" if out_dtype == "float32" else "float64")
    if (
        requantize.combine != "magnitude"
        and requantize.scale == requantize.ratio == 1.0
        and requantize.bias == int(requantize.bias)
        and requantize.offset == int(requantize.offset)
        and (accumulate == "float32" or _fits_int16(sums, values, requantize.bias, accumulate))
    ):
        return requantize._replace(work="integer")
    return (
        requantize._replace(work="float32")
        if not wide and _float32_agrees(requantize, sums, values)
        else requantize
    )


def _fits_int16(sums: list[Bounds], values: Bounds, bias: float, accumulate: str) -> bool:
    """Whether every intermediate value stays within the 16 bits of the sums."""
    low, high = (0, 65535) if accumulate == "uint16" else (-32768, 32767)
    steps = [values, *(Bounds(s.low + bias, s.high + bias) for s in sums)]
    if accumulate == "int16" and any(s.low + bias <= -32768 for s in sums):
        return False  # its absolute value would not fit
    return abs(bias) <= 32767 and all(low <= s.low and s.high <= high for s in steps)


def _float32_agrees(requantize: Requantize, sums: list[Bounds], values: Bounds) -> bool:
    """Whether float32 rounds every possible sum as float64 does."""
    if requantize.combine == "magnitude":
        # Root of a whole number n: half-way cases k + 1/2 are at least 1 / (8 k) away, more than
        # half an ulp of float32 while n < 2**21; scaling by 1 changes nothing.
        squares = sum(s.magnitude**2 for s in sums)
        plain = (
            requantize.bias == requantize.offset == 0.0
            and requantize.scale == requantize.ratio == 1.0
        )
        return plain and squares < 2**21
    if _odd_divisor_is_safe(requantize, values):
        return True
    low, high = min(s.low for s in sums), max(s.high for s in sums)
    if high - low > _VERIFY_AT_MOST or values.magnitude > 2**23:
        return False
    every = np.arange(low, high + 1)
    results = []
    for dtype in ("float32", "float64"):
        out = np.empty((1, every.size), requantize.out_dtype)
        trial = requantize._replace(combine="none", work=dtype)
        with np.errstate(all="ignore"):
            Requantizer(trial).apply([every.astype(dtype)[None]], out)
        results.append(out)
    return bool((results[0] == results[1]).all())


def _odd_divisor_is_safe(requantize: Requantize, values: Bounds) -> bool:
    """Whether the formula only divides by an odd number that float32 tells apart from half-way.

    Whole sums over an odd n stay 1 / (2 n) away from every k + 1/2, and float32 is off by at most
    two roundings, 2**-23 of the value. Large boxes have too many sums to try them all.
    """
    divisor = round(1.0 / requantize.scale) if requantize.scale else 0
    return (
        requantize.bias == requantize.offset == 0.0
        and requantize.ratio == 1.0
        and divisor % 2 == 1
        and requantize.scale == 1.0 / divisor
        and 1.01 * 2.0**-23 * values.magnitude < 0.5 / abs(divisor)
    )


class Requantizer:
    """Evaluates a :class:`Requantize` on one tile after another; one per thread.

    ``xp`` is the array module: NumPy, or CuPy for arrays on a GPU.
    """

    def __init__(self, requantize: Requantize, xp: Any = np) -> None:
        self.requantize = requantize
        self.xp = xp
        self._rows: dict[tuple[float, str, int], Any] = {}

    def apply(self, planes: Iterable[Any], out: Any, count: bool = False) -> int:
        """Write the output samples of one tile.

        Parameters
        ----------
        planes
            Sums of each member of the stack, each an array like ``out``; may be overwritten.
        out
            Where the samples go.
        count
            Whether to count the samples outside the range before clipping.

        Returns
        -------
        int
            That count.
        """
        f, xp = self.requantize, self.xp
        values = self._combined(planes)
        if f.bias:
            xp.add(values, _scalar(f.bias, values.dtype), out=values)
        if f.absolute:
            xp.abs(values, out=values)
        if f.offset:
            xp.add(values, _scalar(f.offset, values.dtype), out=values)
        if f.ratio != 1.0:
            xp.multiply(values, values.dtype.type(f.ratio), out=values)
        if f.out_dtype not in LIMITS:
            out[...] = values
            return 0
        if f.work != "integer":
            xp.rint(values, out=values)
        if "64" in f.out_dtype:
            return put_whole(values, out, xp)
        clipped = self._clipped(values, count) if f.clip else 0
        # Convert in line, then spread over the channels: together they take twice as long.
        out[...] = values if out.strides[-1] == out.itemsize else values.astype(out.dtype)
        return clipped

    def put(self, values: Any, out: Any, count: bool) -> int:
        """Write the samples of a tile's values of one member, whatever the strides of ``out``.

        The values may be overwritten; returns the count as :meth:`apply` does.
        """
        flat = values.reshape(len(values), -1)
        samples = self.xp.empty(flat.shape, out.dtype)
        clipped = self.apply([flat], samples, count)
        out[...] = samples.reshape(out.shape)
        return clipped

    def _clipped(self, values: Any, count: bool) -> int:
        """Bring the values into the range; returns how many were outside, if they are counted."""
        f, xp = self.requantize, self.xp
        # Most tiles leave the range on one side or none. NaN is on neither, and becomes its low
        # end, which is black in a picture.
        below, above = not values.min() >= f.limits[0], not values.max() <= f.limits[1]
        clipped = 0
        if below:
            low = self._row(f.limits[0], values)
            clipped += int(xp.count_nonzero(values < low)) if count else 0
            (xp.fmax if f.nan else xp.maximum)(values, low, out=values)
        if above:
            high = self._row(f.limits[1], values)
            clipped += int(xp.count_nonzero(values > high)) if count else 0
            xp.minimum(values, high, out=values)
        return clipped

    def _combined(self, planes: Iterable[Any]) -> Any:
        f, xp = self.requantize, self.xp
        result: Any = None
        for sums in planes:
            values = sums if f.work == "integer" else sums.astype(f.work, copy=False)
            if f.scale != 1.0:
                values = xp.multiply(values, values.dtype.type(f.scale), out=values)
            if f.combine == "magnitude":
                values = xp.multiply(values, values, out=values)
            if result is None:
                result = values.copy() if f.combine != "none" and values is sums else values
            elif f.combine == "magnitude":
                xp.add(result, values, out=result)
            else:
                xp.maximum(result, values, out=result)
        return xp.sqrt(result, out=result) if f.combine == "magnitude" else result

    def _row(self, value: float, like: NDArray[Any]) -> Any:
        """A row of one value: NumPy compares arrays 4 times faster than array and scalar."""
        key = (value, str(like.dtype), like.shape[-1])
        if key not in self._rows:
            self._rows[key] = self.xp.full(like.shape[-1], value, like.dtype)
        return self._rows[key]


def put_whole(values: NDArray[np.float64], out: NDArray[Any], xp: Any = np) -> int:
    """Write rounded numbers as 64-bit integers; returns how many lay outside of their range.

    float64 has no 2**63 - 1: what reaches 2**63 becomes that.

    >>> out = np.empty(3, np.int64)
    >>> put_whole(np.array([-3.0, 2.0**63, np.nan]), out), out.tolist()
    (1, [-3, 9223372036854775807, -9223372036854775808])
    """
    low, high = LIMITS[out.dtype.name]
    above = values >= float(high)
    outside = int(xp.count_nonzero(above)) + int(xp.count_nonzero(values < low))
    # np.nextafter is of one number, which is the host's.
    out[...] = xp.fmin(xp.fmax(values, float(low)), float(np.nextafter(float(high), 0.0)))
    out[above] = high
    return int(outside)


def _scalar(value: float, dtype: np.dtype[Any]) -> Any:
    """The value in a type; whole numbers wrap, as sums in 16 bits may on their way."""
    return np.asarray(int(value) if dtype.kind in "iu" else value).astype(dtype)[()]
