"""The 1x1 convolution: at every pixel one small matrix mixes the channels."""

from __future__ import annotations

from typing import Any

from convcli.arithmetic.sizes import cross
from convcli.show.draw.channel_planes import (
    bias_board,
    check_readable,
    joined,
    output_names,
    planes,
)
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Cell, Place, Row, Scene, SceneStep
from convcli.show.draw.sliding import Grid, light, output_board
from convcli.show.draw.texts import factor, number, products

__all__ = ["pointwise_scene"]


def pointwise_scene(operation: Operation) -> Scene:
    """Every pixel in turn: the vector of its channels times the rows of the weight.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv", (1,), out_channels=3)
    >>> x, w = [[1, 2], [10, 20]], [[1, 0], [0, 1], [1, -1]]
    >>> scene = pointwise_scene(plan_operation(layer, (2,), x=x, w=w, in_channels=2))
    >>> scene.steps[2].formula
    ('y[2, 0] = 1·1 + (-1)·10 = -9',)
    """
    grid = Grid.of(operation)
    boards = _PixelBoards(operation, grid)
    inputs = tuple(f"Input {into}" for into in range(operation.in_channels))
    bias: Row = () if operation.bias is None else (("Bias",),)
    row = (inputs, ("w",), ("x",), *bias, ("y",), output_names(operation))
    check_readable(operation, boards.step(0, 0, grid.outputs[0]), (row,), ())
    outs = range(operation.out_channels)
    steps = [
        boards.step(out, index, place) for index, place in enumerate(grid.outputs) for out in outs
    ]
    return Scene(
        f"{operation.title}, a matrix at every pixel", operation.subtitle, tuple(steps), (row,)
    )


class _PixelBoards:
    """The boards of one 1x1 convolution, step by step."""

    def __init__(self, operation: Operation, grid: Grid) -> None:
        self.operation = operation
        self.x, self.y = planes(operation.x), planes(operation.y)
        self.plain = [
            grid.board(
                f"Input {into}",
                cross(operation.sizes),
                None if self.x is None else self.x[into],
                "",
            )
            for into in range(operation.in_channels)
        ]

    def step(self, out: int, index: int, place: Place) -> SceneStep:
        """One output of one pixel, which is the ``index``-th."""
        operation, reads = self.operation, self.operation.reads(out)
        boards = [
            light(board, [[place]]) if into in reads else board
            for into, board in enumerate(self.plain)
        ]
        boards += [self._weights(out), self._pixel(out, place)]
        if operation.bias is not None:
            boards.append(bias_board(operation.bias, out))
        boards += [self._made(out, place), *self._outputs(out, index)]
        links = [(f"Input {into}", "x") for into in reads] if len(reads) == 1 else []
        links += [("x", "y")] if operation.bias is None else [("x", "Bias"), ("Bias", "y")]
        return SceneStep(
            tuple(boards),
            (out, *place[-len(operation.windows) :]),
            (self._formula(out, place),),
            (*links, ("y", f"Output {out}")),
        )

    def _weight(self, out: int, into: int) -> Any:
        w = self.operation.weights(out, into)
        return None if w is None else w.reshape(-1)[0]

    def _weights(self, lit: int) -> Board:
        def cell(out: int, into: int) -> Cell:
            if into not in self.operation.reads(out):
                return Cell(mark="nought")
            w = self._weight(out, into)
            return Cell("" if w is None else number(w), lit="tap" if out == lit else "")

        across, down = range(self.operation.in_channels), range(self.operation.out_channels)
        cells = tuple(tuple(cell(out, into) for into in across) for out in down)
        return Board("w", "kernel", cells, f"{len(down)}x{len(across)}")

    def _pixel(self, out: int, place: Place) -> Board:
        reads = self.operation.reads(out)
        cells = tuple(
            (
                Cell(
                    "" if self.x is None else number(self.x[into][place]),
                    lit="tap" if into in reads else "",
                ),
            )
            for into in range(self.operation.in_channels)
        )
        return Board("x", "input", cells, "")

    def _made(self, out: int, place: Place) -> Board:
        """What has been made of this pixel."""
        column = None if self.y is None else self.y[(slice(None), *place)].reshape(-1, 1)
        return output_board((self.operation.out_channels, 1), column, out + 1, "", "y")

    def _outputs(self, out: int, index: int) -> list[Board]:
        operation = self.operation
        return [
            output_board(
                plane(operation.outputs),
                None if self.y is None else self.y[channel],
                index + (channel <= out),
                cross(operation.outputs),
                f"Output {channel}",
                lit=channel == out,
            )
            for channel in range(operation.out_channels)
        ]

    def _formula(self, out: int, place: Place) -> str:
        operation, reads = self.operation, self.operation.reads(out)
        name = f"y[{', '.join(map(str, (out, *place[-len(operation.windows) :])))}]"
        bias = "" if operation.bias is None else f" + bias {factor(operation.bias[out])}"
        if self.x is None or self.y is None:
            return f"{name} = row {out} of w · x{bias}"
        terms = [[(self._weight(out, into), self.x[into][place]) for into in reads]]
        total = self.y[out][place]
        made = joined(products(terms, total))
        return f"{name} = {made.rpartition(' = ')[0]}{bias} = {number(total)}"
