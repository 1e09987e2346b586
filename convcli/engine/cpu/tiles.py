"""Tiles of the output, and the threads that work through them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.requantize import Requantize, Requantizer
from convcli.records import NamedTuple
from convcli.system.threads import Thread

__all__ = ["Tile", "fill", "grid", "work_through"]


class Tile(NamedTuple):
    """Output rows ``[top, bottom)`` and columns ``[left, right)``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def ranges(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """The one run of rows and the one of columns."""
        return ((self.top, self.bottom),), ((self.left, self.right),)


def grid(rows: int, cols: int, tile_rows: int, tile_cols: int) -> list[Tile]:
    """Cut an output into tiles. It does not depend on the threads, so neither do the results.

    >>> grid(3, 4, 2, 4)
    [Tile(top=0, bottom=2, left=0, right=4), Tile(top=2, bottom=3, left=0, right=4)]
    """
    return [
        Tile(r, min(r + tile_rows, rows), c, min(c + tile_cols, cols))
        for r in range(0, rows, tile_rows)
        for c in range(0, cols, tile_cols)
    ]


def fill(
    out: NDArray[Any],
    size: tuple[int, int],
    requantize: Requantize,
    threads: int,
    work: Callable[[Tile, NDArray[Any], Requantizer], int],
) -> int:
    """Give every tile, its place in ``out`` and a thread's own formula to ``work``.

    Adds up what it returns. Numbers that are none are no reason to warn.
    """

    def make_worker() -> Callable[[Tile], int]:
        requantizer = Requantizer(requantize)

        def worker(tile: Tile) -> int:
            place = out[tile.top : tile.bottom, tile.left : tile.right]
            with np.errstate(all="ignore"):
                return work(tile, place, requantizer)

        return worker

    return work_through(grid(out.shape[0], out.shape[1], *size), make_worker, threads)


def work_through(
    tiles: list[Tile], make_worker: Callable[[], Callable[[Tile], int]], threads: int
) -> int:
    """Give every tile to a worker and add up what the workers return.

    Each thread makes one worker, which keeps its scratch from tile to tile. An exception, or an
    interrupt, stops the others after the tile they are at.
    """
    threads = min(threads, len(tiles))
    if threads <= 1:
        worker = make_worker()
        return sum(worker(tile) for tile in tiles)
    # Far from each other: threads that first touch the same page of memory both clear it, which
    # took as long as a 3x3 filter itself.
    share = -(-len(tiles) // threads)
    queue = iter([tile for start in range(share) for tile in tiles[start::share]])
    stop = threading.Event()
    totals: list[int] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            worker = make_worker()
            totals.append(sum(worker(tile) for tile in _until(stop, queue)))
        except BaseException as error:
            stop.set()
            errors.append(error)

    # Not a pool of concurrent.futures, whose import takes 5 ms of a picture's start-up.
    others = [Thread(target=run, name="convcli-tiles") for _ in range(threads - 1)]
    try:
        for other in others:
            other.start()
        run()  # the caller works too
    except BaseException:
        stop.set()
        raise
    finally:
        for other in others:
            other.join()
    if errors:
        raise errors[0]
    return sum(totals)


def _until(stop: threading.Event, queue: Iterator[Tile]) -> Iterator[Tile]:
    for tile in queue:
        if stop.is_set():
            return
        yield tile
