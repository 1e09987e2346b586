"""A traced cell as a report: for every map on its way, which rows and columns, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from convcli.arithmetic.network_report import FeatureMap, LayerReport, NetworkReport
from convcli.arithmetic.reading import Runs
from convcli.arithmetic.sizes import cross, show_padding
from convcli.arithmetic.trace import Region, Trace, along, cell_count
from convcli.show.shape_document import Column, Document, Notes, Pairs, Part, Table, number
from convcli.show.shape_network import fold

__all__ = [
    "TracedMap",
    "axis_names",
    "percent",
    "runs_text",
    "trace_document",
    "trace_title",
    "traced_maps",
]

MOST_RUNS = 3


@dataclass(frozen=True, slots=True)
class TracedMap:
    """A map on the way, with the words of the layer that makes it and of what keeps its shape.

    ``padding`` is what these layers read of the padding, before and after, per axis.
    """

    map: FeatureMap
    label: str
    region: Region
    padding: tuple[tuple[int, int], ...] = ()

    @property
    def head(self) -> str:
        """The layer that makes it, without those that keep its shape."""
        return self.label.partition(", ")[0]

    @property
    def runs(self) -> tuple[Runs, ...]:
        """The traced places along each axis."""
        return tuple(along(self.region, axis) for axis in range(len(self.map.sizes)))

    @property
    def spans(self) -> tuple[int, ...]:
        """From the first traced place to the last, along each axis; 0 where there is none."""
        return tuple(runs[-1][1] - runs[0][0] + 1 if runs else 0 for runs in self.runs)

    @property
    def share(self) -> float:
        """The share of the map's cells that are traced, 0 to 1."""
        return cell_count(self.region) / prod(self.map.sizes)


def traced_maps(report: NetworkReport, found: Trace) -> list[TracedMap]:
    """The maps of a trace, the input first; what keeps the shape joins the layer before it.

    >>> from convcli.arithmetic.network import Network
    >>> from convcli.arithmetic.trace import trace
    >>> report = Network.parse("conv 8 k3 | relu | maxpool k2").evaluate((1, 9, 9), maps=True)
    >>> [(one.map.name, one.label, one.spans) for one in traced_maps(report, trace(report))]
    [('input', 'input', (4, 4)), ('relu1', 'conv 8 k3, relu', (2, 2)), ('maxpool1', 'maxpool k2 s2', (1, 1))]
    """
    groups = {}
    for group in fold(report.rows):
        rows = [row for row in group if row.name in found.regions]
        if rows:
            groups[rows[-1].name] = rows
    return [
        _traced(one, groups.get(one.name, ()), found)
        for one in found.shown
        if one.name in groups or not one.reads
    ]


def _traced(one: FeatureMap, rows: Sequence[LayerReport], found: Trace) -> TracedMap:
    label = ", ".join(dict.fromkeys(row.label for row in rows)) or one.name
    read = [found.padding[row.name] for row in rows if row.name in found.padding]
    sides = tuple(
        (max(low), max(high))
        for low, high in (zip(*side, strict=True) for side in zip(*read, strict=True))
    )
    return TracedMap(one, label, found.regions[one.name], sides)


