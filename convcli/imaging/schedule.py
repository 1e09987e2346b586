"""Which regions of a picture are made, in which order and by how many threads: no pixels here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.cpu.tiles import Tile, grid
from convcli.errors import RoomError
from convcli.imaging.options import BASE_BYTES, BETWEEN_BYTES, FLOWING_BYTES, LEAST_ROOM
from convcli.imaging.source import Plane
from convcli.imaging.stages.filter import Filter
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = [
    "STORED",
    "PartSizes",
    "Schedule",
    "flowing_sizes",
    "frame_schedule",
    "part_schedule",
    "survey_schedule",
]

ENOUGH = 16 * 2**20
"""Bytes of a part; larger ones are not filtered any faster, and take that much more memory."""
ENOUGH_TALL, TALL = 256 * 2**20, 6
"""The same of one that is not so many times as high as its kernels."""
BAND = 3 << 20
"""Bytes of a part of a picture whose rows flow: what one thread makes and hands on. Measured on 24
megapixels, parts that fit into a cache of their own (1 MB) or four times that take as long."""
MOST_BAND = 12 << 20
"""Most bytes of such a part, its input counted twice, where it may be lower than a tile: rows of
1,000 megapixels are so long that a tile's height of them is 40 MB."""
STRIPS_FROM = 1 << 20
"""Pixels of a picture from which on floats are computed in strips."""
SURVEYED = 1 << 19
"""Pixels of a strip that is looked at before a frame is made."""
FLOATS = 7
"""Arrays of floats as large as a region that are in memory at once when it is computed so."""


class Schedule(NamedTuple):
    """Regions that cover a result, from top to bottom and left to right."""

    places: list[Tile]
    threads: int = 1
    """How many of them are made at the same time."""


