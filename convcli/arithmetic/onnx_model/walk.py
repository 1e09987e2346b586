"""One pass over an ONNX graph: a row for each node that the input reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any

from convcli.arithmetic.network_graph import INPUT, Node
from convcli.arithmetic.network_report import FeatureMap, LayerFailure, LayerReport
from convcli.arithmetic.onnx_model.fields import POINTWISE, flow_after, follows
from convcli.arithmetic.onnx_model.flow import Along, Flow
from convcli.arithmetic.onnx_model.layers import (
    SLIDING,
    kind_and_label,
    linear_macs,
    sliding_layer,
    weight_places,
)
from convcli.arithmetic.onnx_model.model_inputs import ModelInput
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.onnx_model.places import place_counts, readings_of
from convcli.arithmetic.onnx_model.tensors import MALFORMED, Tensors, domain_of
from convcli.arithmetic.receptive_field import ReceptiveField
from convcli.arithmetic.repair import find_repair
from convcli.arithmetic.shape_inference import Feature
from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError

__all__ = ["Walk"]

FLOATS = (1, 10, 11, 16)
"""TensorProto's float32, float16, float64 and bfloat16; integer constants are shapes and axes."""

MOST_CELLS = 2**50
"""Of a tensor: no machine holds a petabyte, and a file may claim anything."""


