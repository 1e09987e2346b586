"""Every tensor of an ONNX model for one input: shapes, and the numbers of small constants.

ONNX's own shape inference is asked for one node after the other, with what is known of its
inputs. Exporters compute shapes in the graph (Shape, Gather, Concat, Range, ...), so a node whose
inputs are known numbers is computed by ONNX's reference implementation.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

import onnx

from convcli.errors import ShapeError

__all__ = ["MALFORMED", "MOST_NUMBERS", "Tensors", "dims_of", "domain_of", "drop_weights"]

MOST_NUMBERS = 2048
"""Cells of the largest constant whose numbers are kept: shapes, axes and scales are small."""

COMPUTED = frozenset(
    "Abs Add And ArgMax ArgMin Cast CastLike Ceil Clip Compress Concat Constant ConstantOfShape "
    "CumSum Div Equal Expand Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual "
    "Identity Less LessOrEqual Max Min Mod Mul Neg NonZero Not Or Pow Range Reciprocal ReduceMax "
    "ReduceMin ReduceProd ReduceSum Reshape Round ScatterElements ScatterND Sign Slice Split Sqrt "
    "Squeeze Sub Sum Tile TopK Transpose Unique Unsqueeze Where Xor".split()
)
"""What shapes are computed with. None of these needs more memory than its inputs and outputs, so
that a file from a stranger cannot make it need much."""

COUNTED = ("NonZero", "Compress", "Unique")
"""What has an output of a size that only its numbers tell, but never larger than its input."""

MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises over a model whose parts are of another kind than they should be."""

DATA = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def domain_of(node: Any) -> str:
    """The set of operators that a node is of; ONNX's own is empty."""
    return "" if node.domain == "ai.onnx" else str(node.domain)


def dims_of(type_: Any) -> tuple[int | str | None, ...] | None:
    """Sizes of a tensor's type: a number, a name, or None where nothing is said.

    None if it is no tensor, or even the count of its axes is open.
    """
    tensor = type_.tensor_type
    if not type_.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
        for dim in tensor.shape.dim
    )


def drop_weights(graph: Any) -> None:
    """Free the numbers of large constants, which no shape depends on; their sizes stay."""
    for tensor in _constants(graph):
        if prod(tensor.dims) > MOST_NUMBERS:
            for name in (*DATA, "string_data", "external_data"):
                tensor.ClearField(name)


