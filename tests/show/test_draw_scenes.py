"""Scenes: what every step lights, marks and writes is what the operations compute."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import convcli
from convcli.arithmetic.layer import Layer
from convcli.errors import ConvcliError
from convcli.show.draw.classics import CLASSICS
from convcli.show.draw.operation import Operation, plan_operation
from convcli.show.draw.scene import Board, Scene, SceneStep
from convcli.show.draw.views import build_scene

RANDOM = np.random.default_rng(7)

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], Layer, bool]] = {
    "plain": ((4, 5), Layer("conv", (3, 2)), False),
    "stride": ((5, 7), Layer("conv", (2, 3), (3, 2)), False),
    "uneven_padding": ((4, 3), Layer("conv", (2, 3), (2, 1), ((1, 2), (0, 3))), False),
    "dilation": ((7, 6), Layer("conv", (3, 2), (1, 2), (1,), (2, 3)), False),
    "same_lower": ((5, 4), Layer("conv", (4,), (2,), ("same_lower",)), False),
    "flipped": ((4, 6), Layer("conv", (3, 2), padding=(1,)), True),
    "sequence": ((9,), Layer("conv", (3,), (2,), ((2, 1),), (2,)), False),
    "sequence_flipped": ((6,), Layer("conv", (4,), padding=("full",)), True),
}
TRANSPOSED: dict[str, tuple[tuple[int, ...], Layer]] = {
    "plain": ((2, 3), Layer("conv_transpose", (3, 2))),
    "stride": ((3, 2), Layer("conv_transpose", (2, 4), (3, 2))),
    "padding": ((3, 4), Layer("conv_transpose", (3,), (2,), ((1, 0), (2, 1)))),
    "output_padding": (
        (2, 3),
        Layer("conv_transpose", (3,), (2, 3), (1,), output_padding=(1, 2)),
    ),
    "dilation": ((3, 2), Layer("conv_transpose", (2, 3), (1, 2), (1,), (3, 1), (2, 0))),
    "kernel_below_stride": ((3, 2), Layer("conv_transpose", (1, 2), (3,), output_padding=(2, 1))),
    "more_padding_than_kernel": ((5, 4), Layer("conv_transpose", (2,), (2,), (3,))),
    "sequence": ((4,), Layer("conv_transpose", (3,), (2,), (1,), output_padding=(1,))),
}
POOLS: dict[str, tuple[tuple[int, ...], Layer]] = {
    "max": ((5, 7), Layer("maxpool", (2, 3), (2,), (1,))),
    "max_ceil": ((6, 5), Layer("maxpool", (3,), (2,), ceil_mode=True)),
    "average_ceil": ((6, 7), Layer("avgpool", (3, 2), (2, 3), (1,), ceil_mode=True)),
    "sequence": ((7,), Layer("avgpool", (3,), (2,), (1,), ceil_mode=True)),
}


def plan(sizes: tuple[int, ...], layer: Layer, flip: bool = False) -> Operation:
    x = RANDOM.integers(-9, 10, sizes)
    kernel = layer.kernel_size * (len(sizes) if len(layer.kernel_size) == 1 else 1)
    w = None if layer.is_pool else RANDOM.integers(-4, 5, kernel)
    return plan_operation(layer, sizes, x=x, w=w, flip=flip)


def options(operation: Operation) -> dict[str, Any]:
    return {
        "stride": [w.stride for w in operation.windows],
        "padding": [(w.before, w.after) for w in operation.windows],
        "dilation": [w.dilation for w in operation.windows],
    }


def values(board: Board) -> np.ndarray[Any, Any]:
    return np.array([[float(cell.text or 0) for cell in row] for row in board.cells])


def picked(board: Board, *lit: Any) -> list[float]:
    return [float(board.cells[r][c].text) for r, c in board.places(*lit)]


def tapped(step: SceneStep, kernel: str) -> float:
    """The sum of products, from nothing but what is lit."""
    taps = picked(step.board("Input"), "tap")
    weights = picked(step.board(kernel), "tap")
    assert len(taps) == len(weights)
    return sum(a * b for a, b in zip(taps, weights, strict=True))


def check_outputs(scene: Scene, y: np.ndarray[Any, Any]) -> None:
    """Outputs appear one by one, in order; in the end they are all there."""
    flat = y.reshape(-1)
    for done, step in enumerate(scene.steps, 1):
        cells = list(step.board("Output").all())
        assert [cell.mark == "pending" for cell in cells] == [i >= done for i in range(flat.size)]
        assert [cell.lit == "target" for cell in cells] == [i == done - 1 for i in range(flat.size)]
        assert [float(c.text) for c in cells[:done]] == pytest.approx(flat[:done], rel=6e-3)
        assert step.target == np.unravel_index(done - 1, y.shape)
        assert " = " in step.formula[-1]
        assert float(step.formula[-1].rsplit(" = ", 1)[1]) == pytest.approx(
            flat[done - 1], rel=6e-3
        )


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_window_of_a_convolution(case: str) -> None:
    sizes, layer, flip = CONVOLUTIONS[case]
    operation = plan(sizes, layer, flip)
    y = convcli.conv(operation.x, operation.w, flip=flip, **options(operation))
    scene = build_scene(operation)
    check_outputs(scene, y)
    for step, value in zip(scene.steps, y.reshape(-1), strict=True):
        assert tapped(step, "Kernel, turned" if flip else "Kernel") == value
        if len(sizes) == 2:
            corners = [c.corner for c in step.board("Input").all() if c.lit == "tap"]
            shown = step.board("Kernel, turned" if flip else "Kernel")
            assert corners == [cell.text for cell in shown.all()]
    if flip:
        given = values(scene.steps[0].board("Kernel"))
        assert (given == operation.w.reshape(given.shape)).all()


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_marks_are_where_padding_and_unread_cells_are(case: str) -> None:
    sizes, layer, flip = CONVOLUTIONS[case]
    operation = plan(sizes, layer, flip)
    scene = build_scene(operation)
    pads = [(w.before, w.after) for w in operation.windows]
    padding = np.pad(np.zeros(sizes), pads, constant_values=1).astype(bool)
    read = np.zeros(padding.shape, bool)
    for place in np.ndindex(*operation.outputs):
        for tap in np.ndindex(*operation.kernel):
            where = zip(place, tap, operation.windows, strict=True)
            read[tuple(o * w.stride + t * w.dilation for o, t, w in where)] = True
    for step in scene.steps:
        cells = list(step.board("Input").all())
        assert [c.mark == "padding" for c in cells] == padding.reshape(-1).tolist()
        assert [not c.unread for c in cells] == read.reshape(-1).tolist()
        assert all(c.lit != "tap" or not c.unread for c in cells)
    legend = {"padding"} if padding.any() else set()
    legend |= {"unread"} if not read.all() else set()
    assert set(scene.legend) == legend


@pytest.mark.parametrize("case", TRANSPOSED)
def test_the_gathering_window_of_a_transposed_convolution(case: str) -> None:
    operation = plan(*TRANSPOSED[case])
    extra = [getattr(w, "output_padding", 0) for w in operation.windows]
    y = convcli.conv_transpose(operation.x, operation.w, output_padding=extra, **options(operation))
    scene = build_scene(operation, "gather")
    check_outputs(scene, y)
    for step, value in zip(scene.steps, y.reshape(-1), strict=True):
        assert tapped(step, "Kernel, turned") == value
    cells = list(scene.steps[0].board("Input").all())
    found = [float(cell.text) for cell in cells if cell.mark == "value"]
    assert found == operation.x.reshape(-1).tolist()
    span = [(w.size - 1) * w.stride + 1 for w in operation.windows]
    zeros = sum(cell.mark == "zero" for cell in cells)
    assert zeros == np.prod(span) - operation.x.size


@pytest.mark.parametrize("case", TRANSPOSED)
def test_the_stamps_of_a_transposed_convolution(case: str) -> None:
    operation = plan(*TRANSPOSED[case])
    extra = [getattr(w, "output_padding", 0) for w in operation.windows]
    y = convcli.conv_transpose(operation.x, operation.w, output_padding=extra, **options(operation))
    scene = build_scene(operation, "scatter")
    before = np.zeros(scene.steps[0].board("Output").shape)
    for step, value in zip(scene.steps, operation.x.reshape(-1), strict=True):
        board = step.board("Output")
        now = values(board)
        assert picked(step.board("Input"), "tap") == [value]
        places = tuple(zip(*board.places("tap"), strict=True))
        assert ((now - before)[places] == value * operation.w.reshape(-1)).all()
        changed = now != before
        changed[places] = False
        assert not changed.any()
        before = now
    cells = list(scene.steps[-1].board("Output").all())
    kept = [float(cell.text or 0) for cell in cells if cell.mark != "cropped"]
    assert kept == y.reshape(-1).tolist()
    full = [w.full for w in operation.windows]
    reach = [w.before + w.output for w in operation.windows]
    added = sum(
        any(p >= f for p, f in zip(place, full, strict=True))
        for place in itertools.product(
            *(range(w.before, r) for w, r in zip(operation.windows, reach, strict=True))
        )
    )
    assert sum(cell.mark == "added" for cell in cells) == added


@pytest.mark.parametrize("case", POOLS)
def test_the_window_of_a_pool(case: str) -> None:
    sizes, layer = POOLS[case]
    operation = plan(sizes, layer)
    pool = convcli.max_pool if layer.kind == "maxpool" else convcli.avg_pool
    kernel = [w.kernel_size for w in operation.windows]
    y = pool(operation.x, kernel, ceil_mode=layer.ceil_mode, dims=len(sizes), **options(operation))
    scene = build_scene(operation)
    check_outputs(scene, y)
    overhang = [w.overhang for w in operation.windows]
    assert ("overhang" in scene.legend) == any(overhang)
    for step, value in zip(scene.steps, y.reshape(-1), strict=True):
        board = step.board("Input")
        read = [board.cells[r][c] for r, c in board.places("tap")]
        inside = [float(cell.text) for cell in read if cell.mark == "value"]
        if layer.kind == "maxpool":
            assert max(inside) == value
        else:
            divisor = sum(cell.mark != "overhang" for cell in read)
            assert sum(inside) / divisor == pytest.approx(value)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_backward_pass(case: str) -> None:
    sizes, layer, flip = CONVOLUTIONS[case]
    operation = plan(sizes, layer, flip)
    grads = convcli.conv_grad(
        np.ones_like(operation.y), operation.x, operation.w, flip=flip, **options(operation)
    )
    last = build_scene(operation, "gradient").steps[-1]
    cells = [cell for cell in last.board("dL/dx").all() if cell.mark == "value"]
    assert [float(cell.text) for cell in cells] == grads.x.reshape(-1).tolist()
    assert values(last.board("dL/dw")).reshape(-1).tolist() == grads.weight.reshape(-1).tolist()


@pytest.mark.parametrize("case", TRANSPOSED)
def test_the_backward_pass_of_a_transposed_convolution(case: str) -> None:
    operation = plan(*TRANSPOSED[case])
    extra = [getattr(w, "output_padding", 0) for w in operation.windows]
    ones = np.ones_like(operation.y)
    grads = convcli.conv_transpose_grad(
        ones, operation.x, operation.w, output_padding=extra, **options(operation)
    )
    last = build_scene(operation, "gradient").steps[-1]
    assert values(last.board("dL/dx")).reshape(-1).tolist() == grads.x.reshape(-1).tolist()
    assert values(last.board("dL/dw")).reshape(-1).tolist() == grads.weight.reshape(-1).tolist()


@pytest.mark.parametrize("case", POOLS)
def test_the_backward_pass_of_a_pool(case: str) -> None:
    sizes, layer = POOLS[case]
    operation = plan(sizes, layer)
    grad = convcli.max_pool_grad if layer.kind == "maxpool" else convcli.avg_pool_grad
    kernel = [w.kernel_size for w in operation.windows]
    more = {"ceil_mode": layer.ceil_mode, "dims": len(sizes), **options(operation)}
    expected = grad(np.ones(operation.outputs), operation.x, kernel, **more)
    last = build_scene(operation, "gradient").steps[-1]
    found = [float(cell.text) for cell in last.board("dL/dx").all() if cell.mark == "value"]
    assert found == pytest.approx(expected.reshape(-1), rel=6e-3)


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_rows_of_the_matrix(case: str) -> None:
    sizes, layer, flip = CONVOLUTIONS[case]
    operation = plan(sizes, layer, flip)
    scene = build_scene(operation, "matrix")
    matrix = convcli.toeplitz(operation.w, sizes, flip=flip, padded=False, **options(operation))
    for index, step in enumerate(scene.steps):
        assert (values(step.board("Matrix")) == matrix).all()
        assert {r for r, _ in step.board("Matrix").places("tap", "gap")} == {index}
        columns = [c for _, c in step.board("Matrix").places("tap")]
        assert columns == [c for _, c in step.board("x").places("tap")]
        product = sum(
            a * b
            for a, b in zip(
                picked(step.board("Matrix"), "tap"), picked(step.board("x"), "tap"), strict=True
            )
        )
        assert picked(step.board("y"), "target") == [product]


@pytest.mark.parametrize("name", CLASSICS)
def test_the_classics_have_the_sizes_of_the_originals(name: str) -> None:
    outputs = {
        "no_padding_no_strides": 2,
        "no_padding_no_strides_transposed": 4,
        "arbitrary_padding_no_strides": 6,
        "arbitrary_padding_no_strides_transposed": 5,
        "same_padding_no_strides": 5,
        "same_padding_no_strides_transposed": 5,
        "full_padding_no_strides": 7,
        "full_padding_no_strides_transposed": 5,
        "no_padding_strides": 2,
        "no_padding_strides_transposed": 5,
        "padding_strides": 3,
        "padding_strides_transposed": 5,
        "padding_strides_odd": 3,
        "padding_strides_odd_transposed": 6,
        "dilation": 3,
        "numerical_no_padding_no_strides": 3,
        "numerical_padding_strides": 3,
        "numerical_max_pooling": 3,
        "numerical_average_pooling": 3,
    }
    case = CLASSICS[name]
    kind: Any = "conv_transpose" if case.transpose else f"{case.pool}pool" if case.pool else "conv"
    layer = Layer(
        kind, (int(case.k),), (int(case.s),), (int(case.p),), (int(case.d),), (int(case.op),)
    )
    scene = build_scene(plan_operation(layer, (int(case.n),) * 2))
    assert scene.steps[0].board("Output").shape == (outputs[name],) * 2
    assert len(scene.steps) == outputs[name] ** 2


def test_symbols_are_summed_as_symbols() -> None:
    x, w = convcli.symbols("a b c"), convcli.symbols("x y")
    scene = build_scene(plan_operation(Layer("conv", (2,)), (3,), x=x, w=w))
    assert [cell.text for cell in scene.steps[-1].board("Output").all()] == ["ax+by", "bx+cy"]


def test_a_step_without_numbers_says_where_it_reads() -> None:
    layer = Layer("conv", (3, 2), (2, 1), (1, 0), (1, 2))
    step = build_scene(plan_operation(layer, (5, 6))).steps[-1]
    assert step.formula == ("y[2, 3] = sum of w · x[3..5, 3..5 by 2] (outside x: padding)",)


@pytest.mark.parametrize(
    ("sizes", "layer", "view", "words"),
    [
        ((200, 4), Layer("conv", (3,)), "", "at most 36"),
        ((2, 3, 4), Layer("conv", (1,)), "", "1 or 2 can be drawn"),
        ((9, 9), Layer("conv", (3,)), "matrix", "at most 36 and 64"),
        ((4, 4), Layer("conv", (3,)), "scatter", "window, gradient, matrix"),
        ((4, 4), Layer("maxpool", (2,)), "gradient", "give --x"),
    ],
    ids=["too_large", "volume", "matrix_too_large", "view", "no_numbers"],
)
def test_what_cannot_be_drawn_is_refused(
    sizes: tuple[int, ...], layer: Layer, view: str, words: str
) -> None:
    with pytest.raises(ConvcliError, match=words):
        build_scene(plan_operation(layer, sizes), view)
