"""The window that slides: convolution, pooling, and transposed convolution over stuffed zeros."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.ops.border_cells import outside_value
from convcli.show.draw.axes import AxisView, axis_view, single_axis, worse
from convcli.show.draw.border_words import border_lines
from convcli.show.draw.operation import Operation, plane
from convcli.show.draw.scene import Board, Cell, Mark, Place, Scene, SceneStep
from convcli.show.draw.texts import number, products, span, wrapped

__all__ = [
    "Grid",
    "as_matrix",
    "kernel_board",
    "light",
    "output_board",
    "place_formula",
    "slid_board",
    "sliding_scene",
    "sum_formula",
]

Array = np.ndarray[Any, Any]
Values: TypeAlias = Callable[[int, int], str]

INPUT, KERNEL, TURNED, OUTPUT, PRODUCTS = "Input", "Kernel", "Kernel, turned", "Output", "Products"


def as_matrix(array: Array | None) -> Array | None:
    """A sequence as one row, a matrix as it is."""
    return None if array is None else array.reshape((1,) * (2 - array.ndim) + array.shape)


@dataclass(frozen=True, slots=True)
class Grid:
    """The two axes of the board that the window slides over."""

    rows: AxisView
    columns: AxisView
    fill: Any = 0
    """What stands outside, where no cells of the input do."""

    @classmethod
    def of(cls, operation: Operation) -> Grid:
        """From an operation of one axis, which becomes a row, or two."""
        border, x = operation.border, operation.x
        views = [axis_view(window, border) for window in operation.windows]
        fill = 0 if x is None else outside_value(border, x)
        return cls(views[0] if len(views) == 2 else single_axis(), views[-1], fill)

    @property
    def outputs(self) -> list[Place]:
        """Every output, row by row."""
        rows, columns = range(len(self.rows.taps)), range(len(self.columns.taps))
        return list(itertools.product(rows, columns))

    def taps(self, output: Place) -> list[list[Place]]:
        """The cells that an output reads, by rows of the kernel."""
        columns = self.columns.taps[output[1]]
        return [[(r, c) for c in columns] for r in self.rows.taps[output[0]]]

    def mark(self, r: int, c: int) -> Mark:
        """What kind of cell it is."""
        return worse(self.rows.marks[r], self.columns.marks[c])

    def source(self, r: int, c: int) -> Place | None:
        """The input that the cell holds, or that it shows if it is one of the border."""
        row, column = self.rows.sources[r], self.columns.sources[c]
        return None if row is None or column is None else (row, column)

    def value(self, x: Array, r: int, c: int) -> Any:
        """The number in the cell."""
        source = self.source(r, c)
        return self.fill if source is None else x[source]

    def home(self, r: int, c: int) -> Place:
        """Where on the board that input stands: elsewhere for a cell of the border."""
        return self.rows.home(r), self.columns.home(c)

    def board(self, name: str, note: str, x: Array | None, blank: str) -> Board:
        """The input with its padding; ``blank`` is what stands in the cells around it."""
        read = self.rows.read, self.columns.read
        reached = self.rows.reached, self.columns.reached

        def cell(r: int, c: int) -> Cell:
            mark, home = self.mark(r, c), self.home(r, c)
            empty = self.source(r, c) is None and mark != "border"
            text = "" if x is None else blank if empty else number(self.value(x, r, c))
            used = reached if mark == "value" else read
            unread = r not in used[0] or c not in used[1]
            return Cell(text, mark, unread=unread, home=None if home == (r, c) else home)

        columns = range(len(self.columns.marks))
        cells = tuple(tuple(cell(r, c) for c in columns) for r in range(len(self.rows.marks)))
        return Board(name, "input", cells, note)


def light(board: Board, taps: list[list[Place]], corner: Values | None = None) -> Board:
    """The board with the window on: what it reads, and what lies between its taps.

    Cells that a border shows in the window are marked as its echoes.
    """
    tapped = {place: (i, j) for i, row in enumerate(taps) for j, place in enumerate(row)}
    first, last = taps[0][0], taps[-1][-1]
    cells = list(board.cells)
    for r in range(first[0], last[0] + 1):
        row = list(cells[r])
        for c in range(first[1], last[1] + 1):
            at = tapped.get((r, c))
            if at is None:
                row[c] = replace(row[c], lit="gap")
            else:
                row[c] = replace(row[c], lit="tap", corner=corner(*at) if corner else "")
        cells[r] = tuple(row)
    homes = {board.cells[r][c].home for r, c in tapped} - {None}
    for r, c in filter(None, homes):
        cells[r] = (*cells[r][:c], replace(cells[r][c], echo=True), *cells[r][c + 1 :])
    return replace(board, cells=tuple(cells))


def kernel_board(name: str, w: Array | None, shape: tuple[int, int], note: str, lit: bool) -> Board:
    """The kernel, all of it in use or none of it."""
    cells = tuple(
        tuple(
            Cell("" if w is None else number(w[r, c]), lit="tap" if lit else "")
            for c in range(shape[1])
        )
        for r in range(shape[0])
    )
    return Board(name, "kernel", cells, note)


def output_board(
    shape: tuple[int, int],
    y: Array | None,
    done: int,
    note: str,
    name: str = OUTPUT,
    lit: bool = True,
) -> Board:
    """The output with its first ``done`` cells known and the last of these ``lit``."""

    def cell(index: int, place: Place) -> Cell:
        if index >= done:
            return Cell(mark="pending")
        text = "" if y is None else number(y[place])
        return Cell(text, lit="target" if lit and index == done - 1 else "")

    cells = [
        cell(i, place)
        for i, place in enumerate(itertools.product(range(shape[0]), range(shape[1])))
    ]
    rows = tuple(tuple(cells[i : i + shape[1]]) for i in range(0, len(cells), shape[1]))
    return Board(name, "output", rows, note)


def sliding_scene(operation: Operation) -> Scene:
    """Every output in turn with the window that makes it.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> scene = sliding_scene(plan_operation(Layer("conv", (2,)), (3, 3)))
    >>> len(scene.steps), scene.steps[1].board("Input").places("tap")
    (4, [(0, 1), (0, 2), (1, 1), (1, 2)])
    """
    grid = Grid.of(operation)
    x, y = as_matrix(operation.x), as_matrix(operation.y)
    pool = operation.kind in ("maxpool", "avgpool")
    turned = operation.flip or operation.kind == "conv_transpose"
    given = as_matrix(operation.w)
    shown = given[::-1, ::-1] if given is not None and turned else given
    flat = len(operation.windows) == 1
    shape = plane(operation.kernel)
    counts = plane(operation.outputs)
    blank = "" if pool else "0"
    plain = grid.board(INPUT, _input_note(operation, grid), x, blank)
    name = TURNED if turned else KERNEL
    both = turned and given is not None
    steps = []
    for done, output in enumerate(grid.outputs, 1):
        taps = grid.taps(output)
        # A row has its kernel sliding along under it; a matrix has it in the corners.
        corner = None if flat or shown is None else lambda i, j: number(shown[i, j])
        boards = [light(plain, taps, corner)]
        if not pool:
            if both:
                boards.append(kernel_board(KERNEL, given, shape, cross(operation.kernel), False))
            if flat:
                boards.append(slid_board(name, shown, taps[0], len(plain.cells[0]), operation))
            else:
                boards.append(kernel_board(name, shown, shape, cross(operation.kernel), True))
        boards.append(output_board(counts, y, done, cross(operation.outputs)))
        via = [INPUT, OUTPUT] if pool else [INPUT, name, OUTPUT]
        steps.append(
            SceneStep(
                tuple(boards),
                output[1:] if flat else output,
                sum_formula(operation, grid, output, x, shown, y)
                + border_lines(operation, grid.rows, grid.columns, output),
                tuple(itertools.pairwise(via)),
            )
        )
    kernels = () if pool else ((KERNEL, name) if both else (name,))
    if flat:
        layout: Any = (((*([KERNEL] if both else []), INPUT, *kernels[-1:], OUTPUT),),)
    else:
        layout = (((INPUT,), *([kernels] if kernels else []), (OUTPUT,)),)
    title = operation.title
    if operation.kind == "conv_transpose":
        title += ", gathered from stuffed zeros"
    return Scene(title, operation.subtitle, tuple(steps), layout)


def _input_note(operation: Operation, grid: Grid) -> str:
    size = cross(operation.sizes)
    shape = (len(grid.rows.marks), len(grid.columns.marks))[-len(operation.windows) :]
    if shape == operation.sizes:
        return size
    what = "stuffed and padded" if operation.kind == "conv_transpose" else "padded"
    return f"{size}, {what} {cross(shape)}"


def slid_board(
    name: str, w: Array | None, taps: list[Place], length: int, operation: Operation
) -> Board:
    """The kernel of a sequence under the cells that it meets; without taps it meets none."""
    cells = [Cell(mark="blank")] * length
    for tap, (_, c) in enumerate(taps):
        cells[c] = Cell("" if w is None else number(w[0, tap]), lit="tap")
    return Board(name, "kernel", (tuple(cells),), cross(operation.kernel))


def sum_formula(
    operation: Operation,
    grid: Grid,
    output: Place,
    x: Array | None,
    w: Array | None,
    y: Array | None,
) -> tuple[str, ...]:
    """How an output of one channel is made: a line for each row of the kernel, as it lies on x."""
    taps = grid.taps(output)
    if x is None or y is None:
        return (place_formula(operation, output),)
    read = [[(grid.source(*place), place) for place in row] for row in taps]
    total = y[output]
    if operation.kind in ("maxpool", "avgpool"):
        values = [number(x[source]) for row in read for source, _ in row if source is not None]
        if operation.kind == "maxpool":
            return (f"max({', '.join(values)}) = {number(total)}",)
        divisor = 1
        for axis, place in enumerate(output[-len(operation.windows) :]):
            window: Any = operation.windows[axis]
            divisor *= window.divisor(place, count_include_pad=True)
        return wrapped([f"({' + '.join(values)}) / {divisor}"], total)
    assert w is not None
    stuffed = operation.kind == "conv_transpose"
    rows = [
        [
            (grid.value(x, *place), w[i, j])
            for j, (source, place) in enumerate(row)
            if source is not None or not stuffed
        ]
        for i, row in enumerate(read)
    ]
    return products(rows, total)


def place_formula(operation: Operation, output: Place, channel: int | None = None) -> str:
    """The formula without numbers: which cells the output is made from."""
    rank = len(operation.windows)
    place = output[-rank:]
    into = [span(operation.reads(channel))] if channel is not None else []
    weight = "w" if channel is None else f"w[{channel}]"
    name = f"y[{_index((channel, *place) if channel is not None else place)}]"
    if operation.kind == "conv_transpose":
        pairs = zip(operation.windows, place, strict=True)
        spans = []
        for window, at in pairs:
            reached = sorted(
                (at + window.before - tap * window.dilation) // window.stride
                for tap in range(window.kernel_size)
                if (at + window.before - tap * window.dilation) % window.stride == 0
            )
            inside = [cell for cell in reached if 0 <= cell < window.size]
            spans.append(span(inside))
        return f"{name} is made from x[{', '.join((*into, *spans))}]"
    spans = [
        span(
            [
                at * window.stride + tap * window.dilation - window.before
                for tap in range(window.kernel_size)
            ]
        )
        for window, at in zip(operation.windows, place, strict=True)
    ]
    what = "padding" if operation.border.is_zeros else f"border {operation.border}"
    padded = f" (outside x: {what})" if any(w.before or w.after for w in operation.windows) else ""
    how = {"conv": f"sum of {weight} · ", "maxpool": "max of ", "avgpool": "mean of "}
    return f"{name} = {how[operation.kind]}x[{', '.join((*into, *spans))}]{padded}"


def _index(place: tuple[int, ...]) -> str:
    return ", ".join(map(str, place))