def _constants(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for entry in node.attribute:
            if entry.HasField("t"):
                yield entry.t
            if entry.HasField("g"):
                yield from _constants(entry.g)


class Tensors:
    """What is known of each tensor, by name."""

    def __init__(self, model: Any) -> None:
        self.opsets = list(model.opset_import)
        self.version = model.ir_version
        self.types: dict[str, Any] = {}
        self.numbers: dict[str, Any] = {}

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        found = [entry.version for entry in self.opsets if entry.domain in ("", "ai.onnx")]
        return max(found, default=1)

    def add_input(self, name: str, kind: int, sizes: Sequence[int]) -> None:
        """An input of the network, of a known size."""
        self.types[name] = onnx.helper.make_tensor_type_proto(kind, sizes)

    def resize(self, name: str, sizes: Sequence[int]) -> None:
        """Know a tensor by other sizes."""
        self.add_input(name, self.types[name].tensor_type.elem_type, sizes)

    def add_constants(self, graph: Any) -> None:
        """What a graph holds besides its nodes."""
        for tensor in graph.initializer:
            self._add_constant(tensor.name, tensor)
        for sparse in graph.sparse_initializer:
            kind = sparse.values.data_type
            self.add_input(sparse.values.name, kind, sparse.dims)

    def _add_constant(self, name: str, tensor: Any) -> None:
        self.add_input(name, tensor.data_type, tensor.dims)
        stored = tensor.data_location != onnx.TensorProto.EXTERNAL
        if stored and prod(tensor.dims) <= MOST_NUMBERS and tensor.data_type != tensor.STRING:
            self.numbers[name] = onnx.TensorProto()
            self.numbers[name].CopyFrom(tensor)
            self.numbers[name].name = name

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Sizes of a tensor, or None where one is not known."""
        dims = dims_of(self.types[name]) if name in self.types else None
        sizes = tuple(size for size in dims or () if isinstance(size, int))
        return None if dims is None or len(sizes) != len(dims) else sizes

    def kind(self, name: str) -> str:
        """``tensor_type``, ``sequence_type``, ...; empty where nothing is known."""
        return (self.types[name].WhichOneof("value") if name in self.types else None) or ""

    def values(self, name: str) -> list[Any] | None:
        """The numbers of a constant in a row, or None where they are not known."""
        if name not in self.numbers:
            return None
        found: list[Any] = onnx.numpy_helper.to_array(self.numbers[name]).ravel().tolist()
        return found

    def rename(self, old: str, new: str) -> None:
        """Know a tensor by another name as well."""
        for table in (self.types, self.numbers):
            if old in table:
                table[new] = table[old]

    def infer(self, node: Any) -> None:
        """Learn what a node makes.

        Raises
        ------
        ShapeError
            If its inputs do not fit together, with ONNX's own reason.
        """
        for entry in node.attribute:
            if node.op_type == "Constant" and entry.name == "value":
                self._add_constant(node.output[0], entry.t)
                return
        model = self._alone(node)
        try:
            made = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:  # of its own kind, which several modules have by one name
            raise ShapeError(_reason(str(error))) from error
        for info in made.graph.output:
            if info.HasField("type"):
                self.types[info.name] = info.type
        if node.op_type in ("Shape", "Size") and not domain_of(node):
            self._measure(node)
        elif self._computable(node):
            self._compute(node, made)

    def _alone(self, node: Any) -> Any:
        """A model of one node, with what is known of what it reads."""
        graph = onnx.GraphProto(name="alone")
        graph.node.append(node)
        for name in dict.fromkeys(_read_by(node)):
            if name in self.numbers:
                graph.initializer.append(self.numbers[name])
            elif name in self.types:
                graph.input.append(onnx.ValueInfoProto(name=name, type=self.types[name]))
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
        model = onnx.ModelProto(ir_version=max(self.version, 4), graph=graph)
        model.opset_import.extend(self.opsets)
        return model

    def _measure(self, node: Any) -> None:
        shape = self.shape(node.input[0])
        if shape is None:
            return
        given = {entry.name: entry.i for entry in node.attribute}
        shape = shape[given.get("start", 0) : given.get("end", len(shape))]
        whole = node.op_type == "Size"
        self.numbers[node.output[0]] = onnx.helper.make_tensor(
            node.output[0],
            onnx.TensorProto.INT64,
            [] if whole else [len(shape)],
            [prod(shape)] if whole else shape,
        )

    def _computable(self, node: Any) -> bool:
        """Whether the numbers of all inputs are known, and those of the outputs are few."""
        given = [name for name in node.input if name]
        if domain_of(node) or node.op_type not in COMPUTED:
            return False
        if any(name not in self.numbers for name in given):
            return False
        shapes = [self.shape(name) for name in node.output if name]
        known = all(shape is not None and prod(shape) <= MOST_NUMBERS for shape in shapes)
        kinds = [self.types[n].tensor_type.elem_type for n in node.output if n in self.types]
        return (known or node.op_type in COUNTED) and onnx.TensorProto.STRING not in kinds

    def _compute(self, node: Any, model: Any) -> None:
        from onnx.reference import ReferenceEvaluator

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = ReferenceEvaluator(model).run(None, {})
        except Exception:  # whatever an operator raises: its numbers stay unknown
            return
        for info, array in zip(model.graph.output, made, strict=True):
            tensor = onnx.numpy_helper.from_array(array, info.name)
            if prod(tensor.dims) <= MOST_NUMBERS:
                self._add_constant(info.name, tensor)


def _read_by(node: Any) -> Iterable[str]:
    """Names that a node reads, in the graphs inside it too."""
    yield from (name for name in node.input if name)
    for entry in node.attribute:
        if entry.HasField("g"):
            for inner in entry.g.node:
                yield from _read_by(inner)
            yield from (info.name for info in entry.g.output)


def _reason(text: str) -> str:
    """ONNX's words without the names that it puts before them.

    >>> _reason("[ShapeInferenceError] (op_type:MatMul): [ShapeInferenceError] they differ")
    'they differ'
    """
    words = re.sub(r"\[\w+Error\]|Inference error\(s\):|\(op_type:[^)]*\):", " ", text)
    return " ".join(words.split()) or "ONNX finds no shape for it"
