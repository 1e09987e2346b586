"""The backward pass of several channels, for the loss that is the sum of all outputs."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import Any

from convcli.arithmetic.sizes import cross
from convcli.errors import UsageError
from convcli.show.draw.backward import (
    collect,
    hand_back,
    kept_ones,
    ones,
    origin,
    pool_backward,
    sums,
)
from convcli.show.draw.border_words import border_lines
from convcli.show.draw.channel_planes import check_readable, kernel_name, planes
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scatter import spans, stamp_axes
from convcli.show.draw.scene import Board, Place, Row, Scene, SceneStep
from convcli.show.draw.sliding import Grid, as_matrix, kernel_board, light
from convcli.show.draw.texts import number, span

__all__ = ["gradients_scene"]

DY, DB = "dL/dy", "dL/db"


def gradients_scene(operation: Operation) -> Scene:
    """The backward pass of several channels: what goes to every input, every kernel, every bias.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv", (2,), out_channels=1)
    >>> operation = plan_operation(
    ...     layer, (3,), x=[[1, 2, 3], [4, 5, 6]], w=[[[1, 0], [0, 1]]], bias=[10], in_channels=2
    ... )
    >>> last = gradients_scene(operation).steps[-1]
    >>> [[cell.text for cell in last.board(name).all()] for name in ("dL/dx[1]", "dL/dw[0,1]", "dL/db")]
    [['0', '1', '1'], ['9', '11'], ['2']]
    """
    if operation.is_pool:
        return _pools(operation)
    backward: _Backward = (
        _Stamped(operation) if operation.kind == "conv_transpose" else _Convolved(operation)
    )
    top: list[tuple[str, ...]] = [(f"{DY}[{out}]",) for out in range(operation.out_channels)]
    if operation.bias is not None:
        top.append((DB,))
    rows: list[Row] = [tuple(top)]
    for into in range(operation.in_channels):
        names = [kernel_name(operation, out, into) for out in operation.reached(into)]
        kernels = [(name, f"dL/d{name}") for name in names]
        rows.append(((f"x[{into}]",), *kernels, (f"dL/dx[{into}]",)))
    turns = backward.turns()
    first = backward.step(*turns[0])
    check_readable(operation, first, tuple(rows), ())
    steps = (first, *(backward.step(*turn) for turn in turns[1:]))
    return Scene(f"{operation.title}, backward", operation.subtitle, steps, tuple(rows))


class _Backward(ABC):
    """The gradients so far: of every input, of every kernel, and how many of every bias."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.numbers = operation.x is not None
        self.shape, self.counts = plane(operation.kernel), plane(operation.outputs)
        pairs = itertools.product(range(operation.out_channels), range(operation.in_channels))
        self.pairs = [pair for pair in pairs if pair[1] in operation.reads(pair[0])]
        self.shares = {pair: operation.share(*pair) for pair in self.pairs}
        self.x = planes(operation.x)
        self.grad_x: list[dict[Place, Any]] = [{} for _ in range(operation.in_channels)]
        self.grad_w: dict[tuple[int, int], dict[Place, Any]] = {pair: {} for pair in self.pairs}

    @abstractmethod
    def turns(self) -> list[tuple[int, Place]]:
        """The channel and the place of every step."""

    @abstractmethod
    def step(self, channel: int, place: Place) -> SceneStep:
        """The moment at which that channel has its turn at that place."""

    def _kernels(self, lit: Iterable[tuple[int, int]]) -> list[Board]:
        """Every kernel and its gradient, those in use lit."""
        used = {*lit}
        boards = []
        for pair in self.pairs:
            name = kernel_name(self.operation, *pair)
            w = as_matrix(self.operation.weights(*pair))
            boards.append(kernel_board(name, w, self.shape, "", pair in used))
            blank = kernel_board(f"dL/d{name}", None, self.shape, "", pair in used)
            boards.append(sums(blank, self.grad_w[pair], self.numbers))
        return boards

    def _bias(self, counts: list[int], lit: int | None) -> list[Board]:
        """The gradient of the bias: as many ones as outputs have handed back."""
        if self.operation.bias is None:
            return []
        board = kernel_board(DB, None, (1, len(counts)), "", False)
        board = sums(board, {(0, out): n for out, n in enumerate(counts)}, True)
        return [board if lit is None else light(board, [[(0, lit)]])]

    def _links(self, pairs: list[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
        """Inputs go to the gradient of the kernel, kernels to the gradient of the input."""
        links = []
        for out, into in pairs:
            name = kernel_name(self.operation, out, into)
            links += [(f"x[{into}]", f"dL/d{name}"), (name, f"dL/dx[{into}]")]
        return tuple(links)


class _Convolved(_Backward):
    """Of a convolution: each output hands its gradient back."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self.grid = Grid.of(operation)
        size = cross(operation.sizes)
        inputs = range(operation.in_channels)
        self.plain = [
            self.grid.board(f"x[{i}]", size, None if self.x is None else self.x[i], "0")
            for i in inputs
        ]
        self.blank = [self.grid.board(f"dL/dx[{i}]", size, None, "") for i in inputs]

    def turns(self) -> list[tuple[int, Place]]:
        outs = range(self.operation.out_channels)
        return list(itertools.product(outs, self.grid.outputs))

    def step(self, channel: int, place: Place) -> SceneStep:
        operation, taps = self.operation, self.grid.taps(place)
        pairs = [(channel, into) for into in operation.reads(channel)]
        for pair in pairs:
            hand_back(self.shares[pair], self.grid, taps, self.grad_x[pair[1]], self.grad_w[pair])
        done = self.grid.outputs.index(place) + 1
        size = prod(self.counts)
        made = [
            size * (out < channel) + done * (out == channel)
            for out in range(operation.out_channels)
        ]
        boards = [
            Board(
                f"{DY}[{out}]",
                "output",
                ones(self.counts, done if out == channel else 0, self.numbers),
                f"{cross(operation.outputs)}, all 1",
            )
            for out in range(operation.out_channels)
        ]
        boards += self._bias(made, channel)
        reads = operation.reads(channel)
        for into, plain in enumerate(self.plain):
            grad = sums(self.blank[into], self.grad_x[into], self.numbers)
            boards += [light(b, taps) if into in reads else b for b in (plain, grad)]
        boards += self._kernels(pairs)
        return SceneStep(
            tuple(boards),
            (channel, *place[-len(operation.windows) :]),
            self._formula(channel, taps)
            + border_lines(operation, self.grid.rows, self.grid.columns, place),
            self._links(pairs),
        )

    def _formula(self, out: int, taps: list[list[Place]]) -> tuple[str, ...]:
        operation = self.operation
        where = f"{span(operation.reads(out))}, {spans(operation, taps, *origin(self.grid))}"
        lines = [f"dL/dx[{where}] += 1·w[{out}]", f"dL/dw[{out}] += 1·x[{where}]"]
        return (*lines, *([f"dL/db[{out}] += 1"] if operation.bias is not None else []))


class _Stamped(_Backward):
    """Of a transposed convolution: each input collects from the outputs that it stamped."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self.axes = stamp_axes(operation.windows)
        self.grid_of_inputs = plane(operation.sizes)

    def turns(self) -> list[tuple[int, Place]]:
        rows, columns = map(range, self.grid_of_inputs)
        inputs = range(self.operation.in_channels)
        return [(i, (r, c)) for i, r, c in itertools.product(inputs, rows, columns)]

    def step(self, channel: int, place: Place) -> SceneStep:
        operation, (rows, columns) = self.operation, self.axes
        taps = [[(r, c) for c in columns.stamps[place[1]]] for r in rows.stamps[place[0]]]
        reached = operation.reached(channel)
        pairs = [(out, channel) for out in reached]
        for pair in pairs:
            collect(
                self.shares[pair], rows, columns, place, self.grad_x[channel], self.grad_w[pair]
            )
        size = cross(operation.outputs)
        given = kept_ones(rows, columns, size, self.numbers)
        boards = []
        for out in range(operation.out_channels):
            board = replace(given, name=f"{DY}[{out}]")
            boards.append(light(board, taps) if out in reached else board)
        boards += self._bias([prod(operation.outputs)] * operation.out_channels, None)
        for into in range(operation.in_channels):
            boards += [
                light(board, [[place]]) if into == channel else board
                for board in self._inputs(into)
            ]
        boards += self._kernels(pairs)
        index = ", ".join(map(str, (channel, *place[-len(operation.windows) :])))
        where = f"{span(reached)}, {spans(operation, taps, rows.before, columns.before)}"
        formula = (
            f"dL/dx[{index}] = sum of w[{channel}] · dL/dy[{where}]",
            f"dL/dw[{channel}] += x[{index}] · dL/dy[{where}]",
        )
        target = (channel, *place[-len(operation.windows) :])
        return SceneStep(tuple(boards), target, formula, self._links(pairs))

    def _inputs(self, into: int) -> tuple[Board, Board]:
        """An input channel and its gradient."""
        shape, size = self.grid_of_inputs, cross(self.operation.sizes)
        x = None if self.x is None else self.x[into]
        plain = replace(kernel_board(f"x[{into}]", x, shape, size, False), role="input")
        blank = replace(kernel_board(f"dL/dx[{into}]", None, shape, size, False), role="input")
        return plain, sums(blank, self.grad_x[into], self.numbers)


def _pools(operation: Operation) -> Scene:
    """Channels of a pooling one after the other; each is a backward pass of its own."""
    if operation.x is None:
        raise UsageError("the backward pass of pooling needs numbers to hand back to; give --x")
    channels = range(operation.in_channels)
    scenes = [pool_backward(operation.share(c, c)) for c in channels]
    names = ("x", DY, "dL/dx")
    steps = []
    for channel in channels:
        for step in scenes[channel].steps:
            boards = []
            for other, scene in enumerate(scenes):
                then = step if other == channel else scene.steps[-1 if other < channel else 0]
                for name in names:
                    board = then.board(name)
                    board = board if other == channel else _quiet(board, other > channel)
                    boards.append(replace(board, name=f"{name}[{other}]"))
            links = tuple((f"{a}[{channel}]", f"{b}[{channel}]") for a, b in step.links)
            steps.append(SceneStep(tuple(boards), (channel, *step.target), step.formula, links))
    layout = tuple(tuple((f"{name}[{c}]",) for name in names) for c in channels)
    check_readable(operation, steps[0], layout, ())
    return Scene(f"{operation.title}, backward", operation.subtitle, tuple(steps), layout)


def _quiet(board: Board, unbegun: bool) -> Board:
    """A board of a channel whose turn it is not; nothing has come back if it is ``unbegun``."""
    none = number(0) if unbegun and board.name == "dL/dx" else None
    cells = tuple(
        tuple(
            replace(cell, lit="", text=cell.text if none is None or not cell.text else none)
            for cell in row
        )
        for row in board.cells
    )
    return replace(board, cells=cells)
