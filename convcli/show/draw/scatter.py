"""The transposed convolution as stamping, and the backward pass, which stamps as well."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.transposed import TransposedWindow
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Cell, Mark, Place, Scene, Step
from convcli.show.draw.sliding import Grid, as_matrix, kernel_board, light
from convcli.show.draw.texts import number, span

__all__ = ["gradient_scene", "scatter_scene"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Canvas:
    """One axis of what the stamps cover: marks, and the cells of each stamp."""

    marks: tuple[Mark, ...]
    before: int
    stamps: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, window: TransposedWindow) -> _Canvas:
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


def _canvases(windows: tuple[AnyWindow, ...]) -> tuple[_Canvas, _Canvas]:
    found = [_Canvas.of(window) for window in windows if isinstance(window, TransposedWindow)]
    if len(found) == 1:
        found.insert(0, _Canvas(("value",), 0, ((0,),)))
    return found[0], found[1]


def _together(row: Mark, column: Mark) -> Mark:
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
    rows, columns = _canvases(operation.windows)
    rank = len(operation.windows)
    x, w = as_matrix(operation.x), as_matrix(operation.w)
    counts = plane(operation.sizes)
    shape = plane(operation.kernel)
    sums: dict[Place, Any] = {}
    plain = kernel_board("Input", x, counts, cross(operation.sizes), False)
    note = cross(operation.outputs)
    if (canvas := (len(rows.marks), len(columns.marks))[2 - rank :]) != operation.outputs:
        note += f", cropped from {cross(canvas)}"
    steps = []
    for place in itertools.product(range(counts[0]), range(counts[1])):
        taps = [[(r, c) for c in columns.stamps[place[1]]] for r in rows.stamps[place[0]]]
        for i, row in enumerate(taps):
            for j, cell in enumerate(row):
                product = None if x is None or w is None else x[place] * w[i, j]
                sums[cell] = product if sums.get(cell) is None else sums[cell] + product
        output = _stamped(rows, columns, sums, note, x is not None)
        name = f"y[{_spans(operation, taps, rows.before, columns.before)}]"
        value = number(x[place]) if x is not None else f"x[{', '.join(map(str, place[-rank:]))}]"
        source = replace(
            plain,
            role="input",
            cells=light(plain, [[place]]).cells,
        )
        steps.append(
            Step(
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


def _stamped(
    rows: _Canvas, columns: _Canvas, sums: dict[Place, Any], note: str, numbers: bool
) -> Board:
    def cell(r: int, c: int) -> Cell:
        mark = _together(rows.marks[r], columns.marks[c])
        if (r, c) in sums:
            return Cell(number(sums[r, c]) if numbers else "", mark)
        if mark == "value":
            return Cell(mark="pending")
        return Cell("0" if numbers and mark == "added" else "", mark)

    cells = tuple(
        tuple(cell(r, c) for c in range(len(columns.marks))) for r in range(len(rows.marks))
    )
    return Board("Output", "output", cells, note)


def _spans(operation: Operation, taps: list[list[Place]], up: int, left: int) -> str:
    columns = span([c - left for _, c in taps[0]])
    if len(operation.windows) == 1:
        return columns
    return f"{span([row[0][0] - up for row in taps])}, {columns}"


def gradient_scene(operation: Operation) -> Scene:
    """The backward pass of a convolution, for the loss that is the sum of its outputs.

    Each output hands its gradient back: times the kernel to the cells that it read, times these
    cells to the kernel.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> import numpy as np
    >>> operation = plan_operation(Layer("conv", (2,)), (3,), x=np.arange(3), w=np.array([5, 7]))
    >>> last = gradient_scene(operation).steps[-1]
    >>> [[cell.text for cell in last.board(name).all()] for name in ("dL/dx", "dL/dw")]
    [['5', '12', '7'], ['1', '3']]
    """
    grid = Grid.of(operation)
    x, given = as_matrix(operation.x), as_matrix(operation.w)
    numbers = x is not None and given is not None
    shape = plane(operation.kernel)
    counts = plane(operation.outputs)
    w = given[::-1, ::-1] if given is not None and operation.flip else given
    plain = grid.board("x", cross(operation.sizes), x, "0")
    blank = grid.board("dL/dx", cross(operation.sizes), None, "")
    grad_x: dict[Place, Any] = {}
    grad_w: dict[Place, Any] = {}
    steps = []
    for done, output in enumerate(grid.outputs, 1):
        taps = grid.taps(output)
        for i, row in enumerate(taps):
            for j, cell in enumerate(row):
                source = grid.source(*cell)
                turned = (shape[0] - 1 - i, shape[1] - 1 - j) if operation.flip else (i, j)
                if x is None or w is None:
                    grad_x[cell] = None
                    continue
                grad_x[cell] = grad_x.get(cell, 0) + w[i, j]
                if source is not None:
                    grad_w[turned] = grad_w.get(turned, 0) + x[source]
        ones = _ones(counts, done, numbers)
        boards = (
            light(plain, taps),
            kernel_board("w", given, shape, cross(operation.kernel), True),
            Board("dL/dy", "output", ones, f"{cross(operation.outputs)}, all 1"),
            _sums(
                kernel_board("dL/dw", None, shape, cross(operation.kernel), True), grad_w, numbers
            ),
            light(_sums(blank, grad_x, numbers), taps),
        )
        place = output[-len(operation.windows) :]
        where = _spans(operation, taps, *_origin(grid))
        steps.append(
            Step(
                boards,
                place,
                (f"dL/dx[{where}] += 1·w", f"dL/dw += 1·x[{where}]"),
                (("x", "dL/dy"), ("w", "dL/dy"), ("dL/dy", "dL/dw"), ("dL/dy", "dL/dx")),
            )
        )
    layout = ((("x", "w"), ("dL/dy",), ("dL/dw", "dL/dx")),)
    title = f"{operation.title}, backward"
    return Scene(title, operation.subtitle, tuple(steps), layout)


def _origin(grid: Grid) -> tuple[int, int]:
    """Cells of padding before the input, down and across."""
    return grid.rows.sources.index(0), grid.columns.sources.index(0)


def _ones(shape: tuple[int, int], done: int, numbers: bool) -> tuple[tuple[Cell, ...], ...]:
    text = "1" if numbers else ""
    cells = [Cell(text, lit="target" if i == done - 1 else "") for i in range(shape[0] * shape[1])]
    return tuple(tuple(cells[i : i + shape[1]]) for i in range(0, len(cells), shape[1]))


def _sums(board: Board, sums: dict[Place, Any], numbers: bool) -> Board:
    """A board of gradients so far; what nothing has reached is 0."""

    def cell(place: Place, old: Cell) -> Cell:
        text = number(sums.get(place, 0)) if numbers else ""
        return replace(old, text=text if old.mark == "value" else "", unread=False)

    cells = tuple(
        tuple(cell((r, c), old) for c, old in enumerate(row)) for r, row in enumerate(board.cells)
    )
    return replace(board, cells=cells)
