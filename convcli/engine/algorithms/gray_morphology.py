"""Gray erosion and dilation: weights are added to the samples under them, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import on_cpu
from convcli.engine.cpu.keys import from_keys, to_keys
from convcli.engine.cpu.picking import NumpyPicks, Values
from convcli.engine.picks import Picks
from convcli.engine.step import Method, Problem

__all__ = ["GRAY"]


class GrayMorphology:
    """Any weights."""

    name = "gray"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Picks) or not problem.picked.gray:
            return None
        cells = problem.weights.size
        price = on_cpu(self.name, f"{cells} cells", "numpy", self.name, problem.picked.dtype, cells)
        return _Numpy(problem, price)


GRAY = GrayMorphology()


class _Numpy(NumpyPicks):
    def values(self) -> Values:
        p, (down, across) = self.problem, self.problem.maps
        largest = p.picked.largest
        op = np.maximum if largest else np.minimum
        added = p.weights[0].astype(p.picked.dtype)

        def extrema(plane: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
            best: NDArray[Any] | None = None
            for (i, j), weight in np.ndenumerate(added):
                top, left = i * down.dilation, j * across.dilation
                part = plane[top : top + (rows - 1) * down.stride + 1 : down.stride]
                part = part[:, left : left + (cols - 1) * across.stride + 1 : across.stride]
                keys = to_keys(part + weight, largest=largest)
                best = keys if best is None else op(best, keys, out=best)
            assert best is not None
            return from_keys(best, p.picked.dtype)

        return extrema
