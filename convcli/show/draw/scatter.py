"""The transposed convolution as stamping."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.transposed import TransposedWindow
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Cell, Mark, Place, Scene, SceneStep
from convcli.show.draw.sliding import as_matrix, kernel_board, light
from convcli.show.draw.texts import number, span

__all__ = [
    "StampAxis",
    "output_note",
    "scatter_scene",
    "spans",
    "stamp_axes",
    "stamped",
    "together",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class StampAxis:
    """One axis of what the stamps cover: marks, and the cells of each stamp."""

    marks: tuple[Mark, ...]
    before: int
    stamps: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, window: TransposedWindow) -> StampAxis:
        """From a resolved window."""
        end = window.before + window.output
        marks: list[Mark] = []
        for cell in range(max(window.full, end)):
            kept = window.before <= cell < end
            marks.append("cropped" if not kept else "added" if cell >= window.full else "value")
        stamps = tuple(
            tuple(i * window.stride + t * window.dilation for t in range(window.kernel_size))
            for i in range(window.size)
        )
        return cls(tuple(marks), window.before, stamps)


def stamp_axes(windows: tuple[AnyWindow, ...]) -> tuple[StampAxis, StampAxis]:
    """Rows and columns; the rows of a sequence are one."""
    found = [StampAxis.of(window) for window in windows if isinstance(window, TransposedWindow)]
    if len(found) == 1:
        found.insert(0, StampAxis(("value",), 0, ((0,),)))
    return found[0], found[1]


def together(row: Mark, column: Mark) -> Mark:
    """The mark of a cell from those of its row and column.

    >>> together("value", "added"), together("added", "cropped")
    ('added', 'cropped')
    """
    for mark in ("cropped", "added"):
        if mark in (row, column):
            return mark
    return "value"


def scatter_scene(operation: Operation) -> Scene:
    """Every input value in turn stamps the kernel; where stamps overlap they add up.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv_transpose", (3,), stride=(2,))
    >>> scene = scatter_scene(plan_operation(layer, (2,)))
    >>> scene.steps[1].board("Output").places("tap")
    [(0, 2), (0, 3), (0, 4)]
    """
    rows, columns = stamp_axes(operation.windows)
    rank = len(operation.windows)
    x, w = as_matrix(operation.x), as_matrix(operation.w)
    counts = plane(operation.sizes)
    shape = plane(operation.kernel)
    sums: dict[Place, Any] = {}
    plain = kernel_board("Input", x, counts, cross(operation.sizes), False)
    note = output_note(operation, rows, columns)
    steps = []
    for place in itertools.product(range(counts[0]), range(counts[1])):
        taps = [[(r, c) for c in columns.stamps[place[1]]] for r in rows.stamps[place[0]]]
        for i, row in enumerate(taps):
            for j, cell in enumerate(row):
                product = None if x is None or w is None else x[place] * w[i, j]
                sums[cell] = product if sums.get(cell) is None else sums[cell] + product
        output = stamped(rows, columns, sums, note, x is not None)
        name = f"y[{spans(operation, taps, rows.before, columns.before)}]"
        value = number(x[place]) if x is not None else f"x[{', '.join(map(str, place[-rank:]))}]"
        source = replace(
            plain,
            role="input",
            cells=light(plain, [[place]]).cells,
        )
        steps.append(
            SceneStep(
                (
                    source,
                    kernel_board("Kernel", w, shape, cross(operation.kernel), True),
                    light(output, taps),
                ),
                place[-rank:],
                (f"{value}·w is added to {name}",),
                (("Input", "Kernel"), ("Kernel", "Output")),
            )
        )
    boards = ("Input", "Kernel", "Output")
    layout = ((boards,),) if rank == 1 else (tuple((name,) for name in boards),)
    title = f"{operation.title}, scattered by stamping"
    return Scene(title, operation.subtitle, tuple(steps), layout)


def output_note(operation: Operation, rows: StampAxis, columns: StampAxis) -> str:
    """The size of the output, and of what it is cropped from."""
    note = cross(operation.outputs)
    canvas = (len(rows.marks), len(columns.marks))[2 - len(operation.windows) :]
    return note if canvas == operation.outputs else f"{note}, cropped from {cross(canvas)}"


def stamped(
    rows: StampAxis, columns: StampAxis, sums: dict[Place, Any], note: str, numbers: bool
) -> Board:
    """The output with the sums so far."""

    def cell(r: int, c: int) -> Cell:
        mark = together(rows.marks[r], columns.marks[c])
        if (r, c) in sums:
            return Cell(number(sums[r, c]) if numbers else "", mark)
        if mark == "value":
            return Cell(mark="pending")
        return Cell("0" if numbers and mark == "added" else "", mark)

    cells = tuple(
        tuple(cell(r, c) for c in range(len(columns.marks))) for r in range(len(rows.marks))
    )
    return Board("Output", "output", cells, note)


def spans(operation: Operation, taps: list[list[Place]], up: int, left: int) -> str:
    """Where cells are, counted from what lies ``up`` and ``left`` cells into the board."""
    columns = span([c - left for _, c in taps[0]])
    if len(operation.windows) == 1:
        return columns
    return f"{span([row[0][0] - up for row in taps])}, {columns}"