def frame_schedule(chain: Filter, plane: Plane, *, simple: bool) -> Schedule:
    """The regions of a frame that is made in memory: one, or strips where they are faster.

    Large pictures that are computed in floats (light, weighting by alpha) are cut into strips, one
    for each thread at a time, so that what lies between the steps stays in the cache: on 8
    megapixels with alpha a third of the time, and no memory for whole pictures of floats.
    ``stretch`` needs to see all values first. Where part of a picture shows, strips without any of
    it are not computed.
    """
    plan = chain.plans.chained(plane.shape[:2])
    height, width, _ = plan.shape_out
    small = plane.shape[0] * plane.shape[1] < STRIPS_FROM
    if (
        (simple and chain.selection is None)
        or small
        or plan.backend.on_gpu
        or plan.range == "stretch"
        or chain.whole
    ):
        return Schedule([Tile(0, height, 0, width)])
    # Strips that are short beside the kernels would compute their margins again and again.
    tile, _ = plan.steps[-1].tile
    margin = sum(step.rows.effective_kernel for step in plan.steps)
    return Schedule(grid(height, width, tile * max(1, -(-2 * margin // tile)), width), plan.threads)


def survey_schedule(chain: Filter, shape: tuple[int, ...]) -> Schedule:
    """The strips in which the values of a frame in memory are looked at before it is made."""
    height, width = shape[:2]
    if chain.whole:  # strips would each make all of it
        return Schedule([Tile(0, height, 0, width)])
    margin = sum(step.rows.effective_kernel for step in chain.outline.plan.steps)
    rows = max(SURVEYED // max(width, 1), 4 * margin, 1)
    return Schedule(grid(height, width, rows, width), chain.outline.plan.threads)


class PartSizes(NamedTuple):
    """How large parts are made, and what there is beside them."""

    base: int = BASE_BYTES
    """Bytes of memory that the program takes itself."""
    enough: int = ENOUGH
    """Parts of more bytes are not made where smaller ones will do."""
    most: int | None = None
    """Parts of more bytes are made lower than a tile, if that gives the same bits, and no lower than
    two thirds of the kernels, or they would mostly compute their margins; by default what there is
    room for."""
    tall: int = 0
    """As ``enough``, while a part is not ``TALL`` times as high as the kernels."""

    def allowed(self, chain: Filter, rows: int, room: int, threads: int) -> int:
        """Bytes of a part of more than so many rows: more of those that are low beside the kernels,
        which would compute their margins again and again, in chains most of all."""
        kernels = [step.rows.effective_kernel for step in chain.outline.plan.steps]
        if rows < 2 * sum(kernels[1:]):
            return room // threads
        return min(room, max(self.enough, self.tall if rows < TALL * sum(kernels) else 0))


def flowing_sizes(chain: Filter) -> PartSizes:
    """Of a picture whose rows flow."""
    between = BETWEEN_BYTES * (len(chain.outline.plan.steps) > 1)
    return PartSizes(FLOWING_BYTES + between, BAND, MOST_BAND)


STORED = PartSizes(tall=ENOUGH_TALL)
"""Of a picture that is read where it is stored."""


def part_schedule(
    chain: Filter,
    memory: int,
    *,
    simple: bool,
    whole_rows: bool,
    sizes: PartSizes = STORED,
    align: tuple[int, int] | None = None,
    threads: int = 1,
) -> Schedule:
    """The regions of a picture that is made part by part, each within ``memory`` bytes.

    Parameters
    ----------
    simple
        What :meth:`Filter.is_simple` says of the plane.
    whole_rows
        Whether parts have to be as wide as the picture.
    align
        Rows and columns that parts are a multiple of; by default those of the plan's tiles.
    threads
        How many parts are made at a time at most, each by one thread. Simple ones are made one after
        the other by the threads of the plan, which takes as long and less memory.

    Raises
    ------
    RoomError
        If a single tile, or a row of them where rows must be whole, needs more memory.
    """
    plan = chain.outline.plan
    height, width = plan.shape_out[:2]
    tall, wide = align or plan.steps[-1].tile
    room = max(memory - sizes.base, LEAST_ROOM)
    enough = min(room, sizes.enough)

    def cost(rows: int, cols: int) -> int:
        rows, cols = min(rows, height), min(cols, width)
        top, left = (height - rows) // 2 // tall * tall, (width - cols) // 2 // wide * wide
        return _bytes_of(chain, (((top, top + rows),), ((left, left + cols),)), simple)

    if chain.whole:
        if cost(height, width) > room:
            raise RoomError(
                f"{chain.source.name}: {chain.whole} follows edges across the whole picture, which takes "
                f"{(cost(height, width) + sizes.base) / 2**20:,.0f} MB and cannot be made part by part; "
                "raise --memory, or cut the picture"
            )
        return Schedule([Tile(0, height, 0, width)])
    rows, cols = tall, width
    while cost(rows, cols) > enough and cols > wide and not whole_rows:
        cols = -(-cols // 2 // wide) * wide
    least_rows = tall if align else plan.steps[-1].least_rows
    rows = _lowered(
        chain, rows, least_rows, lambda n: cost(n, cols) > min(sizes.most or room, room)
    )
    if cost(rows, cols) > room:
        what = f"{rows} whole rows" if whole_rows else f"{rows}x{cols} pixels"
        advice = " or write without compression (.npy)" if whole_rows else ""
        raise RoomError(
            f"{chain.source.name}: {what} at a time need "
            f"{(cost(rows, cols) + sizes.base) / 2**20:,.0f} MB with these kernels; "
            f"raise --memory{advice}"
        )
    while rows < height and cost(min(2 * rows, height), cols) <= sizes.allowed(
        chain, rows, room, threads
    ):
        rows *= 2
    if simple:
        threads = 1
    return Schedule(grid(height, width, rows, cols), max(min(threads, room // cost(rows, cols)), 1))


def _lowered(chain: Filter, rows: int, least_rows: int, is_much: Callable[[int], bool]) -> int:
    """Rows of parts that are lower than a tile, where it would be too much."""
    lowest = max(step.rows.effective_kernel for step in chain.outline.plan.steps) * 2 // 3
    lowest = max(-(-lowest // least_rows), 1) * least_rows
    while is_much(rows) and rows > lowest:
        lower = max(rows // 2, lowest)
        if lower % least_rows:
            break
        rows = lower
    return rows


def _bytes_of(chain: Filter, want: Ranges, simple: bool) -> int:
    """Memory that a region takes while it is made."""
    from convcli.engine.regions import cells, needed

    outline, source = chain.outline, chain.source
    floats = FLOATS * chain.plans.between.itemsize
    channels_in = source.shape[2]
    sizes: list[int] = []
    for step in reversed(outline.plan.steps):
        rows, cols = cells(want)
        channels = max(step.shape_out[2], channels_in)
        item = np.dtype(step.requantize.out_dtype).itemsize if simple else floats
        sizes.append(rows * cols * channels * item)
        want = needed(step, want)
    rows, cols = cells(want)
    item = source.dtype.itemsize * 2 if simple else floats
    sizes.append(rows * cols * channels_in * item)
    if outline.range == "stretch" or chain.selection is not None:
        sizes[0] *= 3
    if chain.whole:  # a blur and two slopes of each channel, and how steep all pixels are
        sizes.append(rows * cols * (3 * chain.plans.between.itemsize * channels_in + 24))
    return sum(sizes) if simple else max(sizes) * 2
