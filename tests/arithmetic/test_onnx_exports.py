"""Networks as exporters write them, every size free, against ONNX's shapes and a real run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli import Network
from convcli.arithmetic.network_report import NetworkReport
from convcli.arithmetic.trace import along, trace
from convcli.cli.app import run

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """A model under construction. Its weights are small and positive: all that is seen is felt."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[Any] = []
        self.rng = np.random.default_rng(0)

    def input(self, name: str, *dims: int | str | None) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, FLOAT, dims))
        return name

    def weight(self, *dims: int) -> str:
        name = f"w{len(self.weights)}"
        values = self.rng.uniform(0.05, 0.2, dims).astype("f4")
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def const(self, value: Any, kind: str = "i8") -> str:
        """A Constant node, as PyTorch writes; ``stored`` has initializers, as TensorFlow's do."""
        tensor = numpy_helper.from_array(np.array(value, kind))
        return self.op("Constant", value=tensor)

    def stored(self, value: Any, kind: str = "i8") -> str:
        name = f"s{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        name = f"{kind.lower()}{len(self.nodes)}"
        made = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def conv(self, x: str, channels: int, out: int, k: int = 3, s: int = 1, **more: Any) -> str:
        weight = self.weight(out, channels // more.get("group", 1), k, k)
        pads = [k // 2] * 4
        return str(self.op("Conv", x, weight, pads=pads, strides=[s, s], **more))

    def silu(self, x: str) -> str:
        return str(self.op("Mul", x, self.op("Sigmoid", x)))

    def size(self, x: str, axis: int) -> str:
        """One size of a tensor in a vector: Shape, Gather, Unsqueeze."""
        picked = self.op("Gather", self.op("Shape", x), self.const(axis), axis=0)
        if self.opset < 13:
            return str(self.op("Unsqueeze", picked, axes=[0]))
        return str(self.op("Unsqueeze", picked, self.const([0])))

    def model(self, *outputs: str) -> Any:
        made = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self.nodes, "made", self.inputs, made, self.weights)
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def silu() -> Any:
    """YOLO's convolutions: x times its sigmoid."""
    g = Graph()
    x = g.silu(g.conv(g.input("images", "batch", 3, "height", "width"), 3, 4, s=2))
    return g.model(g.op("Add", g.silu(g.conv(x, 4, 4)), x))


def squeeze_and_excite() -> Any:
    """MobileNetV3: a depthwise convolution, gated channel by channel, HardSwish before 14."""
    g = Graph(13)
    x = g.conv(g.input("input", "n", 3, "h", "w"), 3, 4, k=5, group=1)
    gate = g.op("Mul", x, g.op("HardSigmoid", x, alpha=1 / 6))
    x = g.conv(gate, 4, 4, group=4)
    s = g.op("Relu", g.conv(g.op("GlobalAveragePool", x), 4, 2, k=1))
    x = g.op("Mul", g.op("HardSigmoid", g.conv(s, 2, 4, k=1), alpha=0.2), x)
    pooled = g.op("Flatten", g.op("GlobalAveragePool", g.conv(x, 4, 6, s=2)), axis=1)
    return g.model(g.op("Gemm", pooled, g.weight(5, 6), g.weight(5), transB=1))


def prelu_and_pixel_shuffle() -> Any:
    """Super-resolution: a slope per channel, then channels laid out as pixels."""
    g = Graph(11)
    x = g.conv(g.input("lr", None, 1, None, None), 1, 8)
    x = g.op("PRelu", x, g.weight(8, 1, 1))
    return g.model(g.op("DepthToSpace", x, blocksize=2, mode="CRD"))


def neck_with_sizes() -> Any:
    """A detector's neck and head: enlarged to the size of another map, joined, laid in rows."""
    g = Graph(17)
    small = g.silu(g.conv(g.input("images", "batch", 3, "height", "width"), 3, 4, s=2))
    smaller = g.silu(g.conv(small, 4, 6, s=2))
    target = g.op(
        "Concat", g.op("Slice", g.op("Shape", smaller), g.const([0]), g.const([2]), g.const([0])),
        g.op("Slice", g.op("Shape", small), g.const([2]), g.const([4]), g.const([0])), axis=0,
    )  # fmt: skip
    up = g.op("Resize", smaller, "", "", target, mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric")  # fmt: skip
    joined = g.conv(g.op("Concat", up, small, axis=1), 10, 6)
    rows = []
    for x in (joined, smaller):
        shape = [g.size(x, 0), g.const([2]), g.const([3]), g.size(x, 2), g.size(x, 3)]
        x = g.op("Reshape", x, g.op("Concat", *shape, axis=0))
        x = g.op("Transpose", x, perm=[0, 1, 3, 4, 2])
        shape = [g.op("Shape", x, end=1), g.const([-1]), g.const([3])]
        rows.append(g.op("Reshape", g.op("Sigmoid", x), g.op("Concat", *shape, axis=0)))
    return g.model(g.op("Concat", *rows, axis=1))


def neck_with_scales() -> Any:
    """The same idea by factors, linear, from stored tensors, sizes by Floor and Cast (opset 11)."""
    g = Graph(11)
    x = g.conv(g.input("x", "N", 3, "H", "W"), 3, 4, s=2)
    down = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    none = g.stored([], "f4")
    up = g.op("Resize", down, none, g.stored([1, 1, 2, 2], "f4"), mode="linear",
              coordinate_transformation_mode="half_pixel")  # fmt: skip
    both = g.conv(up, 4, 4)
    shape = g.op("Cast", g.op("Shape", x), to=FLOAT)
    twice = g.op("Floor", g.op("Mul", shape, g.stored([1, 1, 2, 2], "f4")))
    sizes = g.op("Cast", twice, to=INT64)
    last = g.op("Resize", x, none, none, sizes, mode="linear",
                coordinate_transformation_mode="align_corners")  # fmt: skip
    return g.model(both, last)


def channels_last() -> Any:
    """tf2onnx: N, H, W, C outside, transposed for the convolutions, SAME, a mean over H and W."""
    g = Graph(15)
    x = g.input("input_1:0", "unk__1", "unk__2", "unk__3", 3)
    x = g.op("Sub", x, g.stored([0.5, 0.4, 0.3], "f4"))
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    x = g.op("Conv", x, g.weight(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])
    x = g.op("Clip", g.op("Add", x, g.weight(1, 4, 1, 1)), g.stored(0, "f4"), g.stored(6, "f4"))
    x = g.op("Transpose", x, perm=[0, 2, 3, 1])
    x = g.op("Pad", x, g.stored([0, 0, 0, 0, 0, 1, 1, 0]), mode="constant")
    x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    x = g.op("Conv", x, g.weight(6, 4, 2, 2), auto_pad="VALID")
    x = g.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    return g.model(g.op("Softmax", g.op("MatMul", x, g.weight(6, 5)), axis=-1))


def two_inputs() -> Any:
    """A picture and a row of numbers, which is laid over the picture's map."""
    g = Graph(18)
    x = g.conv(g.input("image", "batch", 3, "height", "width"), 3, 4, s=2)
    v = g.op("MatMul", g.input("state", "batch", 7), g.weight(7, 4))
    v = g.op("Unsqueeze", v, g.const([2, 3]))
    spread = g.op("Expand", v, g.op("Shape", x))
    x = g.conv(g.op("Concat", x, spread, axis=1), 8, 4)
    return g.model(g.op("ReduceMean", x, g.const([2, 3]), keepdims=1), g.op("Tanh", x))


def split_and_slice() -> Any:
    """YOLO's C2f and focus: strided slices, halves of the channels, halves of the rows."""
    g = Graph(18)
    x = g.input("x", "n", 2, "h", "w")
    corners = []
    for top in (0, 1):
        rows = g.op("Slice", x, g.const([top]), g.const([2**31 - 1]), g.const([2]), g.const([2]))
        for left in (0, 1):
            end, axis = g.const([2**31 - 1]), g.const([3])
            corners.append(g.op("Slice", rows, g.const([left]), end, axis, g.const([2])))
    x = g.conv(g.op("Concat", *corners, axis=1), 8, 8)
    a, b = g.op("Split", x, outputs=2, axis=1, num_outputs=2)
    x = g.op("Concat", a, b, g.op("Add", b, g.conv(b, 4, 4)), axis=1)
    upper, lower = g.op("Split", x, outputs=2, axis=2, num_outputs=2)
    return g.model(g.op("Add", upper, lower))


def attention() -> Any:
    """A ConvNeXt-like block (channels last, LayerNormalization), then attention over all places."""
    g = Graph(17)
    x = g.conv(g.input("x", "b", 3, "h", "w"), 3, 4, k=1, s=2)
    y = g.op("Transpose", g.conv(x, 4, 4, group=4), perm=[0, 2, 3, 1])
    y = g.op("LayerNormalization", y, g.weight(4), g.weight(4), axis=-1)
    y = g.op("MatMul", g.op("Erf", g.op("MatMul", y, g.weight(4, 8))), g.weight(8, 4))
    x = g.op("Add", x, g.op("Transpose", y, perm=[0, 3, 1, 2]))
    shape = g.op("Concat", g.size(x, 0), g.const([4]), g.const([-1]), axis=0)
    tokens = g.op("Transpose", g.op("Reshape", x, shape), perm=[0, 2, 1])
    keys = g.op("Transpose", g.op("MatMul", tokens, g.weight(4, 4)), perm=[0, 2, 1])
    scores = g.op("Div", g.op("MatMul", tokens, keys), g.const(2, "f4"))
    return g.model(g.op("MatMul", g.op("Softmax", scores, axis=-1), tokens))


def one_axis() -> Any:
    """Sound: one axis of samples, frames of a strided convolution, a transposed one back."""
    g = Graph(13)
    x = g.input("audio", "batch", 1, "samples")
    x = g.op("Pad", x, g.const([0, 0, 3, 0, 0, 2]), mode="reflect")
    x = g.op("Elu", g.op("Conv", x, g.weight(4, 1, 4), strides=[2]))
    frames = g.op("Squeeze", g.op("ReduceMax", x, axes=[1]), g.const([1]))
    back = g.op("ConvTranspose", x, g.weight(4, 2, 4), strides=[2], output_padding=[1])
    return g.model(frames, g.op("InstanceNormalization", back, g.weight(2), g.weight(2)))


def one_row() -> Any:
    """A single row, round which padding stands and a kernel slides: not all cells read it."""
    g = Graph(17)
    x = g.op("Slice", g.input("x", "b", 2, "h", "w"), *map(g.const, ([4], [5], [2])))
    x = g.op("Pad", g.conv(x, 2, 3), g.const([0, 0, 2, 0, 0, 0, 1, 0]))
    x = g.op("Slice", x, *map(g.const, ([2], [3], [2])))
    x = g.op("ConvTranspose", x, g.weight(3, 2, 2, 1), strides=[3, 1], output_padding=[2, 0])
    return g.model(g.conv(x, 2, 4))


EXPORTS: list[Callable[[], Any]] = [
    silu, squeeze_and_excite, prelu_and_pixel_shuffle, neck_with_sizes, neck_with_scales,
    channels_last, two_inputs, split_and_slice, attention, one_axis,
]  # fmt: skip
SIZES: dict[Callable[[], Any], dict[str, tuple[int, ...]]] = {
    prelu_and_pixel_shuffle: {"lr": (2, 1, 13, 10)},
    neck_with_sizes: {"images": (2, 3, 33, 20)},
    channels_last: {"input_1:0": (2, 17, 20, 3)},
    two_inputs: {"image": (2, 3, 17, 20), "state": (2, 7)},
    split_and_slice: {"x": (2, 2, 24, 20)},
    one_axis: {"audio": (2, 1, 31)},
}


def shapes_of(make: Callable[[], Any], model: Any) -> dict[str, tuple[int, ...]]:
    return SIZES.get(make) or {model.graph.input[0].name: (2, 3, 33, 20)}


def asked(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    return [f"--n={name}={'x'.join(map(str, shape))}" for name, shape in shapes.items()]


def rows(path: Path, shapes: Mapping[str, Sequence[int]], capsys: Any) -> dict[str, Any]:
    assert run(["shape", str(path), *asked(shapes), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def inferred(model: Any, shapes: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """ONNX's own shapes of the whole model, with the sizes put in."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for info in model.graph.input:
        info.type.CopyFrom(helper.make_tensor_type_proto(FLOAT, shapes[info.name]))
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    dims = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in [*graph.value_info, *graph.output]
        if info.type.tensor_type.HasField("shape")
    }
    return {name: sizes for name, sizes in dims.items() if all(sizes)}


def fed(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(size=shape).astype("f4") for name, shape in shapes.items()}


def runner(model: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Real runs, with every tensor of them."""
    from onnx.reference import ReferenceEvaluator

    every = onnx.ModelProto.FromString(model.SerializeToString())
    names = [name for node in every.graph.node for name in node.output]
    del every.graph.output[:]
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    evaluator = ReferenceEvaluator(every)

    def compute(given: Mapping[str, Any]) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            return dict(zip(names, evaluator.run(names, dict(given)), strict=True))

    return compute


@pytest.mark.parametrize("make", EXPORTS, ids=lambda make: make.__name__)
def test_every_row_has_the_shape_that_onnx_gives_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[], Any]
) -> None:
    model = make()
    shapes = shapes_of(make, model)
    onnx.save(model, str(tmp_path / "m.onnx"))
    found = rows(tmp_path / "m.onnx", shapes, capsys)
    told = inferred(model, shapes)
    real = {name: list(np.shape(array)) for name, array in runner(model)(fed(shapes)).items()}
    first = {node.name: node.output[0] for node in model.graph.node}
    assert len(found["layers"]) > 2
    compared = 0
    for row in found["layers"]:
        assert row["output"] == real[first[row["name"]]], row
        if first[row["name"]] in told:
            assert row["output"] == told[first[row["name"]]], row
            compared += 1
    assert compared > 2
    assert found["outputs"] == {info.name: real[info.name] for info in model.graph.output}
    assert not [row for row in found["layers"] if row["note"] and "not aligned" not in row["note"]]


def felt_by(model: Any, shapes: Mapping[str, Sequence[int]], axis: int) -> dict[str, Any]:
    """Of each tensor which of its cells feel a change of each row of the first input."""
    name, compute, given = next(iter(shapes)), runner(model), fed(shapes)
    usual = compute(given)
    rows = shapes[name][axis]
    felt = {tensor: np.zeros((rows, *np.shape(array)), bool) for tensor, array in usual.items()}
    for row in range(rows):
        for step in (-3, 3):
            changed = given[name].copy()
            np.moveaxis(changed, axis, 0)[row] += step
            for tensor, array in compute({**given, name: changed}).items():
                felt[tensor][row] |= array != usual[tensor]
    return felt


def reach(felt: Any) -> int:
    """The widest run of rows that one cell feels."""
    rows = np.arange(len(felt)).reshape(-1, *[1] * (felt.ndim - 1))
    low, high = np.where(felt, rows, np.inf).min(0), np.where(felt, rows, -np.inf).max(0)
    return int((high - low).max(initial=-1)) + 1


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (silu, (1, 3, 16, 9)),
        (squeeze_and_excite, (1, 3, 18, 9)),
        (neck_with_sizes, (1, 3, 32, 8)),
        (neck_with_scales, (1, 3, 20, 8)),
        (channels_last, (1, 20, 8, 3)),
        (split_and_slice, (1, 2, 20, 12)),
        (attention, (1, 3, 19, 6)),
        (one_axis, (1, 1, 20)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_field_is_what_changes_are_felt_of(
    make: Callable[[], Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    model = make()
    onnx.save(model, str(tmp_path / "m.onnx"))
    axis = 1 if make is channels_last else 2
    shapes = {model.graph.input[0].name: shape}
    report = Network.load(str(tmp_path / "m.onnx")).evaluate_for(named=shapes, maps=True)
    felt = felt_by(model, shapes, axis)
    first = {node.name: node.output[0] for node in model.graph.node}
    for row in report.rows:
        size = min(row.fields[0].size, shape[axis])
        # Channels that were joined see different cells; a place is said to see all of them.
        seen = reach(felt[first[row.name]])
        assert size == seen or (row.kind == "concat" and row.note), row
    if make is not one_axis:  # its padding mirrors cells, which a trace takes for nothing
        check_trace(report, felt, first)


def test_a_trace_ends_where_a_single_row_does(tmp_path: Path) -> None:
    """What a kernel or a padding reads beside one row is padding, and not that row."""
    model, shape = one_row(), (1, 2, 9, 6)
    onnx.save(model, str(tmp_path / "m.onnx"))
    report = Network.load(str(tmp_path / "m.onnx")).evaluate_for(shape, maps=True)
    first = {node.name: node.output[0] for node in model.graph.node}
    check_trace(report, felt_by(model, {"x": shape}, 2), first)


@pytest.mark.parametrize("pool", ["AveragePool", "MaxPool"])
def test_no_window_begins_behind_the_input(pool: str, tmp_path: Path) -> None:
    """ONNX's inference counts the fifth window of 12 cells, 2 of every 3; its own run does not."""
    g = Graph(17)
    x = g.op(pool, g.input("x", 1, 2, 12, 9), kernel_shape=[2, 2], strides=[3, 2], ceil_mode=1)
    model = g.model(g.op("Transpose", g.conv(x, 2, 3), perm=[0, 1, 3, 2]))
    onnx.save(model, str(tmp_path / "m.onnx"))
    report = Network.load(str(tmp_path / "m.onnx")).evaluate_for((2, 12, 9), maps=True)
    assert [row.shape for row in report.rows] == [(1, 2, 4, 5), (1, 3, 4, 5), (1, 3, 5, 4)]
    assert [found.sizes for found in report.maps[1:]] == [(4, 5)] * 3
    assert not any(row.note for row in report.rows)


def check_trace(report: NetworkReport, felt: Mapping[str, Any], first: Mapping[str, str]) -> None:
    """What each row of the input reaches in each map is what changes there."""
    rows = next(iter(felt.values())).shape[0]
    cells = list(np.ndindex(report.maps[0].sizes))
    places = [(cell[0], trace(report, cell, report.maps[0].name).regions) for cell in cells]
    for found in report.maps[1:]:
        tensor = felt[first.get(found.name, found.name[:-1].rpartition(" (")[2])]
        count = found.sizes[0]
        reached = np.zeros((rows, count), bool)
        for row, regions in places:
            for low, high in along(regions.get(found.name, ()), 0):
                reached[row, low : high + 1] = True
        axes = [axis for axis in range(1, tensor.ndim) if tensor.shape[axis] == count]
        others = [tuple({*range(1, tensor.ndim)} - {axis}) for axis in axes]
        changed = [tensor.any(axis=other) for other in others]
        if count == 1:
            changed = [tensor.reshape(rows, -1).any(1, keepdims=True)]
        assert any((one <= reached).all() for one in changed), found
        if not found.name.startswith("sigmoid"):  # near 1 it rounds small changes away
            assert any((one == reached).all() for one in changed), found
