"""A trace as a page: any cell of any map under the pointer is traced, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from math import ceil
from typing import Any

from convcli.arithmetic.network_report import FeatureMap, NetworkReport
from convcli.arithmetic.trace import Trace
from convcli.imaging.shapes import text_width
from convcli.show.page.document import html_document
from convcli.show.trace_document import axis_names, trace_title, traced_maps
from convcli.show.trace_figure import check_axes
from convcli.show.trace_planes import DEPTH, MOST_PATCHES, RISE, place_planes
from convcli.show.trace_rows import HIGH, place_rows
from convcli.show.trace_stops import BOLD, Stop, stacked, stops_and_links

__all__ = ["map_data", "trace_page"]

MARGIN, TALL, WORDS, BRIEF, WORD = 16.0, 260.0, 136.0, 92.0, 17.0
WAIT = 350
"""Milliseconds for a cell while it plays."""


def trace_page(report: NetworkReport, found: Trace) -> str:
    """One HTML file: maps as in the drawing, lit from the cell that is pointed at.

    Raises
    ------
    ShapeError
        If the maps have three axes or more.
    """
    check_axes(found)
    stops, _ = stops_and_links(report, found)
    numbers = {one.name: number for number, one in enumerate(report.maps)}
    rank = len(found.cell)
    places, view = _planes(stops) if rank == 2 else _rows(report, stops)
    network = "A network" if report.title == "chain" else report.title
    state = {
        "maps": map_data(report.maps),
        "table": [
            {"map": numbers[one.map.name], "label": one.label} for one in traced_maps(report, found)
        ],
        "stops": [
            {
                "map": numbers[stop.name],
                "label": stop.traced.head,
                "column": stop.column,
                **place,
            }
            for stop, place in zip(stops, places, strict=True)
        ],
        "start": numbers[found.start],
        "cell": list(found.cell),
        "rank": rank,
        "axes": list(axis_names(rank)),
        "single": ["row", "column"] if rank == 2 else ["cell"],
        "view": view,
        "depth": DEPTH,
        "rise": RISE,
        "high": HIGH,
        "left": MARGIN,
        "most": MOST_PATCHES,
        "brief": stacked(stops),
        "wait": WAIT,
    }
    return html_document(
        f"{network}: what one cell depends on",
        body=f"<!-- {_comment(trace_title(report, found))} -->\n" + _text("field.html"),
        styles=["field.css"],
        scripts=["trace.js", "field.js"],
        state=state,
    )


def map_data(maps: Sequence[FeatureMap]) -> list[dict[str, Any]]:
    """Maps as ``trace.js`` takes them: what they read by number, readings as lists."""
    numbers = {one.name: number for number, one in enumerate(maps)}
    return [
        {
            "name": one.name,
            "sizes": list(one.sizes),
            "reads": [[numbers[name], [list(axis) for axis in axes]] for name, axes in one.reads],
        }
        for one in maps
    ]


def _planes(stops: Sequence[Stop]) -> tuple[list[dict[str, Any]], list[int]]:
    words = BRIEF if stacked(stops) else WORDS
    # Words change with the cell; these are about as wide as they become.
    widths = {stop.name: max(BOLD * text_width(stop.traced.head, WORD), 130.0) for stop in stops}
    planes, right, bottom = place_planes(stops, widths, words, MARGIN, MARGIN, TALL)
    found = []
    for stop in stops:
        plane = planes[stop.name]
        found.append(
            {
                "x": plane.x,
                "y": plane.y,
                "wide": plane.wide,
                "high": plane.high,
                "below": plane.below,
                "grid": plane.has_cells,
            }
        )
    return found, [ceil(right + MARGIN), ceil(bottom + MARGIN)]


def _rows(report: NetworkReport, stops: Sequence[Stop]) -> tuple[list[dict[str, Any]], list[int]]:
    widest = max(text_width(stop.traced.head, WORD) for stop in stops)
    rows = place_rows(report, stops, MARGIN, MARGIN + max(BOLD * widest, 190.0) + 24)
    found = [
        {
            "first": row.first,
            "step": row.step,
            "cell": row.cell,
            "y": row.y,
            "grid": row.has_cells,
        }
        for row in (rows[stop.name] for stop in stops)
    ]
    right = max(row.ends(0, row.count - 1)[1] for row in rows.values())
    bottom = max(row.y for row in rows.values())
    return found, [ceil(right + MARGIN), ceil(bottom + HIGH + 2 * MARGIN)]


def _comment(text: str) -> str:
    return text.replace("--", "- -").replace(">", "")


def _text(name: str) -> str:
    return (files("convcli.show.page") / name).read_text(encoding="utf-8")
