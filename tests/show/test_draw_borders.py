"""Drawings with a border: every cell holds what NumPy's padding puts there, and points home."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import convcli
from convcli.arithmetic.borders import Border
from convcli.arithmetic.layer import Layer
from convcli.errors import ConvcliError
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.layout import lay_out
from convcli.show.draw.operation import Operation, plan_operation
from convcli.show.draw.scene import Board, Scene
from convcli.show.draw.terminal import step_lines
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

MODES = ["edge", "reflect", "symmetric", "wrap"]
LAYERS: dict[str, tuple[tuple[int, ...], Layer, bool]] = {
    "plain": ((4, 5), Layer("conv", (3, 2), padding=((1, 2), (2, 0))), False),
    "strided": ((5, 7), Layer("conv", (2, 3), (3, 2), ((3, 1),)), True),
    "dilated": ((4, 3), Layer("conv", (3, 2), (1, 2), (2,), (2, 1)), False),
    "wide": ((2, 1), Layer("conv", (3,), padding=((5, 4), (3, 4))), False),
    "apart": ((5, 7), Layer("conv", (2,), (2,), ((1, 3), (3, 2)), (2,)), False),
    "sequence": ((5,), Layer("conv", (3,), (2,), ((3, 2),), (2,)), True),
}
cases = [pytest.param(name, mode, id=f"{name}-{mode}") for name in LAYERS for mode in MODES]
every = pytest.mark.parametrize(("name", "mode"), cases)


def planned(name: str, mode: str, *, numbers: bool = True) -> Operation:
    sizes, layer, flip = LAYERS[name]
    rng = np.random.default_rng(len(name))
    x = rng.integers(-9, 10, sizes)
    w = rng.integers(-9, 10, [window.kernel_size for window in layer.windows(sizes)])
    given = {"x": x, "w": w} if numbers else {}
    return plan_operation(layer, sizes, flip=flip, border=Border(mode), **given)


def padded(array: Any, operation: Operation, mode: str) -> np.ndarray[Any, Any]:
    """NumPy's padding, a sequence as a row."""
    pads = [(w.before, w.after) for w in operation.windows]
    found = np.pad(array, pads, mode=mode)
    return found.reshape((1,) * (2 - found.ndim) + found.shape)


def geometry(operation: Operation) -> dict[str, Any]:
    return {
        "stride": [w.stride for w in operation.windows],
        "padding": [(w.before, w.after) for w in operation.windows],
        "dilation": [w.dilation for w in operation.windows],
    }


def texts(board: Board) -> list[list[str]]:
    return [[cell.text for cell in row] for row in board.cells]


@every
def test_cells_outside_hold_what_numpy_pads_with(name: str, mode: str) -> None:
    operation = planned(name, mode)
    expected = padded(operation.x, operation, mode)
    inside = padded(np.ones(operation.sizes, bool), operation, "constant")
    for step in build_scene(operation).steps:
        board = step.board("Input")
        assert texts(board) == [[str(v) for v in row] for row in expected]
        marks = [[cell.mark for cell in row] for row in board.cells]
        assert marks == [["value" if v else "border" for v in row] for row in inside]


@every
def test_a_cell_outside_points_to_the_cell_that_it_shows(name: str, mode: str) -> None:
    operation = planned(name, mode, numbers=False)
    places = np.arange(np.prod(operation.sizes)).reshape(operation.sizes)
    shown = padded(places, operation, mode)
    home = {int(v): at for at, v in np.ndenumerate(padded(places + 1, operation, "constant") - 1)}
    for step in build_scene(operation).steps:
        board = step.board("Input")
        read = set()
        for (r, c), value in np.ndenumerate(shown):
            cell = board.cells[r][c]
            assert cell.home == (None if cell.mark == "value" else home[int(value)])
            if cell.lit == "tap" and cell.home:
                read.add(cell.home)
        assert {at for at, _ in np.ndenumerate(shown) if board.cells[at[0]][at[1]].echo} == read


