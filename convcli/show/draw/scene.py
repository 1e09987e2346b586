"""What a drawing shows, before anybody decides how: boards of cells, step by step.

One scene feeds the terminal, the raster and the SVG. A step is a whole snapshot, so a renderer
draws it without knowing what came before, and a test can ask any step what is lit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "MARKS",
    "Board",
    "Cell",
    "Lit",
    "Mark",
    "Place",
    "Role",
    "Row",
    "Scene",
    "SceneStep",
    "Sign",
]

Mark: TypeAlias = Literal[
    "value",
    "padding",
    "border",
    "zero",
    "overhang",
    "cropped",
    "added",
    "nought",
    "pending",
    "blank",
]
Sign: TypeAlias = Mark | Literal["unread", "echo"]
Lit: TypeAlias = Literal["", "tap", "gap", "target"]
Role: TypeAlias = Literal["input", "kernel", "output"]
Place: TypeAlias = tuple[int, int]
Row: TypeAlias = tuple[tuple[str, ...], ...]

MARKS: dict[Mark, str] = {
    "padding": "padding",
    "border": "border",
    "zero": "inserted zero",
    "overhang": "ceil mode hangs over",
    "cropped": "cropped by padding",
    "added": "added by output padding",
    "nought": "always zero",
}
"""What the legend calls each mark. Values, outputs to come and blanks explain themselves."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a board.

    Parameters
    ----------
    text
        The number in it, or nothing where only the geometry is drawn.
    mark
        What kind of cell it is. ``blank`` is not drawn, ``pending`` is an output to come.
    lit
        ``tap`` if the window reads or writes it now, ``gap`` if the dilated window spans it and
        skips it, ``target`` if it is what this step makes.
    unread
        Whether no step ever reads it.
    corner
        The weight that it is multiplied with now.
    home
        Of a cell of the border: where on the board the cell is that it shows.
    echo
        Whether a cell of the border that is read now shows this one.
    """

    text: str = ""
    mark: Mark = "value"
    lit: Lit = ""
    unread: bool = False
    corner: str = ""
    home: Place | None = None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A matrix of cells with its name; ``note`` is its size in words."""

    name: str
    role: Role
    cells: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.cells), len(self.cells[0])

    def places(self, *lit: Lit) -> list[Place]:
        """Where the cells are that are lit so, row by row."""
        return [
            (r, c)
            for r, row in enumerate(self.cells)
            for c, cell in enumerate(row)
            if cell.lit in lit
        ]

    def all(self) -> Iterator[Cell]:
        """Every cell, row by row."""
        for row in self.cells:
            yield from row


@dataclass(frozen=True, slots=True)
class SceneStep:
    """One moment: every board as it is then, and the sum that is being made.

    ``links`` join the lit cells of one board with those of another; ``formula`` has one line
    for each row of the kernel; ``target`` is the index of the cell that the step is about.
    """

    boards: tuple[Board, ...]
    target: tuple[int, ...]
    formula: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    def board(self, name: str) -> Board:
        """The board of that name."""
        return next(board for board in self.boards if board.name == name)


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawing: ``layout`` names boards as rows of stacks, each stack from top to bottom.

    ``aside`` are stacks that stand to the right of all rows; ``border`` is what the padding
    holds.
    """

    title: str
    subtitle: str
    steps: tuple[SceneStep, ...]
    layout: tuple[Row, ...]
    aside: Row = ()
    border: str = ""

    @property
    def legend(self) -> list[Sign]:
        """The marks that occur, in the order of ``MARKS``."""
        cells = [
            cell
            for step in (self.steps[0], self.steps[-1])
            for b in step.boards
            for cell in b.all()
        ]
        found: list[Sign] = [m for m in MARKS if any(c.mark == m for c in cells)]
        found += ["echo"] if any(cell.echo for cell in cells) else []
        found += ["unread"] if any(cell.unread for cell in cells) else []
        return found

    def called(self, sign: Sign) -> str:
        """What the legend calls a mark."""
        if sign == "echo":
            return "shown by the border"
        if sign == "unread":
            return "never read"
        return f"border: {self.border}" if sign == "border" else MARKS[sign]

    @property
    def description(self) -> str:
        """The drawing in words, for those who cannot see it."""
        last = " ".join(self.steps[-1].formula)
        count = len(self.steps)
        how = f"{count} steps, one for each position" if count > 1 else "One step"
        return f"{self.title}: {self.subtitle}. {how}. The last: {last}"
