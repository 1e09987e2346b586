"""Cells of the input as text: values of a kernel's thread, from words that are loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["CellWriter", "ThreadGrid"]


class ThreadGrid(NamedTuple):
    """What a thread makes, and of which cells.

    Rows are counted from its first one, samples from the first that it sees.
    """

    kernel: tuple[int, int]
    samples: int
    """Of a row (NX)."""
    channels: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    lanes: int
    """Samples that one value holds: of the first rows, and of as many further rows."""
    group: int
    """Rows of a lane."""
    apart: bool = False
    """Whether channels are done one after another, each loading its words anew: fewer values are
    alive at a time."""

    @property
    def constants(self) -> dict[str, int]:
        """By their names in the source."""
        names = "KERNEL_H KERNEL_W STRIDE_H STRIDE_W DILATION_H DILATION_W".split()
        pairs = (*self.kernel, *self.stride, *self.dilation)
        geometry = dict(zip(names, pairs, strict=True))
        return {"NX": self.samples, "CHANNELS": self.channels, **geometry}

    @property
    def span(self) -> int:
        """Samples that it sees of a row."""
        return self.column(self.samples - 1) + (self.kernel[1] - 1) * self.tap + 1

    @property
    def tap(self) -> int:
        """Samples from one cell of a window to the next."""
        return self.dilation[1] * self.channels

    @property
    def rows(self) -> int:
        """Output rows."""
        return self.lanes * self.group

    @property
    def seen(self) -> int:
        """Rows of input."""
        return (self.rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1

    def column(self, sample: int) -> int:
        """Where its window begins."""
        pixel, channel = divmod(sample, self.channels)
        return pixel * self.stride[1] * self.channels + channel

    def row(self, lane: int, number: int) -> int:
        """Where a row of the network lies."""
        return lane * self.group * self.stride[0] + number * self.dilation[0]


class CellWriter:
    """Writes cells, and the words that they are in, in macros of the kernels, before they are read.

    Parameters
    ----------
    load, item
        Bytes of a word, and of a sample.
    skew
        Samples from the start of a word to the first that is seen.
    """

    def __init__(self, grid: ThreadGrid, load: int, item: int, skew: int) -> None:
        self.grid, self.load, self.item, self.skew = grid, load, item, skew
        self.written: set[str] = set()
        self.turn = 0
        """Words of an earlier turn are forgotten."""

    @staticmethod
    def name_of_cell(row: int, at: int) -> str:
        """The value that stands for a cell, or for one of each lane."""
        return f"c{row}_{at}"

    def cell(self, row: int, at: int) -> Iterator[str]:
        """What it takes to have a cell, unless it is there."""
        name = self.name_of_cell(row, at)
        if name in self.written:
            return
        self.written.add(name)
        words = []
        word, place = divmod((at + self.skew) * self.item, self.load)
        for lane in range(self.grid.lanes):
            line = self.grid.row(lane, row)
            held = f"w{self.turn}_{line}_{word}"
            if held not in self.written:
                self.written.add(held)
                yield f"WORD({held},{line},{word})"
            words.append(held)
        parts = [
            f"{held}{self._part(place, n)}" for held in words for n in range(-(-self.item // 4))
        ]
        yield f"CELL({name},{','.join(parts)},{place % 4 // self.item})"

    def _part(self, place: int, more: int) -> str:
        """Which 32 bits of a word."""
        return "" if self.load == 4 else f".{'xyzw'[place // 4 + more]}"
