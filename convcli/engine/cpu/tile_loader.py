"""The copy of a tile's input into scratch: converts the type, applies the border, sorts lanes.

A lane is a plane of contiguous samples in which every tap of an output row is one shifted run.
A kernel applied per channel has interleaved channels in one lane; a bank has one lane per
channel; a column stride ``s`` splits each of them into ``s`` phases, unless told otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap
from convcli.engine.cpu.tiles import Tile

__all__ = ["TileLoader"]


class TileLoader:
    """Fills scratch from one picture for one step."""

    def __init__(
        self,
        x: NDArray[Any],
        maps: tuple[AxisMap, AxisMap],
        kernel: tuple[int, int],
        value: float,
        dtype: str,
        by_channel: bool,
        by_phase: bool = True,
    ) -> None:
        self.x = x
        self.rows, self.cols = maps
        self.kernel = kernel
        self.value = value
        self.dtype = dtype
        self.by_channel = by_channel
        self.phases = self.cols.stride if by_phase else 1
        self.group = 1 if by_channel else x.shape[2]
        self.channels = x.shape[2] if by_channel else 1
        self._buffer: NDArray[Any] = np.empty(0, dtype)

    def __call__(self, tile: Tile) -> NDArray[Any]:
        """Scratch ``(lanes, rows, samples)`` that the tile's outputs read."""
        top, bottom = self.rows.span(tile.top, tile.bottom, self.kernel[0])
        left, right = self.cols.span(tile.left, tile.right, self.kernel[1])
        stride = self.phases
        height, width = bottom - top, -(-(right - left) // stride)
        shape = (self.channels * self.phases, height, width, self.group)
        count = int(np.prod(shape))
        if self._buffer.size < count:
            self._buffer = np.zeros(count, self.dtype)
        scratch = self._buffer[:count].reshape(shape)
        row_runs = self.rows.segments(top, bottom)
        for phase in range(self.phases):
            col_runs = self.cols.segments(left + phase, right, stride)
            for channel in range(self.channels):
                source = self.x[:, :, channel : channel + 1] if self.by_channel else self.x
                target = scratch[channel * self.phases + phase]
                for r0, r1, rows in row_runs:
                    for c0, c1, cols in col_runs:
                        self._copy(source, rows, cols, target[r0:r1, c0:c1])
        return scratch.reshape(shape[0], height, width * self.group)

    def _copy(self, source: NDArray[Any], rows: Any, cols: Any, target: NDArray[Any]) -> None:
        if rows is None or cols is None:
            target[...] = self.value
        elif isinstance(cols, slice):
            target[...] = source[rows, cols]
        else:
            target[...] = (
                source[rows][:, cols] if isinstance(rows, slice) else source[rows[:, None], cols]
            )
