"""Correlation of scratch lanes by shifted additions: the NumPy loops.

Whole kernels are summed in 16-bit integers where the sums fit, which is where NumPy is fastest.
Taps whose weights have the same absolute value are added first and multiplied once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import Tap

__all__ = ["Direct", "box_line", "group_taps", "tap_run"]


def group_taps(taps: list[Tap]) -> list[tuple[float, list[tuple[int, int, int, bool]]]]:
    """Gather taps by absolute weight; the flag says that a tap is subtracted.

    >>> group_taps([(0, 0, 0, -2.0), (0, 0, 2, 2.0), (0, 1, 1, 0.0)])
    [(2.0, [(0, 0, 2, False), (0, 0, 0, True)])]
    """
    groups: dict[float, list[tuple[int, int, int, bool]]] = {}
    for lane, row, shift, weight in taps:
        if weight:
            groups.setdefault(abs(weight), []).append((lane, row, shift, weight < 0))
    ordered = []
    for weight, members in sorted(groups.items(), key=lambda item: -len(item[1])):
        members.sort(key=lambda tap: tap[3])
        if members[0][3]:  # nothing to add: subtract the sum instead
            ordered.append((-weight, [(*tap[:3], False) for tap in members]))
        else:
            ordered.append((weight, members))
    return ordered


def tap_run(
    lanes: NDArray[Any], tap: tuple[Any, ...], rows: int, samples: int, every: int
) -> NDArray[Any]:
    """The samples ``(rows, samples)`` that a tap reads for all outputs, ``every`` rows apart."""
    lane, row, shift = tap[:3]
    return lanes[lane, row : row + (rows - 1) * every + 1 : every, shift : shift + samples]


class Direct:
    """Sums of one list of taps; keeps its buffers from tile to tile."""

    def __init__(self, taps: list[Tap], dtype: str) -> None:
        self.groups = group_taps(taps)
        self.dtype = np.dtype(dtype)
        self._buffers: tuple[NDArray[Any], ...] = ()

    def __call__(
        self, lanes: NDArray[Any], rows: int, samples: int, every: int = 1
    ) -> NDArray[Any]:
        """Sums ``(rows, samples)``; output row ``r`` reads scratch row ``r * every + tap row``."""
        if not self._buffers or self._buffers[0].shape != (rows, samples):
            self._buffers = tuple(np.empty((rows, samples), self.dtype) for _ in range(2))
        total, part = self._buffers
        if not self.groups:
            total[...] = 0
            return total

        def run(tap: tuple[int, int, int, bool]) -> NDArray[Any]:
            return tap_run(lanes, tap, rows, samples, every)

        for number, (weight, members) in enumerate(self.groups):
            target = part if number else total
            factor = _cast(weight, self.dtype)
            if len(members) == 1 and weight != 1:
                np.multiply(run(members[0]), factor, out=target)
            elif len(members) == 1:
                if number:
                    target = run(members[0])
                else:
                    np.copyto(target, run(members[0]))
            else:
                first, second, *others = members
                (np.subtract if second[3] else np.add)(run(first), run(second), out=target)
                for tap in others:
                    (np.subtract if tap[3] else np.add)(target, run(tap), out=target)
                if weight != 1:
                    np.multiply(target, factor, out=target)
            if number:
                np.add(total, target, out=total)
        return total


def _cast(weight: float, dtype: np.dtype[Any]) -> Any:
    return np.asarray(int(weight) if dtype.kind in "iu" else weight).astype(dtype)[()]


def box_line(
    values: NDArray[Any],
    taps: int,
    step: int,
    length: int,
    axis: int,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Sums of ``taps`` neighbours, ``step`` apart, by doubling: about ``2 log2(taps)`` additions.

    Each is of samples of its own window only. Without ``out`` it may be a view of the values.

    >>> box_line(np.arange(6).reshape(1, 6), 3, 1, 4, 1)
    array([[ 3,  6,  9, 12]])
    """

    def run(a: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        return a[start:stop] if axis == 0 else a[:, start:stop]

    total: NDArray[Any] | None = None
    power, done, have = values, 0, 1
    while taps:
        if taps & 1:
            piece = run(power, done * step, done * step + length)
            if total is not None:
                total = np.add(total, piece, out=out)
            elif out is None:
                total = piece
            else:
                np.copyto(out, piece)
                total = out
            done += have
        taps >>= 1
        if taps:
            extent = power.shape[axis] - have * step
            power = run(power, 0, extent) + run(power, have * step, have * step + extent)
            have *= 2
    assert total is not None
    return total
