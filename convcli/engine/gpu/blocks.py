"""How the blocks of a kernel divide its work, where threads share memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

import numpy as np

from convcli.engine.gpu.kernel_source import Shape

__all__ = ["QUAD", "THREADS", "AcrossDownTile", "BlockSize", "across_down_tile"]

THREADS = 128
"""Of a block."""

QUAD = 4
"""Neighbouring samples that a thread adds down."""

SHARED_BYTES = 44 << 10
"""Of a block, so that five of them, 20 warps, share a multiprocessor of 228 KiB."""

HELD = 72
"""Sums that a thread holds, across and down."""

UNROLLED = 4096
"""Multiply-adds in unrolled loops: 64 KiB of instructions."""

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
    """Of a sample: clocks of a multiprocessor, of 128 instructions or 128 bytes of its memory."""

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
    sums = max(lines * across, members * down * QUAD) + (lines * across + down * QUAD) // 4
    unrolled = lines * (kh * down * QUAD + kw * across)
    carried = summed - rows  # a thread of its own moves each row
    if shared > SHARED_BYTES or sums * held // 4 > HELD or unrolled > UNROLLED or carried > rows:
        return None
    brought = -(-staged * words // 32) * 32 / THREADS  # by each thread; by warps
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
    return tile._replace(cost=max(instructions, moved) / 128)


def _pitch(count: int) -> int:
    """Numbers from row to row, as ``odd_pitch`` of the source."""
    return (count + 27) // 32 * 32 + 4
