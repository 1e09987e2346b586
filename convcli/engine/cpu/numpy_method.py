"""A step with NumPy alone, in tiles: what every operation can be done with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from convcli.engine.step import Maps, Method

if TYPE_CHECKING:
    from convcli.engine.cpu.tile_loader import TileLoader

__all__ = ["NumpyMethod", "Sums"]

Sums = Callable[[NDArray[Any], int, int], Iterator[NDArray[Any]]]
"""``(lanes, output rows, output samples per row)`` to the sums of each member or channel."""


class NumpyMethod(Method):
    """A method that says how values are made of a tile's input; the rest is the same for all.

    Nothing of it is imported before it runs.
    """

    absent: float | None = None
    """Stands outside where the border is ``missing``."""

    @property
    def held(self) -> str:
        """Type of the samples in the tile's input."""
        return self.problem.accumulate

    @abstractmethod
    def sums(self, load: TileLoader) -> Sums:
        """A function from a tile's input to its values; each thread has one of its own."""

    @cached_property
    def tile(self) -> tuple[int, int]:
        from convcli.engine.cpu.numpy_loops import tile_size

        return tile_size(self.problem)

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.cpu.numpy_loops import run_tiles

        return run_tiles(self, x, out, maps, threads, count)
