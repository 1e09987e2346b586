"""From a scene to shapes: where every board stands, and what each step draws on it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from convcli.imaging.shapes import Canvas, Line, Polygon, Rect, Shape, Text, text_width
from convcli.show.draw.cells import cell_shapes, font_size
from convcli.show.draw.scene import MARKS, Board, Cell, Row, Scene, SceneStep
from convcli.show.draw.theme import Theme

__all__ = ["Drawing", "Layers", "lay_out"]

Layers: TypeAlias = tuple[tuple[Shape, ...], ...]
"""Shapes of one step: cells, beams over them, what is written in them, outlines and words."""

MARGIN, GAP, LABEL, ROWS = 24.0, 56.0, 24.0, 20.0
NARROW = 22.0
"""Between two kernels, which nothing leads from one to the other."""
PAGE, USUAL_PAGE = (940.0, 660.0), (640.0, 440.0)
"""The most room that boards take, and that which they take unless their numbers need more: on a
wide page, as it is shown in a text, the words would be tiny."""

WORTH = 0.1
"""Share of the numbers that must be easier to read on a wide page for it to be taken."""

USUAL, LARGEST, SMALLEST = 40.0, 84.0, 6.0
READABLE = 10.0
"""Font for which cells with long numbers become larger than usual, if there is room."""

TITLE, SMALL, FORMULA = 17.0, 13.0, 15.0


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
    rows = [_row_size(row, first, side) for row in scene.layout]
    beside = _row_size(scene.aside, first, side) if scene.aside else (0.0, 0.0)
    left_width = max(width for width, _ in rows)
    content = left_width + (GAP + beside[0] if scene.aside else 0)
    lines = max(len(step.formula) for step in scene.steps)
    words = [text_width(scene.title, TITLE) * 1.06 + 60, text_width(scene.subtitle, SMALL)]
    words += [text_width(line, FORMULA) for step in scene.steps for line in step.formula]
    words.append(_legend_width(scene))
    width = max(content, *words) + 2 * MARGIN
    top = MARGIN + TITLE + SMALL + 26
    tall = max(sum(height + ROWS for _, height in rows), beside[1] + ROWS)
    left = (width - content) / 2
    spots = _place(scene.aside, first, side, left + left_width + GAP, top, tall - ROWS)
    bottom = top + tall
    top += (tall - sum(height + ROWS for _, height in rows)) / 2
    for row, (row_width, row_height) in zip(scene.layout, rows, strict=True):
        spots |= _place(row, first, side, left + (left_width - row_width) / 2, top, row_height)
        top += row_height + ROWS
    top = bottom
    bottom = top + lines * 21 + (30 if scene.legend else 6)
    canvas = Canvas(round(width), round(bottom + 8), theme.ground)
    fonts = {name: font_size(side, *longest[name]) for name in spots}
    base = tuple(_frame_words(scene, theme, canvas.width, canvas.height))
    frames = []
    for number, step in enumerate(scene.steps):
        words_now = tuple(_step_words(scene, number, theme, canvas.width, top))
        cells = tuple(
            shape
            for board in step.boards
            for shape in _board_shapes(board, spots[board.name], fonts[board.name], theme)
        )
        labels = tuple(_labels(step, spots, theme))
        beams = tuple(_beams(step, spots, theme))
        outlines = tuple(_outlines(step, spots, theme))
        # Grounds lie below what is written on them, in whichever step either of them appears.
        grounds = tuple(shape for shape in cells if _is_ground(shape))
        written = tuple(shape for shape in cells if not _is_ground(shape))
        frames.append((base + grounds, beams, written, labels + outlines + words_now))
    return Drawing(canvas, tuple(frames), scene.title, scene.description)


def _is_ground(shape: Shape) -> bool:
    """Whether it is a cell itself, and not a mark in one (a dot is a round rectangle)."""
    return isinstance(shape, Rect) and bool(shape.stroke)


def _cell_side(
    scene: Scene, boards: dict[str, Board], longest: Mapping[str, tuple[str, bool]]
) -> float:
    """The largest cell with which everything fits on the page."""
    texts = longest.values()
    needed = [READABLE * USUAL / (font_size(USUAL, *text) or READABLE) for text in texts]
    usual = min(max([USUAL, *needed]), LARGEST)
    large, small = (_fitting(scene, boards, usual, *page) for page in (PAGE, USUAL_PAGE))
    cells = {name: math.prod(boards[name].shape) for name in boards if longest[name][0]}
    gain = sum(
        cells[name]
        for name in cells
        if font_size(small, *longest[name]) < min(font_size(large, *longest[name]), READABLE)
    )
    return large if gain > WORTH * sum(cells.values()) else small


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
    stack: tuple[str, ...], boards: dict[str, Board], side: float
) -> tuple[float, float]:
    width = max(max(boards[name].shape[1] * side, _label_width(boards[name])) for name in stack)
    height = sum(boards[name].shape[0] * side + LABEL for name in stack)
    return width, height + 14 * (len(stack) - 1)


def _row_size(row: Row, boards: dict[str, Board], side: float) -> tuple[float, float]:
    sizes = [_stack_size(stack, boards, side) for stack in row]
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
) -> dict[str, _Spot]:
    """Spots of the boards of one row: stacks centred on its height, boards on their stack.

    Stacks that end with the rows of one matrix stand on a common line instead.
    """
    base = "Matrix" in {stack[-1] for stack in row}
    spots: dict[str, _Spot] = {}
    gaps = [*_gaps(row, boards), 0.0]
    for stack, gap in zip(row, gaps[: len(row)], strict=True):
        width, stack_height = _stack_size(stack, boards, side)
        y = top + (height - stack_height) / (1 if base else 2)
        for name in stack:
            rows, columns = boards[name].shape
            x = left + (width - columns * side) / 2
            spots[name] = _Spot(round(x, 1), round(y + LABEL, 1), side, rows, columns)
            y += LABEL + rows * side + 14
        left += width + gap
    return spots


def _label_width(board: Board) -> float:
    return text_width(board.name, SMALL) * 1.08 + 7 + text_width(board.note, SMALL - 1)


def _board_shapes(board: Board, spot: _Spot, font: float, theme: Theme) -> Iterator[Shape]:
    for r, row in enumerate(board.cells):
        for c, cell in enumerate(row):
            x, y = spot.x + c * spot.side, spot.y + r * spot.side
            yield from cell_shapes(cell, board.role, x, y, spot.side, font, theme)


def _labels(step: SceneStep, spots: dict[str, _Spot], theme: Theme) -> Iterator[Shape]:
    for board in step.boards:
        spot = spots[board.name]
        left = spot.x + (spot.columns * spot.side - _label_width(board)) / 2
        y = spot.y - 11
        # No beam runs through the words.
        ground = (round(left - 3, 1), y - 8, round(_label_width(board) + 6, 1), 16.0)
        yield Rect(*ground, theme.ground)
        yield Text(round(left, 1), y, board.name, SMALL, theme.ink, "start", True)
        beside = left + text_width(board.name, SMALL) * 1.08 + 7
        yield Text(round(beside, 1), y, board.note, SMALL - 1, theme.muted, "start")


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


def _frame_words(scene: Scene, theme: Theme, width: float, height: float) -> Iterator[Shape]:
    """What stays: title, sizes, legend."""
    y = MARGIN + TITLE / 2
    yield Text(MARGIN, y, scene.title, TITLE, theme.ink, "start", True)
    yield Text(MARGIN, y + TITLE + 5, scene.subtitle, SMALL, theme.muted, "start")
    x, y = (width - _legend_width(scene)) / 2, height - 30
    for mark in scene.legend:
        cell = Cell(unread=True) if mark == "unread" else Cell(mark=mark)
        role = "output" if mark in ("cropped", "added") else "input"
        yield from cell_shapes(cell, "kernel" if mark == "nought" else role, x, y, 18, 8, theme)  # type: ignore[arg-type]
        name = _legend_name(mark)
        yield Text(round(x + 25, 1), y + 9, name, SMALL - 1, theme.muted, "start")
        x += 25 + text_width(name, SMALL - 1) + 22


def _legend_name(mark: str) -> str:
    return "never read" if mark == "unread" else MARKS[mark]  # type: ignore[index]


def _legend_width(scene: Scene) -> float:
    names = [_legend_name(mark) for mark in scene.legend]
    return sum(47 + text_width(name, SMALL - 1) for name in names) - 22 if names else 0.0


def _step_words(
    scene: Scene, number: int, theme: Theme, width: float, top: float
) -> Iterator[Shape]:
    count = len(scene.steps)
    if count > 1:
        text = f"{number + 1} / {count}"
        yield Text(width - MARGIN, MARGIN + TITLE / 2, text, SMALL, theme.muted, "end")
    for line, text in enumerate(scene.steps[number].formula):
        yield Text(width / 2, top + 8 + 21 * line, text, FORMULA, theme.ink)
