"""Networks: read from text, a file or the built-in ones, and worked out layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from convcli.arithmetic.chain import parse_chain
from convcli.arithmetic.graph import INPUT, Node, build_graph
from convcli.arithmetic.infer import Feature, Inferred, infer
from convcli.arithmetic.receptive import ReceptiveField
from convcli.arithmetic.repair import find_repair
from convcli.arithmetic.sizes import cross, parse_sizes
from convcli.arithmetic.words import ELEMENTWISE
from convcli.errors import ShapeError

__all__ = ["Failure", "Network", "NetworkReport", "Row", "Totals"]

BYTES = 4
"""Activations and parameters are counted as float32."""


@dataclass(frozen=True, slots=True)
class Row:
    """One layer of a report.

    ``output`` is channels and spatial sizes without the batch, ``shape`` all axes. ``flat`` says
    that no window can slide over it, so that jump and start mean nothing; ``keeps_shape`` that
    it works cell by cell, as activations do.
    """

    name: str
    kind: str
    label: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]
    params: int
    macs: int
    activations: int
    fields: tuple[ReceptiveField, ...]
    depth: int = 0
    note: str = ""
    shape: tuple[int, ...] = ()
    flat: bool = False
    keeps_shape: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The layer at which a network breaks, why, and what would repair it."""

    name: str
    label: str
    reason: str
    repair: str

    def __str__(self) -> str:
        repair = f"; {self.repair}" if self.repair else ""
        return f"layer {self.name} ({self.label}): {self.reason}{repair}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the layers; bytes are for float32."""

    params: int
    macs: int
    activations: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Totals:
        """The sums over these rows."""
        return cls(
            sum(row.params for row in rows),
            sum(row.macs for row in rows),
            sum(row.activations for row in rows),
        )

    @property
    def flops(self) -> int:
        """Two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def params_bytes(self) -> int:
        """Memory of the parameters."""
        return BYTES * self.params

    @property
    def activations_bytes(self) -> int:
        """Memory of every layer's output at once, as training keeps them."""
        return BYTES * self.activations


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """A network worked out for one input: a row per layer, up to the failure if there is one.

    ``totals`` are the sums over the rows: with a ``failure`` those of a part. ``inputs`` and
    ``outputs`` are the shapes by name, batch and all, where the network's file names them.
    """

    title: str
    input: tuple[int, ...]
    batch: int
    rows: tuple[Row, ...]
    totals: Totals
    failure: Failure | None = None
    source: str = ""
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def output(self) -> tuple[int, ...]:
        """Channels and spatial sizes of the last layer."""
        return self.rows[-1].output if self.rows else self.input


