"""Convolution as a matrix: the window and the row of the Toeplitz matrix side by side."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convcli.errors import ShapeError, UsageError
from convcli.show.draw.operation import Operation
from convcli.show.draw.scene import Board, Cell, Place, Scene
from convcli.show.draw.sliding import Grid, as_matrix, output_board, sliding_scene
from convcli.show.draw.texts import number

__all__ = [
    "MAX_COLUMNS",
    "MAX_ROWS",
    "matrix_board",
    "matrix_row",
    "matrix_scene",
    "matrix_size",
    "vector_board",
]

MAX_ROWS, MAX_COLUMNS = 36, 64
"""Largest matrix that is drawn."""


def matrix_scene(operation: Operation) -> Scene:
    """Every output in turn, as a window and as a row of the matrix that acts on the input.

    Column ``c`` of the matrix stands for input ``c``, counted row by row. The padding has no
    columns: zeros need none, and what a border shows is added to the column of what it shows.

    Raises
    ------
    ShapeError
        If the matrix is too large to be read.
    UsageError
        If a constant stands outside: no matrix adds it.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> scene = matrix_scene(plan_operation(Layer("conv", (2,)), (3,)))
    >>> scene.steps[1].board("Matrix").places("tap")
    [(1, 1), (1, 2)]
    """
    rows, columns = matrix_size(operation)
    scene = sliding_scene(operation)
    grid = Grid.of(operation)
    w, x, y = (as_matrix(array) for array in (operation.w, operation.x, operation.y))
    used = w[::-1, ::-1] if w is not None and operation.flip else w
    width = (1, *operation.sizes)[-1]
    weights: list[dict[int, str]] = [
        matrix_row(grid, output, used, width) for output in grid.outputs
    ]
    flat_y = None if y is None else y.reshape(-1, 1)
    flat_x = None if x is None else x.reshape(-1)
    steps = []
    for index, step in enumerate(scene.steps):
        boards = (
            *step.boards,
            matrix_board(weights, columns, index),
            vector_board(flat_x, columns, weights[index]),
            output_board((rows, 1), flat_y, index + 1, f"{rows}", "y"),
        )
        steps.append(replace(step, boards=boards, links=(*step.links, ("Matrix", "y"))))
    bottom: tuple[tuple[str, ...], ...] = (("x", "Matrix"), ("y",))
    title = f"{operation.title} as a matrix: y = M x"
    return Scene(title, scene.subtitle, tuple(steps), (*scene.layout, bottom))


def matrix_size(operation: Operation) -> tuple[int, int]:
    """Rows and columns of the matrix, if it can be drawn: all outputs, and all inputs.

    Raises
    ------
    ShapeError
        If it is too large to be read.
    UsageError
        If a constant stands outside: no matrix adds it.
    """
    rows = operation.out_channels * prod(operation.outputs)
    columns = operation.in_channels * prod(operation.sizes)
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise ShapeError(
            f"the matrix of {operation.input_words} -> {operation.output_words} has "
            f"{rows} rows and {columns} columns; at most {MAX_ROWS} and {MAX_COLUMNS} can be read "
            "in a drawing. convcli matrix kernel prints any size"
        )
    if operation.border.is_affine:
        raise UsageError(f"view 'matrix' with border {operation.border}: no matrix adds a constant")
    return rows, columns


def matrix_row(
    grid: Grid, output: Place, w: np.ndarray[Any, Any] | None, width: int
) -> dict[int, str]:
    """The columns of one row that are not zero, with their weights."""
    found: dict[int, Any] = {}
    for i, row in enumerate(grid.taps(output)):
        for j, place in enumerate(row):
            source = grid.source(*place)
            if source is not None:
                column = source[0] * width + source[1]
                found[column] = 1 if w is None else found.get(column, 0) + w[i, j]
    return {column: "" if w is None else number(value) for column, value in found.items()}


def matrix_board(weights: list[dict[int, str]], columns: int, lit: int) -> Board:
    """The matrix, of whose rows one is lit."""

    def cell(row: int, column: int) -> Cell:
        if column in weights[row]:
            return Cell(weights[row][column], lit="tap" if row == lit else "")
        return Cell(mark="nought", lit="gap" if row == lit else "")

    cells = tuple(tuple(cell(r, c) for c in range(columns)) for r in range(len(weights)))
    return Board("Matrix", "kernel", cells, f"{len(weights)}x{columns}")


def vector_board(x: np.ndarray[Any, Any] | None, length: int, read: dict[int, str]) -> Board:
    """The input over the columns of the matrix."""
    cells = tuple(
        Cell("" if x is None else number(x[i]), lit="tap" if i in read else "")
        for i in range(length)
    )
    return Board("x", "input", (cells,), f"{length}, row by row")
