"""What the outputs of ONNX's Resize and Upsample read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor

from convcli.arithmetic.onnx_model.flow import Along, Flow, everything
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.receptive_field import ReceptiveField

__all__ = ["resized"]

MOST_PLACES = 4096
"""Outputs whose reach is looked at; what they read repeats."""


def resized(node: OnnxNode, place: int) -> Flow:
    """The flow of a picture that is enlarged or reduced."""
    if _coordinates(node) == "tf_crop_and_resize":
        return everything(node.given.values())
    shape, out = node.shape(0), node.out(place)
    found = {}
    for key, along in node.flow(0).items():
        if any(shape[axis] != out[axis] for axis in along.axes):
            axis = along.axes[0]
            along = _along(node, along, shape[axis], out[axis]) if along.alone else along.blurred()
        found[key] = along
    return found


def _coordinates(node: OnnxNode) -> str:
    # Before opset 11 there was one rule, and no name for it.
    usual = "half_pixel" if node.op == "Resize" and node.tensors.opset >= 11 else "asymmetric"
    return node.word("coordinate_transformation_mode", usual)


def _along(node: OnnxNode, along: Along, size: int, out: int) -> Along:
    field = along.field
    even = out % size == 0 or size % out == 0
    mode = node.word("mode", "nearest")
    if mode == "nearest" and out % size == 0:
        return replace(along, field=field.scaled(out // size), count=out)
    where = _places(_coordinates(node), size, out)
    corners = _coordinates(node) == "align_corners"
    cells, first = 1, where(0)
    jump = field.jump * (size - 1) / max(out - 1, 1) if corners else field.jump * size / out
    if mode == "nearest":
        first = round(first + 1e-9) if even else first
    elif node.attributes.get("antialias", 0) and out < size:
        cells = 2 * ceil((1 if mode == "linear" else 2) * size / out)
    else:
        cells = max(_reach(where(i), mode, size) for i in range(min(out, MOST_PLACES)))
    return replace(along, field=_field(field, cells, jump, first, even), count=out)


def _field(
    field: ReceptiveField, cells: int, jump: float, first: float, even: bool
) -> ReceptiveField:
    return replace(field.reading(cells, jump, first), aligned=field.aligned and even)


def _places(mode: str, size: int, out: int) -> Callable[[int], float]:
    """Where an output stands among the inputs."""
    ratio = size / out
    if mode == "asymmetric":
        return lambda i: i * ratio
    if mode == "tf_half_pixel_for_nn":
        return lambda i: (i + 0.5) * ratio
    if mode == "align_corners":
        return lambda i: i * (size - 1) / max(out - 1, 1)
    return lambda i: (i + 0.5) * ratio - 0.5


def _reach(place: float, mode: str, size: int) -> int:
    """Cells that are mixed for a place between them."""
    if place == floor(place):
        return 1
    low, high = floor(place), floor(place) + 1
    if mode == "cubic":
        low, high = low - 1, high + 1
    return min(high, size - 1) - max(low, 0) + 1
