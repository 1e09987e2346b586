"""What the outputs of ONNX's Resize and Upsample read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor

from convcli.arithmetic.onnx_model.flow import Along, Flow, everything
from convcli.arithmetic.onnx_model.node import OnnxNode
from convcli.arithmetic.reading import Reading
from convcli.arithmetic.receptive_field import ReceptiveField

__all__ = ["resized", "resized_reading"]

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
    return field.reading(cells, jump, first)._replace(aligned=field.aligned and even)


def _places(mode: str, size: int, out: int) -> Callable[[int], float]:
    """Where an output stands among the inputs."""
    a, b, c = _fraction(mode, size, out)
    return lambda i: (a * i + b) / c


def _reach(place: float, mode: str, size: int) -> int:
    """Cells that are mixed for a place between them."""
    if place == floor(place):
        return 1
    low, high = floor(place), floor(place) + 1
    if mode == "cubic":
        low, high = low - 1, high + 1
    return min(high, size - 1) - max(low, 0) + 1


def resized_reading(node: OnnxNode, size: int, out: int) -> Reading:
    """Which inputs an output reads: those less than a reach away from its place, in fractions.

    The place of output ``o`` is ``(a o + b) / c`` in whole numbers; ``nearest`` reads the one
    input that the rounding gives.
    """
    mode = _coordinates(node)
    if mode == "tf_crop_and_resize":
        return Reading.everything(size, out)
    a, b, c = _fraction(mode, size, out)
    if node.word("mode", "nearest") != "nearest":
        reach = 1 if node.word("mode", "nearest") == "linear" else 2
        if node.attributes.get("antialias", 0) and out < size:
            a, b, c, wide = a * out, b * out, c * out, reach * c * size
        else:
            wide = reach * c
        return Reading(size, out, c, a, b - wide + 1, 1, 2 * wide - 1)
    newer = node.op == "Resize" and node.tensors.opset >= 11
    rounding = node.word("nearest_mode", "round_prefer_floor" if newer else "floor")
    a, b, c = 2 * a, 2 * b, 2 * c
    offset = {
        "floor": b - c + 1,
        "ceil": b,
        "round_prefer_ceil": b - c // 2 + 1,
    }.get(rounding, b - c // 2)
    found = Reading(size, out, c, a, offset, 1, c)
    ends = ((0, 0),), ((out - 1, out - 1),)
    if all(map(found.inputs_of, ends)):
        return found
    # A place beyond the ends is rounded away from the input, whose last cell stands for it.
    return found._replace(offset=offset - c, taps=3 * c)


def _fraction(mode: str, size: int, out: int) -> tuple[int, int, int]:
    """Where an output stands among the inputs: ``(a o + b) / c``."""
    if mode == "asymmetric":
        return size, 0, out
    if mode == "align_corners":
        return size - 1, 0, max(out - 1, 1)
    if mode == "tf_half_pixel_for_nn":
        return 2 * size, size, 2 * out
    if mode == "pytorch_half_pixel" and out == 1:
        return 1, 0, 1
    return 2 * size, size - out, 2 * out
