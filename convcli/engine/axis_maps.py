"""Borders as index maps: which input cell stands at each position of a padded axis.

No picture is ever padded as a whole. Each tile is copied into its scratch through these maps,
so any border, any pad width and any size, down to one cell, go the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import BORDERS
from convcli.arithmetic.window import Window

__all__ = [
    "OUTSIDE",
    "AxisMap",
    "Segment",
    "Span",
    "Tap",
    "TiledAxis",
    "axis_map",
    "border_index",
    "merged",
    "places_in",
    "taps_of",
]

OUTSIDE = -1
"""Index of a cell that the border's constant value stands for."""

Span: TypeAlias = tuple[int, int]
"""Cells ``[start, stop)`` of an axis."""

NEAR = 256
"""Runs of cells that lie closer together are read as one."""

Tap: TypeAlias = tuple[int, int, int, float]
"""``(lane, row, shift, weight)``: a tap as a run of samples, see :func:`taps_of`."""

Segment: TypeAlias = tuple[int, int, slice | NDArray[np.intp] | None]
"""``(start, stop, source)``: a run of positions and where their cells come from."""


def border_index(positions: NDArray[np.intp], size: int, mode: str) -> NDArray[np.intp]:
    """Input cell at each position; ``OUTSIDE`` where a constant stands.

    Parameters
    ----------
    positions
        Positions relative to the input's first cell; any integers.
    size
        Cells of the input.
    mode
        A name in ``convcli.arithmetic.borders.BORDERS``, which says what is read outside.

    >>> border_index(np.arange(-3, 7), 4, "reflect")
    array([3, 2, 1, 0, 1, 2, 3, 2, 1, 0])
    """
    cell = BORDERS[mode].cell
    index = positions.copy()
    outside = (positions < 0) | (positions >= size)
    if cell is None:
        index[outside] = OUTSIDE
    else:
        index[outside] = [cell(position, size) for position in positions[outside].tolist()]
    return index


