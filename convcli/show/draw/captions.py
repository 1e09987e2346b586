"""The words of a drawing: title, names of the boards, sums, legend, in lines that fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from convcli.imaging.shapes import Rect, Shape, Text, text_width
from convcli.show.draw.cells import cell_shapes
from convcli.show.draw.lettering import BOLD, Lettering, lines_within
from convcli.show.draw.scene import Board, Cell, Role, Scene, Sign
from convcli.show.draw.theme import Theme

__all__ = ["Captions", "label_shapes", "label_width"]

LINE = 640.0
"""Longest line of a drawing with small boards, in units of the lettering."""

_BOARDS: dict[Sign, Role] = {"cropped": "output", "added": "output", "nought": "kernel"}
"""In whose colours a mark of the legend is shown, where not in the input's."""

Entry: TypeAlias = tuple[Sign, str]
"""A mark of the legend and what it is called."""


@dataclass(frozen=True, slots=True)
class Captions:
    """What is written over and under the boards, broken into lines.

    ``sums`` has the lines of each step, ``legend`` rows of marks; ``width`` is what they take.
    """

    lettering: Lettering
    title: tuple[str, ...]
    subtitle: tuple[str, ...]
    sums: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[Entry, ...], ...]
    width: float

    @classmethod
    def of(cls, scene: Scene, lettering: Lettering, content: float) -> Captions:
        """Break the words of a scene, whose boards are ``content`` wide."""
        kind = lettering
        room = max(content, LINE * kind.unit)
        counter = 60 * kind.unit
        title = lines_within(scene.title, BOLD * kind.title, room - counter)
        subtitle = lines_within(scene.subtitle, kind.small, room)
        sums = tuple(
            tuple(part for line in step.formula for part in lines_within(line, kind.formula, room))
            for step in scene.steps
        )
        legend = _rows([(mark, scene.called(mark)) for mark in scene.legend], kind, room)
        words = [text_width(line, BOLD * kind.title) + counter for line in title]
        words += [text_width(line, kind.small) for line in subtitle]
        words += [text_width(line, kind.formula) for step in sums for line in step]
        words += [_row_width(row, kind) for row in legend]
        return cls(kind, title, subtitle, sums, legend, max(words))

    @property
    def above(self) -> float:
        """Height of the title and what is under it, down to the boards."""
        kind = self.lettering
        lines = len(self.title) * (kind.title + 5 * kind.unit)
        return (
            kind.margin + lines + len(self.subtitle) * (kind.small + 5 * kind.unit) + 16 * kind.unit
        )

    @property
    def below(self) -> float:
        """Height of the sums and the legend, from the boards to the end."""
        kind = self.lettering
        legend = len(self.legend) * 30 * kind.unit or 6 * kind.unit
        return max(map(len, self.sums)) * kind.line + legend + 8 * kind.unit

    def frame(self, theme: Theme, width: float, height: float) -> Iterator[Shape]:
        """What stays: title, sizes, legend."""
        kind = self.lettering
        y = kind.margin + kind.title / 2
        for line in self.title:
            yield Text(kind.margin, round(y, 1), line, kind.title, theme.ink, "start", True)
            y += kind.title + 5 * kind.unit
        for line in self.subtitle:
            yield Text(kind.margin, round(y, 1), line, kind.small, theme.muted, "start")
            y += kind.small + 5 * kind.unit
        for number, row in enumerate(self.legend):
            up = (len(self.legend) - number) * 30 * kind.unit
            x = (width - _row_width(row, kind)) / 2
            yield from _legend_row(row, round(x, 1), round(height - up, 1), kind, theme)

    def step(self, number: int, theme: Theme, width: float, top: float) -> Iterator[Shape]:
        """What changes: the number of the step, and its sum under the boards."""
        kind = self.lettering
        count = len(self.sums)
        if count > 1:
            at = width - kind.margin, kind.margin + kind.title / 2
            yield Text(*at, f"{number + 1} / {count}", kind.small, theme.muted, "end")
        for line, text in enumerate(self.sums[number]):
            y = top + 8 * kind.unit + kind.line * line
            yield Text(width / 2, round(y, 1), text, kind.formula, theme.ink)


def label_width(board: Board, kind: Lettering) -> float:
    """Width of the name of a board with its size beside it."""
    name = BOLD * text_width(board.name, kind.small)
    return name + 7 * kind.unit + text_width(board.note, kind.note) if board.note else name


def label_shapes(
    board: Board, middle: float, top: float, kind: Lettering, theme: Theme
) -> Iterator[Shape]:
    """The name of a board and its size over it, on a ground that no beam runs through."""
    wide = label_width(board, kind)
    left = middle - wide / 2
    y = round(top - 11 * kind.unit, 1)
    ground = round(left - 3, 1), round(y - 8 * kind.unit, 1), round(wide + 6, 1)
    yield Rect(*ground, 16 * kind.unit, theme.ground)
    yield Text(round(left, 1), y, board.name, kind.small, theme.ink, "start", True)
    if board.note:
        beside = left + BOLD * text_width(board.name, kind.small) + 7 * kind.unit
        yield Text(round(beside, 1), y, board.note, kind.note, theme.muted, "start")


def _rows(entries: list[Entry], kind: Lettering, room: float) -> tuple[tuple[Entry, ...], ...]:
    """The legend in as many rows as it needs."""
    rows: list[tuple[Entry, ...]] = []
    for entry in entries:
        if rows and _row_width((*rows[-1], entry), kind) <= room:
            rows[-1] = (*rows[-1], entry)
        else:
            rows.append((entry,))
    return tuple(rows)


def _row_width(row: tuple[Entry, ...], kind: Lettering) -> float:
    return sum(47 * kind.unit + text_width(name, kind.note) for _, name in row) - 22 * kind.unit


def _legend_row(
    row: tuple[Entry, ...], x: float, y: float, kind: Lettering, theme: Theme
) -> Iterator[Shape]:
    for mark, name in row:
        if mark == "unread":
            cell = Cell(unread=True)
        elif mark == "echo":
            cell = Cell(echo=True)
        else:
            cell = Cell(mark=mark)
        role = _BOARDS.get(mark, "input")
        yield from cell_shapes(cell, role, x, y, kind.swatch, 8, theme)
        at = round(x + 25 * kind.unit, 1), round(y + 9 * kind.unit, 1)
        yield Text(*at, name, kind.note, theme.muted, "start")
        x += 47 * kind.unit + text_width(name, kind.note)
