"""Which cells a layer reads: one axis, exact, and the same backwards and forwards.

Whatever reads neighbouring cells (convolution, its transpose, pooling, enlarging, cropping) is
one linear relation in whole numbers, so that one small piece of arithmetic traces them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from convcli.arithmetic.transposed import TransposedWindow
from convcli.arithmetic.window import Window
from convcli.errors import ShapeError

__all__ = ["Reading", "Runs", "merged_runs"]

Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Cells of one axis: runs ``(first, last)``, in order, with a gap between any two."""

MOST_RUNS = 200_000


class Reading(NamedTuple):
    """One axis of a layer: output ``o`` reads input ``i`` where, for a tap ``t`` of ``taps``,

    ``divisor * i = stride * o + offset + step * t``, and ``0 <= i < inputs``.

    A convolution has divisor 1, a transposed one stride 1. ``before`` and ``after`` are the
    cells of padding around the input that it reads as well.

    >>> from convcli.arithmetic.window import conv_window
    >>> reading = Reading.of_window(conv_window(9, 3, stride=2, padding=2, dilation=2))
    >>> reading.inputs_of(((1, 1),)), reading.inputs_of(((0, 1),)), reading.outputs_of(((0, 0),))
    (((0, 0), (2, 2), (4, 4)), ((0, 0), (2, 2), (4, 4)), ((0, 1),))
    >>> reading.padding_of(((0, 1),))
    (2, 0)
    """

    inputs: int
    outputs: int
    divisor: int = 1
    stride: int = 1
    offset: int = 0
    step: int = 1
    taps: int = 1
    before: int = 0
    after: int = 0

    @classmethod
    def of_window(cls, window: Window | TransposedWindow) -> Reading:
        """What a sliding window reads: ``i = s o - before + d t``; a transposed one's inverse.

        Input ``i`` of a transposed window reaches ``o = s i - before + d t``.

        >>> from convcli.arithmetic.transposed import transposed_window
        >>> Reading.of_window(transposed_window(4, 3, stride=2)).inputs_of(((4, 4),))
        ((1, 2),)
        """
        size, output, step, taps = window.size, window.output, window.dilation, window.kernel_size
        if taps == 1:
            step = 1
        if isinstance(window, TransposedWindow):
            offset = window.before - step * (taps - 1)
            return cls(size, output, window.stride, 1, offset, step, taps)
        after = window.after + window.overhang
        return cls(size, output, 1, window.stride, -window.before, step, taps, window.before, after)

    @classmethod
    def everything(cls, inputs: int, outputs: int = 1) -> Reading:
        """All outputs read all inputs: global pooling, flatten, attention."""
        return cls(inputs, outputs, offset=1 - outputs, taps=inputs + outputs - 1)

    @classmethod
    def shifted(cls, inputs: int, outputs: int, by: int) -> Reading:
        """Output ``o`` reads input ``o + by``: cropping, or padding where ``by`` is negative.

        >>> Reading.shifted(5, 8, -2).inputs_of(((0, 3),)), Reading.shifted(5, 3, 1).inputs_of(((0, 2),))
        (((0, 1),), ((1, 3),))
        """
        return cls(
            inputs, outputs, offset=by, before=max(-by, 0), after=max(outputs + by - inputs, 0)
        )

    @classmethod
    def enlarged(cls, inputs: int, factor: int) -> Reading:
        """Output ``o`` reads input ``floor(o / factor)``."""
        return cls(inputs, inputs * factor, factor, offset=1 - factor, taps=factor)

    @classmethod
    def adaptive(cls, inputs: int, outputs: int) -> Reading:
        """Output ``o`` reads from ``floor(o n / m)`` to before ``ceil((o + 1) n / m)``.

        >>> [Reading.adaptive(7, 3).inputs_of(((o, o),)) for o in range(3)]
        [((0, 2),), ((2, 4),), ((4, 6),)]
        """
        taps = inputs + outputs - 1
        return cls(inputs, outputs, outputs, inputs, 1 - outputs, taps=taps)

    def inputs_of(self, outputs: Runs) -> Runs:
        """The inputs that any of these outputs reads."""
        return _within(self._reached(outputs), self.inputs)

    def outputs_of(self, inputs: Runs) -> Runs:
        """The outputs that read any of these inputs."""
        last = self.offset + self.step * (self.taps - 1)
        inverse = self._replace(divisor=self.stride, stride=self.divisor, offset=-last)
        return _within(inverse._reached(inputs), self.outputs)

    def padding_of(self, outputs: Runs) -> tuple[int, int]:
        """How far these outputs read into the padding before and after the input, in cells."""
        beyond = self.beyond(outputs)
        if not beyond:
            return 0, 0
        return max(-beyond[0][0], 0), max(beyond[-1][1] - self.inputs + 1, 0)

    def beyond(self, outputs: Runs) -> Runs:
        """The cells of padding that any of these outputs reads, below 0 and behind the input."""
        if not outputs or not (self.before or self.after):
            return ()
        reached, found = self._reached(outputs), []
        for low, high in ((-self.before, -1), (self.inputs, self.inputs + self.after - 1)):
            found += [(max(a, low), min(b, high)) for a, b in reached]
        return merged_runs(found)

    def _reached(self, cells: Runs) -> Runs:
        return merged_runs(run for first, last in cells for run in self._images(first, last))

    def _images(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """What one run of cells reads, inside the axis or not, in runs of any order."""
        reach = self.step * (self.taps - 1)
        low, high = self.stride * first + self.offset, self.stride * last + self.offset
        dense = self.step == 1 and self.stride <= self.taps
        if dense or (self.stride == 1 and last - first + 1 >= self.step):
            yield self._between(low, high + reach)
            return
        # Either taps are neighbours, or cells are, or every pair of both stands alone.
        taps = [(0, reach)] if self.step == 1 else [(t, t) for t in range(0, reach + 1, self.step)]
        starts = (
            [(low, high)]
            if self.stride == 1
            else ((x, x) for x in range(low, high + 1, self.stride))
        )
        count = len(taps) * (1 if self.stride == 1 else last - first + 1)
        if count > MOST_RUNS:
            raise ShapeError(
                f"{count} cells that lie apart are too many to trace; at most {MOST_RUNS} are, "
                "give a smaller --n"
            )
        for a, b in starts:
            for from_, to in taps:
                yield self._between(a + from_, b + to)

    def _between(self, low: int, high: int) -> tuple[int, int]:
        """The cells whose multiples lie there; the last is before the first if there are none."""
        return -(-low // self.divisor), high // self.divisor


def merged_runs(runs: Iterable[tuple[int, int]]) -> Runs:
    """Runs in any order, as one in order with what touches joined.

    >>> merged_runs([(5, 6), (0, 1), (2, 2), (9, 8)])
    ((0, 2), (5, 6))
    """
    found: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if last < first:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def _within(runs: Sequence[tuple[int, int]], size: int) -> Runs:
    return tuple(
        (max(first, 0), min(last, size - 1)) for first, last in runs if last >= 0 and first < size
    )