@every
def test_never_read_is_what_no_output_depends_on(name: str, mode: str) -> None:
    operation = planned(name, mode)
    assert operation.y is not None
    weight = np.ones_like(operation.w)
    grad = convcli.conv_grad(
        np.ones_like(operation.y), operation.x, weight, border=mode, dims=weight.ndim,
        **geometry(operation),
    )  # fmt: skip
    cells = build_scene(operation).steps[0].board("Input").all()
    unread = [cell.unread for cell in cells if cell.mark == "value"]
    assert unread == [value == 0 for value in grad.x.ravel()]


@every
def test_each_step_multiplies_the_cells_that_are_lit(name: str, mode: str) -> None:
    operation = planned(name, mode)
    scene = build_scene(operation)
    assert operation.y is not None
    outputs = operation.y.ravel()
    for step, y in zip(scene.steps, outputs, strict=True):
        kernel = step.boards[-2]
        weights = [int(cell.text) for cell in kernel.all() if cell.lit == "tap"]
        values = [int(cell.text) for cell in step.board("Input").all() if cell.lit == "tap"]
        assert sum(a * b for a, b in zip(values, weights, strict=True)) == y
        assert f"= {y}" in " ".join(step.formula)


@every
def test_the_backward_pass_hands_back_to_the_cells_inside(name: str, mode: str) -> None:
    operation = planned(name, mode)
    assert operation.y is not None
    grad = convcli.conv_grad(
        np.ones_like(operation.y), operation.x, operation.w, flip=operation.flip, border=mode,
        dims=len(operation.windows), **geometry(operation),
    )  # fmt: skip
    last = build_scene(operation, "gradient").steps[-1]
    inside = [int(cell.text) for cell in last.board("dL/dx").all() if cell.mark == "value"]
    assert inside == grad.x.ravel().tolist()
    assert {cell.text for cell in last.board("dL/dx").all() if cell.mark == "border"} == {""}
    assert [int(c.text) for c in last.board("dL/dw").all()] == grad.weight.ravel().tolist()


@every
def test_the_matrix_adds_what_is_read_twice(name: str, mode: str) -> None:
    operation = planned(name, mode)
    try:
        scene = build_scene(operation, "matrix")
    except ConvcliError as error:
        assert "at most 36 and 64 can be read" in str(error)
        assert operation.y is not None
        assert operation.y.size > 36
        return
    matrix = np.array([[int(t or 0) for t in row] for row in texts(scene.steps[0].board("Matrix"))])
    assert operation.x is not None
    assert operation.y is not None
    np.testing.assert_array_equal(matrix @ operation.x.ravel(), operation.y.ravel())


def test_the_gradient_of_a_constant_stays_inside_and_the_weight_sees_it() -> None:
    x, w = np.array([1, 2, 3]), np.array([5, 7, 11])
    operation = plan_operation(
        Layer("conv", (3,), padding=(1,)), (3,), x=x, w=w, border=Border("constant", 4)
    )
    assert texts(build_scene(operation).steps[0].board("Input")) == [["4", "1", "2", "3", "4"]]
    last = build_scene(operation, "gradient").steps[-1]
    grad = convcli.conv_grad([1, 1, 1], x, w, padding=1, border="constant:4")
    assert [c.text for c in last.board("dL/dx").all()] == ["", *map(str, grad.x), ""]
    assert [c.text for c in last.board("dL/dw").all()] == [*map(str, grad.weight)]
    with pytest.raises(ConvcliError, match="no matrix adds a constant"):
        build_scene(operation, "matrix")


def test_letters_stand_outside_as_letters() -> None:
    x, w = convcli.symbols("a b; c d"), convcli.symbols("p q; r s")
    layer = Layer("conv", (2,), padding=(1,))
    scene = build_scene(plan_operation(layer, (2, 2), x=x, w=w, border=Border("wrap")))
    assert texts(scene.steps[0].board("Input")) == [
        ["d", "c", "d", "c"],
        ["b", "a", "b", "a"],
        ["d", "c", "d", "c"],
        ["b", "a", "b", "a"],
    ]
    assert scene.steps[0].formula == (
        "d·p + c·q + b·r + a·s = as+br+cq+dp",
        "border: row -1 is row 1; column -1 is column 1",
    )


