"""A plane whose rows come in order, as they are decoded: a band of it at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Span
from convcli.imaging.row_stream import RowStream
from convcli.imaging.source import StoredPlane

__all__ = ["FlowingPlane"]


class FlowingPlane(StoredPlane):
    """Rows of a stream. Those that are no longer there are made again from the first on.

    So any region can be read, and whoever goes from top to bottom has every row made once. Several
    threads may read, if they ask for rows about in order: see ``hold``.
    """

    flows = True

    def __init__(
        self,
        stream: RowStream,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        close: Callable[[], None],
    ) -> None:
        self.name, self.shape, self.dtype = stream.name, shape, dtype
        self._stream, self._close, self._lock = stream, close, Lock()

    def block(self, rows: Span, cols: Span, out: NDArray[Any]) -> None:
        _, width, channels = self.shape
        with self._lock:
            keep = rows[0] if self.hold is None else rows[1] - self.hold
            for row, view in self._stream.rows(*rows, keep):
                some = np.frombuffer(view, self.dtype).reshape(-1, width, channels)
                out[row - rows[0] : row - rows[0] + len(some)] = some[:, slice(*cols)]

    def close(self) -> None:
        self._stream.close()
        self._close()
