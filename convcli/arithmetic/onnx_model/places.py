"""Which places of its inputs each place of an ONNX tensor reads: what a trace follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from convcli.arithmetic.onnx_model.fields import flow_after
from convcli.arithmetic.onnx_model.flow import Along, Flow
from convcli.arithmetic.onnx_model.layers import SLIDING
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.onnx_model.resize import resized_reading
from convcli.arithmetic.reading import Reading
from convcli.arithmetic.receptive_field import ReceptiveField

__all__ = ["place_counts", "readings_of"]


def place_counts(flow: Flow, rank: int) -> tuple[int, ...]:
    """How many places a tensor has along each axis of the network's input.

    There is one where every cell sees the same, and where a reshape has mixed the axes, so that
    no cell can be told by its place.
    """
    return tuple(_count(flow.get(key)) for key in range(rank))


def _count(along: Along | None) -> int:
    return along.count if along is not None and along.alone and along.axes else 1


def readings_of(
    node: OnnxNode, place: int, made: Flow, rank: int
) -> dict[str, tuple[Reading, ...]]:
    """For each tensor that an output of a node depends on, what it reads, per axis.

    The node's own rule tells: it is asked once more for each input, as though that one were the
    network's input and the others constants.
    """
    sizes = place_counts(made, rank)
    found = {}
    for name in dict.fromkeys(name for name in node.proto.input if name in node.given):
        fresh = _fresh(node.given[name])
        seen = flow_after(replace(node, given={name: fresh}), place)
        found[name] = tuple(_reading(node, fresh, seen, key, sizes[key]) for key in range(rank))
    return found


def _fresh(flow: Mapping[int, Along]) -> Flow:
    return {
        key: replace(along, field=ReceptiveField(extent=_count(along)))
        for key, along in flow.items()
    }


def _reading(node: OnnxNode, given: Flow, seen: Flow, key: int, outputs: int) -> Reading:
    source, along = given.get(key), seen.get(key)
    inputs = _count(source)
    if source is None or not (source.axes and source.alone):
        return Reading.everything(inputs, outputs)
    # A window or a padding may go beyond a single place as well; arithmetic repeats it.
    if along is None or not (along.alone if along.axes else inputs > 1):
        return Reading.everything(inputs, outputs)
    axis = source.axes[0]
    if node.op in SLIDING and axis >= 2:
        return Reading.of_window(node.windows[axis - 2])
    if node.op in ("Resize", "Upsample") and inputs != outputs:
        return resized_reading(node, inputs, outputs)
    if node.op == "DepthToSpace":
        return Reading.enlarged(inputs, outputs // inputs)
    return _of_field(along.field, inputs, outputs)


def _of_field(field: ReceptiveField, inputs: int, outputs: int) -> Reading:
    """What a field of whole cells says: those of output ``o`` begin at ``edge + jump o``."""
    if field.complete:
        return Reading.everything(inputs, outputs)
    first, taps = round(field.edges[0]), round(field.size)
    stride = round(field.jump) if outputs > 1 else 1
    after = (outputs - 1) * stride + first + taps - inputs
    return Reading(
        inputs, outputs, 1, stride, first, 1, taps, before=max(-first, 0), after=max(after, 0)
    )