def test_channels_have_their_own_borders() -> None:
    rng = np.random.default_rng(3)
    x, w = rng.integers(-9, 9, (2, 2, 3)), rng.integers(-9, 9, (3, 2, 2, 2))
    layer = Layer("conv", (2,), padding=(1,), out_channels=3)
    operation = plan_operation(
        layer, (2, 3), x=x, w=w, bias=[1, 2, 3], in_channels=2, border=Border("reflect")
    )
    expected = convcli.conv(x, w, np.array([1, 2, 3]), padding=1, border="reflect")
    np.testing.assert_array_equal(operation.y, expected)
    last = build_scene(operation).steps[-1]
    for channel in range(2):
        board = texts(last.board(f"Input {channel}"))
        found = np.pad(x[channel], 1, mode="reflect")
        assert board == [[str(v) for v in row] for row in found]
    for channel in range(3):
        assert texts(last.board(f"Output {channel}")) == [
            [str(v) for v in row] for row in expected[channel]
        ]
    assert last.formula[-1] == "border: row 2 is row 0; column 3 is column 1"
    grad = convcli.conv_grad(np.ones_like(expected), x, w, padding=1, border="reflect")
    last = build_scene(operation, "gradient").steps[-1]
    for channel in range(2):
        cells = last.board(f"dL/dx[{channel}]").all()
        inside = [int(cell.text) for cell in cells if cell.mark == "value"]
        assert inside == grad.x[channel].ravel().tolist()
    for out, into in itertools.product(range(3), range(2)):
        cells = last.board(f"dL/dw[{out},{into}]").all()
        assert [int(cell.text) for cell in cells] == grad.weight[out, into].ravel().tolist()
    assert last.formula[-1] == "border: row 2 is row 0; column 3 is column 1"


def test_the_words_say_which_border() -> None:
    operation = planned("plain", "symmetric")
    scene = build_scene(operation)
    assert "padding 1,2x2,0, border symmetric -> output" in scene.subtitle
    assert [scene.called(mark) for mark in scene.legend] == [
        "border: symmetric",
        "shown by the border",
    ]
    assert "border symmetric" in scene.description
    svg = drawing_bytes(lay_out(scene, theme_of("light")), ".svg").decode()
    words = [element.text for element in ET.fromstring(svg).iter() if element.text]
    assert {"border: symmetric", "shown by the border"} <= set(words)
    lines = [line.plain for line in step_lines(scene, 0, 100)]
    assert lines[-1] == "~ border: symmetric"
    assert lines[-2] == "border: row -1 is row 0; columns -2, -1 are columns 1, 0"
    plain = build_scene(planned("plain", "symmetric", numbers=False))
    assert plain.steps[0].formula[0].endswith("(outside x: border symmetric)")
    assert [c.text for c in plain.steps[0].board("Input").all()] == [""] * 49


def marked(scene: Scene) -> set[str]:
    return {cell.mark for step in scene.steps for cell in step.board("Input").all()}


def test_zeros_are_padding_as_they_were() -> None:
    layer = Layer("conv", (2,), padding=(1,))
    scene = build_scene(plan_operation(layer, (3,)))
    assert marked(scene) == {"value", "padding"}
    assert "border" not in scene.subtitle
    valid = build_scene(plan_operation(Layer("conv", (2,)), (3,), border=Border("edge")))
    assert marked(valid) == {"value"}
    assert "border" not in valid.subtitle


@pytest.mark.parametrize("kind", ["conv_transpose", "maxpool", "avgpool"])
def test_what_has_no_border_says_so(kind: Any) -> None:
    with pytest.raises(ConvcliError, match=r"--border edge is not one of .*: (it has|a pool)"):
        plan_operation(Layer(kind, (2,)), (4,), border=Border("edge"))


def test_python_draws_them_too() -> None:
    figure = convcli.draw("a b c", "x y z", padding=1, border="replicate")
    assert "border edge" in figure.drawing.description
    assert "border wrap" in convcli.draw("padding_strides", border="wrap").drawing.description
    assert "border: wrap" in convcli.draw(n=3, k=3, padding=1, border="wrap")._repr_svg_()
    with pytest.raises(ConvcliError, match="no cell of a padded tensor is empty"):
        convcli.draw(n=3, k=3, border="missing")
