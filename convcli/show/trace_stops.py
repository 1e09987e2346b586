"""Which maps of a trace are drawn, and which of them read which others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.reading import Reading
from convcli.arithmetic.trace import Region, Trace, along, sources
from convcli.show.shape_network import same_scale
from convcli.show.trace_document import TracedMap, traced_maps

__all__ = ["BOLD", "MOST", "Link", "Stop", "stacked", "stops_and_links"]

MOST = 9
"""Maps that are drawn; of a deeper network the last one of each size."""

BOLD = 1.06
"""How much wider bold words are."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One map that is drawn: which column it stands in, and how many layers lead to it."""

    traced: TracedMap
    column: int
    layers: int

    @property
    def name(self) -> str:
        """The map's name."""
        return self.traced.map.name


@dataclass(frozen=True, slots=True)
class Link:
    """The cells of the map ``source`` that the traced cells of ``target`` read.

    ``readings`` are those of the layer between, if there is but one; ``padding`` what it reads
    beyond the edges, before and after, per axis.
    """

    source: str
    target: str
    region: Region
    readings: tuple[Reading, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()


def stops_and_links(report: NetworkReport, found: Trace) -> tuple[list[Stop], list[Link]]:
    """The maps to draw, from the input on, each in a column behind those that it reads.

    >>> from convcli.arithmetic.network import Network
    >>> from convcli.arithmetic.trace import trace
    >>> report = Network.load("vgg16").evaluate(maps=True)
    >>> stops, links = stops_and_links(report, trace(report))
    >>> [(stop.traced.map.sizes[0], stop.layers) for stop in stops]
    [(224, 0), (224, 2), (112, 3), (56, 4), (28, 4), (14, 4), (7, 2)]
    >>> len(links)
    6
    """
    maps = traced_maps(report, found)
    chosen = _chosen(maps)
    names = [one.map.name for one in chosen]
    links = [link for name in names for link in _links(found, name, names)]
    columns: dict[str, int] = {}
    for name in names:
        columns[name] = 1 + max(
            (columns[link.source] for link in links if link.target == name), default=-1
        )
    counts = _layers(maps, names)
    return [Stop(one, columns[one.map.name], counts[one.map.name]) for one in chosen], links


def stacked(stops: Sequence[Stop]) -> bool:
    """Whether planes stand above each other, where there is room for few words."""
    return len({stop.column for stop in stops}) < len(stops)


def _chosen(maps: Sequence[TracedMap]) -> list[TracedMap]:
    if len(maps) <= MOST:
        return list(maps)
    stages: list[list[TracedMap]] = []
    for one in maps:
        if (
            stages
            and stages[-1][-1].map.reads
            and same_scale(stages[-1][-1].map.sizes, one.map.sizes)
        ):
            stages[-1].append(one)
        else:
            stages.append([one])
    last = [stage[-1] for stage in stages]
    if len(last) < 4:  # one size throughout: some of its layers
        last = list(maps)
    most = MOST + 3
    if len(last) > most:
        picked = {round(i * (len(last) - 1) / (MOST - 1)) for i in range(MOST)}
        last = [one for number, one in enumerate(last) if number in picked]
    return last


def _layers(maps: Sequence[TracedMap], names: Sequence[str]) -> dict[str, int]:
    """How many layers of the table stand between each map that is drawn and the one before."""
    counts, passed = {}, 0
    for one in maps:
        passed += bool(one.map.reads)
        if one.map.name in names:
            counts[one.map.name], passed = passed, 0
    return counts


def _links(found: Trace, name: str, names: Sequence[str]) -> list[Link]:
    links = []
    for source, region in sources(found, name, names).items():
        if found.forward:
            region = found.regions[source]
        links.append(Link(source, name, region, *_direct(found, name, source)))
    return links


def _direct(
    found: Trace, name: str, source: str
) -> tuple[tuple[Reading, ...], tuple[tuple[int, int], ...]]:
    """The readings of the only layer between two maps, past those that work cell by cell."""
    readings: tuple[Reading, ...] = ()
    cells = found.regions[name]
    while name != source:
        reads = found.maps[name].reads
        if len(reads) != 1:
            return (), ()
        name, axes = reads[0]
        if not readings or all(map(_cell_by_cell, readings)):
            readings = axes
        elif not all(map(_cell_by_cell, axes)):
            return (), ()
    padding = tuple(axis.padding_of(along(cells, i)) for i, axis in enumerate(readings))
    return readings, () if found.forward else padding


def _cell_by_cell(reading: Reading) -> bool:
    return reading == Reading(reading.inputs, reading.inputs)
