"""The layers of a network in the order they run, and what they make of an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from convcli.arithmetic.chain_parser import parse_chain
from convcli.arithmetic.network_graph import INPUT, Node, build_graph
from convcli.arithmetic.network_report import (
    FeatureMap,
    LayerFailure,
    LayerReport,
    NetworkReport,
    Totals,
)
from convcli.arithmetic.repair import find_repair
from convcli.arithmetic.shape_inference import Feature, Inferred, infer
from convcli.arithmetic.sizes import cross, parse_sizes
from convcli.arithmetic.vocabulary import ELEMENTWISE
from convcli.errors import ShapeError

__all__ = ["LayerModel", "parse_shape"]


class LayerModel:
    """A network from a chain, TOML or JSON: what ``Network`` asks. ``OnnxModel`` is the other.

    ``input_shape`` is ``(channels, *spatial)``, if the network says what it is meant for.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        title: str = "",
        input_shape: Sequence[int] | None = None,
        source: str = "",
    ) -> None:
        self.nodes = tuple(nodes)
        self.title = title
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.source = source

    @classmethod
    def parse(cls, text: str) -> LayerModel:
        """Read a chain; it may begin with ``input 3x224x224``."""
        items = parse_chain(text)
        shape = None
        if items[0]["kind"] == "input":
            shape = items.pop(0).get("shape")
            if shape is None or len(shape) < 2 or min(shape) < 1:
                raise ShapeError(f"input is {shape}; write channels and sizes, as in 3x224x224")
            if not items:
                raise ShapeError("the chain has no layers after input")
        return cls(build_graph(items), title="chain", input_shape=shape)

    def input_for(self, sizes: Sequence[int] | None, channels: int | None) -> tuple[int, ...]:
        """The input shape, from what is given and what the network says of itself."""
        own = self.input_shape
        if sizes is None:
            if own is None:
                raise ShapeError(
                    "the network names no input size; give one with --n, as in --n 224"
                )
            sizes = own[1:]
        rank = len(own) - 1 if own else 2 if channels is None else max(len(sizes), 2)
        if len(sizes) == 1:
            sizes = tuple(sizes) * rank
        elif own is None and channels is None and len(sizes) > rank:
            rank = len(sizes) - 1
        if channels is None and len(sizes) == rank + 1:
            channels, sizes = sizes[0], sizes[1:]
        if len(sizes) != rank:
            raise ShapeError(
                f"the network takes {rank} sizes, as in --n {cross((32,) * rank)}, not "
                f"{len(sizes)}: {cross(sizes)}"
            )
        if channels is None:
            channels = own[0] if own else 3
        return (channels, *sizes)

    def evaluate(
        self,
        input_shape: Sequence[int] | None = None,
        batch: int | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Work every layer out for an input of ``(channels, *spatial)``."""
        shape = self.input_for(None, None) if input_shape is None else tuple(input_shape)
        batch = 1 if batch is None else batch
        if len(shape) < 2 or min(shape) < 1 or batch < 1:
            raise ShapeError(
                f"input is {cross(shape)} with batch {batch}; it needs channels and at least one "
                "size, all 1 or more"
            )
        features = {INPUT: Feature.of_input(shape)}
        rows: list[LayerReport] = []
        found_maps = [FeatureMap(INPUT, INPUT, shape[1:])]
        failure = None
        for node in self.nodes:
            given = [features[name] for name in node.inputs]
            try:
                found = infer(node, given, batch)
            except ShapeError as error:
                repair = find_repair(node, given)
                failure = LayerFailure(node.name, node.label, str(error), repair)
                break
            features[node.name] = found.feature
            rows.append(_row(node, found, batch))
            if maps:
                reads = zip(node.inputs, found.readings(given), strict=True)
                places = found.feature.places
                found_maps.append(FeatureMap(node.name, node.name, places, tuple(reads)))
        return NetworkReport(
            self.title,
            shape,
            batch,
            tuple(rows),
            Totals.of(rows),
            failure,
            self.source,
            maps=tuple(found_maps) if maps else (),
        )

    def evaluate_for(
        self,
        sizes: Sequence[int] | None = None,
        channels: int | None = None,
        batch: int | None = None,
        named: Mapping[str, Sequence[int]] | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Work every layer out for sizes as ``input_for`` takes them."""
        if named:
            raise ShapeError(
                f"there is no input {next(iter(named))!r}: only inputs of ONNX files have names"
            )
        return self.evaluate(self.input_for(sizes, channels), batch, maps=maps)


def _row(node: Node, found: Inferred, batch: int) -> LayerReport:
    shape = found.feature.shape
    return LayerReport(
        node.name,
        node.kind,
        node.label,
        node.inputs,
        shape,
        found.cost.params,
        found.cost.macs,
        batch * prod(shape),
        found.feature.fields,
        node.depth,
        found.note,
        (batch, *shape),
        flat=len(shape) == 1,
        keeps_shape=node.kind in (*ELEMENTWISE, "batchnorm"),
    )


def parse_shape(value: Any) -> tuple[int, ...]:
    """A network's input shape from a file: ``"3x224x224"`` or ``[3, 224, 224]``.

    >>> parse_shape("3x224x224")
    (3, 224, 224)
    """
    if isinstance(value, str):
        value = parse_sizes(value, "input")
    good = isinstance(value, (list, tuple)) and len(value) > 1
    if not good or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in value):
        raise ShapeError(f"input is {value!r}; write channels and sizes, as in 3x224x224")
    return tuple(value)
