"""Several channels of a transposed convolution: every input stamps a kernel on every output."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from convcli.arithmetic.sizes import cross
from convcli.show.draw.channel_planes import (
    bias_board,
    check_readable,
    kernel_name,
    output_names,
    planes,
)
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scatter import output_note, spans, stamp_axes, stamped
from convcli.show.draw.scene import Board, Place, Row, Scene, SceneStep
from convcli.show.draw.sliding import as_matrix, kernel_board, light
from convcli.show.draw.texts import factor

__all__ = ["stamps_scene"]


def stamps_scene(operation: Operation) -> Scene:
    """Every value of every input channel in turn, stamped on the output channels of its group.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> layer = Layer("conv_transpose", (2,), out_channels=2)
    >>> plan = plan_operation(layer, (1,), x=[[3]], w=[[[1, 2], [5, 7]]])
    >>> for line in stamps_scene(plan).steps[0].formula:
    ...     print(line)
    3·w[0,0] is added to y[0, 0..1]
    3·w[0,1] is added to y[1, 0..1]
    """
    layout: tuple[Row, ...] = tuple(
        (
            (f"Input {into}",),
            *((kernel_name(operation, out, into),) for out in operation.reached(into)),
        )
        for into in range(operation.in_channels)
    )
    aside: Row = (output_names(operation),)
    if operation.bias is not None:
        aside = (("Bias",), *aside)
    counts = plane(operation.sizes)
    stamps = _Stamps(operation)
    steps = [
        stamps.step(into, place)
        for into in range(operation.in_channels)
        for place in itertools.product(range(counts[0]), range(counts[1]))
    ]
    check_readable(operation, steps[0], layout, aside)
    title = f"{operation.title}, scattered by stamping"
    return Scene(title, operation.subtitle, tuple(steps), layout, aside)


class _Stamps:
    """The sums of all output channels so far."""

    def __init__(self, operation: Operation) -> None:
        self.operation, self.x = operation, planes(operation.x)
        self.rows, self.columns = stamp_axes(operation.windows)
        self.sums: list[dict[Place, Any]] = [{} for _ in range(operation.out_channels)]
        if operation.bias is not None:
            # The sums begin with the bias, where no stamp comes too.
            kept = [i for i, mark in enumerate(self.rows.marks) if mark != "cropped"]
            across = [i for i, mark in enumerate(self.columns.marks) if mark != "cropped"]
            for out, begun in enumerate(self.sums):
                begun |= dict.fromkeys(itertools.product(kept, across), operation.bias[out])

    def step(self, into: int, place: Place) -> SceneStep:
        """One input value, stamped."""
        operation = self.operation
        reached = operation.reached(into)
        taps = [[(r, c) for c in self.columns.stamps[place[1]]] for r in self.rows.stamps[place[0]]]
        for out in reached:
            self._add(out, into, place, taps)
        boards = [
            light(self._input(channel), [[place]]) if channel == into else self._input(channel)
            for channel in range(operation.in_channels)
        ]
        boards += [
            self._kernel(out, channel, channel == into)
            for channel in range(operation.in_channels)
            for out in operation.reached(channel)
        ]
        if operation.bias is not None:
            boards.append(bias_board(operation.bias, None))
        boards += [
            light(board, taps) if out in reached else board
            for out, board in enumerate(map(self._output, range(operation.out_channels)))
        ]
        links = [(kernel_name(operation, out, into), f"Output {out}") for out in reached]
        links.append((f"Input {into}", kernel_name(operation, reached[0], into)))
        return SceneStep(
            tuple(boards),
            (into, *place[-len(operation.windows) :]),
            self._formula(into, place, taps),
            tuple(links),
        )

    def _add(self, out: int, into: int, place: Place, taps: list[list[Place]]) -> None:
        w = as_matrix(self.operation.weights(out, into))
        sums = self.sums[out]
        for i, row in enumerate(taps):
            for j, cell in enumerate(row):
                if self.x is None or w is None:
                    sums[cell] = None
                    continue
                product = self.x[(into, *place)] * w[i, j]
                sums[cell] = sums[cell] + product if cell in sums else product

    def _input(self, into: int) -> Board:
        operation = self.operation
        x, size = None if self.x is None else self.x[into], cross(operation.sizes)
        board = kernel_board(f"Input {into}", x, plane(operation.sizes), size, False)
        return replace(board, role="input")

    def _kernel(self, out: int, into: int, lit: bool) -> Board:
        operation = self.operation
        w = as_matrix(operation.weights(out, into))
        return kernel_board(kernel_name(operation, out, into), w, plane(operation.kernel), "", lit)

    def _output(self, out: int) -> Board:
        operation = self.operation
        note = output_note(operation, self.rows, self.columns)
        numbers = operation.x is not None
        board = stamped(self.rows, self.columns, self.sums[out], note, numbers)
        return replace(board, name=f"Output {out}")

    def _formula(self, into: int, place: Place, taps: list[list[Place]]) -> tuple[str, ...]:
        operation = self.operation
        where = spans(operation, taps, self.rows.before, self.columns.before)
        if operation.x is None:
            value = f"x[{', '.join(map(str, (into, *place[-len(operation.windows) :])))}]"
        else:
            value = factor(self.x[(into, *place)])
        lines = [
            f"{value}·{kernel_name(operation, out, into)} is added to y[{out}, {where}]"
            for out in operation.reached(into)
        ]
        if operation.bias is not None:
            lines.append("every sum begins with its bias")
        return tuple(lines)
