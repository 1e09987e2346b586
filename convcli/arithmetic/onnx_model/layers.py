"""ONNX's convolutions, poolings and products as layers: windows, words, parameters, MACs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcli.arithmetic.layer import Layer
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.sizes import cross
from convcli.arithmetic.transposed import transposed_pads
from convcli.arithmetic.window import Padding
from convcli.errors import ShapeError

__all__ = ["SLIDING", "kind_and_label", "linear_macs", "sliding_layer", "weight_places"]

SLIDING: dict[str, Any] = {
    "Conv": "conv",
    "ConvInteger": "conv",
    "QLinearConv": "conv",
    "ConvTranspose": "conv_transpose",
    "MaxPool": "maxpool",
    "AveragePool": "avgpool",
    "LpPool": "avgpool",
}
KINDS = {
    "GlobalAveragePool": ("globalavgpool", "global avgpool"),
    "GlobalMaxPool": ("globalmaxpool", "global maxpool"),
    "BatchNormalization": ("batchnorm", "batchnorm"),
}
WEIGHTS = {
    "Conv": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "BatchNormalization": (1, 2),  # the running statistics are not trained
}
"""Inputs that are trained, wherever they come from."""

SETTINGS = frozenset(
    "Clip DequantizeLinear Dropout Pad Pow QuantizeLinear Resize Slice TopK Upsample".split()
)
"""Operators whose constants only say what to do."""


def weight_places(op: str) -> tuple[int, ...] | None:
    """The inputs of an operator that are parameters; None where any stored number may be one."""
    return () if op in SETTINGS else WEIGHTS.get(op)


def kind_and_label(node: OnnxNode, layer: Layer | None) -> tuple[str, str]:
    """The kind of layer that a node is, and how a table names it."""
    op = node.op
    if layer is not None:
        label = str(layer) if op != "LpPool" else str(layer).replace("avgpool", "lppool")
        return SLIDING[op], label
    if op in KINDS:
        return KINDS[op]
    if linear_macs(node):
        return "linear", f"linear {node.out()[-1]}"
    if op == "Flatten" or (op == "Reshape" and len(node.out()) == 2):
        return "flatten", "flatten"
    if op == "Transpose":
        order = node.attributes.get("perm", range(len(node.out()))[::-1])
        return "transpose", f"transpose {','.join(map(str, order))}"
    if op == "Clip" and [node.setting("min", 1), node.setting("max", 2)] == [[0], [6]]:
        return "relu6", "relu6"
    return op.lower(), op.lower()


def linear_macs(node: OnnxNode) -> int:
    """Multiplications of a product with a constant matrix, 0 for any other node."""
    if node.op not in ("Gemm", "MatMul", "MatMulInteger"):
        return 0
    constant = [name not in node.given for name in node.proto.input[:2]]
    if not any(constant) or len(node.shape(constant.index(True))) < 2:
        return 0
    transposed = node.op == "Gemm" and node.attributes.get("transA", 0)
    return prod(node.out()) * node.shape(0)[0 if transposed else -1]


def sliding_layer(node: OnnxNode) -> Layer:
    """The layer of a convolution or pooling; its input's channels are checked.

    Raises
    ------
    ShapeError
        If its numbers do not fit together.
    """
    op, attributes = node.op, node.attributes
    place = (WEIGHTS.get(op) or (0,))[0]
    weight = node.shape(place) if place else ()
    kernel = tuple(attributes.get("kernel_shape", weight[2:]))
    if len(node.shape(0)) != len(kernel) + 2:
        raise ShapeError(
            f"{len(kernel)} axes are asked for, but {cross(node.shape(0)[1:])} arrives"
        )
    rank, groups = len(kernel), int(attributes.get("group", 1))
    layer = Layer(
        SLIDING[op],
        kernel,
        tuple(attributes.get("strides", (1,) * rank)),
        _padding(node, rank),
        tuple(attributes.get("dilations", (1,) * rank)),
        tuple(attributes.get("output_padding", ())) or None,
        bool(attributes.get("ceil_mode", 0)),
        groups=groups,
    )
    if not weight:
        return layer
    transposed = op == "ConvTranspose"
    wanted = weight[0] if transposed else weight[1] * groups
    if wanted != node.shape(0)[1]:
        raise ShapeError(
            f"its weight is for {wanted} input channels, but {node.shape(0)[1]} arrive"
        )
    if transposed and "output_shape" in attributes:
        layer = _of_given_output(node, layer, attributes["output_shape"][-rank:])
    return layer._replace(out_channels=weight[1] * groups if transposed else weight[0])


def _of_given_output(node: OnnxNode, layer: Layer, wanted: Sequence[int]) -> Layer:
    extra = layer.output_padding or (0,) * len(wanted)
    found = [
        transposed_pads(
            node.shape(0)[2 + axis],
            wanted[axis],
            layer.kernel_size[axis],
            stride=layer.strides[axis],
            dilation=layer.dilation[axis],
            output_padding=extra[axis],
            auto_pad=node.word("auto_pad", "NOTSET"),
        )
        for axis in range(len(wanted))
    ]
    pads = tuple((before, after) for before, after, _ in found)
    return layer._replace(padding=pads, output_padding=tuple(more for _, _, more in found))


def _padding(node: OnnxNode, rank: int) -> tuple[Padding, ...]:
    names = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    mode = node.word("auto_pad", "NOTSET")
    if mode in names:
        return (names[mode],) * rank
    pads = node.attributes.get("pads", (0,) * (2 * rank))
    sides = [(int(pads[axis]), int(pads[axis + rank])) for axis in range(rank)]
    return tuple(before if before == after else (before, after) for before, after in sides)
