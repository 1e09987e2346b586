"""ONNX models made here, against ONNX's own shape inference and hand-counted parameters."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convcli import InputError, Network, ShapeError
from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.onnx_model.reader import read_onnx
from convcli.cli.app import run

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402


def weight(name: str, *dims: int, kind: int = TensorProto.FLOAT) -> Any:
    count = 1
    for dim in dims:
        count *= dim
    size = 8 if kind == TensorProto.INT64 else 4
    return helper.make_tensor(name, kind, dims, bytes(size * count), raw=True)


def save(
    path: Path, nodes: Sequence[Any], weights: Sequence[Any], shape: Sequence[Any], rank: int = 4
) -> str:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)
    graph = helper.make_graph(nodes, "made", [given], [made], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)


def make(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), [output], name=f"{op}_{output}", **attributes)


def outputs(report: NetworkReport) -> dict[str, tuple[int, ...]]:
    return {row.name: row.output for row in report.rows}


def test_a_network_with_every_operator(tmp_path: Path) -> None:
    nodes = [
        make("Conv", "x w1 b1", "a", pads=[3, 3, 3, 3], strides=[2, 2]),
        make("BatchNormalization", "a s b m v", "bn"),
        make("Relu", "bn", "c"),
        make("MaxPool", "c", "d", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        make("Conv", "d w2", "e", auto_pad="SAME_UPPER", group=2),
        make("Add", "e d", "f"),
        make("Concat", "f d", "g", axis=1),
        make("ConvTranspose", "g wt", "h", strides=[2, 2], output_shape=[16, 15]),
        make("AveragePool", "h", "i", kernel_shape=[2, 3], strides=[2, 3]),
        make("GlobalAveragePool", "i", "j"),
        make("Flatten", "j", "k"),
        make("Gemm", "k fw fb", "l", transB=1),
        make("MatMul", "l mw", "n"),
        make("Add", "n mb", "y"),
    ]
    weights = [weight("w1", 8, 3, 7, 7), weight("b1", 8), weight("w2", 8, 4, 3, 3)]
    weights += [weight(name, 8) for name in "sbmv"]
    weights += [weight("wt", 16, 4, 3, 3), weight("fw", 7, 4), weight("fb", 7)]
    weights += [weight("mw", 7, 5), weight("mb", 5)]
    report = Network.load(save(tmp_path / "m.onnx", nodes, weights, [2, 3, 33, 31], 2)).evaluate()
    assert report.failure is None
    assert [row.note for row in report.rows if row.note] == []
    assert report.input == (3, 33, 31)
    found = outputs(report)
    assert found["Conv_a"] == (8, 17, 16)
    assert found["MaxPool_d"] == (8, 8, 8)
    assert found["Concat_g"] == (16, 8, 8)
    assert found["ConvTranspose_h"] == (4, 16, 15)
    assert report.output == (5,)
    convs = 8 * 3 * 49 + 8 + 8 * 4 * 9 + 16 * 4 * 9
    assert report.totals.params == convs + 2 * 8 + (7 * 4 + 7) + (7 * 5 + 5)
    macs = 8 * 3 * 49 * 17 * 16 + 8 * 4 * 9 * 64 + 16 * 4 * 9 * 64 + 28 + 35
    assert report.batch == 2  # the file's own
    assert report.totals.macs == 2 * macs


def test_an_operator_without_a_rule_sees_all_that_reaches_it(tmp_path: Path) -> None:
    nodes = [
        make("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        make("GridSample", "a g", "b"),
        make("Relu", "b", "y"),
    ]
    grid = weight("g", 1, 5, 6, 2)
    path = save(tmp_path / "m.onnx", nodes, [weight("w", 4, 3, 3, 3), grid], [1, 3, 9, 7])
    report = Network.load(path).evaluate()
    assert outputs(report)["GridSample_b"] == (4, 5, 6)
    assert "GridSample is taken to see all that reaches it" in report.rows[1].note
    assert [[field.size for field in row.fields] for row in report.rows] == [[3, 3], [9, 7], [9, 7]]
    # The shapes in a file hold for its own input only, and are not relied on.
    assert Network.load(path).evaluate((3, 19, 17)).output == (4, 5, 6)


CANNOT_BE_FOLLOWED = {
    "depends on the numbers": (make("NonZero", "a", "b"), "NonZero"),
    "my.domain.Trick is no operator of ONNX": (
        helper.make_node("Trick", ["a"], ["b"], name="Trick_b", domain="my.domain"),
        "my.domain.Trick",
    ),
    "for 5 input channels, but 4 arrive": (make("Conv", "a v", "b"), "Conv"),
    "makes a sequence or a map of tensors": (make("SplitToSequence", "a", "b"), "SplitToSequence"),
    "Incompatible dimensions": (make("MatMul", "a m", "b"), "MatMul"),
}


@pytest.mark.parametrize("reason", CANNOT_BE_FOLLOWED)
def test_what_cannot_be_followed_says_where_and_has_no_totals(
    tmp_path: Path, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node, op = CANNOT_BE_FOLLOWED[reason]
    weights = [weight("w", 4, 3, 3, 3), weight("v", 6, 5, 3, 3), weight("m", 8, 2)]
    nodes = [make("Conv", "x w", "a"), node, make("Relu", "b", "y")]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, None, None])
    graph = helper.make_graph(nodes, "m", [given], [onnx.ValueInfoProto(name="y")], weights)
    imports = [helper.make_opsetid("", 22), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports), str(tmp_path / "m.onnx"))
    report = Network.load(str(tmp_path / "m.onnx")).evaluate_for((9, 7))
    assert [row.name for row in report.rows] == ["Conv_a"]
    assert report.failure is not None
    assert (report.failure.name, report.failure.label) == (f"{node.op_type}_b", op)
    assert reason in report.failure.reason
    for form in ("", "--json", "--csv", "--markdown"):
        command = ["shape", str(tmp_path / "m.onnx"), "--n", "9x7", *filter(None, [form])]
        assert run(command) == 2
        out, err = capsys.readouterr()
        assert reason in err
        if form == "--json":
            assert json.loads(out)["totals"] is None
        assert "total " not in out
        assert "FLOPs" not in out


def test_a_reshape_to_flat_is_a_flatten_and_shapes_are_constants(tmp_path: Path) -> None:
    nodes = [
        make("Conv", "x w", "a"),
        make("Shape", "a", "s"),
        make("Reshape", "a r", "f"),
        make("MatMul", "f m", "y"),
    ]
    shape = helper.make_tensor("r", TensorProto.INT64, [2], [0, -1])
    weights = [weight("w", 4, 3, 3, 3), shape, weight("m", 4 * 7 * 5, 6)]
    report = Network.load(save(tmp_path / "m.onnx", nodes, weights, [1, 3, 9, 7], 2)).evaluate()
    assert report.output == (6,)
    assert report.totals.params == 4 * 3 * 9 + 140 * 6


def test_open_sizes_need_an_input(tmp_path: Path) -> None:
    nodes = [make("Conv", "x w", "y")]
    path = save(tmp_path / "m.onnx", nodes, [weight("w", 4, 3, 3, 3)], ["N", 3, "H", "W"])
    network = Network.load(path)
    with pytest.raises(ShapeError, match="names no input size; give one with --n"):
        network.evaluate()
    assert network.evaluate(network.input_for((20, 30), None)).output == (4, 18, 28)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"this is not protobuf" * 9)
    with pytest.raises(InputError, match=r"bad\.onnx: not a readable ONNX model"):
        Network.load(str(tmp_path / "bad.onnx"))
    with pytest.raises(InputError, match="No such file"):
        Network.load(str(tmp_path / "none.onnx"))
    good = save(tmp_path / "m.onnx", [make("Relu", "x", "y")], [], [1, 3, 9, 7])
    raw = Path(good).read_bytes()
    for length in range(0, len(raw), 7):
        (tmp_path / "cut.onnx").write_bytes(raw[:length])
        try:
            Network.load(str(tmp_path / "cut.onnx"))
        except (InputError, ShapeError) as error:
            assert "cut.onnx" in str(error)  # a shorter file may still be a model


def test_without_the_extra_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ShapeError, match=r"pip install 'convcli\[onnx\]'"):
        Network.load(str(tmp_path / "m.onnx"))


@settings(max_examples=60, deadline=None)
@given(
    op=st.sampled_from(["Conv", "ConvTranspose", "MaxPool", "AveragePool"]),
    spatial=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    ceil=st.booleans(),
)
def test_random_layers_agree_with_onnx(
    tmp_path_factory: pytest.TempPathFactory,
    op: str,
    spatial: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    auto_pad: str,
    ceil: bool,
) -> None:
    if op == "ConvTranspose" and auto_pad.startswith("SAME"):
        # With a kernel smaller than the stride, ONNX's inference and its text differ.
        assume(all(k > s for k, s in zip(kernel, strides, strict=True)))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "auto_pad": auto_pad}
    spans = [dilations[a] * (kernel[a] - 1) + 1 for a in range(2)]
    if op != "ConvTranspose" and not auto_pad.startswith("SAME"):
        # Of a window that does not fit at all, ONNX's inference makes up a size; we refuse it.
        around = [pads[a] + pads[a + 2] if auto_pad == "NOTSET" else 0 for a in range(2)]
        assume(all(spans[a] <= spatial[a] + around[a] for a in range(2)))
    if auto_pad == "NOTSET":
        assume(all(2 * max(pads[a], pads[a + 2]) <= kernel[a] for a in range(2)))
        attributes["pads"] = pads
    if "Pool" in op:
        weights, inputs = [], "x"
        attributes["kernel_shape"] = kernel
        if auto_pad == "NOTSET":
            attributes["ceil_mode"] = int(ceil)
    else:
        weights, inputs = [weight("w", *((6, 3) if op == "Conv" else (3, 6)), *kernel)], "x w"
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    report = Network.load(
        save(path, [make(op, inputs, "y", **attributes)], weights, [2, 3, *spatial])
    ).evaluate()
    if report.failure is None:
        assert report.rows[0].note == ""  # ONNX's own shape is the same
    inferred = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph.output[0]
    dims = [dim.dim_value for dim in inferred.type.tensor_type.shape.dim]
    if all(size > 0 for size in dims):
        assert list(report.output) == dims[1:]


@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"])
def test_weights_of_every_floating_type_are_parameters(tmp_path: Path, kind: str) -> None:
    number = getattr(TensorProto, kind)
    size = {"FLOAT": 4, "DOUBLE": 8}.get(kind, 2)
    given, made = (
        helper.make_tensor_value_info(name, number, [1, 3, 9, 7] if name == "x" else [None] * 4)
        for name in "xy"
    )
    weights = [
        helper.make_tensor(name, number, dims, bytes(size * count), raw=True)
        for name, dims, count in (("w", (4, 3, 3, 3), 108), ("s", (1, 4, 1, 1), 4))
    ]
    nodes = [make("Conv", "x w", "a"), make("Mul", "a s", "y")]
    graph = helper.make_graph(nodes, "made", [given], [made], weights)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)]), str(path))
    assert Network.load(str(path)).evaluate().totals.params == 108 + 4


def test_output_padding_is_read(tmp_path: Path) -> None:
    nodes = [make("ConvTranspose", "x w", "y", strides=[2, 3], output_padding=[1, 2])]
    path = save(tmp_path / "m.onnx", nodes, [weight("w", 3, 4, 3, 3)], [1, 3, 5, 4])
    report = Network.load(path).evaluate()
    assert report.output == (4, (5 - 1) * 2 + 3 + 1, (4 - 1) * 3 + 3 + 2)
    assert report.rows[0].note == ""
    assert Network.load(path).evaluate((3, 6, 4)).output == (4, 14, 14)


def test_only_a_reshape_to_flat_is_a_flatten(tmp_path: Path) -> None:
    for to, kind in (([0, -1], "flatten"), ([0, 3, -1], "reshape")):
        shape = helper.make_tensor("r", TensorProto.INT64, [len(to)], to)
        path = save(
            tmp_path / "m.onnx", [make("Reshape", "x r", "y")], [shape], [1, 3, 9, 7], len(to)
        )
        assert [row.kind for row in Network.load(path).evaluate().rows] == [kind]


def test_of_a_long_error_the_first_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("first\nsecond\nthird")

    (tmp_path / "m.onnx").write_bytes(b"x")
    monkeypatch.setattr(onnx, "load", fails)
    with pytest.raises(InputError, match=r"not a readable ONNX model: first$"):
        Network.load(str(tmp_path / "m.onnx"))


def test_a_weight_may_be_a_constant_of_the_graph(tmp_path: Path) -> None:
    value = weight("v", 4, 3, 3, 3)
    constant = helper.make_node("Constant", [], ["w"], name="c", value=value)
    path = save(tmp_path / "m.onnx", [constant, make("Conv", "x w", "y")], [], [1, 3, 9, 7])
    report = Network.load(path).evaluate()
    assert report.output == (4, 7, 5)
    assert [row.kind for row in report.rows] == ["conv"]


def test_the_reason_is_told_where_there_is_nothing_to_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "m.onnx", [make("NonZero", "x", "y")], [], [1, 3, "h", "w"], 2)
    assert run(["shape", path, "--n", "9", "-o", str(tmp_path / "m.svg")]) == 2
    assert "depends on the numbers that arrive" in capsys.readouterr().err
    assert not (tmp_path / "m.svg").exists()


def test_a_drawing_of_a_part_has_no_totals(tmp_path: Path) -> None:
    nodes = [make("Conv", "x w", "a"), make("NonZero", "a", "y")]
    path = save(tmp_path / "m.onnx", nodes, [weight("w", 4, 3, 3, 3)], [1, 3, "h", "w"], 2)
    assert run(["shape", path, "--n", "9", "-o", str(tmp_path / "m.svg")]) == 2
    drawn = (tmp_path / "m.svg").read_text(encoding="utf-8")
    assert "depends on the numbers that arrive" in drawn
    assert "MACs" not in drawn


def test_outputs_without_axes_have_rows_too(tmp_path: Path) -> None:
    nodes = [make("ReduceMean", "x", "a", keepdims=0), make("Neg", "a", "y")]
    path = save(tmp_path / "m.onnx", nodes, [], [1, 3, "h", "w"], 0)
    report = Network.load(path).evaluate_for((9, 7))
    assert [row.shape for row in report.rows] == [(), ()]
    assert [field.size for field in report.rows[-1].fields] == [9, 7]
    for form in ("--json", "--csv", "-o"):
        extra = [str(tmp_path / "m.svg")] if form == "-o" else []
        assert run(["shape", path, "--n", "9x7", form, *extra]) == 0


def test_an_if_whose_condition_follows_from_sizes_is_its_branch(tmp_path: Path) -> None:
    """PyTorch asks whether an axis has one cell before it takes the axis away."""
    made = [onnx.ValueInfoProto(name=name) for name in ("t", "f")]
    then = helper.make_graph(
        [helper.make_node("Squeeze", ["x", "two"], ["t"])], "then", [], made[:1]
    )
    other = helper.make_graph([make("Identity", "x", "f")], "other", [], made[1:])
    numbers = [("two", [2]), ("one", [1])]
    constants = [helper.make_tensor(n, TensorProto.INT64, [len(v)], v) for n, v in numbers]
    nodes = [
        make("Shape", "x", "s", start=2, end=3),
        make("Equal", "s one", "c"),
        helper.make_node("If", ["c"], ["i"], name="if", then_branch=then, else_branch=other),
        make("Relu", "i", "y"),
    ]
    path = save(tmp_path / "m.onnx", nodes, constants, ["n", 3, "h", "w"], 3)
    assert Network.load(path).evaluate_for((1, 7)).output == (3, 7)
    assert Network.load(path).evaluate_for((5, 7)).output == (3, 5, 7)


def test_functions_of_the_file_are_followed(tmp_path: Path) -> None:
    body = [make("Sigmoid", "a", "b"), make("Mul", "a b", "c")]
    imports = [helper.make_opsetid("", 22), helper.make_opsetid("mine", 1)]
    silu = helper.make_function("mine", "Silu", ["a"], ["c"], body, imports[:1])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])
    nodes = [make("Conv", "x w", "q"), helper.make_node("Silu", ["q"], ["y"], domain="mine")]
    graph = helper.make_graph(
        nodes, "m", [given], [onnx.ValueInfoProto(name="y")], [weight("w", 9, 3, 3, 3)]
    )
    model = helper.make_model(graph, opset_imports=imports, functions=[silu])
    onnx.save(model, str(tmp_path / "m.onnx"))
    report = Network.load(str(tmp_path / "m.onnx")).evaluate_for((9, 7))
    assert [(row.kind, row.output) for row in report.rows] == [
        (kind, (9, 7, 5)) for kind in ("conv", "sigmoid", "mul")
    ]


def test_weights_beside_the_file_are_not_needed_and_stored_ones_not_kept(tmp_path: Path) -> None:
    nodes = [make("Conv", "x w", "a"), make("Conv", "a v", "y")]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [weight("w", 40, 3, 9, 9), weight("v", 8, 40, 3, 3)],
        [1, 3, "h", "w"],
    )
    model = onnx.load(path)
    onnx.save(
        model, path, save_as_external_data=True, location="weights", size_threshold=3 * 40 * 81 * 4
    )
    (tmp_path / "weights").unlink()
    found = read_onnx(Path(path))
    assert found.evaluate_for((32,)).totals.params == 40 * 3 * 81 + 8 * 40 * 9
    assert found.model.ByteSize() < 2000


def test_shared_and_unpacked_weights_are_counted_once(tmp_path: Path) -> None:
    """A head on two levels, quantised: the weight is whole numbers with a scale."""
    numbers = helper.make_tensor("q", TensorProto.INT8, [3, 3, 3, 3], bytes(81), raw=True)
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [0.5])
    nodes = [
        make("DequantizeLinear", "q s", "w"),
        make("Conv", "x w", "a"),
        make("MaxPool", "a", "b", kernel_shape=[2, 2]),
        make("Conv", "b w", "y"),
    ]
    report = Network.load(save(tmp_path / "m.onnx", nodes, [numbers, scale], [1, 3, 16, 16]))
    assert [row.params for row in report.evaluate().rows] == [81, 0, 0]


def test_constants_that_would_fill_the_memory_are_not_computed(tmp_path: Path) -> None:
    huge = helper.make_tensor("n", TensorProto.INT64, [1], [2**40])
    nodes = [
        make("ConstantOfShape", "n", "z"),
        make("ReduceSum", "z", "s", keepdims=0),
        make("Add", "x s", "y"),
    ]
    report = Network.load(save(tmp_path / "m.onnx", nodes, [huge], [1, 3, 9, 7])).evaluate()
    assert report.output == (3, 9, 7)
