"""Several channels at once: the sum of each input channel, and all of them added up."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError
from convcli.show.draw.border_words import border_lines
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Place, Row, Scene, SceneStep
from convcli.show.draw.sliding import (
    Grid,
    as_matrix,
    kernel_board,
    light,
    output_board,
    place_formula,
    slid_board,
    sum_formula,
)
from convcli.show.draw.texts import number, shortened

__all__ = [
    "MAX_ACROSS",
    "MAX_DOWN",
    "ChannelBoards",
    "bias_board",
    "channels_scene",
    "check_readable",
    "kernel_name",
    "output_boards",
    "output_names",
    "planes",
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
    drawing = ChannelBoards(operation, grid)
    check_readable(operation, drawing.step(0, 1, grid.outputs[0]), layout, aside)
    steps = [
        drawing.step(out, done, place)
        for out in range(operation.out_channels)
        for done, place in enumerate(grid.outputs, 1)
    ]
    title = operation.title
    if operation.kind == "conv_transpose":
        title += ", gathered from stuffed zeros"
    return Scene(title, operation.subtitle, tuple(steps), layout, aside)


def _layout(operation: Operation) -> tuple[tuple[Row, ...], Row]:
    """A row for each input channel; what they are added up to stands aside."""
    rows: list[Row] = []
    alone = _alone(operation)
    for into in range(operation.in_channels):
        reached = operation.reached(into)
        if _slides(operation):
            made = [f"Output {out}" for out in reached] if alone else [f"Channel {into}"]
            rows.append(((f"Input {into}", f"Kernel {into}", *made),))
            continue
        row: list[tuple[str, ...]] = [(f"Input {into}",)]
        if not operation.is_pool:
            row += [(kernel_name(operation, out, into),) for out in reached]
        row += [(f"Output {out}",) for out in reached] if alone else [(f"Channel {into}",)]
        rows.append(tuple(row))
    aside: list[tuple[str, ...]] = []
    if operation.bias is not None:
        aside.append(("Bias",))
    if not alone:
        aside.append(output_names(operation))
    return tuple(rows), tuple(aside)


def _slides(operation: Operation) -> bool:
    """Whether kernels slide along under their inputs: those of sequences do."""
    return len(operation.windows) == 1 and not operation.is_pool


def output_names(operation: Operation) -> tuple[str, ...]:
    """The boards of the output channels."""
    return tuple(f"Output {out}" for out in range(operation.out_channels))


def _alone(operation: Operation) -> bool:
    """Whether every output is made from one channel of several: nothing is added up."""
    return operation.is_depthwise


def kernel_name(operation: Operation, out: int, into: int) -> str:
    """What the kernel between two channels is called: its place in the weight."""
    if operation.kind == "conv_transpose":
        return f"w[{into},{out % (operation.out_channels // operation.groups)}]"
    return f"w[{out},{into - operation.reads(out).start}]"


def planes(array: Array | None) -> Any:
    """All channels as matrices, (C, rows, columns); None where there are no numbers.

    >>> planes(np.array([[1, 2], [3, 4]])).shape
    (2, 1, 2)
    """
    if array is None:
        return None
    return array if array.ndim == 3 else array[:, None]


def turned(operation: Operation, kernel: Array | None) -> Array | None:
    """The kernel as it lies on the input: turned by ``flip`` and by the transposed one."""
    matrix = as_matrix(kernel)
    turns = operation.flip or operation.kind == "conv_transpose"
    return matrix[::-1, ::-1] if matrix is not None and turns else matrix


class ChannelBoards:
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
        x, self.y = planes(operation.x), planes(operation.y)
        self.plain = [
            grid.board(f"Input {into}", cross(operation.sizes), x if x is None else x[into], blank)
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
        if _slides(operation):
            boards += [self._slid(out, into, place) for into in range(operation.in_channels)]
        elif not operation.is_pool:
            boards += [self._kernel(pair, out) for pair in self.pairs]
        boards += [] if _alone(operation) else self._sums(out, done)
        if operation.bias is not None:
            boards.append(bias_board(operation.bias, out))
        boards += output_boards(operation, out, done)
        return SceneStep(
            tuple(boards),
            (out, *place[-len(operation.windows) :]),
            self._formula(out, place)
            + border_lines(operation, self.grid.rows, self.grid.columns, place),
            tuple(self._links(out)),
        )

    def _input(self, board: Board, out: int, into: int, place: Place) -> Board:
        w = self.kernels[out, into]
        corner = None if w is None or _slides(self.operation) else lambda i, j: number(w[i, j])
        return light(board, self.grid.taps(place), corner)

    def _kernel(self, pair: tuple[int, int], out: int) -> Board:
        name = kernel_name(self.operation, *pair)
        note = "turned" if self._turns else ""
        return kernel_board(name, self.kernels[pair], self.shape, note, pair[0] == out)

    def _slid(self, out: int, into: int, place: Place) -> Board:
        """The kernel between the two, under the cells that it meets now."""
        name = f"Kernel {into}"
        length = len(self.plain[into].cells[0])
        if into not in self.operation.reads(out):
            return replace(slid_board(name, None, [], length, self.operation), note="not in use")
        taps = self.grid.taps(place)[0]
        board = slid_board(name, self.kernels[out, into], taps, length, self.operation)
        note = kernel_name(self.operation, out, into)
        return replace(board, note=f"{note} turned" if self._turns else note)

    @property
    def _turns(self) -> bool:
        return self.operation.flip or self.operation.kind == "conv_transpose"

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
            if _slides(operation):
                via.append(f"Kernel {into}")
            elif not operation.is_pool:
                via.append(kernel_name(operation, out, into))
            via += [] if _alone(operation) else [f"Channel {into}"]
            links += itertools.pairwise([*via, f"Output {out}"])
        if operation.bias is not None:
            links.append(("Bias", f"Output {out}"))
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
            parts.append(_summand(y[place]))
        if operation.bias is not None:
            parts.append(f"bias {_summand(operation.bias[out])}")
        if len(parts) > 1:
            lines.append(f"{' + '.join(parts)} = {number(self.y[(out, *place)])}")
        return tuple(lines)


def _summand(value: Any) -> str:
    """A number as one part of a sum, in brackets if it begins with a minus."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def joined(lines: tuple[str, ...]) -> str:
    """The lines of a sum as one that is not too long."""
    return shortened(" ".join(lines))


def bias_board(bias: Array, out: int | None) -> Board:
    """The biases of all output channels, that of one in use."""
    board = kernel_board("Bias", bias.reshape(-1, 1), (len(bias), 1), "", False)
    return board if out is None else light(board, [[(out, 0)]])


def output_boards(operation: Operation, out: int, done: int) -> list[Board]:
    """All output channels, of which those before ``out`` are known, and ``done`` cells of it."""
    counts, ys = plane(operation.outputs), planes(operation.y)
    boards = []
    for channel in range(operation.out_channels):
        y = None if ys is None else ys[channel]
        known = done if channel == out else counts[0] * counts[1] + 1 if channel < out else 0
        boards.append(output_board(counts, y, known, cross(operation.outputs), f"Output {channel}"))
    return boards


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