class Network:
    """A network of layers, in the order they run.

    Parameters
    ----------
    items
        Layers as text, or as the tables of docs/networks.md.
    input_shape
        ``(channels, *spatial)`` that it is meant for, if it says so.
    blocks
        Chains that stand for a word.

    >>> network = Network.parse("conv 8 k3 | relu | maxpool k2 | flatten | linear 10")
    >>> report = network.evaluate((1, 28, 28))
    >>> report.output, report.totals.params, report.totals.macs
    ((10,), 13610, 62192)
    """

    def __init__(
        self,
        items: Sequence[str | Mapping[str, object]],
        *,
        title: str = "",
        input_shape: Sequence[int] | None = None,
        blocks: Mapping[str, object] | None = None,
        source: str = "",
    ) -> None:
        nodes = build_graph(items, blocks)
        self._set(nodes, title, input_shape, source)

    def _set(
        self, nodes: Sequence[Node], title: str, shape: Sequence[int] | None, source: str
    ) -> None:
        self.nodes = tuple(nodes)
        self.title = title
        self.input_shape = None if shape is None else tuple(shape)
        self.source = source

    @classmethod
    def of_nodes(
        cls, nodes: Sequence[Node], *, title: str = "", input_shape: Sequence[int] | None = None
    ) -> Network:
        """A network from nodes that are already laid out, as a reader of another format makes."""
        network = cls.__new__(cls)
        network._set(nodes, title, input_shape, "")
        return network

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read a chain; it may begin with ``input 3x224x224``.

        Raises
        ------
        ShapeError
            If a layer is not understood.
        """
        items = parse_chain(text)
        shape = None
        if items[0]["kind"] == "input":
            shape = items.pop(0).get("shape")
            if shape is None or len(shape) < 2 or min(shape) < 1:
                raise ShapeError(f"input is {shape}; write channels and sizes, as in 3x224x224")
            if not items:
                raise ShapeError("the chain has no layers after input")
        return cls(items, title="chain", input_shape=shape)

    @classmethod
    def load(cls, name: str) -> Network:
        """A built-in network by name, a ``.toml``, ``.json`` or ``.onnx`` file, or a chain.

        Raises
        ------
        ShapeError
            If it is none of them, or its contents are not understood.
        InputError
            If the file cannot be read.

        >>> Network.load("lenet5").evaluate().totals.params
        61706
        """
        from convcli.arithmetic.network_files import load_network

        return load_network(name)

    @classmethod
    def builtin_names(cls) -> tuple[str, ...]:
        """Names of the built-in networks.

        >>> "resnet50" in Network.builtin_names()
        True
        """
        folder = Path(__file__).parent / "networks"
        return tuple(sorted(path.stem for path in folder.glob("*.toml")))

    def input_for(self, sizes: Sequence[int] | None, channels: int | None) -> tuple[int, ...]:
        """The input shape, from what is given and what the network says of itself.

        One size stands for every axis. One size more than the network has axes (more than two,
        where it does not say) begins with the channels, unless ``channels`` is given. Channels
        are 3 where nobody names them.

        Raises
        ------
        ShapeError
            If nobody names a size, or there are too many.

        >>> vgg16 = Network.load("vgg16")
        >>> vgg16.input_for((64,), None), vgg16.input_for((1, 64, 80), None)
        ((3, 64, 64), (1, 64, 80))
        """
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
        self, input_shape: Sequence[int] | None = None, batch: int | None = None
    ) -> NetworkReport:
        """Work every layer out for an input of ``(channels, *spatial)``.

        ``batch`` is 1, or what the network's file fixes, unless it is given. A layer that cannot
        take its input ends the report: ``failure`` says where, why and what would repair it.

        Raises
        ------
        ShapeError
            If the input shape itself is not one.
        """
        shape = self.input_for(None, None) if input_shape is None else tuple(input_shape)
        batch = 1 if batch is None else batch
        if len(shape) < 2 or min(shape) < 1 or batch < 1:
            raise ShapeError(
                f"input is {cross(shape)} with batch {batch}; it needs channels and at least one "
                "size, all 1 or more"
            )
        features = {INPUT: Feature.of_input(shape)}
        rows: list[Row] = []
        failure = None
        for node in self.nodes:
            given = [features[name] for name in node.inputs]
            try:
                found = infer(node, given, batch)
            except ShapeError as error:
                failure = Failure(node.name, node.label, str(error), find_repair(node, given))
                break
            features[node.name] = found.feature
            rows.append(_row(node, found, batch))
        totals = Totals.of(rows)
        return NetworkReport(self.title, shape, batch, tuple(rows), totals, failure, self.source)

    def evaluate_for(
        self,
        sizes: Sequence[int] | None = None,
        channels: int | None = None,
        batch: int | None = None,
        named: Mapping[str, Sequence[int]] | None = None,
    ) -> NetworkReport:
        """Work every layer out for sizes as ``input_for`` takes them.

        ``named`` has the sizes of inputs that an ONNX file gives names.
        """
        if named:
            raise ShapeError(
                f"there is no input {next(iter(named))!r}: only inputs of ONNX files have names"
            )
        return self.evaluate(self.input_for(sizes, channels), batch)


def _row(node: Node, found: Inferred, batch: int) -> Row:
    shape = found.feature.shape
    return Row(
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
