"""A traced cell as a drawing: planes for pictures, rows of cells for one axis."""

from __future__ import annotations

from math import ceil

from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.trace import Trace
from convcli.errors import ShapeError
from convcli.imaging.shapes import Canvas, Text, text_width
from convcli.show.draw.layout import Drawing
from convcli.show.draw.theme import Theme
from convcli.show.trace_document import (
    TracedMap,
    axis_names,
    percent,
    runs_text,
    trace_title,
    traced_maps,
)
from convcli.show.trace_planes import draw_planes
from convcli.show.trace_rows import draw_rows
from convcli.show.trace_stops import BOLD, stops_and_links

__all__ = ["check_axes", "trace_figure"]

MARGIN, TITLE, WORD, SMALL = 32.0, 20.0, 14.0, 12.0


def check_axes(found: Trace) -> None:
    """Refuse to draw what has more than two axes.

    Raises
    ------
    ShapeError
        If the maps have three or more.
    """
    if len(found.cell) > 2:
        raise ShapeError(
            f"a trace along {len(found.cell)} axes is shown as a table; only 1 or 2 are drawn"
        )


def trace_figure(report: NetworkReport, found: Trace, theme: Theme) -> Drawing:
    """The maps from the input to the traced cell, with the cells it depends on lit.

    A network of one axis is drawn as rows of cells, one above the other; of two, as planes from
    left to right. A deep network shows the last map of each size.

    Raises
    ------
    ShapeError
        If the maps have three axes or more.
    """
    check_axes(found)
    stops, links = stops_and_links(report, found)
    title, sub = trace_title(report, found), _summary(report, found)
    top = MARGIN + 72
    if len(found.cell) == 1:
        shapes, right, bottom = draw_rows(report, stops, links, found.start, top, MARGIN, theme)
    else:
        shapes, right, bottom = draw_planes(stops, links, found.start, top, MARGIN, theme)
    note = "lit: the traced cells of each map"
    drawn = [link for link in links if link.region or len(found.cell) == 1]
    if any(any(side) for link in drawn for side in link.padding):
        note += "; dashed: with the padding that is read"
    width = max(
        right,
        MARGIN + BOLD * text_width(title, TITLE),
        *(MARGIN + text_width(t, WORD) for t in (sub, note)),
    )
    shapes.append(Text(MARGIN, MARGIN + 4, title, TITLE, theme.ink, "start", True))
    shapes.append(Text(MARGIN, MARGIN + 32, sub, WORD, theme.muted, "start"))
    shapes.append(Text(MARGIN, bottom + 30, note, SMALL, theme.muted, "start"))
    canvas = Canvas(ceil(width + MARGIN), ceil(bottom + 30 + MARGIN), theme.ground)
    return Drawing(canvas, ((tuple(shapes),),), title, _description(report, found))


def _summary(report: NetworkReport, found: Trace) -> str:
    maps = traced_maps(report, found)
    if found.forward:
        return _words(maps[-1])
    return "; ".join(_words(one) for one in maps if not one.map.reads)


def _words(one: TracedMap) -> str:
    names = axis_names(len(one.runs))
    places = [f"{name} {runs_text(runs)}" for name, runs in zip(names, one.runs, strict=True)]
    size = cross(one.map.sizes)
    return f"{one.map.name} {size}: {', '.join(places)}, {percent(one.share)} of its cells"


def _description(report: NetworkReport, found: Trace) -> str:
    return "; ".join(_words(one) for one in traced_maps(report, found))