class AxisMap:
    """One axis as the loops see it: positions without those that no tap reads.

    Output ``o`` and tap ``t`` read position ``o * stride + t * dilation``. Positions
    ``[first, last)`` lie inside the input, ``step`` cells apart; the others come from the border.
    """

    def __init__(
        self, index: NDArray[np.intp], stride: int, dilation: int, first: int, last: int, step: int
    ) -> None:
        self.index, self.stride, self.dilation = index, stride, dilation
        self.first, self.last, self.step = first, last, step

    def span(self, start: int, stop: int, taps: int) -> tuple[int, int]:
        """Positions that outputs ``[start, stop)`` of a kernel with ``taps`` taps read."""
        return start * self.stride, (stop - 1) * self.stride + (taps - 1) * self.dilation + 1

    def part(self, start: int, stop: int, taps: int) -> AxisMap:
        """The map of some of the outputs."""
        first, last = self.span(start, stop, taps)
        index = self.index[first:last]
        lower = min(max(self.first - first, 0), len(index))
        upper = min(max(self.last - first, lower), len(index))
        return AxisMap(index, self.stride, self.dilation, lower, upper, self.step)

    def onto(self, index: NDArray[np.intp]) -> AxisMap:
        """The same positions where the cells of the input have these places."""
        return AxisMap(index, self.stride, self.dilation, self.first, self.last, self.step)

    def cells(self) -> Span:
        """Input cells from the first that is read to the last; none if all lie outside."""
        inside = self.index[self.index != OUTSIDE]
        return (int(inside.min()), int(inside.max()) + 1) if inside.size else (0, 0)

    @property
    def reaches_outside(self) -> bool:
        """Whether some positions are the constant's."""
        return bool((self.index == OUTSIDE).any())

    def segments(self, start: int, stop: int, every: int = 1) -> list[Segment]:
        """Split positions ``start, start + every, ...`` below ``stop`` into runs.

        A run's source is a slice of the input, an index array, or ``None`` for the constant.
        """
        count = max(-(-(stop - start) // every), 0)
        lower = min(max(-(-(self.first - start) // every), 0), count)
        upper = min(max(-(-(self.last - start) // every), lower), count)
        index = self.index[start:stop:every]
        runs: list[Segment] = []
        for a, b in ((0, lower), (lower, upper), (upper, count)):
            if a == b:
                continue
            if a == lower and b == upper:
                source = int(index[a])
                runs.append(
                    (
                        a,
                        b,
                        slice(
                            source, source + (b - a - 1) * self.step * every + 1, self.step * every
                        ),
                    )
                )
            elif index[a] == OUTSIDE and (index[a:b] == OUTSIDE).all():
                runs.append((a, b, None))
            else:
                runs += _mixed(index, a, b)
        return runs


def _mixed(index: NDArray[np.intp], a: int, b: int) -> list[Segment]:
    """Runs of ``index[a:b]`` that are all outside or all inside."""
    outside = index[a:b] == OUTSIDE
    edges = [a, *(np.flatnonzero(np.diff(outside)) + a + 1).tolist(), b]
    return [(p, q, None if outside[p - a] else index[p:q]) for p, q in pairwise(edges)]


class TiledAxis:
    """One axis of a step: the map of the whole picture, its tiles, and cutouts of both.

    What has been found is kept: strips of a picture ask for the same columns again and again.
    """

    def __init__(self, whole: AxisMap, window: Window, tile: int) -> None:
        self.whole, self.tile = whole, tile
        self.taps, self.outputs = window.kernel_size, window.output
        self._needed: dict[tuple[Span, ...], tuple[Span, ...]] = {}
        self._local: dict[tuple[Span, tuple[Span, ...]], AxisMap] = {}

    def aligned(self, span: Span) -> Span:
        """Whole tiles around some outputs."""
        return span[0] // self.tile * self.tile, min(
            -(-span[1] // self.tile) * self.tile, self.outputs
        )

    def needed(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """Input cells that the tiles around some outputs read."""
        if spans not in self._needed:
            self._needed[spans] = self._find(spans)
        return self._needed[spans]

    def seen(self, span: Span) -> tuple[Span, bool]:
        """Input cells around all under the windows of some outputs; whether some lie outside.

        >>> from convcli.arithmetic.window import conv_window
        >>> window = conv_window(9, 3, padding="same")
        >>> TiledAxis(axis_map(window, "constant"), window, 4).seen((0, 3))
        ((0, 4), True)
        """
        part = self.whole.part(*span, self.taps)
        return part.cells(), part.reaches_outside

    def _find(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        found: list[Span] = []
        for span in spans:
            m = self.whole
            start, stop = m.span(*self.aligned(span), self.taps)
            # Inside the picture cells ascend; only what the border stands for is looked through.
            lower = min(max(m.first, start), stop)
            upper = min(max(m.last, lower), stop)
            if m.step <= NEAR and lower < upper:
                found.append((int(m.index[lower]), int(m.index[upper - 1]) + 1))
            else:
                lower = upper = stop
            # (np.unique would import numpy.ma, 7 ms.)
            index = np.sort(np.concatenate([m.index[start:lower], m.index[upper:stop]]))
            index = index[index != OUTSIDE]
            if not index.size:
                continue
            breaks = np.flatnonzero(np.diff(index) > max(NEAR, 2 * m.step))
            edges = [0, *(breaks + 1).tolist(), index.size]
            found += [(int(index[a]), int(index[b - 1]) + 1) for a, b in pairwise(edges)]
        return merged(found or [(0, 1)], NEAR)

    def local(self, span: Span, have: tuple[Span, ...]) -> AxisMap:
        """The map of some outputs onto a cutout that has the cells they read."""
        if (span, have) not in self._local:
            self._local[span, have] = self._onto(span, have)
        return self._local[span, have]

    def _onto(self, span: Span, have: tuple[Span, ...]) -> AxisMap:
        part = self.whole.part(*span, self.taps)
        index = part.index
        place = places_in(have, index)
        assert ((place == OUTSIDE) == (index == OUTSIDE)).all(), "the cutout lacks cells"
        return part.onto(place)


def places_in(have: tuple[Span, ...], cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where cells lie in runs of them that stand one after another; ``OUTSIDE`` for the others.

    >>> places_in(((2, 4), (7, 9)), np.array([3, 7, 5])).tolist()
    [1, 2, -1]
    """
    places = np.full(cells.shape, OUTSIDE, cells.dtype)
    begin = 0
    for start, stop in have:
        inside = (cells >= start) & (cells < stop)
        places[inside] = cells[inside] - start + begin
        begin += stop - start
    return places


def merged(spans: Sequence[Span], gap: int) -> tuple[Span, ...]:
    """Spans in ascending order, those that lie ``gap`` or less apart as one."""
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return tuple(joined)


def axis_map(window: Window, mode: str) -> AxisMap:
    """Map of one axis, with positions dropped that a strided or dilated kernel never reads.

    A stride and a dilation with a common divisor only meet every divisor-th position; a stride
    larger than the kernel leaps over the rest.
    """
    taps, outputs = window.kernel_size, window.output
    stride, dilation = window.stride, window.dilation
    if taps == 1:
        step, stride, dilation = stride, 1, 1
    elif outputs == 1:
        step, stride, dilation = dilation, 1, 1
    else:
        step = gcd(stride, dilation)
        stride, dilation = stride // step, dilation // step
    if taps > 1 and outputs > 1 and stride > dilation * (taps - 1) + 1:
        starts = np.arange(outputs, dtype=np.intp) * window.stride
        positions = (starts[:, None] + np.arange(taps) * window.dilation).ravel()
        index = border_index(positions - window.before, window.size, mode)
        return AxisMap(index, taps, 1, 0, 0, 1)
    length = (outputs - 1) * stride + (taps - 1) * dilation + 1
    positions = np.arange(length, dtype=np.intp) * step
    index = border_index(positions - window.before, window.size, mode)
    first = min(-(-window.before // step), length)
    last = min(-(-(window.before + window.size) // step), length)
    return AxisMap(index, stride, dilation, first, max(first, last), step)


def taps_of(
    weights: NDArray[np.float64], maps: tuple[AxisMap, AxisMap], group: int, channel: int = 0
) -> list[Tap]:
    """The weights of a plane that are not zero, row by row, as the loops see them.

    A lane holds samples of which every tap of an output row reads one shifted run: one lane
    for all channels, a ``group`` side by side, or for a bank one for each; a stride across splits
    each into phases.
    """
    rows, cols = maps
    found = []
    for (i, j), weight in np.ndenumerate(weights):
        if weight:
            shift, phase = divmod(j * cols.dilation, cols.stride)
            lane = channel * cols.stride + phase
            found.append((lane, i * rows.dilation, shift * group, float(weight)))
    return found
