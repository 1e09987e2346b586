"""What each output of an ONNX operator sees: a rule for each kind of operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.onnx_model.flow import (
    Along,
    Flow,
    broadcast,
    everything,
    join,
    laid_anew,
    moved_axes,
)
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.onnx_model.resize import resized

__all__ = ["POINTWISE", "flow_after", "follows"]

POINTWISE = frozenset(
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BatchNormalization BitShift BitwiseAnd BitwiseNot "
    "BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear Div Dropout Elu "
    "Equal Erf Exp Expand Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf "
    "IsNaN LRN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow "
    "QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt "
    "Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor".split()
)
"""Operators whose cells see what the cells in the same place see."""


def follows(op: str) -> bool:
    """Whether there is a rule for an operator."""
    return op in POINTWISE or op in _RULES or op.startswith("Reduce")


def flow_after(node: OnnxNode, place: int) -> Flow:
    """How an output of a node lies over the input; without a rule it may see all that arrives."""
    if node.op in POINTWISE:
        return _cell_by_cell(node, place)
    if node.op.startswith("Reduce"):
        return _reduced(node, place)
    if node.op in _RULES:
        return _RULES[node.op](node, place)
    return everything(node.given.values())


def _cell_by_cell(node: OnnxNode, place: int) -> Flow:
    to = node.out(place)
    return join(
        [
            broadcast(node.flow(i), node.shape(i), to)
            for i, name in enumerate(node.proto.input)
            if name in node.given
        ]
    )


def _sliding(node: OnnxNode, place: int) -> Flow:
    found = {}
    for key, along in node.flow(0).items():
        axis = along.axes[0] if along.axes else 0
        if not along.axes or (axis == 0 and along.alone):
            found[key] = along
        elif along.alone and axis >= 2:
            found[key] = _slid(along, node.windows[axis - 2])
        else:
            found[key] = along.all_seen()  # channels are mixed, and so is what no window can follow
    return found


def _slid(along: Along, window: AnyWindow) -> Along:
    return replace(along, field=along.field.after(window), count=window.output)


def _mixing(axes: Callable[[OnnxNode], Iterable[int]], keep: bool = False) -> _Rule:
    """A rule for what reads all positions along some axes.

    ``keep``: each output sees its own cell too, as after a normalisation or softmax.
    """

    def rule(node: OnnxNode, place: int) -> Flow:
        rank = len(node.shape(0))
        mixed = {axis % rank for axis in axes(node)} if rank else set()
        flow = node.flow(0)
        seen = {
            key: along.all_seen() if mixed & set(along.axes) else along
            for key, along in flow.items()
        }
        if keep:
            return join([seen, flow])
        if len(node.out(place)) == rank:
            return seen
        left = [axis for axis in range(rank) if axis not in mixed]
        return moved_axes(seen, {axis: new for new, axis in enumerate(left)})

    return rule


def _axis(usual: int) -> Callable[[OnnxNode], Iterable[int]]:
    return lambda node: [node.attributes.get("axis", usual)]


def _axis_and_after(usual: int) -> Callable[[OnnxNode], Iterable[int]]:
    def axes(node: OnnxNode) -> Iterable[int]:
        rank = len(node.shape(0))
        return range(node.attributes.get("axis", usual) % rank, rank)

    return axes


def _softmax_axes(node: OnnxNode) -> Iterable[int]:
    # Before opset 13 everything from the axis on was one.
    return _axis(-1)(node) if node.tensors.opset >= 13 else _axis_and_after(1)(node)


def _reduced_axes(node: OnnxNode) -> Iterable[int]:
    axes = node.setting("axes", 1)
    if not axes and not node.attributes.get("noop_with_empty_axes", 0):
        return range(len(node.shape(0)))
    return axes or ()


def _whole_picture(node: OnnxNode) -> Iterable[int]:
    return range(2, len(node.shape(0)))


def _transposed(node: OnnxNode, place: int) -> Flow:
    rank = len(node.shape(0))
    order = node.attributes.get("perm", range(rank)[::-1])
    return moved_axes(node.flow(0), {old: new for new, old in enumerate(order)})


def _laid_anew(node: OnnxNode, place: int) -> Flow:
    flow = laid_anew(node.flow(0), node.shape(0), node.out(place))
    flat = node.op == "Flatten" or (node.op == "Reshape" and len(node.out(place)) == 2)
    # A row of features has no places: what follows reads all of it, and so does each of our rows.
    return everything([flow]) if flat else flow


def _concat(node: OnnxNode, place: int) -> Flow:
    axis = node.attributes.get("axis", 1) % len(node.out(place))
    flow = join([node.flow(i) for i in range(len(node.proto.input))])
    count = node.out(place)[axis]
    return {
        key: replace(along.blurred(), count=count) if axis in along.axes else along
        for key, along in flow.items()
    }


def _split(node: OnnxNode, place: int) -> Flow:
    axis = node.attributes.get("axis", 0) % len(node.shape(0))
    before = sum(node.out(i)[axis] for i in range(place) if node.proto.output[i])
    return _cut(node.flow(0), axis, before, 1, node.out(place)[axis])


def _cut(flow: Flow, axis: int, start: int, step: int, count: int) -> Flow:
    """Every ``step``-th position along an axis, from ``start`` on."""
    found = {}
    for key, along in flow.items():
        if along.axes == (axis,) and along.alone and step > 0:
            field = along.field.reading(1, along.field.jump * step, start)
            along = replace(along, field=field, count=count)
        elif axis in along.axes:
            along = along.blurred()
        found[key] = along
    return found


def _sliced(node: OnnxNode, place: int) -> Flow:
    shape, flow = node.shape(0), node.flow(0)
    starts, axes, steps = node.setting("starts", 1), node.setting("axes", 3), node.setting("", 4)
    if starts is None:
        return {key: along.blurred() for key, along in flow.items()}
    for start, axis, by in zip(starts, axes or range(len(starts)), steps or [1] * len(starts)):  # noqa: B905
        axis %= len(shape)
        first = min(start + shape[axis] if start < 0 else start, shape[axis])
        flow = _cut(flow, axis, max(first, 0), by, node.out(place)[axis])
    return flow


def _gathered(node: OnnxNode, place: int) -> Flow:
    shape, flow = node.shape(0), node.flow(0)
    axis = node.attributes.get("axis", 0) % len(shape)
    more = len(node.out(place)) - len(shape)  # one index takes its axis away
    indices = node.setting("", 1) or []
    steps = {b - a for a, b in pairwise(indices)} or {1}
    if indices and len(steps) == 1 and more <= 0:
        flow = _cut(flow, axis, indices[0] % shape[axis], steps.pop(), len(indices))
    else:
        taken = range(axis, axis + more + 1)
        flow = {k: a.blurred() if axis in a.axes and taken else a for k, a in flow.items()}
    to: dict[int, int | None] = {a: a + more * (a > axis) for a in range(len(shape))}
    if more < 0:
        to[axis] = None
    return join([moved_axes(flow, to), everything([node.flow(1)])])


def _padded(node: OnnxNode, place: int) -> Flow:
    pads = node.setting("pads", 1)
    shape, out, flow = node.shape(0), node.out(place), node.flow(0)
    axes = node.setting("", 3) or range(len(shape))
    if pads is None:
        return {key: along.blurred() for key, along in flow.items()}
    for axis, before in zip(axes, pads, strict=False):
        axis %= len(shape)
        if out[axis] != shape[axis] or before:
            flow = _cut(flow, axis, -before, 1, out[axis])
    return flow


def _depth_to_space(node: OnnxNode, place: int) -> Flow:
    block = node.attributes["blocksize"]

    def grown(along: Along) -> Along:
        return replace(along, field=along.field.scaled(block), count=along.count * block)

    return _spatially(node.flow(0), grown)


def _space_to_depth(node: OnnxNode, place: int) -> Flow:
    block = node.attributes["blocksize"]

    def shrunk(along: Along) -> Along:
        field = along.field.reading(block, along.field.jump * block, (block - 1) / 2)
        return replace(along, field=field, count=along.count // block)

    return _spatially(node.flow(0), shrunk)


def _spatially(flow: Flow, change: Callable[[Along], Along]) -> Flow:
    return {
        key: change(along) if along.alone and along.axes[0] >= 2 else along
        for key, along in flow.items()
    }


def _repeated(node: OnnxNode, place: int) -> Flow:
    shape, out = node.shape(0), node.out(place)
    return {
        key: along if all(shape[a] == out[a] for a in along.axes) else along.blurred()
        for key, along in node.flow(0).items()
    }


def _product(node: OnnxNode, place: int) -> Flow:
    """MatMul: rows of the first with columns of the second; a vector has no axis in the result."""
    out, ranks = len(node.out(place)), [len(node.shape(side)) for side in (0, 1)]
    flows = []
    for side, rank in enumerate(ranks):
        summed = rank - 1 if side == 0 else max(rank - 2, 0)
        kept = {axis: axis + out - rank + (ranks[1 - side] == 1) for axis in range(rank)}
        if side == 1 and rank > 1:
            kept[rank - 1] = out - 1
        flows.append(_summed(node.flow(side), {summed}, kept))
    return join(flows)


def _gemm(node: OnnxNode, place: int) -> Flow:
    flows = []
    for side, name in enumerate(("transA", "transB")):
        summed = (1 - side) ^ bool(node.attributes.get(name, 0))
        flows.append(_summed(node.flow(side), {summed}, {1 - summed: side}))
    if len(node.proto.input) > 2 and node.proto.input[2] in node.given:
        flows.append(broadcast(node.flow(2), node.shape(2), node.out(place)))
    return join(flows)


def _einsum(node: OnnxNode, place: int) -> Flow:
    left, arrow, right = node.word("equation", "").replace(" ", "").partition("->")
    if not arrow or "." in left:
        return everything(node.given.values())
    flows = []
    for i, letters in enumerate(left.split(",")):
        kept = {axis: right.index(x) for axis, x in enumerate(letters) if x in right}
        summed = {axis for axis, x in enumerate(letters) if x not in right}
        flows.append(_summed(node.flow(i), summed, kept))
    return join(flows)


def _summed(flow: Flow, summed: set[int], kept: dict[int, int]) -> Flow:
    seen = {k: a.all_seen() if summed & set(a.axes) else a for k, a in flow.items()}
    return moved_axes(seen, {old: new for old, new in kept.items() if old not in summed})


def _resize(node: OnnxNode, place: int) -> Flow:
    return resized(node, place)


_Rule = Callable[[OnnxNode, int], Flow]
_reduced = _mixing(_reduced_axes)
_RULES: dict[str, _Rule] = {
    **dict.fromkeys("Conv ConvTranspose ConvInteger QLinearConv".split(), _sliding),
    **dict.fromkeys("MaxPool AveragePool LpPool".split(), _sliding),
    **dict.fromkeys(
        "GlobalAveragePool GlobalMaxPool GlobalLpPool".split(), _mixing(_whole_picture)
    ),
    **dict.fromkeys("ArgMax ArgMin".split(), _mixing(_axis(0))),
    **dict.fromkeys("Softmax LogSoftmax Hardmax".split(), _mixing(_softmax_axes, keep=True)),
    **dict.fromkeys("TopK LpNormalization".split(), _mixing(_axis(-1), keep=True)),
    "LayerNormalization": _mixing(_axis_and_after(-1), keep=True),
    "RMSNormalization": _mixing(_axis_and_after(-1), keep=True),
    "InstanceNormalization": _mixing(_whole_picture, keep=True),
    "GroupNormalization": _mixing(_whole_picture, keep=True),
    "MeanVarianceNormalization": _mixing(
        lambda node: node.attributes.get("axes", (0, 2, 3)), keep=True
    ),
    "Transpose": _transposed,
    **dict.fromkeys("Reshape Flatten Squeeze Unsqueeze".split(), _laid_anew),
    "Concat": _concat,
    "Split": _split,
    "Slice": _sliced,
    "Gather": _gathered,
    "Pad": _padded,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Tile": _repeated,
    **dict.fromkeys("MatMul MatMulInteger".split(), _product),
    "Gemm": _gemm,
    "Einsum": _einsum,
}
