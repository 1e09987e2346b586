"""A network from an ONNX file: sizes are put in and followed through the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcli.arithmetic.network_report import NetworkReport, Totals
from convcli.arithmetic.onnx_model.model_inputs import fill, inputs_of
from convcli.arithmetic.onnx_model.tensors import MALFORMED
from convcli.arithmetic.onnx_model.walk import Walk
from convcli.errors import ShapeError

__all__ = ["OnnxModel"]


class OnnxModel:
    """A network from an ONNX file: what ``Network`` asks. ``LayerModel`` is the other.

    ``input_shape`` is that of the first input without the batch, if the file fixes it.
    """

    nodes = ()
    source = ""

    def __init__(self, model: Any, title: str) -> None:
        self.model = model
        self.inputs = inputs_of(model.graph)
        if not model.graph.node:
            raise ShapeError("the model has no layers")
        dims = self.inputs[0].dims[1:]
        own = tuple(size for size in dims if isinstance(size, int))
        self.title = str(model.graph.name or title)
        self.input_shape = own if len(own) == len(dims) else None

    def input_for(self, sizes: Sequence[int] | None, channels: int | None) -> tuple[int, ...]:
        """The first input without its batch, its axes in the file's order."""
        return fill(self.inputs, sizes, channels, {}, None)[self.inputs[0].name][1:]

    def evaluate(
        self,
        input_shape: Sequence[int] | None = None,
        batch: int | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Follow the graph for an input as ``input_for`` gives it."""
        if input_shape is None:
            return self.evaluate_for(batch=batch, maps=maps)
        first = self.inputs[0]
        fixed = first.dims[0] if isinstance(first.dims[0], int) else 1
        shape = (fixed if batch is None else batch, *input_shape)
        return self.evaluate_for(batch=batch, named={first.name: shape}, maps=maps)

    def evaluate_for(
        self,
        sizes: Sequence[int] | None = None,
        channels: int | None = None,
        batch: int | None = None,
        named: Mapping[str, Sequence[int]] | None = None,
        *,
        maps: bool = False,
    ) -> NetworkReport:
        """Follow the graph for the sizes that are asked for, by input where they have names."""
        shapes = fill(self.inputs, sizes, channels, named or {}, batch)
        try:
            walk = Walk(self.model, self.inputs, shapes, maps=maps)
        except MALFORMED as error:
            raise ShapeError(f"the model's constants make no sense: {error}") from error
        failure = walk.run()
        rows = tuple(walk.rows)
        return NetworkReport(
            self.title,
            walk.without_batch(shapes[self.inputs[0].name]),
            walk.batch,
            rows,
            Totals.of(rows),
            failure,
            self.source,
            shapes,
            {} if failure else walk.outputs(),
            tuple(walk.maps) if maps else (),
        )
