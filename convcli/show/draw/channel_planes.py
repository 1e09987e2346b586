"""Several channels at once: the sum of each input channel, and all of them added up."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Place, Row, Scene, SceneStep
from convcli.show.draw.sliding import (
    Grid,
    as_matrix,
    kernel_board,
    light,
    output_board,
    place_formula,
    sum_formula,
)
from convcli.show.draw.texts import factor, number, shortened

__all__ = [
    "MAX_ACROSS",
    "MAX_DOWN",
    "bias_board",
    "channels_scene",
    "check_readable",
    "kernel_name",
    "output_boards",
    "turned",
]

Array = np.ndarray[Any, Any]

MAX_ACROSS, MAX_DOWN = 56, 44
"""Most cells of a drawing of channels from left to right, and from top to bottom."""


def channels_scene(operation: Operation) -> Scene:
    """Every output of every channel in turn, with what each input channel gives it.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv", (2,), out_channels=1)
    >>> operation = plan_operation(
    ...     layer, (3,), x=[[1, 2, 3], [4, 5, 6]], w=[[[1, 0], [0, 1]]], bias=[10], in_channels=2
    ... )
    >>> for line in channels_scene(operation).steps[0].formula:
    ...     print(line)
    channel 0: 1·1 + 2·0 = 1
    channel 1: 4·0 + 5·1 = 5
    1 + 5 + bias 10 = 16
    """
    grid = Grid.of(operation)
    layout, aside = _layout(operation)
    drawing = _ChannelBoards(operation, grid)
    steps = [
        drawing.step(out, done, place)
        for out in range(operation.out_channels)
        for done, place in enumerate(grid.outputs, 1)
    ]
    check_readable(operation, steps[0], layout, aside)
    title = operation.title
    if operation.kind == "conv_transpose":
        title += ", gathered from stuffed zeros"
    return Scene(title, operation.subtitle, tuple(steps), layout, aside)


def _layout(operation: Operation) -> tuple[tuple[Row, ...], Row]:
    """A row for each input channel; what they are added up to stands aside."""
    outs = range(operation.out_channels)
    rows: list[Row] = []
    alone = _alone(operation)
    for into in range(operation.in_channels):
        reached = [out for out in outs if into in operation.reads(out)]
        row: list[tuple[str, ...]] = [(f"Input {into}",)]
        if not operation.is_pool:
            row += [(kernel_name(operation, out, into),) for out in reached]
        row += [(f"Output {out}",) for out in reached] if alone else [(f"Channel {into}",)]
        rows.append(tuple(row))
    aside: list[tuple[str, ...]] = []
    if operation.bias is not None:
        aside.append(("Bias",))
    if not alone:
        aside.append(tuple(f"Output {out}" for out in outs))
    return tuple(rows), tuple(aside)


def _alone(operation: Operation) -> bool:
    """Whether every output is made from one channel of several: nothing is added up."""
    return operation.is_depthwise


def kernel_name(operation: Operation, out: int, into: int) -> str:
    """What the kernel between two channels is called: its place in the weight."""
    if operation.kind == "conv_transpose":
        return f"w[{into},{out % (operation.out_channels // operation.groups)}]"
    return f"w[{out},{into - operation.reads(out).start}]"


def turned(operation: Operation, kernel: Array | None) -> Array | None:
    """The kernel as it lies on the input: turned by ``flip`` and by the transposed one."""
    matrix = as_matrix(kernel)
    turns = operation.flip or operation.kind == "conv_transpose"
    return matrix[::-1, ::-1] if matrix is not None and turns else matrix


class _ChannelBoards:
    """The boards of one operation, step by step."""

    def __init__(self, operation: Operation, grid: Grid) -> None:
        self.operation, self.grid = operation, grid
        self.shape, self.counts = plane(operation.kernel), plane(operation.outputs)
        self.pairs = [
            (out, into) for out in range(operation.out_channels) for into in operation.reads(out)
        ]
        self.shares = {pair: operation.share(*pair) for pair in self.pairs}
        self.kernels = {pair: turned(operation, operation.weights(*pair)) for pair in self.pairs}
        blank = "" if operation.is_pool else "0"
        self.plain = [
            grid.board(
                f"Input {into}",
                _note(operation, grid),
                None if operation.x is None else as_matrix(operation.x[into]),
                blank,
            )
            for into in range(operation.in_channels)
        ]

    def step(self, out: int, done: int, place: Place) -> SceneStep:
        """The moment at which an output of a channel is made."""
        operation = self.operation
        reads = operation.reads(out)
        boards = [
            self._input(board, out, into, place) if into in reads else board
            for into, board in enumerate(self.plain)
        ]
        boards += [] if operation.is_pool else [self._kernel(pair, out) for pair in self.pairs]
        boards += [] if _alone(operation) else self._sums(out, done)
        if operation.bias is not None:
            boards.append(bias_board(operation.bias, out))
        boards += output_boards(operation, out, done)
        return SceneStep(
            tuple(boards),
            (out, *place[-len(operation.windows) :]),
            self._formula(out, place),
            tuple(self._links(out)),
        )

    def _input(self, board: Board, out: int, into: int, place: Place) -> Board:
        w = self.kernels[out, into]
        corner = None if w is None else lambda i, j: number(w[i, j])
        return light(board, self.grid.taps(place), corner)

    def _kernel(self, pair: tuple[int, int], out: int) -> Board:
        name = kernel_name(self.operation, *pair)
        turns = self.operation.flip or self.operation.kind == "conv_transpose"
        note = "turned" if turns else ""
        return kernel_board(name, self.kernels[pair], self.shape, note, pair[0] == out)

    def _sums(self, out: int, done: int) -> list[Board]:
        """What each input channel gives the output channel so far."""
        boards = []
        for into in range(self.operation.in_channels):
            share = self.shares.get((out, into))
            y = None if share is None else as_matrix(share.y)
            note = f"of output {out}" if share else "not read"
            boards.append(
                output_board(self.counts, y, done if share else 0, note, f"Channel {into}")
            )
        return boards

    def _links(self, out: int) -> list[tuple[str, str]]:
        operation = self.operation
        links: list[tuple[str, str]] = []
        for into in operation.reads(out):
            via = [f"Input {into}"]
            if not operation.is_pool:
                via.append(kernel_name(operation, out, into))
            via += [] if _alone(operation) else [f"Channel {into}"]
            links += itertools.pairwise([*via, f"Output {out}"])
        return links

    def _formula(self, out: int, place: Place) -> tuple[str, ...]:
        operation, reads = self.operation, self.operation.reads(out)
        if operation.y is None:
            return (place_formula(operation, place, out),)
        lines, parts = [], []
        for into in reads:
            share = self.shares[out, into]
            x, y = as_matrix(share.x), as_matrix(share.y)
            assert y is not None
            text = sum_formula(share, self.grid, place, x, self.kernels[out, into], y)
            lines.append(f"channel {into}: {joined(text)}")
            parts.append(factor(y[place]))
        if operation.bias is not None:
            parts.append(f"bias {factor(operation.bias[out])}")
        if len(parts) > 1:
            total = as_matrix(operation.y[out])
            assert total is not None
            lines.append(f"{' + '.join(parts)} = {number(total[place])}")
        return tuple(lines)


def joined(lines: tuple[str, ...]) -> str:
    """The lines of a sum as one that is not too long."""
    return shortened(" ".join(lines))


def bias_board(bias: Array, out: int | None) -> Board:
    """The biases of all output channels, that of one in use."""
    board = kernel_board("Bias", bias.reshape(-1, 1), (len(bias), 1), "", False)
    return board if out is None else light(board, [[(out, 0)]])


def output_boards(operation: Operation, out: int, done: int) -> list[Board]:
    """All output channels, of which those before ``out`` are known, and ``done`` cells of it."""
    counts = plane(operation.outputs)
    boards = []
    for channel in range(operation.out_channels):
        y = None if operation.y is None else as_matrix(operation.y[channel])
        known = done if channel == out else counts[0] * counts[1] + 1 if channel < out else 0
        boards.append(output_board(counts, y, known, cross(operation.outputs), f"Output {channel}"))
    return boards


def _note(operation: Operation, grid: Grid) -> str:
    """The size of an input; the padding shows, and has its words in the legend."""
    return cross(operation.sizes)


def check_readable(
    operation: Operation, step: SceneStep, layout: tuple[Row, ...], aside: Row
) -> None:
    """Refuse what would be too small to be read.

    Raises
    ------
    ShapeError
        If there are more cells across or down than ``MAX_ACROSS`` and ``MAX_DOWN``.
    """
    boards = {board.name: board.shape for board in step.boards}

    def wide(row: Row) -> int:
        return sum(max(boards[name][1] for name in stack) for stack in row)

    def tall(row: Row) -> int:
        return max((sum(boards[name][0] for name in stack) for stack in row), default=0)

    across = max(map(wide, layout)) + wide(aside)
    down = max(sum(map(tall, layout)), tall(aside))
    if across > MAX_ACROSS or down > MAX_DOWN:
        raise ShapeError(
            f"{operation.subtitle} takes {across} cells across and {down} down; at most "
            f"{MAX_ACROSS} and {MAX_DOWN} can be read in a drawing. Take fewer channels or cells"
        )