class Walk:
    """One pass over the graph; ``maps`` asks for what each tensor reads of others too."""

    def __init__(
        self,
        model: Any,
        inputs: Sequence[ModelInput],
        shapes: Mapping[str, tuple[int, ...]],
        *,
        maps: bool = False,
    ) -> None:
        self.graph = model.graph
        self.tensors = Tensors(model)
        self.rows: list[LayerReport] = []
        self.flows: dict[str, Flow] = {}
        self.makers: dict[str, str] = {}
        self.roots: dict[str, str] = {}
        self.counted: set[str] = set()
        self.trained: set[str] = set()
        self.names: set[str] = set()
        self.mapped = maps
        self.maps: list[FeatureMap] = []
        self.map_names: dict[str, str] = {}
        self.rank = max((len(given.spatial) for given in inputs), default=0)
        first = shapes[inputs[0].name]
        self.batch = first[0] if len(first) > 1 else 1
        for given in inputs:
            shape = shapes[given.name]
            self.tensors.add_input(given.name, given.kind, shape)
            self.flows[given.name] = {
                key: Along(ReceptiveField(extent=shape[axis]), (axis,), shape[axis])
                for key, axis in enumerate(given.spatial)
            }
            name = INPUT if len(inputs) == 1 else given.name
            self.makers[given.name] = self.map_names[given.name] = name
            places = place_counts(self.flows[given.name], self.rank)
            self.maps.append(FeatureMap(name, name, places))
        self._add_constants(self.graph)

    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Sizes of what the model returns."""
        shapes = {info.name: self.tensors.shape(info.name) for info in self.graph.output}
        return {name: shape for name, shape in shapes.items() if shape is not None}

    def run(self) -> LayerFailure | None:
        """Fill ``rows``, up to the node at which it ends if there is one."""
        for proto in self._nodes(self.graph.node):
            try:
                self._take(proto)
            except ShapeError as error:
                return self._failure(proto, str(error))
            except MALFORMED as error:
                return self._failure(proto, f"its attributes make no sense: {error}")
        return None

    def _nodes(self, nodes: Iterable[Any]) -> Iterator[Any]:
        """The nodes that run: of an If whose condition is known, those of its branch."""
        for proto in nodes:
            chosen = self.tensors.values(proto.input[0]) if proto.op_type == "If" else None
            if chosen is None or domain_of(proto):
                yield proto
                continue
            branch = "then_branch" if chosen[0] else "else_branch"
            graph = next(entry.g for entry in proto.attribute if entry.name == branch)
            self._add_constants(graph)
            yield from self._nodes(graph.node)
            for made, name in zip(graph.output, proto.output, strict=True):
                self.tensors.rename(made.name, name)
                for table in (self.flows, self.makers, self.roots, self.map_names):
                    if made.name in table:
                        table[name] = table[made.name]  # type: ignore[assignment]

    def _add_constants(self, graph: Any) -> None:
        self.tensors.add_constants(graph)
        self.trained |= {t.name for t in graph.initializer if t.data_type in FLOATS and t.dims}

    def _take(self, proto: Any) -> None:
        made = [name for name in proto.output if name]
        reads = [name for name in proto.input if name in self.flows]
        try:
            self.tensors.infer(proto)
        except ShapeError:
            if reads:
                raise
            return  # it is missed where it is read
        if not reads or all(name in self.tensors.numbers for name in made):
            self._remember_root(proto)
            return
        node = OnnxNode.of(proto, self.tensors, self.flows)
        self._check_shapes(node, made)
        self._add_row(node)

    def _remember_root(self, proto: Any) -> None:
        """What a constant is made of: shared and unpacked weights are counted once."""
        shapes = {name: self.tensors.shape(name) or () for name in proto.input if name}
        largest = max(shapes, key=lambda name: prod(shapes[name]), default=None)
        if largest is not None:
            self.roots |= dict.fromkeys(proto.output, self.roots.get(largest, largest))

    def _check_shapes(self, node: OnnxNode, made: Sequence[str]) -> None:
        for name in made:
            shape = self.tensors.shape(name)
            if shape is not None:
                if min(shape, default=0) < 0 or prod(shape) >= MOST_CELLS:
                    raise ShapeError(f"its output would have the shape {cross(shape)}")
                continue
            if node.op in POINTWISE or node.op.endswith("Normalization"):
                self.tensors.rename(node.proto.input[0], name)
            elif domain_of(node.proto):
                raise ShapeError(f"{node.op} is no operator of ONNX, so its size is not known")
            elif self.tensors.kind(name) not in ("", "tensor_type"):
                raise ShapeError("it makes a sequence or a map of tensors, which is not followed")
            else:
                raise ShapeError(
                    "its size depends on the numbers that arrive, which only running it tells"
                )

    def _add_row(self, node: OnnxNode) -> None:
        proto, note, macs = node.proto, "", linear_macs(node)
        layer = sliding_layer(node) if node.op in SLIDING else None
        kind, label = kind_and_label(node, layer)
        if layer is not None:
            node.windows = layer.windows(node.shape(0)[2:])
            note = self._doubt(node)
            macs = layer.cost(node.shape(0)[1], node.windows, node.shape(0)[0]).macs
        elif not follows(node.op):
            note = f"{node.op} is taken to see all that reaches it; its MACs are not counted"
        inputs = tuple(dict.fromkeys(self.makers[n] for n in proto.input if n in self.flows))
        name = self._name(proto)
        for place, output in enumerate(proto.output):
            if output:
                self.flows[output] = flow_after(node, place)
                self.makers[output] = name
        shown = next(place for place, output in enumerate(proto.output) if output)
        if self.mapped:
            self._add_maps(node, name, shown)
        shape, flow = node.out(shown), self.flows[proto.output[shown]]
        if not note and len(inputs) > 1 and _aligned(node.given.values()) > _aligned([flow]):
            note = "the branches are not aligned"
        row = LayerReport(
            name,
            kind,
            label,
            inputs,
            self.without_batch(shape),
            self._params(node),
            macs,
            prod(shape),
            tuple(flow[key].field for key in sorted(flow)),
            note=note,
            shape=shape,
            flat=not any(along.alone and along.axes for along in flow.values()),
            keeps_shape=node.op in POINTWISE,
        )
        self.rows.append(row)

    def _add_maps(self, node: OnnxNode, layer: str, shown: int) -> None:
        """A map for each output; that which the row shows has the row's name."""
        for place, output in enumerate(node.proto.output):
            if output:
                name = layer if place == shown else f"{layer} ({output})"
                made, self.map_names[output] = self.flows[output], name
                found = readings_of(node, place, made, self.rank)
                reads = tuple((self.map_names[given], axes) for given, axes in found.items())
                self.maps.append(FeatureMap(name, layer, place_counts(made, self.rank), reads))

    def without_batch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape as tables show it: its first axis is left out if it is the batch."""
        return shape[1:] if len(shape) > 1 and shape[0] == self.batch else shape or (1,)

    def _params(self, node: OnnxNode) -> int:
        """Cells of the parameters that a node reads and no node before it did."""
        places = weight_places(node.op)
        count = 0
        for place, name in enumerate(node.proto.input):
            if not name or name in self.flows or (places is not None and place not in places):
                continue
            root = self.roots.get(name, name)
            if (places is None and root not in self.trained) or root in self.counted:
                continue
            self.counted.add(root)
            count += prod(self.tensors.shape(name) or (0,))
        return count

    def _name(self, proto: Any) -> str:
        name = proto.name or next(output for output in proto.output if output)
        # On one line, whatever a stranger has written into the file.
        name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
        while name in self.names:
            name += "'"
        self.names.add(name)
        return str(name)

    def _failure(self, proto: Any, reason: str) -> LayerFailure:
        repair = ""
        if proto.op_type in SLIDING and proto.input[0] in self.flows:
            with suppress(ShapeError, *MALFORMED):
                repair = self._repair(OnnxNode.of(proto, self.tensors, self.flows))
        label = proto.op_type if not domain_of(proto) else f"{proto.domain}.{proto.op_type}"
        return LayerFailure(self._name(proto), label, reason, repair)

    def _doubt(self, node: OnnxNode) -> str:
        """A note if ONNX infers another output size than the arithmetic here; else empty.

        Of pooling it counts a window that would begin behind the input, which ONNX's text and
        whoever runs the file leave out: what follows gets the size that it will have.
        """
        told, sizes = node.out(), tuple(window.output for window in node.windows)
        if sizes == told[2:]:
            return ""
        if node.attributes.get("ceil_mode", 0):
            for name in filter(None, node.proto.output):
                self.tensors.resize(name, (*told[:2], *sizes))
            return ""
        return f"ONNX says {cross(told[2:])}, the arithmetic {cross(sizes)}"

    def _repair(self, node: OnnxNode) -> str:
        shape, layer = node.shape(0), sliding_layer(node)
        given = Feature(shape[1], shape[2:], (ReceptiveField(),) * len(shape[2:]))
        return find_repair(Node("", layer.kind, (), str(layer), layer), [given])


def _aligned(flows: Iterable[Flow]) -> bool:
    return all(along.field.aligned for flow in flows for along in flow.values())
