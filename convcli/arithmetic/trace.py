"""What one cell of a network depends on, or reaches: the exact cells of every map on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TypeAlias

from convcli.arithmetic.network_report import FeatureMap, NetworkReport
from convcli.arithmetic.reading import Runs, merged_runs
from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError, UsageError, did_you_mean

__all__ = [
    "Box",
    "Region",
    "Trace",
    "along",
    "cell_count",
    "parse_cell",
    "sources",
    "trace",
]

Box: TypeAlias = tuple[Runs, ...]
"""Cells that lie in these runs of every axis."""

Region: TypeAlias = tuple[Box, ...]
"""Cells that lie in any of these boxes; branches can make more than one, as 1x7 beside 7x1."""

MOST_BOXES = 2000


@dataclass(frozen=True, slots=True)
class Trace:
    """The cells that ``cell`` of the map ``start`` depends on, in each map that it depends on.

    ``regions`` has them by the map's name, the network's input first. ``padding`` has, for each
    map, how many cells of the padding around what its layer reads are read too: before and
    after, per axis. If ``forward``, they are instead the cells that ``cell`` of the input
    reaches.
    """

    start: str
    cell: tuple[int, ...]
    maps: Mapping[str, FeatureMap]
    regions: Mapping[str, Region]
    padding: Mapping[str, tuple[tuple[int, int], ...]]
    forward: bool = False

    @property
    def shown(self) -> list[FeatureMap]:
        """The maps with a region, in the order they are computed."""
        return [found for name, found in self.maps.items() if name in self.regions]


def trace(report: NetworkReport, cell: Sequence[int] | None = None, layer: str = "") -> Trace:
    """Follow one cell back through every layer, or forward from the input.

    Parameters
    ----------
    report
        Of a network that was evaluated with ``maps=True``.
    cell
        Its index along each spatial axis; negative ones count from the end. The middle if None.
    layer
        The layer it is an output of; ``input`` follows it forward. The last one whose output
        still has places if empty: what is flat depends on all of it.

    Raises
    ------
    UsageError
        If there is no such layer or cell.

    >>> from convcli.arithmetic.network import Network
    >>> network = Network.parse("conv 8 k3 d2 | maxpool k2 s2")
    >>> found = trace(network.evaluate((1, 12, 10), maps=True), (0, 1))
    >>> for name, region in found.regions.items():
    ...     print(name, region)
    input ((((0, 5),), ((2, 7),)),)
    conv1 ((((0, 1),), ((2, 3),)),)
    maxpool1 ((((0, 0),), ((1, 1),)),)
    """
    maps = {found.name: found for found in report.maps}
    start = _start(report.maps, layer)
    cell = _inside(cell, start)
    region: Region = (tuple(((at, at),) for at in cell),)
    forward = not start.reads
    regions = {start.name: region}
    padding: dict[str, tuple[tuple[int, int], ...]] = {}
    if forward:
        _forwards(report.maps, regions)
    else:
        for found in reversed(report.maps):
            if found.name in regions:
                padding[found.name] = _backwards(found, regions)
    ordered = {name: regions[name] for name in maps if name in regions}
    return Trace(start.name, cell, maps, ordered, padding, forward)


def _backwards(found: FeatureMap, regions: dict[str, Region]) -> tuple[tuple[int, int], ...]:
    """Add what a map's cells read to the maps that they read; the padding that is read too."""
    sides = [(0, 0)] * len(found.sizes)
    for name, readings in found.reads:
        boxes = [
            tuple(reading.inputs_of(runs) for reading, runs in zip(readings, box, strict=True))
            for box in regions[found.name]
        ]
        regions[name] = _united([*regions.get(name, ()), *boxes])
        for axis, reading in enumerate(readings):
            reached = reading.padding_of(along(regions[found.name], axis))
            sides[axis] = max(sides[axis][0], reached[0]), max(sides[axis][1], reached[1])
    return tuple(sides)


def _forwards(maps: Iterable[FeatureMap], regions: dict[str, Region]) -> None:
    for found in maps:
        boxes = [
            tuple(reading.outputs_of(runs) for reading, runs in zip(readings, box, strict=True))
            for name, readings in found.reads
            for box in regions.get(name, ())
        ]
        if region := _united(boxes):
            regions[found.name] = region


