"""Networks from ONNX files; needs the ``onnx`` extra.

Only shapes are read: weights in external files are never opened. An operator that is not known
keeps the shape that ONNX's own shape inference gives it; the shapes that are worked out here are
compared with those, and a difference is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from convcli.arithmetic.graph import INPUT, Node
from convcli.arithmetic.layer import Layer
from convcli.arithmetic.network import Network
from convcli.arithmetic.network_files import refuse_what_is_no_file
from convcli.arithmetic.transposed import transposed_pads
from convcli.arithmetic.window import Padding
from convcli.errors import InputError, ShapeError

__all__ = ["read_onnx"]

POINTWISE = {
    "Relu": "relu",
    "LeakyRelu": "leakyrelu",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Mish": "mish",
    "Softmax": "softmax",
    "LogSoftmax": "logsoftmax",
    "Dropout": "dropout",
    "LRN": "lrn",
    "Identity": "identity",
    "Clip": "relu6",
}
DIRECT = {
    "GlobalAveragePool": "globalavgpool",
    "GlobalMaxPool": "globalmaxpool",
    "BatchNormalization": "batchnorm",
    "Flatten": "flatten",
}
SLIDING = {
    "Conv": "conv",
    "ConvTranspose": "conv_transpose",
    "MaxPool": "maxpool",
    "AveragePool": "avgpool",
}


FLOATS = (1, 10, 11, 16)
"""TensorProto's float32, float16, float64 and bfloat16; integer constants are shapes and axes."""


def read_onnx(path: Path) -> Network:
    """Read the graph of a model with one image input.

    Raises
    ------
    InputError
        If the file cannot be read or is no ONNX model.
    ShapeError
        If the extra is missing, or the model has no input of the form N, C, sizes.
    """
    refuse_what_is_no_file(path)
    try:
        import onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ShapeError(
            f"{path}: reading ONNX needs the onnx package; pip install 'convcli[onnx]'"
        ) from None
    try:
        model = onnx.load(str(path), load_external_data=False)
        graph = onnx.shape_inference.infer_shapes(model).graph
    except OSError:
        raise
    except Exception as error:  # protobuf and shape inference have their own kinds of error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable ONNX model: {reason}") from error
    try:
        return _Reader(graph, onnx.helper.get_attribute_value).network(path.stem)
    except ShapeError as error:
        raise ShapeError(f"{path}: {error}") from None


