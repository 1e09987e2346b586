"""A step of a drawing as lines of text, with colour where there is any.

Without colour the marks still say all: ``[3]`` is read, ``<7>`` is made now, ``·`` is padding,
``~`` a border, ``o`` an inserted zero, ``x`` never read, ``/`` hanging over, ``#`` cropped, ``+`` added.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from convcli.show.draw.scene import Board, Cell, Mark, Scene, SceneStep, Sign

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["SIGNS", "step_lines"]

SIGNS: dict[Mark, str] = {
    "value": "■",
    "padding": "·",
    "border": "~",
    "zero": "o",
    "overhang": "/",
    "cropped": "#",
    "added": "+",
    "nought": ".",
    "pending": " ",
    "blank": " ",
}
UNREAD = "x"
ROLES = {"input": "blue", "kernel": "yellow", "output": "green"}
ROOM = 3
"""Columns between two boards."""


def step_lines(scene: Scene, number: int, width: int, height: int | None = None) -> list[Text]:
    """The lines of one step, none wider than ``width``; boards that do not fit go below.

    ``height`` is the most lines that there may be: then what is above is cut, and said to be.
    """
    from rich.text import Text

    step = scene.steps[number]
    head = Text(scene.title, "bold")
    if len(scene.steps) > 1:
        head.append(f"  {number + 1}/{len(scene.steps)}", "not bold dim")
    lines = [head, Text(scene.subtitle, "dim"), Text("")]
    # What stands aside is below here, where a window has no room beside.
    aside = tuple((name,) for stack in scene.aside for name in stack)
    for row in (*scene.layout, *filter(None, [aside])):
        for group in _fitting(row, step, width):
            base = any(stack[-1] == "Matrix" for stack in group)
            lines += _beside([_stack(stack, step) for stack in group], base)
            lines.append(Text(""))
    tail = [Text(line) for line in step.formula]
    if signs := _legend(scene):
        tail.append(Text(signs, "dim"))
    if height is not None and len(lines) + len(tail) > height:
        hidden = Text("… the window is too small", "dim")
        lines = [*lines[: max(height - len(tail) - 1, 1)], hidden]
    for line in (lines := [*lines, *tail]):
        line.truncate(width, overflow="ellipsis")
    return lines


def _legend(scene: Scene) -> str:
    # What the border shows has no sign: it is underlined, and named in a line of its own.
    signs: list[tuple[Sign, str]] = [*SIGNS.items(), ("unread", UNREAD)]
    found = scene.legend
    return "   ".join(f"{sign} {scene.called(mark)}" for mark, sign in signs if mark in found)


def _cell_width(board: Board) -> int:
    return max((len(_text(cell)) for cell in board.all()), default=1)


def _text(cell: Cell) -> str:
    """What stands in a cell: its number, or the sign of its kind."""
    if cell.mark == "pending":
        return " "
    if cell.unread:
        return cell.text + UNREAD
    if cell.text and cell.mark in ("value", "padding", "border", "zero"):
        return cell.text if cell.mark == "value" else f"{cell.text}{SIGNS[cell.mark]}"
    return cell.text + SIGNS[cell.mark] if cell.text else SIGNS[cell.mark]


def _board_width(board: Board) -> int:
    return max(board.shape[1] * (_cell_width(board) + 2), len(board.name) + len(board.note) + 2)


def _fitting(
    row: tuple[tuple[str, ...], ...], step: SceneStep, width: int
) -> Iterable[tuple[tuple[str, ...], ...]]:
    """The stacks of a row, split where the next would not fit beside the others."""
    group: list[tuple[str, ...]] = []
    taken = 0
    for stack in row:
        wide = max(_board_width(step.board(name)) for name in stack)
        if group and taken + ROOM + wide > width:
            yield tuple(group)
            group, taken = [], 0
        group.append(stack)
        taken += wide + ROOM
    if group:
        yield tuple(group)


def _stack(stack: tuple[str, ...], step: SceneStep) -> list[Text]:
    lines: list[Text] = []
    boards = [step.board(name) for name in stack]
    for board in boards:
        # What stands over each other has its columns over each other.
        alike = [b for b in boards if b.shape[1] == board.shape[1]]
        lines += _board_lines(board, max(map(_cell_width, alike)))
    return lines


def _board_lines(board: Board, width: int) -> list[Text]:
    from rich.text import Text

    label = Text(board.name, "bold")
    label.append(f"  {board.note}", "not bold dim")
    lines = [label]
    for row in board.cells:
        line = Text()
        for cell in row:
            line.append_text(_cell(cell, width, ROLES[board.role]))
        lines.append(line)
    return lines


def _cell(cell: Cell, width: int, colour: str) -> Text:
    from rich.text import Text

    text = _text(cell)
    if cell.mark == "blank":
        return Text(" " * (width + 2))
    sides = {"tap": "[]", "target": "<>", "gap": "  ", "": "  "}[cell.lit]
    body = f"{sides[0]}{text:^{width}}{sides[1]}"
    line = "underline " * cell.echo
    if cell.lit in ("tap", "target"):
        return Text(body, f"{line}bold black on bright_{colour}")
    if cell.lit == "gap":
        return Text(body, f"{line}dim {colour} on grey23")
    if cell.mark == "pending":
        return Text(f" {'_' * width} ", f"dim {colour}")
    return Text(body, line + (f"dim {colour}" if cell.mark != "value" or cell.unread else colour))


def _beside(stacks: list[list[Text]], base: bool) -> list[Text]:
    """Stacks beside each other, centred on the tallest or standing on a common line."""
    from rich.text import Text

    tall = max(map(len, stacks))
    columns = []
    for stack in stacks:
        wide = max(line.cell_len for line in stack)
        above = (tall - len(stack)) // (1 if base else 2)
        padded = [Text("")] * above + stack + [Text("")] * (tall - len(stack) - above)
        columns.append((wide, padded))
    lines = []
    for number in range(tall):
        line = Text()
        for wide, column in columns:
            line.append_text(column[number])
            line.append(" " * (wide - column[number].cell_len + ROOM))
        line.rstrip()
        lines.append(line)
    return lines
