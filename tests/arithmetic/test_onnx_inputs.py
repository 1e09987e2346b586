"""Sizes of an ONNX model's inputs: as typed, from the file, from axes of one name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from convcli import Network, ShapeError
from convcli.cli.app import run

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

Dims = Sequence[Any]


def save(path: Path, nodes: Sequence[Any], inputs: dict[str, Dims]) -> str:
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, d) for n, d in inputs.items()]
    made = [onnx.ValueInfoProto(name=nodes[-1].output[0])]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], bytes(432), raw=True)
    graph = helper.make_graph(nodes, "made", given, made, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), str(path))
    return str(path)


CHANNELS_LAST = [
    helper.make_node("Transpose", ["x"], ["t"], name="t", perm=[0, 3, 1, 2]),
    helper.make_node("Conv", ["t", "w"], ["y"], name="y"),
]
CHANNELS_FIRST = [helper.make_node("Conv", ["x", "w"], ["y"], name="y")]
TWO = [
    helper.make_node("Conv", ["left", "w"], ["a"], name="a"),
    helper.make_node("Conv", ["right", "w"], ["b"], name="b"),
    helper.make_node("Concat", ["a", "b"], ["y"], name="y", axis=1),
]


@pytest.mark.parametrize(
    ("nodes", "dims", "typed", "expected"),
    [
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["32"], (1, 3, 32, 32)),
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["32x20"], (1, 3, 32, 20)),
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["3x32x20"], (1, 3, 32, 20)),
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["5x3x32x20"], (5, 3, 32, 20)),
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["x=3x32x20"], (1, 3, 32, 20)),
        (CHANNELS_FIRST, ["n", 3, "h", "w"], ["32", "--batch=4"], (4, 3, 32, 32)),
        (CHANNELS_FIRST, [2, None, 19, 17], [], (2, 3, 19, 17)),
        (CHANNELS_FIRST, [2, 3, 19, 17], ["32"], (2, 3, 32, 32)),
        (CHANNELS_FIRST, [2, 3, 19, 17], ["32", "--batch=1"], (1, 3, 32, 32)),
        (CHANNELS_LAST, [None, None, None, 3], ["32x20"], (1, 32, 20, 3)),
        (CHANNELS_LAST, [None, None, None, 3], ["3x32x20"], (1, 32, 20, 3)),
        (CHANNELS_LAST, [None, None, None, 3], ["32x20x3"], (1, 32, 20, 3)),
        (CHANNELS_LAST, [None, None, None, 3], ["x=2x32x20x3"], (2, 32, 20, 3)),
    ],
)
def test_the_size_that_is_asked_for_is_put_in(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    nodes: list[Any],
    dims: Dims,
    typed: list[str],
    expected: tuple[int, ...],
) -> None:
    path = save(tmp_path / "m.onnx", nodes, {"x": dims})
    options = [word if word.startswith("--") else f"--n={word}" for word in typed]
    assert run(["shape", path, *options, "--json"]) == 0
    assert f'"x": {list(expected)}' in " ".join(capsys.readouterr().out.split()).replace(
        "[ ", "["
    ).replace(" ]", "]")


def test_axes_of_one_name_have_one_size(tmp_path: Path) -> None:
    dims = ["n", 3, "h", "w"]
    network = Network.load(save(tmp_path / "m.onnx", TWO, {"left": dims, "right": dims}))
    report = network.evaluate_for(named={"left": (3, 32, 20)})
    assert report.inputs["right"] == (1, 3, 32, 20)
    assert report.output == (8, 30, 18)
    assert network.evaluate_for((9,)).output == (8, 7, 7)
    with pytest.raises(ShapeError, match=r"axis 'h' is 32 elsewhere and 31 in 'right'"):
        network.evaluate_for(named={"left": (3, 32, 20), "right": (3, 31, 20)})


def test_inputs_of_one_axis_are_a_size_or_the_batch(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["v"], ["a"], name="a"),
        helper.make_node("Neg", ["a"], ["y"], name="y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"v": ["count"]})
    assert Network.load(path).evaluate_for((9,)).outputs == {"y": (9,)}
    assert Network.load(path).evaluate_for(named={"v": (9,)}).rows[-1].shape == (9,)
    mixed = save(
        tmp_path / "n.onnx", [*CHANNELS_FIRST, *nodes[:1]], {"x": ["n", 3, "h", "w"], "v": ["n"]}
    )
    assert Network.load(mixed).evaluate_for((9,), batch=4).inputs["v"] == (4,)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--n=lefty=3x9x9"], "no input 'lefty'; did you mean 'left'?"),
        (["--n=left=3x9x9"], "names no input size; give one with --n, as in --n right=1x3x224x224"),
        (["--n=left=9", "--n=left=8"], "--n left= is given twice"),
        (["--n=9", "--n=8"], "--n is given 2 times, 9 and 8; give one size, or name=SIZE"),
        (["--n=1x2x3x4x5"], "input 'left' is ?x3xhxw, so 1x2x3x4x5 does not fit"),
        (["--n=0"], "input 'left' is 1x3x0x0; its sizes must be 1 or more"),
        (["--n=left=axb"], "input left is 'axb'; give a whole number"),
    ],
)
def test_a_size_that_does_not_fit_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: list[str], message: str
) -> None:
    inputs = {"left": [None, 3, "h", "w"], "right": [None, 3, None, None]}
    path = save(tmp_path / "m.onnx", TWO, inputs)
    assert run(["shape", path, *typed]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_only_onnx_files_name_their_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shape", "conv 8 k3 | relu", "--n", "x=3x9x9"]) == 2
    assert "only inputs of ONNX files have names" in capsys.readouterr().err


def test_a_size_below_zero_ends_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pads = helper.make_node("Constant", [], ["p"], value_ints=[0, 0, -40, 0, 0, 0, 0, 0])
    nodes = [pads, helper.make_node("Pad", ["x", "p"], ["y"], name="y")]
    path = save(tmp_path / "m.onnx", nodes, {"x": ["n", 3, "h", "w"]})
    assert run(["shape", path, "--n", "32", "-o", str(tmp_path / "net.svg")]) == 2
    assert "its output would have the shape 1x3x-8x32" in capsys.readouterr().err


def test_a_name_stays_on_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="\x1b[31mred\nnew")]
    path = save(tmp_path / "m.onnx", nodes, {"x": ["n", 3, "h", "w"]})
    assert run(["shape", path, "--n", "32", "--csv"]) == 0
    out = capsys.readouterr().out
    assert "\\x1b[31mred\\nnew" in out
    assert "\x1b" not in out
