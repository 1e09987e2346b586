"""A convolution of several channels as one matrix, in blocks of an output and an input channel."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import prod

import numpy as np

from convcli.show.draw.channel_planes import ChannelBoards, output_names
from convcli.show.draw.matrix_view import matrix_board, matrix_row, matrix_size, vector_board
from convcli.show.draw.operation import Operation
from convcli.show.draw.scene import Board, Row, Scene, SceneStep
from convcli.show.draw.sliding import Grid, kernel_board, light, output_board

__all__ = ["channel_matrix_scene"]


def channel_matrix_scene(operation: Operation) -> Scene:
    """Every output of every channel, as windows on the planes and as a row of the matrix.

    The rows are the output channels one after the other, the columns the input channels, each
    counted row by row; the block of two channels is the matrix of the kernel between them.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv", (2,), out_channels=1)
    >>> scene = channel_matrix_scene(plan_operation(layer, (3,), in_channels=2))
    >>> scene.steps[1].board("Matrix").places("tap")
    [(1, 1), (1, 2), (1, 4), (1, 5)]
    """
    matrix_size(operation)
    grid = Grid.of(operation)
    planes = ChannelBoards(operation, grid)
    rows = [
        _row(planes, out, place) for out in range(operation.out_channels) for place in grid.outputs
    ]
    steps = []
    for index, weights in enumerate(rows):
        out, at = divmod(index, len(grid.outputs))
        made = planes.step(out, at + 1, grid.outputs[at])
        boards = [board for board in made.boards if board.name.startswith(("Input", "Output"))]
        boards += _algebra(operation, rows, index, weights)
        via = ("Matrix", "b", "y") if operation.bias is not None else ("Matrix", "y")
        links = tuple(itertools.pairwise(via))
        steps.append(SceneStep(tuple(boards), made.target, made.formula, links))
    inputs: Row = tuple((f"Input {into}",) for into in range(operation.in_channels))
    top: Row = (*inputs, *((name,) for name in output_names(operation)))
    shift: Row = () if operation.bias is None else (("b",),)
    below: Row = (("x", "Matrix"), *shift, ("y",))
    title = f"{operation.title} as a matrix: y = M x{' + b' if shift else ''}"
    return Scene(title, operation.subtitle, tuple(steps), (top, below))


def _row(planes: ChannelBoards, out: int, place: tuple[int, int]) -> dict[int, str]:
    """The columns of one output that are not zero, with their weights."""
    operation = planes.operation
    found: dict[int, str] = {}
    size, width = prod(operation.sizes), (1, *operation.sizes)[-1]
    for into in operation.reads(out):
        block = matrix_row(planes.grid, place, planes.kernels[out, into], width)
        found |= {into * size + column: text for column, text in block.items()}
    return found


def _algebra(
    operation: Operation, rows: list[dict[int, str]], index: int, weights: dict[int, str]
) -> list[Board]:
    """The matrix, the input over its columns, the bias and the output beside its rows."""
    columns = operation.in_channels * prod(operation.sizes)
    x = None if operation.x is None else operation.x.reshape(-1)
    y = None if operation.y is None else operation.y.reshape(-1, 1)
    note = "channel by channel, row by row"
    boards = [
        matrix_board(rows, columns, index),
        replace(vector_board(x, columns, weights), note=f"{columns}, {note}"),
    ]
    if operation.bias is not None:
        shift = np.repeat(operation.bias, prod(operation.outputs)).reshape(-1, 1)
        boards.append(light(kernel_board("b", shift, shift.shape, "", False), [[(index, 0)]]))
    return [*boards, output_board((len(rows), 1), y, index + 1, f"{len(rows)}", "y")]
