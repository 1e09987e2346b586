"""A trace through pictures: every map as a plane seen from the side, beams between the planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from convcli.arithmetic.reading import Runs
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.trace import Box, Region, along
from convcli.imaging.shapes import Line, Polygon, Shape, Text, text_width
from convcli.show.draw.scene import Role
from convcli.show.draw.theme import Theme
from convcli.show.trace_document import percent, runs_text
from convcli.show.trace_stops import BOLD, Link, Stop, stacked

__all__ = ["DEPTH", "MOST_PATCHES", "RISE", "MapPlane", "draw_planes", "place_planes"]

TALL, LEAST = 210.0, 44.0
"""Height of the largest plane, and the least side of the smallest."""

DEPTH, RISE = 0.56, 0.34
"""A step to the right along a row of the plane, as it is drawn: to the right, and up."""

POWER = 0.42
"""Planes shrink with this power of their size: a 7x7 beside a 224x224 can still be seen."""

GRID, LEAST_CELL = 32, 3.5
"""The largest map whose cells are drawn one by one, and the least size for them on a plane."""

MOST_PATCHES = 1200
GAP, BETWEEN, WORD, SMALL = 44.0, 30.0, 14.0, 12.5
LINE = 17.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MapPlane:
    """Where a map stands: its upper left corner, its sides before it is turned, its words."""

    x: float
    y: float
    wide: float
    high: float
    rows: int
    columns: int
    below: float

    @property
    def middle(self) -> float:
        """The middle of its words."""
        return self.x + DEPTH * self.wide / 2

    @property
    def has_cells(self) -> bool:
        """Whether its cells are large enough to be drawn one by one."""
        cell = min(self.high / self.rows, self.wide * DEPTH / self.columns)
        return max(self.rows, self.columns) <= GRID and cell >= LEAST_CELL

    def at(self, row: float, column: float) -> Point:
        """A place on the plane, counted in cells."""
        along_row = column / self.columns * self.wide
        return (
            round(self.x + DEPTH * along_row, 1),
            round(self.y + row / self.rows * self.high - RISE * along_row, 1),
        )

    def patch(self, top: float, left: float, bottom: float, right: float) -> tuple[Point, ...]:
        """The corners of a rectangle of cells, from the upper left one clockwise."""
        corners = (top, left), (top, right), (bottom, right), (bottom, left)
        return tuple(self.at(*corner) for corner in corners)


def draw_planes(
    stops: Sequence[Stop], links: Sequence[Link], start: str, top: float, left: float, theme: Theme
) -> tuple[list[Shape], float, float]:
    """The shapes of a trace, and how far they reach to the right and down."""
    brief = stacked(stops)
    count = max(len(_lines(stop, brief)) for stop in stops)
    widths = {stop.name: _words_width(stop, brief) for stop in stops}
    planes, right, bottom = place_planes(stops, widths, 16 + LINE * count, top, left)
    shapes: list[Shape] = []
    words: list[Shape] = []
    for number in range(1 + max(stop.column for stop in stops)):
        column = {stop.name: stop for stop in stops if stop.column == number}
        for name, stop in column.items():
            plane = planes[name]
            shapes += _plane(plane, stop, start, theme)
            words += _words(stop, plane.middle, plane.below + 24, brief, theme)
        for link in links:
            if link.source in column:
                shapes += _beam(link, planes, stops, theme)
    return shapes + words, right, bottom


def place_planes(
    stops: Sequence[Stop],
    widths: Mapping[str, float],
    words: float,
    top: float,
    left: float,
    tall: float = TALL,
) -> tuple[dict[str, MapPlane], float, float]:
    """Where every plane stands, and how far all reach to the right and down.

    Parameters
    ----------
    widths
        Of the words under each plane.
    words
        The height of those words.
    tall
        The height of the largest plane; lower where planes stand above each other.
    """
    largest = max(max(stop.traced.map.sizes) for stop in stops)
    columns = [
        [stop for stop in stops if stop.column == number]
        for number in range(1 + max(stop.column for stop in stops))
    ]
    most = max(map(len, columns))
    tall, gap = tall / most**0.5, GAP * most**0.5
    sides = {stop.name: _sides(stop.traced.map.sizes, largest, tall) for stop in stops}
    blocks = {name: high + RISE * wide + words for name, (high, wide) in sides.items()}
    heights = [sum(blocks[stop.name] for stop in c) + BETWEEN * (len(c) - 1) for c in columns]
    tallest, x = max(heights), left
    planes: dict[str, MapPlane] = {}
    for column, height in zip(columns, heights, strict=True):
        room = max(max(DEPTH * sides[stop.name][1], widths[stop.name]) for stop in column)
        y = top + (tallest - height) / 2
        for stop in column:
            high, wide = sides[stop.name]
            base = y + RISE * wide
            # In a row of single planes all words begin on one line.
            below = base + high if most > 1 else top + tallest - words
            at = x + (room - DEPTH * wide) / 2
            rows, across = stop.traced.map.sizes
            planes[stop.name] = MapPlane(at, base, wide, high, rows, across, below)
            y += blocks[stop.name] + BETWEEN
        x += room + gap
    return planes, x - gap, top + tallest


def _sides(sizes: Sequence[int], largest: int, tall: float) -> tuple[float, float]:
    """Height and width of a plane before it is turned."""
    side = max(tall * (max(sizes) / largest) ** POWER, LEAST)
    high, wide = (max(side * size / max(sizes), 12.0) for size in sizes)
    return high, wide


def _lines(stop: Stop, brief: bool) -> list[str]:
    """What stands under a plane; ``brief`` where planes stand above each other."""
    one = stop.traced
    head, size = one.head, cross(one.map.sizes)
    before = [f"and {stop.layers - 1} before it"] if stop.layers > 1 else []
    if not one.region:
        return [head, *before, f"map {size}", "padding alone"]
    named = zip(("rows", "cols"), one.runs, strict=True)
    places = [f"{word} {runs_text(runs)}" for word, runs in named]
    share = f"{cross(one.spans)}, {percent(one.share)}"
    if brief:
        return [head, f"{', '.join(places)} of {size}", share]
    return [head, *before, f"map {size}", *places, share]


def _words_width(stop: Stop, brief: bool) -> float:
    first, *rest = _lines(stop, brief)
    return max(BOLD * text_width(first, WORD), *(text_width(line, SMALL) for line in rest))


def _words(stop: Stop, x: float, y: float, brief: bool, theme: Theme) -> Iterator[Shape]:
    first, *rest = _lines(stop, brief)
    yield Text(round(x, 1), round(y, 1), first, WORD, theme.ink, "middle", True)
    for number, line in enumerate(rest, start=1):
        aside = line.startswith(("map ", "and "))
        ink = theme.muted if aside else theme.ink
        yield Text(round(x, 1), round(y + LINE * number, 1), line, SMALL, ink)


def _plane(plane: MapPlane, stop: Stop, start: str, theme: Theme) -> Iterator[Shape]:
    role: Role = "output" if stop.name == start else "kernel" if stop.traced.map.reads else "input"
    ink = theme.roles[role]
    corners = plane.patch(0, 0, plane.rows, plane.columns)
    yield Polygon(corners, ink.fill)
    for patch in _patches(stop.traced.region):
        yield Polygon(plane.patch(*patch), ink.lit)
    if plane.has_cells:
        for row in range(1, plane.rows):
            yield _line(plane.at(row, 0), plane.at(row, plane.columns), ink.stroke, 0.6)
        for column in range(1, plane.columns):
            yield _line(plane.at(0, column), plane.at(plane.rows, column), ink.stroke, 0.6)
    yield from _outline(corners, ink.lit_stroke, 1.2)
    for box in stop.traced.region[:1] if len(stop.traced.region) == 1 else ():
        yield from _outline(plane.patch(*_hull(box)), ink.lit_stroke, 2.0)


def _patches(region: Region) -> list[tuple[int, int, int, int]]:
    """Rectangles of traced cells; where there are too many gaps, the whole of each box."""
    count = sum(len(box[0]) * len(box[1]) for box in region)
    if count > MOST_PATCHES:
        return [_hull(box) for box in region]
    return [
        (top, left, bottom + 1, right + 1)
        for box in region
        for (top, bottom), (left, right) in product(*box)
    ]


def _hull(box: Box) -> tuple[int, int, int, int]:
    rows, columns = box
    return rows[0][0], columns[0][0], rows[-1][1] + 1, columns[-1][1] + 1


def _beam(
    link: Link, planes: Mapping[str, MapPlane], stops: Sequence[Stop], theme: Theme
) -> Iterator[Shape]:
    """Four faces from what is read to what reads it; dashes show how far the padding is read."""
    target = next(stop for stop in stops if stop.name == link.target)
    source = next(stop for stop in stops if stop.name == link.source)
    if not link.region or not target.traced.region:
        return
    ink = theme.roles["kernel"].lit_stroke
    one = _around(planes[link.source], link.region, link.padding)
    two = _around(planes[link.target], target.traced.region, ())
    far = target.column - source.column > 1
    for i in range(4):
        face = (one[i], one[(i + 1) % 4], two[(i + 1) % 4], two[i])
        yield Polygon(face, ink, 0.06 if far else 0.13)
    for a, b in zip(one, two, strict=True):
        yield _line(a, b, ink, 0.7 if far else 1.1, 3.0 if far else 0.0)
    if any(map(any, link.padding)):
        yield from _outline(one, theme.accent, 1.2, 3.0)


def _around(
    plane: MapPlane, region: Region, padding: Sequence[tuple[int, int]]
) -> tuple[Point, ...]:
    """The corners of what holds a region, and the padding read with it."""
    hull: list[tuple[int, int]] = []
    for axis in (0, 1):
        runs: Runs = along(region, axis)
        before, after = padding[axis] if padding else (0, 0)
        hull.append((runs[0][0] - before, runs[-1][1] + 1 + after))
    (top, bottom), (left, right) = hull
    return plane.patch(top, left, bottom, right)


def _outline(
    points: Sequence[Point], ink: str, thickness: float, dash: float = 0.0
) -> Iterator[Line]:
    for a, b in zip(points, [*points[1:], points[0]], strict=True):
        yield _line(a, b, ink, thickness, dash)


def _line(a: Point, b: Point, ink: str, thickness: float = 1.0, dash: float = 0.0) -> Line:
    return Line(*a, *b, ink, thickness, dash)
