"""From a scene to shapes: where every board stands, and what each step draws on it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from convcli.imaging.shapes import Canvas, Line, Polygon, Rect, Shape, text_width
from convcli.show.draw.captions import Captions, label_shapes, label_width
from convcli.show.draw.cells import cell_shapes, font_size
from convcli.show.draw.lettering import Lettering
from convcli.show.draw.scene import Board, Row, Scene, SceneStep
from convcli.show.draw.theme import Theme

__all__ = ["Drawing", "Layers", "lay_out"]

Layers: TypeAlias = tuple[tuple[Shape, ...], ...]
"""Shapes of one step: cells, beams over them, cells that beams pass behind, what is written in
all of them, outlines and words."""

GAP, BETWEEN, ROWS = 56.0, 14.0, 20.0
"""Room between two stacks of boards, two boards of a stack, two rows of stacks."""

NARROW = 22.0
"""Between two kernels, which nothing leads from one to the other."""

PAGE, USUAL_PAGE = (940.0, 660.0), (640.0, 440.0)
"""The most room that boards take, and that which they take unless their numbers need more: on a
wide page, as it is shown in a text, the words would be tiny."""

LARGE_PAGE = 1300.0, 900.0
"""Room for the many boards of a layer with channels, if their numbers need it."""

WORTH = 0.1
"""Share of the numbers that must be easier to read on a wide page for it to be taken."""

USUAL, LARGEST, SMALLEST = 40.0, 84.0, 6.0
READABLE = 10.0
"""Font for which cells with long numbers become larger than usual, if there is room."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A scene on its canvas: one entry of ``frames`` for each step."""

    canvas: Canvas
    frames: tuple[Layers, ...]
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a board stands."""

    x: float
    y: float
    side: float
    rows: int
    columns: int


def lay_out(scene: Scene, theme: Theme) -> Drawing:
    """Place the boards, then draw every step."""
    first = {board.name: board for board in scene.steps[0].boards}
    longest = {name: _longest(scene, name) for name in first}
    side = _cell_side(scene, first, longest)
    page = _Page.of(scene, first, side, Lettering())
    page = _Page.of(scene, first, side, Lettering.of(page.width, page.height))
    words, spots = page.captions, page.spots
    canvas = Canvas(round(page.width), round(page.height), theme.ground)
    fonts = {name: font_size(side, *longest[name]) for name in spots}
    base = tuple(words.frame(theme, canvas.width, canvas.height))
    frames = []
    for number, step in enumerate(scene.steps):
        words_now = tuple(words.step(number, theme, canvas.width, page.bottom))
        labels = tuple(_labels(step, spots, words.lettering, theme))
        beams = tuple(_beams(step, spots, theme))
        outlines = tuple(_outlines(step, spots, theme))
        # Grounds lie below what is written on them, in whichever step either of them appears.
        joined, behind, written = _cells(step, spots, fonts, theme)
        frames.append((base + joined, beams, behind, written, labels + outlines + words_now))
    return Drawing(canvas, tuple(frames), scene.title, scene.description)


@dataclass(frozen=True, slots=True)
class _Page:
    """Where everything stands; ``bottom`` is the lower end of the boards."""

    width: float
    height: float
    bottom: float
    spots: dict[str, _Spot]
    captions: Captions

    @classmethod
    def of(cls, scene: Scene, boards: dict[str, Board], side: float, kind: Lettering) -> _Page:
        """Boards with cells of one size, and words of one size around them."""
        rows = [_row_size(row, boards, side, kind) for row in scene.layout]
        beside = _row_size(scene.aside, boards, side, kind) if scene.aside else (0.0, 0.0)
        left_width = max(width for width, _ in rows)
        content = left_width + (GAP + beside[0] if scene.aside else 0)
        captions = Captions.of(scene, kind, content)
        width = max(content, captions.width) + 2 * kind.margin
        space = ROWS * kind.unit
        tall = max(sum(height + space for _, height in rows), beside[1] + space)
        left, top = (width - content) / 2, captions.above
        bottom = top + tall
        spots = _place(scene.aside, boards, side, left + left_width + GAP, top, tall - space, kind)
        top += (tall - sum(height + space for _, height in rows)) / 2
        for row, (row_width, row_height) in zip(scene.layout, rows, strict=True):
            x = left + (left_width - row_width) / 2
            spots |= _place(row, boards, side, x, top, row_height, kind)
            top += row_height + space
        return cls(width, bottom + captions.below, bottom, spots, captions)


def _cells(
    step: SceneStep, spots: dict[str, _Spot], fonts: dict[str, float], theme: Theme
) -> Layers:
    """Grounds of boards that beams join, of those that they pass behind, and all that is written."""
    ends = {name for link in step.links for name in link}
    joined: list[Shape] = []
    behind: list[Shape] = []
    written: list[Shape] = []
    for board in step.boards:
        grounds = joined if board.name in ends else behind
        for shape in _board_shapes(board, spots[board.name], fonts[board.name], theme):
            (grounds if _is_ground(shape) else written).append(shape)
    return tuple(joined), tuple(behind), tuple(written)


def _is_ground(shape: Shape) -> bool:
    """Whether it is a cell itself, and not a mark in one (a dot is a round rectangle)."""
    return isinstance(shape, Rect) and bool(shape.stroke)


def _cell_side(
    scene: Scene, boards: dict[str, Board], longest: Mapping[str, tuple[str, bool]]
) -> float:
    """The largest cell with which everything fits on the page."""
    usual = min(max([USUAL, *(_wanted(*text) for text in longest.values())]), LARGEST)
    pages = (USUAL_PAGE, PAGE, LARGE_PAGE) if len(scene.layout) > 1 else (USUAL_PAGE, PAGE)
    sides = [_fitting(scene, boards, usual, *page) for page in pages]
    cells = {name: math.prod(boards[name].shape) for name in boards if longest[name][0]}
    for small, large in itertools.pairwise(sides):
        gain = sum(
            cells[name]
            for name in cells
            if font_size(small, *longest[name]) < min(font_size(large, *longest[name]), READABLE)
        )
        if gain <= WORTH * sum(cells.values()):
            return small
    return sides[-1]


def _wanted(longest: str, aside: bool) -> float:
    """The side of a cell in which a text is easy to read; the usual one where none is enough."""
    if not font_size(LARGEST, longest, aside):
        return USUAL
    return READABLE * 100 / min(font_size(100, longest, aside), 40.0)


def _fitting(
    scene: Scene, boards: dict[str, Board], side: float, widest: float, tallest: float
) -> float:
    for row in scene.layout:
        beside = row + scene.aside
        across = sum(max(boards[name].shape[1] for name in stack) for stack in beside)
        side = min(side, (widest - sum(_gaps(beside, boards))) / across)
    down = sum(max(sum(boards[n].shape[0] for n in stack) for stack in row) for row in scene.layout)
    down = max([down, *(sum(boards[n].shape[0] for n in stack) for stack in scene.aside)])
    return float(max(min(side, tallest / down) // 1, SMALLEST))


def _longest(scene: Scene, name: str) -> tuple[str, bool]:
    """The widest text in the cells of a board, and whether weights stand in their corners."""
    cells = {cell for step in scene.steps for cell in step.board(name).all()}
    texts = {cell.text for cell in cells}
    # Of texts of one width the first by letters: a set has no order of its own.
    widest = max(sorted(texts), key=lambda text: text_width(text, 1), default="")
    return widest, any(cell.corner for cell in cells)


def _stack_size(
    stack: tuple[str, ...], boards: dict[str, Board], side: float, kind: Lettering
) -> tuple[float, float]:
    width = max(max(boards[n].shape[1] * side, label_width(boards[n], kind)) for n in stack)
    height = sum(boards[name].shape[0] * side + kind.label for name in stack)
    return width, height + BETWEEN * (len(stack) - 1)


def _row_size(
    row: Row, boards: dict[str, Board], side: float, kind: Lettering
) -> tuple[float, float]:
    sizes = [_stack_size(stack, boards, side, kind) for stack in row]
    return sum(w for w, _ in sizes) + sum(_gaps(row, boards)), max(h for _, h in sizes)


def _gaps(row: Row, boards: dict[str, Board]) -> list[float]:
    """The room between the stacks of a row."""
    kernels = [{boards[name].role for name in stack} == {"kernel"} for stack in row]
    return [NARROW if all(pair) else GAP for pair in itertools.pairwise(kernels)]


def _place(
    row: Row,
    boards: dict[str, Board],
    side: float,
    left: float,
    top: float,
    height: float,
    kind: Lettering,
) -> dict[str, _Spot]:
    """Spots of the boards of one row: stacks centred on its height, boards on their stack.

    Stacks that end with the rows of one matrix stand on a common line instead.
    """
    base = "Matrix" in {stack[-1] for stack in row}
    spots: dict[str, _Spot] = {}
    gaps = [*_gaps(row, boards), 0.0]
    for stack, gap in zip(row, gaps[: len(row)], strict=True):
        width, stack_height = _stack_size(stack, boards, side, kind)
        y = top + (height - stack_height) / (1 if base else 2)
        for name in stack:
            rows, columns = boards[name].shape
            x = left + (width - columns * side) / 2
            spots[name] = _Spot(round(x, 1), round(y + kind.label, 1), side, rows, columns)
            y += kind.label + rows * side + BETWEEN
        left += width + gap
    return spots


def _board_shapes(board: Board, spot: _Spot, font: float, theme: Theme) -> Iterator[Shape]:
    for r, row in enumerate(board.cells):
        for c, cell in enumerate(row):
            x, y = spot.x + c * spot.side, spot.y + r * spot.side
            yield from cell_shapes(cell, board.role, x, y, spot.side, font, theme)


def _labels(
    step: SceneStep, spots: dict[str, _Spot], kind: Lettering, theme: Theme
) -> Iterator[Shape]:
    for board in step.boards:
        spot = spots[board.name]
        middle = spot.x + spot.columns * spot.side / 2
        yield from label_shapes(board, middle, spot.y, kind, theme)


def _bounds(board: Board, spot: _Spot) -> tuple[float, float, float, float] | None:
    """The rectangle around what is lit: left, top, right, bottom."""
    places = board.places("tap", "gap", "target")
    if not places:
        return None
    rows, columns = [r for r, _ in places], [c for _, c in places]
    return (
        spot.x + min(columns) * spot.side,
        spot.y + min(rows) * spot.side,
        spot.x + (max(columns) + 1) * spot.side,
        spot.y + (max(rows) + 1) * spot.side,
    )


def _beams(step: SceneStep, spots: dict[str, _Spot], theme: Theme) -> Iterator[Shape]:
    for source, target in step.links:
        a = _bounds(step.board(source), spots[source])
        b = _bounds(step.board(target), spots[target])
        if a is None or b is None:
            continue
        if b[0] >= a[2]:
            points = ((a[2], a[1]), (b[0], b[1]), (b[0], b[3]), (a[2], a[3]))
        else:
            points = ((a[0], a[3]), (b[0], b[1]), (b[2], b[1]), (a[2], a[3]))
        yield Polygon(points, theme.accent, 0.13)
        yield Line(*points[0], *points[1], theme.accent, 0.8)
        yield Line(*points[3], *points[2], theme.accent, 0.8)


def _outlines(step: SceneStep, spots: dict[str, _Spot], theme: Theme) -> Iterator[Shape]:
    for board in step.boards:
        bounds = _bounds(board, spots[board.name])
        if bounds is not None:
            x, y, right, bottom = bounds
            yield Rect(x, y, right - x, bottom - y, "", theme.accent, 2.2, radius=3)