def axis_names(rank: int) -> tuple[str, ...]:
    """What the axes of a map are called."""
    usual = {1: ("cells",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}
    return usual.get(rank) or tuple(f"axis {axis + 1}" for axis in range(rank))


def runs_text(runs: Runs) -> str:
    """Places along an axis, in words.

    >>> runs_text(((3, 7),)), runs_text(((4, 4),)), runs_text(())
    ('3-7', '4', 'none')
    >>> runs_text(((0, 0), (2, 2), (4, 4), (6, 6))), runs_text(((0, 1), (5, 6)))
    ('0-6 by 2', '0-1, 5-6')
    >>> runs_text(((0, 1), (3, 4), (6, 7), (9, 12)))
    '0-12 with gaps'
    """
    if not runs:
        return "none"
    steps = {b[0] - a[0] for a, b in pairwise(runs)}
    if len(runs) > 2 and len(steps) == 1 and all(first == last for first, last in runs):
        return f"{runs[0][0]}-{runs[-1][1]} by {steps.pop()}"
    if len(runs) > MOST_RUNS:
        return f"{runs[0][0]}-{runs[-1][1]} with gaps"
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def percent(share: float) -> str:
    """A share in percent; only what is whole is 100 %, only nothing is 0 %.

    >>> percent(1), percent(0.9996), percent(0.123), percent(0.00002), percent(0)
    ('100 %', '99.9 %', '12.3 %', '<0.1 %', '0 %')
    """
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    tenths = min(int(1000 * share + 0.5), 999)
    return f"{tenths / 10:g} %" if tenths else "<0.1 %"


def trace_title(report: NetworkReport, found: Trace) -> str:
    """Which cell of which map is traced."""
    network = "" if report.title == "chain" else f"{report.title}: "
    cell = ",".join(map(str, found.cell))
    size = cross(found.maps[found.start].sizes)
    way = "what it reaches" if found.forward else "what it depends on"
    return f"{network}cell {cell} of {found.start} ({size}), {way}"


def trace_document(report: NetworkReport, found: Trace) -> Document:
    """The whole trace, a row for each map."""
    maps = traced_maps(report, found)
    names = axis_names(len(found.cell))
    columns = [Column("name", "left"), Column("layer", "left"), Column("map", "left")]
    columns += [Column(name, "left") for name in names]
    columns += [Column("span"), Column("cells"), Column("share")]
    if not found.forward:
        columns.append(Column("in padding", "left"))
    rows = [_cells(one, found) for one in maps]
    parts: list[Part] = [Table(columns, rows)]
    if found.forward:
        parts.append(Pairs([("reaches", _sentence(maps[-1], names))]))
    else:
        facts = [("depends on", _sentence(one, names)) for one in maps if not one.map.reads]
        parts.append(Pairs(facts + _field_facts(report, found, maps[0])))
    if notes := _notes(report, found):
        parts.append(Notes(notes, title="worth knowing"))
    data = _data(report, found, maps)
    return Document(trace_title(report, found), parts, data, [_record(m, found) for m in maps])


def _cells(one: TracedMap, found: Trace) -> list[str]:
    cells = [
        one.map.name,
        one.label,
        cross(one.map.sizes),
        *map(runs_text, one.runs),
        cross(one.spans),
        number(cell_count(one.region)),
        percent(one.share),
    ]
    return cells if found.forward else [*cells, _padding(one)]


def _padding(one: TracedMap) -> str:
    if not any(map(any, one.padding)):
        return "-"
    shown = [show_padding(*side) for side in one.padding]
    return shown[0] if len({*shown}) == 1 else cross(shown)


def _sentence(one: TracedMap, names: Sequence[str]) -> str:
    where = ", ".join(
        f"{name} {runs_text(runs)}" for name, runs in zip(names, one.runs, strict=True)
    )
    cells, whole = cell_count(one.region), prod(one.map.sizes)
    return (
        f"{where} of {one.map.name}: {number(cells)} of {number(whole)} cells, {percent(one.share)}"
    )


def _field_facts(report: NetworkReport, found: Trace, first: TracedMap) -> list[tuple[str, str]]:
    row = next((row for row in report.rows if row.name == found.start), None)
    if row is None or len(row.fields) != len(first.spans):
        return []
    sizes = tuple(field.size for field in row.fields)
    aligned = all(field.aligned for field in row.fields)
    if sizes == first.spans or not aligned:
        return []
    return [
        ("receptive field", f"up to {cross(sizes)} where the edge of the input cuts nothing off")
    ]


def _notes(report: NetworkReport, found: Trace) -> list[str]:
    notes = []
    if any(not region for region in found.regions.values()):
        notes.append("none: the cell reads padding alone there")
    after = [one for one in report.maps if one.reads][-1]
    if not found.forward and found.maps[found.start].sizes != after.sizes and max(after.sizes) == 1:
        notes.append(f"{after.name} has one place: it depends on all of {found.start}")
    if any(len(region) > 1 for region in found.regions.values()):
        notes.append("branches read different rows and columns: not every pair of them is read")
    return notes


def _data(report: NetworkReport, found: Trace, maps: Sequence[TracedMap]) -> dict[str, Any]:
    return {
        "network": report.title,
        "input": [report.batch, *report.input],
        "start": found.start,
        "cell": list(found.cell),
        "forward": found.forward,
        "maps": [
            {
                "name": one.map.name,
                "layer": one.label,
                "size": list(one.map.sizes),
                "regions": [[[list(run) for run in runs] for runs in box] for box in one.region],
                "cells": cell_count(one.region),
                "share": one.share,
                "padding": [list(side) for side in one.padding],
            }
            for one in maps
        ],
    }


def _record(one: TracedMap, found: Trace) -> dict[str, Any]:
    names = axis_names(len(found.cell))
    places = {name: runs_text(runs) for name, runs in zip(names, one.runs, strict=True)}
    head = {"name": one.map.name, "layer": one.label, "map": cross(one.map.sizes)}
    tail = {"span": cross(one.spans), "count": cell_count(one.region), "share": one.share}
    return head | places | tail | {"in_padding": _padding(one).replace("-", "")}