def sources(found: Trace, name: str, chosen: Collection[str]) -> dict[str, Region]:
    """What the traced cells of one map read of the nearest ``chosen`` maps before it.

    A map that other branches read too has more cells than these in ``found.regions``.
    """
    regions = {name: found.regions[name]}
    for one in reversed([*found.maps.values()]):
        if one.name in regions and (one.name == name or one.name not in chosen):
            _backwards(one, regions)
    return {other: regions[other] for other in chosen if other in regions and other != name}


def _start(maps: Sequence[FeatureMap], layer: str) -> FeatureMap:
    if layer:
        for found in maps:
            if layer in (found.name, found.layer):
                return found
        names = [found.name for found in maps]
        hint = did_you_mean(layer, names) or f"; the last one is {names[-1]}"
        raise UsageError(f"there is no layer {layer!r} to trace from{hint}")
    layers = [found for found in maps if found.reads]
    if not layers:
        raise ShapeError("the network has no layer to trace from")
    if not layers[-1].sizes:
        raise ShapeError("the network's input has channels alone, no places to trace")
    return next((found for found in reversed(layers) if max(found.sizes) > 1), layers[-1])


def _inside(cell: Sequence[int] | None, start: FeatureMap) -> tuple[int, ...]:
    sizes = start.sizes
    if cell is None:
        return tuple((size - 1) // 2 for size in sizes)
    if len(cell) == 1 and len(sizes) > 1:
        cell = tuple(cell) * len(sizes)
    fits = len(cell) == len(sizes) and all(
        -size <= at < size for at, size in zip(cell, sizes, strict=True)
    )
    if not fits:
        last = ",".join(str(size - 1) for size in sizes)
        raise UsageError(
            f"cell {','.join(map(str, cell))} is not in the {cross(sizes)} map of "
            f"{start.name}; its last one is {last}"
        )
    return tuple(at % size for at, size in zip(cell, sizes, strict=True))


def parse_cell(text: str) -> tuple[tuple[int, ...] | None, str]:
    """A cell as it is typed: its index, and the layer behind ``@``; None for the middle.

    >>> parse_cell("3,4"), parse_cell("middle"), parse_cell("-1,0@conv2"), parse_cell("@pool1")
    (((3, 4), ''), (None, ''), ((-1, 0), 'conv2'), (None, 'pool1'))
    """
    index, mark, layer = text.partition("@")
    if index.strip() in ("middle", "") and (index.strip() or layer):
        return None, layer.strip()
    try:
        if mark and not layer.strip():
            raise ValueError
        return tuple(int(part) for part in index.split(",")), layer.strip()
    except ValueError:
        raise UsageError(
            f"{text!r} is no cell to trace; write row,column of the output as in 3,4, or middle, "
            "with @LAYER for another layer's: 3,4@conv2, middle@input"
        ) from None


def _united(boxes: Sequence[Box]) -> Region:
    """The boxes that are not inside another one, and are not empty."""
    distinct = [box for box in dict.fromkeys(boxes) if all(box)]
    if len(distinct) > MOST_BOXES:
        raise ShapeError(f"the branches make a region of {len(distinct)} pieces, which is too many")
    kept: list[Box] = []
    for box in sorted(distinct, key=_cells_of, reverse=True):
        if not any(_holds(larger, box) for larger in kept):
            kept.append(box)
    return tuple(kept)


def _holds(larger: Box, smaller: Box) -> bool:
    return all(
        merged_runs([*outer, *inner]) == outer for outer, inner in zip(larger, smaller, strict=True)
    )


def _length(runs: Runs) -> int:
    return sum(last - first + 1 for first, last in runs)


def _cells_of(box: Box) -> int:
    return prod(map(_length, box))


def along(region: Region, axis: int) -> Runs:
    """The places along one axis at which a region has cells.

    >>> along(((((0, 2),), ((5, 5),)), (((1, 1),), ((3, 7),))), 0)
    ((0, 2),)
    """
    return merged_runs(run for box in region for run in box[axis])


def cell_count(region: Region) -> int:
    """How many cells a region has; those in several boxes count once.

    >>> cell_count(((((0, 2),), ((5, 5),)), (((1, 1),), ((3, 7),))))
    7
    """
    if len(region) < 2:
        return sum(map(_cells_of, region))
    if len(region[0]) == 1:
        return _length(along(region, 0))
    edges = sorted({edge for box in region for a, b in box[0] for edge in (a, b + 1)})
    count = 0
    for low, high in pairwise(edges):
        rest = tuple(box[1:] for box in region if any(a <= low <= b for a, b in box[0]))
        count += (high - low) * cell_count(rest)
    return count
