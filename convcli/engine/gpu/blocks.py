"""How the blocks of a kernel divide its work, where threads share memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, lcm
from typing import NamedTuple

import numpy as np

from convcli.engine.gpu.kernel_source import UNROLLED, Shape, skew

__all__ = [
    "PER_CLOCK",
    "QUAD",
    "THREADS",
    "AcrossDownTile",
    "BlockSize",
    "RunningTile",
    "across_down_tile",
    "running_tile",
]

THREADS = 128
"""Of a block."""

QUAD = 4
"""Neighbouring samples that a thread adds down."""

SHARED_BYTES = 44 << 10
"""Of a block, so that five of them, 20 warps, share a multiprocessor of 228 KiB."""

HELD = 64
"""Sums, and words on their way, that a thread holds."""

PER_CLOCK = 128
"""Instructions, or bytes of its memory, of a multiprocessor."""

_COLUMNS = (128, 64, 32)
_STAGED = (32, 16, 8, 4)
_STEPS = range(1, 17)


class BlockSize(NamedTuple):
    """What a block makes, and by how many threads."""

    samples: int
    """Of a row."""
    rows: int
    """At a time; it makes a multiple of them."""
    threads: int


class AcrossDownTile(NamedTuple):
    """Sizes of ``cuda/across_down.cu``, and what they come to."""

    columns: int
    rows: int
    staged: int
    cost: float = 0.0
    """Of a sample: clocks of a multiprocessor."""

    @property
    def block(self) -> BlockSize:
        """What a block makes."""
        return BlockSize(self.columns, self.rows, THREADS)

    def constants(self, out_dtype: str) -> dict[str, int]:
        """By their names in the source."""
        return {
            "COLS": self.columns,
            "TILE_H": self.rows,
            "STAGED": self.staged,
            "THREADS": THREADS,
            "NX": QUAD,
            "STORE_BYTES": gcd(16, QUAD * np.dtype(out_dtype).itemsize),
        }


def across_down_tile(
    shape: Shape, lines: int, members: int, types: tuple[str, str, str], skew: int
) -> AcrossDownTile | None:
    """The sizes that cost least of those that fit, or None.

    Parameters
    ----------
    shape
        Without stride.
    lines
        Terms of all members: columns and rows whose sums a block holds.
    types
        Of the input, the sums and the output.
    skew
        Samples from the start of a word to the first of a row.
    """
    fitting = (_costed(tile, shape, lines, members, types, skew) for tile in _tiles())
    return min(filter(None, fitting), key=lambda tile: tile.cost, default=None)


def _tiles() -> Iterator[AcrossDownTile]:
    for columns in _COLUMNS:
        for staged in _STAGED:
            for steps in _STEPS:
                rows = steps * staged
                across, down = staged * columns / THREADS, rows * columns / QUAD / THREADS
                if across % QUAD == 0 and down % 1 == 0 and down <= 16:
                    yield AcrossDownTile(columns, rows, staged)


def _costed(
    tile: AcrossDownTile,
    shape: Shape,
    lines: int,
    members: int,
    types: tuple[str, str, str],
    skew: int,
) -> AcrossDownTile | None:
    """The same with its cost, if it fits."""
    columns, rows, staged, _ = tile
    (kh, kw), (dilation_h, dilation_w) = shape.kernel, shape.dilation
    item, held = np.dtype(types[0]).itemsize, np.dtype(types[1]).itemsize
    earlier, halo = (kh - 1) * dilation_h, (kw - 1) * dilation_w * shape.channels
    per = 16 // item
    words = -(-(skew + columns + halo) // per)
    summed = -(-(earlier + rows) // staged) * staged
    across, down = staged * columns // THREADS, rows * columns // QUAD // THREADS
    shared = (staged * _pitch(words * per) + lines * summed * _pitch(columns)) * held
    rounds = -(-staged // (THREADS // words)) if words <= THREADS else staged
    sums = max(lines * across, members * down * QUAD) * held // 4 + QUAD * rounds
    unrolled = lines * (kh * down * QUAD + kw * across)
    carried = summed - rows  # a thread of its own moves each row
    if (
        shared > SHARED_BYTES
        or words > THREADS
        or sums > HELD
        or unrolled > UNROLLED
        or carried > rows
    ):
        return None
    brought = -(-staged * words // 32) * 32 / THREADS  # words, by each thread
    quads = -(-(skew + across + halo) // QUAD)
    # Two instructions make a number of a sample. A load of four numbers is one.
    instructions = (
        lines * (kh + kw)
        + brought * (2.2 * per + 8) / across
        + (quads + 20) / across
        + lines / QUAD
        + lines * (down + earlier) / (QUAD * down)
        + 60 / (down * QUAD)
    )
    moved = held * (
        brought * per / across
        + QUAD * quads / across
        + lines
        + lines * (down + earlier) / down
        + 2 * lines * carried / rows
    )
    return tile._replace(cost=max(instructions, moved) / PER_CLOCK)


def _pitch(count: int) -> int:
    """Numbers from row to row, as ``odd_pitch`` of the source."""
    return (count + 27) // 32 * 32 + 4


class RunningTile(NamedTuple):
    """Sizes of ``cuda/running.cu``."""

    samples: int
    """Of a chunk, which is what a thread holds."""
    chunks: int
    reach: int
    """Chunks behind its own that the windows of a thread may end in."""
    rows: int

    @property
    def block(self) -> BlockSize:
        """What a block makes."""
        return BlockSize((self.chunks - self.reach) * self.samples, self.rows, self.chunks)


def running_tile(shape: Shape, before: int, item: int) -> RunningTile | None:
    """The sizes for a box, or None if it is too wide.

    Parameters
    ----------
    shape
        Without stride and dilation.
    before
        Cells of padding before each row.
    item
        Bytes of a sample.

    >>> running_tile(Shape(3, (15, 15), (1, 1), (1, 1), 1), 7, 1)
    RunningTile(samples=24, chunks=64, reach=2, rows=16)
    """
    unit = lcm(shape.channels, QUAD)
    counts = [unit * times for times in (1, 2, 3, 4) if unit * times <= max(24, unit)]
    samples = max(counts, key=lambda n: (gcd(16, n * item), -abs(n - 16)))
    (kh, kw), aside = shape.kernel, skew(shape._replace(samples=samples), item, before)
    reach = (aside + samples - 1 + kw * shape.channels) // samples
    chunks = 64 if reach <= 6 else 128
    if samples > 32 or reach > chunks // 2:
        return None
    # A block reads kernel - 1 rows before its first output; but many blocks hide each other's waits.
    rows = 16 if kh < 32 else 32 if kh < 128 else 64
    return RunningTile(samples, chunks, reach, rows)