class _Reader:
    def __init__(self, graph: Any, attribute_value: Callable[[Any], Any]) -> None:
        self.graph = graph
        self.value = attribute_value
        self.weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        self.trained = {tensor.name for tensor in graph.initializer if tensor.data_type in FLOATS}
        self.shapes = {
            info.name: _dims(info) for info in [*graph.input, *graph.value_info, *graph.output]
        }
        # What each tensor is called among our nodes; a tensor that no node made is a constant.
        self.makers: dict[str, str] = {}
        self.counted: set[str] = set()
        self.nodes: list[Node] = []
        self.names = {INPUT}

    def network(self, title: str) -> Network:
        inputs = [info for info in self.graph.input if info.name not in self.weights]
        if len(inputs) != 1:
            raise ShapeError(f"the model has {len(inputs)} inputs; only models with one are read")
        shape = _dims(inputs[0])
        if shape is None or len(shape) < 2:
            raise ShapeError(f"input {inputs[0].name!r} has no shape of the form N, C, sizes")
        self.makers[inputs[0].name] = INPUT
        for node in self.graph.node:
            self._read(node)
        if not self.nodes:
            raise ShapeError("the model has no layers")
        sizes = tuple(size for size in shape[1:] if size)
        own = sizes if len(sizes) == len(shape) - 1 else None
        return Network.of_nodes(self.nodes, title=self.graph.name or title, input_shape=own)

    def _read(self, node: Any) -> None:
        tensors = [name for name in node.input if name in self.makers]
        if node.op_type in ("Shape", "Size"):
            return  # what is computed from them is a constant here
        if not tensors:  # a constant, or arithmetic on constants
            if node.op_type == "Constant":
                self._constant(node)
            return
        if self._is_bias(node, tensors):
            self._add_bias(node, tensors[0])
            return
        attributes = {entry.name: self.value(entry) for entry in node.attribute}
        try:
            made = self._translate(node, attributes, tensors)
        except (ShapeError, IndexError, KeyError, TypeError) as error:
            raise ShapeError(
                f"node {node.name or node.output[0]!r} ({node.op_type}): {error}"
            ) from None
        self.nodes.append(made)
        self.names.add(made.name)
        for output in node.output:
            self.makers[output] = made.name

    def _constant(self, node: Any) -> None:
        for entry in node.attribute:
            if entry.name == "value":
                self.weights[node.output[0]] = tuple(entry.t.dims)

    def _is_bias(self, node: Any, tensors: Sequence[str]) -> bool:
        """An Add of one tensor and one constant, which exporters write for a bias."""
        return node.op_type == "Add" and len(tensors) == 1

    def _add_bias(self, node: Any, tensor: str) -> None:
        maker = self.makers[tensor]
        self.makers[node.output[0]] = maker
        for place, made in enumerate(self.nodes):
            if made.name == maker:
                extra = made.options.get("extra_params", 0) + self._params(node)
                self.nodes[place] = replace(made, options={**made.options, "extra_params": extra})

    def _params(self, node: Any) -> int:
        """Cells of the constants that a node reads and no node before it did."""
        fresh = {name for name in node.input if name in self.trained} - self.counted
        self.counted |= fresh
        return sum(prod(self.weights[name]) for name in fresh)

    def _translate(self, node: Any, attributes: Mapping[str, Any], tensors: Sequence[str]) -> Node:
        name = self._name(node)
        inputs = tuple(self.makers[tensor] for tensor in tensors)
        op, output = node.op_type, self._output(node)
        options: dict[str, Any] = {"params": self._params(node)}
        if output:
            options["output"] = output
        if op in SLIDING:
            layer, wanted = self._layer(node, attributes)
            if wanted is not None:
                options["in_channels"] = wanted
            return Node(name, SLIDING[op], inputs[:1], str(layer), layer, options)
        if op in POINTWISE:
            return Node(name, POINTWISE[op], inputs[:1], op.lower(), None, options)
        if op in DIRECT and not (op == "Flatten" and attributes.get("axis", 1) != 1):
            kind = DIRECT[op]
            return Node(name, kind, inputs[:1], kind.replace("global", "global "), None, options)
        if op == "Add" or (op == "Concat" and attributes.get("axis", 1) == 1):
            return Node(name, op.lower(), inputs, op.lower(), None, options)
        if op == "Reshape" and output and len(output) == 1:
            return Node(name, "flatten", inputs[:1], "flatten", None, options)
        features = self._features(node, attributes)
        if features is not None:
            options |= features
            return Node(
                name, "linear", inputs[:1], f"linear {features['out_channels']}", None, options
            )
        return Node(name, op, inputs[:1], op, None, options)

    def _features(self, node: Any, attributes: Mapping[str, Any]) -> dict[str, Any] | None:
        """Sizes of a linear layer: Gemm, or MatMul with a constant matrix."""
        if node.op_type not in ("Gemm", "MatMul") or len(self.shapes.get(node.input[0]) or ()) != 2:
            return None
        given, out = self._weight(node)
        if node.op_type == "Gemm" and attributes.get("transB", 0):
            given, out = out, given
        bias = node.op_type == "Gemm" and len(node.input) > 2
        return {"out_channels": out, "in_channels": given, "bias": bias}

    def _name(self, node: Any) -> str:
        name = node.name or node.output[0] or node.op_type
        while name in self.names:
            name += "'"
        return str(name)

    def _output(self, node: Any) -> tuple[int, ...] | None:
        """The file's own shape of a node's first output, without the batch."""
        shape = self.shapes.get(node.output[0])
        if shape is None or len(shape) < 2:
            return None
        sizes = tuple(size for size in shape[1:] if size is not None)
        return sizes if len(sizes) == len(shape) - 1 else None

    def _weight(self, node: Any) -> tuple[int, ...]:
        """Shape of a node's weight, stored or computed from what is stored."""
        name = node.input[1]
        shape = self.weights.get(name) or self.shapes.get(name)
        sizes = tuple(size for size in shape or () if size is not None)
        if not shape or len(sizes) != len(shape):
            raise ShapeError(f"the file does not give the shape of its weight {name!r}")
        return sizes

    def _layer(self, node: Any, attributes: Mapping[str, Any]) -> tuple[Layer, int | None]:
        op = node.op_type
        pool = op in ("MaxPool", "AveragePool")
        weight = () if pool else self._weight(node)
        kernel = tuple(attributes.get("kernel_shape", weight[2:]))
        rank = len(kernel)
        groups = int(attributes.get("group", 1))
        strides = tuple(attributes.get("strides", (1,) * rank))
        dilations = tuple(attributes.get("dilations", (1,) * rank))
        extra = tuple(attributes.get("output_padding", ())) or None
        padding = _padding(attributes, rank)
        kind: Any = SLIDING[op]
        if op == "ConvTranspose" and "output_shape" in attributes:
            padding, extra = self._given_output(node, attributes, kernel, strides, dilations, extra)
        layer = Layer(
            kind,
            kernel,
            strides,
            padding,
            dilations,
            extra,
            bool(attributes.get("ceil_mode", 0)),
            None,
            groups,
            len(node.input) > 2 and bool(node.input[2]),
        )
        if pool:
            return layer, None
        if op == "Conv":
            return replace(layer, out_channels=weight[0]), weight[1] * groups
        return replace(layer, out_channels=weight[1] * groups), weight[0]

    def _given_output(
        self,
        node: Any,
        attributes: Mapping[str, Any],
        kernel: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
        extra: Sequence[int] | None,
    ) -> tuple[tuple[Padding, ...], tuple[int, ...]]:
        given = self.shapes.get(node.input[0])
        wanted = attributes["output_shape"][-len(kernel) :]
        sizes = [size for size in (given or ())[2:] if size is not None]
        if len(sizes) != len(kernel):
            raise ShapeError("output_shape needs an input of known size")
        mode = attributes.get("auto_pad", b"NOTSET")
        mode = mode.decode() if isinstance(mode, bytes) else mode
        found = [
            transposed_pads(
                sizes[axis],
                wanted[axis],
                kernel[axis],
                stride=strides[axis],
                dilation=dilations[axis],
                output_padding=extra[axis] if extra else 0,
                auto_pad=mode,
            )
            for axis in range(len(kernel))
        ]
        return tuple((before, after) for before, after, _ in found), tuple(op for _, _, op in found)


def _dims(info: Any) -> tuple[int | None, ...] | None:
    """Sizes of a tensor; None where the file leaves one open."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)


def _padding(attributes: Mapping[str, Any], rank: int) -> tuple[Padding, ...]:
    mode = attributes.get("auto_pad", b"NOTSET")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    names = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    if mode in names:
        return (names[mode],) * rank
    pads = attributes.get("pads", (0,) * (2 * rank))
    sides = [(int(pads[axis]), int(pads[axis + rank])) for axis in range(rank)]
    return tuple(before if before == after else (before, after) for before, after in sides)
