"""Extrema along a row as text: of windows that lie beside each other, see ``cuda/extrema.cu``."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

from convcli.engine.gpu.cell_text import CellWriter, ThreadGrid

__all__ = ["ExtremaTile", "line_text", "tile_of"]

SHARED = 48 * 1024
"""Bytes of shared memory that a block may have without asking; more blocks run at once with less."""

LINES = (512, 1024, 2048)
"""Bytes of a row in it: a word of 4 for each of 128 threads, or several."""

HELD = 96
"""Registers that a thread going down may keep what it met above in."""

FOUR_BLOCKS = 8
"""Rows of a group up to which the assembler is told to let four blocks run at once: it would spill for
more, of which shared memory lets none. Of higher groups it makes more untold."""

ROWS = 32
"""That a block makes at least, as far as there is room."""


class ExtremaTile(NamedTuple):
    """What a block makes, and of which cells."""

    group: int
    """Windows above one another that share cells."""
    rows: int
    columns: int
    """Samples of a row."""
    line: ThreadGrid
    """What a thread makes at a time, across."""
    skew: int
    """Samples from the start of a word of 4 bytes to the first."""
    words: int
    """Of 16 bytes, of a row in shared memory."""

    @property
    def blocks(self) -> int:
        """That the assembler must let run at once on a multiprocessor; 0 leaves it to it."""
        return 4 if self.group <= FOUR_BLOCKS else 0

    @property
    def span(self) -> int:
        """Samples of a row that it sees."""
        return self.columns + (self.line.kernel[1] - 1) * self.line.channels


def tile_of(
    kernel: tuple[int, int], channels: int, items: tuple[int, int], before: int
) -> ExtremaTile | None:
    """How a block makes the extrema of a rectangle; none if its rows see too much of a row.

    Parameters
    ----------
    items
        Bytes of a sample of the input and of the output.
    before
        Cells of padding before each row.
    """
    (height, width), item = kernel, items[0]
    lanes = 2 if item <= 2 else 1
    # Threads that read 16 or 48 bytes apart meet in no bank of shared memory.
    chunk = 16 // item * (3 if width * channels > 32 // item else 1)
    skew = -before * channels % (max(4, item) // item)
    halo = (width - 1) * channels + skew
    for bytes_of_row in LINES:
        columns = (bytes_of_row // item - halo) // chunk * chunk
        if columns * item >= bytes_of_row // 2:
            break
    else:
        return None
    words = -(-(columns + halo) * item // 16)
    held = 2 if item in (1, 8) else 1
    room = SHARED // (16 * words)
    group = min(height, HELD // held, room)
    times = max(min(-(-ROWS // group), room // group), 1)
    if group * times % lanes:  # two rows at once: an even number of them
        times, group = (times - times % 2, group) if times > 1 else (1, group - 1 or 2)
    rows = group * times
    line = ThreadGrid((1, width), chunk, channels, (1, 1), (1, 1), lanes, 1)
    return ExtremaTile(group, rows, columns, line, skew, words)


def line_text(tile: ExtremaTile, item: int, *, largest: bool) -> list[str]:
    """Instructions for the samples that a thread makes at a time, in macros of ``extrema.cu``."""
    load = 16
    assert gcd(load, tile.line.samples * item) == load
    return list(_LineWriter(tile.line, load, item, tile.skew, largest).lines())


class _LineWriter(CellWriter):
    """Writes windows in groups: what all share, what grows to the right, what was met at the left."""

    def __init__(self, grid: ThreadGrid, load: int, item: int, skew: int, largest: bool) -> None:
        super().__init__(grid, load, item, skew)
        self.macro = "UPPER" if largest else "LOWER"
        self.taps = grid.kernel[1]
        self.count = 0

    def lines(self) -> Iterator[str]:
        """All of them, group after group."""
        samples, channels = self.grid.samples, self.grid.channels
        pixels = -(-samples // channels)
        group = min(self.taps, pixels)
        for base in range(0, pixels, group):
            yield from self._group(base, min(group, pixels - base))

    def _group(self, base: int, windows: int) -> Iterator[str]:
        channels = self.grid.channels
        there = [c for c in range(channels) if base * channels + c < self.grid.samples]
        left: dict[tuple[int, int], str] = {}
        for i in reversed(range(windows - 1)):
            for c in there:
                yield from self._grown(left.get((i + 1, c)), base + i, c)
                left[i, c] = self.last
        shared: dict[int, str] = {}
        for pixel in range(base + windows - 1, base + self.taps):
            for c in there:
                yield from self._grown(shared.get(c), pixel, c)
                shared[c] = self.last
        for i in range(windows):
            for c in there:
                sample = (base + i) * channels + c
                if sample >= self.grid.samples:
                    return
                if i:
                    yield from self._grown(shared[c], base + self.taps - 1 + i, c)
                    shared[c] = self.last
                if i < windows - 1:
                    yield self._picked(left[i, c], shared[c])
                yield f"FOUND(0,{sample},{self.last if i < windows - 1 else shared[c]})"

    def _grown(self, value: str | None, pixel: int, channel: int) -> Iterator[str]:
        """A value and one more cell."""
        at = pixel * self.grid.channels + channel
        yield from self.cell(0, at)
        self.last = self.name_of_cell(0, at)
        if value is not None:
            yield self._picked(value, self.last)

    def _picked(self, a: str, b: str) -> str:
        self.count += 1
        self.last = f"t{self.count}"
        return f"{self.macro}({self.last},{a},{b})"
