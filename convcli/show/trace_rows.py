"""A trace along one axis: rows of cells one above the other, the input at the bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.reading import Runs, merged_runs
from convcli.arithmetic.trace import along
from convcli.imaging.shapes import Line, Polygon, Rect, Shape, Text, text_width
from convcli.show.draw.scene import Role
from convcli.show.draw.theme import Theme
from convcli.show.trace_document import percent, runs_text
from convcli.show.trace_stops import BOLD, Link, Stop

__all__ = ["HIGH", "MapRow", "draw_rows", "place_rows"]

WIDE, MOST_CELLS = 940.0, 96
"""Room for a row, and the largest map whose cells are drawn one by one."""

LARGEST_CELL, STEP, HIGH, WORD, SMALL = 34.0, 84.0, 22.0, 14.0, 12.5


@dataclass(frozen=True, slots=True)
class MapRow:
    """Where the cells of a map stand: the centre of the first, their distance, their width."""

    first: float
    step: float
    cell: float
    y: float
    count: int

    @property
    def has_cells(self) -> bool:
        """Whether its cells are drawn one by one."""
        return self.count <= MOST_CELLS

    def centre(self, place: float) -> float:
        """The middle of a cell."""
        return self.first + place * self.step

    def ends(self, first: int, last: int) -> tuple[float, float]:
        """Where a run of cells begins and ends."""
        return (
            round(self.centre(first) - self.cell / 2, 1),
            round(self.centre(last) + self.cell / 2, 1),
        )


def draw_rows(
    report: NetworkReport,
    stops: Sequence[Stop],
    links: Sequence[Link],
    start: str,
    top: float,
    left: float,
    theme: Theme,
) -> tuple[list[Shape], float, float]:
    """The shapes of a trace, and how far they reach to the right and down."""
    labels = max(_label_width(stop) for stop in stops)
    targets = {stop.name: stop.traced.runs[0] for stop in stops}
    padding: dict[str, Runs] = {}
    for link in links:
        if link.padding:
            read = link.readings[0].beyond(targets[link.target])
            padding[link.source] = merged_runs([*padding.get(link.source, ()), *read])
    counts = {stop.name: stop.traced.map.sizes[0] for stop in stops}
    beyond = {name: _reach(runs, counts[name]) for name, runs in padding.items()}
    rows = place_rows(report, stops, top, left + labels + 24, beyond)
    shapes: list[Shape] = []
    for link in links:
        shapes += _link(link, rows, stops, theme)
    for name, runs in padding.items():
        shapes += _padding(rows[name], runs, theme)
    for stop in stops:
        shapes += _cells(rows[stop.name], stop, start, theme)
        shapes += _words(stop, left, rows[stop.name].y, theme)
    right = max(
        row.ends(0, row.count - 1 + beyond.get(name, (0, 0))[1])[1] for name, row in rows.items()
    )
    return shapes, right, max(row.y for row in rows.values()) + HIGH


def place_rows(
    report: NetworkReport,
    stops: Sequence[Stop],
    top: float,
    left: float,
    beyond: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, MapRow]:
    """Every cell above the middle of what it sees, as far as its field has one.

    ``beyond`` has the cells of padding before and after a row that there has to be room for.
    """
    beyond = beyond or {}
    fields = {row.name: row.fields[0] for row in report.rows if row.fields and not row.flat}
    inputs = max(
        (stop.traced.map.sizes[0] for stop in stops if not stop.traced.map.reads), default=1
    )
    spread: dict[str, tuple[float, float]] = {}
    for stop in stops:
        count, field = stop.traced.map.sizes[0], fields.get(stop.name)
        if field is None or not field.aligned or field.complete:
            whole = stop.traced.map.reads and count != inputs
            jump = inputs / count if whole else 1.0
            spread[stop.name] = jump / 2, jump
        else:
            spread[stop.name] = field.start, field.jump
    ends = []
    for stop in stops:
        (first, jump), (before, after) = spread[stop.name], beyond.get(stop.name, (0, 0))
        last = first + (stop.traced.map.sizes[0] + after - 0.5) * jump
        ends.append((first - (before + 0.5) * jump, last))
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    unit = min(WIDE / (high - low), LARGEST_CELL)
    order = sorted(range(len(stops)), key=lambda i: (-stops[i].column, i))
    rows = {}
    for line, i in enumerate(order):
        stop = stops[i]
        first, jump = spread[stop.name]
        cell = unit * min(jump, 1.0)
        rows[stop.name] = MapRow(
            left + (first - low) * unit,
            jump * unit,
            max(cell, 2.0),
            top + STEP * line,
            stop.traced.map.sizes[0],
        )
    return rows


def _lines(stop: Stop) -> list[str]:
    one = stop.traced
    head = one.head
    if stop.layers > 1:
        head += f" and {stop.layers - 1} before it"
    count = one.map.sizes[0]
    if not one.region:
        return [head, f"none of {count}, padding alone"]
    return [head, f"cells {runs_text(one.runs[0])} of {count}, {percent(one.share)}"]


def _label_width(stop: Stop) -> float:
    head, seen = _lines(stop)
    return max(BOLD * text_width(head, WORD), text_width(seen, SMALL))


def _words(stop: Stop, x: float, y: float, theme: Theme) -> Iterator[Shape]:
    head, seen = _lines(stop)
    yield Text(x, round(y + 2, 1), head, WORD, theme.ink, "start", True)
    yield Text(x, round(y + 20, 1), seen, SMALL, theme.muted, "start")


def _cells(row: MapRow, stop: Stop, start: str, theme: Theme) -> Iterator[Shape]:
    role: Role = "output" if stop.name == start else "kernel" if stop.traced.map.reads else "input"
    ink = theme.roles[role]
    runs = stop.traced.runs[0]
    if not row.has_cells:
        yield from _bar(row, ((0, row.count - 1),), ink.fill, ink.stroke)
        yield from _bar(row, runs, ink.lit, ink.lit_stroke)
        return
    lit = {place for first, last in runs for place in range(first, last + 1)}
    for place in range(row.count):
        left, right = row.ends(place, place)
        fill, stroke = (ink.lit, ink.lit_stroke) if place in lit else (ink.fill, ink.stroke)
        width = round(right - left - 1, 1)
        yield Rect(
            left + 0.5, row.y, width, HIGH, fill, stroke, 1.0, 0.0, 3.0 if width > 12 else 0.0
        )


def _reach(runs: Runs, count: int) -> tuple[int, int]:
    """How many cells padding takes before and after a row."""
    return max(-runs[0][0], 0) if runs else 0, max(runs[-1][1] - count + 1, 0) if runs else 0


def _padding(row: MapRow, runs: Runs, theme: Theme) -> Iterator[Shape]:
    """The cells of padding that are read, as dashed boxes at the ends of a row."""
    for first, last in runs:
        cells = [(i, i) for i in range(first, last + 1)]
        for low, high in cells if row.count <= MOST_CELLS else [(first, last)]:
            left, right = row.ends(low, high)
            width = round(right - left - 1, 1)
            yield Rect(left + 0.5, row.y, width, HIGH, "", theme.accent, 1.2, 3.0)


def _bar(row: MapRow, runs: Runs, fill: str, stroke: str) -> Iterator[Shape]:
    for first, last in runs:
        left, right = row.ends(first, last)
        yield Rect(left, row.y, max(round(right - left, 1), 1.0), HIGH, fill, stroke)


def _link(
    link: Link, rows: Mapping[str, MapRow], stops: Sequence[Stop], theme: Theme
) -> Iterator[Shape]:
    """A line for each pair of cells, or one beam where they are too many or layers lie between."""
    source, target = rows[link.source], rows[link.target]
    ink = theme.roles["kernel"].lit_stroke
    region = next(stop.traced for stop in stops if stop.name == link.target).runs[0]
    read = along(link.region, 0)
    if not region or not read:
        return
    if link.readings and max(source.count, target.count) <= MOST_CELLS:
        reading = link.readings[0]
        for place in (place for a, b in region for place in range(a, b + 1)):
            for a, b in reading.inputs_of(((place, place),)):
                for other in range(max(a, read[0][0]), min(b, read[-1][1]) + 1):
                    yield Line(
                        round(target.centre(place), 1),
                        target.y + HIGH,
                        round(source.centre(other), 1),
                        source.y,
                        ink,
                        1.2,
                    )
        return
    left, right = target.ends(region[0][0], region[-1][1])
    low, high = source.ends(read[0][0], read[-1][1])
    face = ((left, target.y + HIGH), (right, target.y + HIGH), (high, source.y), (low, source.y))
    yield Polygon(face, ink, 0.16)
    yield Line(left, target.y + HIGH, low, source.y, ink)
    yield Line(right, target.y + HIGH, high, source.y, ink)
