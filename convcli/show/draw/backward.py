"""The backward pass: how each output hands its gradient back, for the loss sum(y)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Any

from convcli.arithmetic.sizes import cross
from convcli.errors import UsageError
from convcli.show.draw.border_words import border_lines
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scatter import StampAxis, spans, stamp_axes, together
from convcli.show.draw.scene import Board, Cell, Place, Scene, SceneStep
from convcli.show.draw.sliding import Grid, as_matrix, kernel_board, light
from convcli.show.draw.texts import number

__all__ = [
    "collect",
    "gradient_scene",
    "hand_back",
    "kept_ones",
    "ones",
    "origin",
    "pool_backward",
    "sums",
]

LINKS = (("x", "dL/dy"), ("w", "dL/dy"), ("dL/dy", "dL/dw"), ("dL/dy", "dL/dx"))
LAYOUT = ((("x", "w"), ("dL/dy",), ("dL/dw", "dL/dx")),)


def gradient_scene(operation: Operation) -> Scene:
    """The backward pass of a convolution, a transposed one, or pooling.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> import numpy as np
    >>> operation = plan_operation(Layer("conv", (2,)), (3,), x=np.arange(3), w=np.array([5, 7]))
    >>> last = gradient_scene(operation).steps[-1]
    >>> [[cell.text for cell in last.board(name).all()] for name in ("dL/dx", "dL/dw")]
    [['5', '12', '7'], ['1', '3']]
    """
    if operation.kind == "conv":
        return conv_backward(operation)
    if operation.kind == "conv_transpose":
        return transposed_backward(operation)
    return pool_backward(operation)


def conv_backward(operation: Operation) -> Scene:
    """The backward pass of a convolution, for the loss that is the sum of its outputs.

    Each output hands its gradient back: times the kernel to the cells that it read, times these
    cells to the kernel. What a cell of the border gets is added to the cell that it shows.
    """
    grid = Grid.of(operation)
    x, given = as_matrix(operation.x), as_matrix(operation.w)
    numbers = x is not None and given is not None
    shape = plane(operation.kernel)
    counts = plane(operation.outputs)
    plain = grid.board("x", cross(operation.sizes), x, "0")
    blank = grid.board("dL/dx", cross(operation.sizes), None, "")
    grad_x: dict[Place, Any] = {}
    grad_w: dict[Place, Any] = {}
    steps = []
    for done, output in enumerate(grid.outputs, 1):
        taps = grid.taps(output)
        hand_back(operation, grid, taps, grad_x, grad_w)
        given_back = ones(counts, done, numbers)
        boards = (
            light(plain, taps),
            kernel_board("w", given, shape, cross(operation.kernel), True),
            Board("dL/dy", "output", given_back, f"{cross(operation.outputs)}, all 1"),
            sums(
                kernel_board("dL/dw", None, shape, cross(operation.kernel), True), grad_w, numbers
            ),
            light(sums(blank, grad_x, numbers), taps),
        )
        place = output[-len(operation.windows) :]
        where = spans(operation, taps, *origin(grid))
        steps.append(
            SceneStep(
                boards,
                place,
                (
                    f"dL/dx[{where}] += 1·w",
                    f"dL/dw += 1·x[{where}]",
                    *border_lines(operation, grid.rows, grid.columns, output),
                ),
                LINKS,
            )
        )
    return Scene(f"{operation.title}, backward", operation.subtitle, tuple(steps), LAYOUT)


def hand_back(
    operation: Operation,
    grid: Grid,
    taps: list[list[Place]],
    grad_x: dict[Place, Any],
    grad_w: dict[Place, Any],
) -> None:
    """Add what an output of gradient 1 hands back to the cells that it read, and to the kernel.

    The operation is a convolution of one channel; without numbers the cells are only named.
    """
    x, w = as_matrix(operation.x), as_matrix(operation.w)
    rows, columns = plane(operation.kernel)
    for i, row in enumerate(taps):
        for j, cell in enumerate(row):
            home = grid.home(*cell)
            at = (rows - 1 - i, columns - 1 - j) if operation.flip else (i, j)
            if x is None or w is None:
                grad_x[home] = None
                continue
            grad_x[home] = grad_x.get(home, 0) + w[at]
            grad_w[at] = grad_w.get(at, 0) + grid.value(x, *cell)


def origin(grid: Grid) -> tuple[int, int]:
    """Cells of padding before the input, down and across."""
    return grid.rows.origin, grid.columns.origin


def ones(shape: tuple[int, int], done: int, numbers: bool) -> tuple[tuple[Cell, ...], ...]:
    """The gradient of the outputs, all 1, with the ``done``-th lit."""
    text = "1" if numbers else ""
    cells = [Cell(text, lit="target" if i == done - 1 else "") for i in range(shape[0] * shape[1])]
    return tuple(tuple(cells[i : i + shape[1]]) for i in range(0, len(cells), shape[1]))


def sums(board: Board, totals: dict[Place, Any], numbers: bool) -> Board:
    """A board of gradients so far; what nothing has reached is 0."""

    def cell(place: Place, old: Cell) -> Cell:
        text = number(totals.get(place, 0)) if numbers else ""
        return replace(old, text=text if old.mark == "value" else "", unread=False)

    cells = tuple(
        tuple(cell((r, c), old) for c, old in enumerate(row)) for r, row in enumerate(board.cells)
    )
    return replace(board, cells=cells)


def transposed_backward(operation: Operation) -> Scene:
    """Each input collects what its stamp is worth: an ordinary convolution of the gradient.

    What padding cropped has no gradient, and output padding that no stamp reaches gives none.
    """
    rows, columns = stamp_axes(operation.windows)
    x, w = as_matrix(operation.x), as_matrix(operation.w)
    numbers = x is not None and w is not None
    counts, shape = plane(operation.sizes), plane(operation.kernel)
    blank = kernel_board("dL/dx", None, counts, cross(operation.sizes), False)
    grad_x: dict[Place, Any] = {}
    grad_w: dict[Place, Any] = {}
    plain = replace(kernel_board("x", x, counts, cross(operation.sizes), False), role="input")
    given = kept_ones(rows, columns, cross(operation.outputs), numbers)
    steps = []
    for place in itertools.product(range(counts[0]), range(counts[1])):
        taps = [[(r, c) for c in columns.stamps[place[1]]] for r in rows.stamps[place[0]]]
        collect(operation, rows, columns, place, grad_x, grad_w)
        where = spans(operation, taps, rows.before, columns.before)
        index = ", ".join(map(str, place[-len(operation.windows) :]))
        boards = (
            light(plain, [[place]]),
            kernel_board("w", w, shape, cross(operation.kernel), True),
            light(given, taps),
            sums(
                kernel_board("dL/dw", None, shape, cross(operation.kernel), True), grad_w, numbers
            ),
            light(replace(sums(blank, grad_x, numbers), role="input"), [[place]]),
        )
        formula = (
            f"dL/dx[{index}] = sum of w · dL/dy[{where}]",
            f"dL/dw += x[{index}] · dL/dy[{where}]",
        )
        steps.append(SceneStep(boards, place[-len(operation.windows) :], formula, LINKS))
    return Scene(f"{operation.title}, backward", operation.subtitle, tuple(steps), LAYOUT)


def collect(
    operation: Operation,
    rows: StampAxis,
    columns: StampAxis,
    place: Place,
    grad_x: dict[Place, Any],
    grad_w: dict[Place, Any],
) -> None:
    """Add what the stamp of one input collects from outputs of gradient 1, and hands the kernel.

    The operation is a transposed convolution of one channel.
    """
    x, w = as_matrix(operation.x), as_matrix(operation.w)
    grad_x.setdefault(place, 0)
    if x is None or w is None:
        return
    for i, r in enumerate(rows.stamps[place[0]]):
        for j, c in enumerate(columns.stamps[place[1]]):
            if together(rows.marks[r], columns.marks[c]) != "cropped":
                grad_x[place] = grad_x[place] + w[i, j]
                grad_w[i, j] = grad_w.get((i, j), 0) + x[place]


def kept_ones(rows: StampAxis, columns: StampAxis, note: str, numbers: bool) -> Board:
    """The gradient of the output, all 1, with the cells that padding cropped around it."""

    def cell(r: int, c: int) -> Cell:
        mark = together(rows.marks[r], columns.marks[c])
        return Cell("1" if numbers and mark != "cropped" else "", mark)

    cells = tuple(
        tuple(cell(r, c) for c in range(len(columns.marks))) for r in range(len(rows.marks))
    )
    return Board("dL/dy", "output", cells, f"{note}, all 1")


def pool_backward(operation: Operation) -> Scene:
    """The gradient goes to the largest of the window, or in equal parts to all of it.

    Raises
    ------
    UsageError
        If there are no numbers to find the largest of.
    """
    x, y = as_matrix(operation.x), as_matrix(operation.y)
    if x is None or y is None:
        raise UsageError("the backward pass of pooling needs numbers to hand back to; give --x")
    grid = Grid.of(operation)
    counts = plane(operation.outputs)
    plain = grid.board("x", cross(operation.sizes), x, "")
    blank = grid.board("dL/dx", cross(operation.sizes), None, "")
    grad_x: dict[Place, Any] = {}
    steps = []
    for done, output in enumerate(grid.outputs, 1):
        taps = grid.taps(output)
        inside = [cell for row in taps for cell in row if grid.source(*cell) is not None]
        if operation.kind == "maxpool":
            winner = next(cell for cell in inside if x[grid.source(*cell)] == y[output])
            paid, share = [[winner]], Fraction(1)
            formula = f"the largest of them, {number(y[output])}, gets all of it"
        else:
            divisor = 1
            for axis, place in enumerate(output[-len(operation.windows) :]):
                window: Any = operation.windows[axis]
                divisor *= window.divisor(place, count_include_pad=True)
            paid, share = taps, Fraction(1, divisor)
            formula = f"each of them gets 1/{divisor}"
        for cell in itertools.chain.from_iterable(paid):
            grad_x[cell] = grad_x.get(cell, Fraction(0)) + share
        exact = x.dtype.kind == "O"
        shown = {cell: value if exact else float(value) for cell, value in grad_x.items()}
        whole = Board(
            "dL/dy", "output", ones(counts, done, True), f"{cross(operation.outputs)}, all 1"
        )
        boards = (light(plain, taps), whole, light(sums(blank, shown, True), paid))
        links = (("x", "dL/dy"), ("dL/dy", "dL/dx"))
        steps.append(SceneStep(boards, output[-len(operation.windows) :], (formula,), links))
    title = f"{operation.title}, backward"
    return Scene(title, operation.subtitle, tuple(steps), ((("x",), ("dL/dy",), ("dL/dx",)),))
