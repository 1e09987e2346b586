"""Specs of layers from a chain, TOML or JSON: keys checked, values turned into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcli.arithmetic.chain_parser import LayerSpec
from convcli.arithmetic.layer import Layer
from convcli.arithmetic.sizes import cross, parse_padding, parse_sizes
from convcli.arithmetic.window import Padding
from convcli.errors import ShapeError, did_you_mean

__all__ = ["KEYS", "SHORT", "SLIDING", "check_keys", "label_of", "options_of", "sliding_layer"]

SLIDING = ("conv", "dwconv", "conv_transpose", "maxpool", "avgpool")
SHORT = {"batchnorm": "bn", "globalavgpool": "global avgpool", "globalmaxpool": "global maxpool"}

KEYS = [
    "kind",
    "name",
    "repeat",
    "out_channels",
    "in_channels",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "output_padding",
    "groups",
    "bias",
    "ceil_mode",
    "size",
    "factor",
    "crop",
    "with",
    "branches",
    "args",
    "shape",
]


def check_keys(item: LayerSpec) -> None:
    """Refuse a key that would be ignored."""
    for key in item:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS)
            raise ShapeError(f"layer {item['kind']!r} has an unknown key {key!r}{hint}")


def _integer(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(f"{key} is {value!r}; give a whole number")
    return value


def _numbers(value: Any, key: str) -> tuple[int, ...]:
    """Sizes from a file or from text: 3, [3, 5], "3x5"."""
    if isinstance(value, str):
        return parse_sizes(value, key)
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ShapeError(f"{key} is empty; give a number, or one per axis")
    return tuple(_integer(entry, key) for entry in values)


def _pads(value: Any) -> tuple[Padding, ...]:
    """Padding from a file or from text: 1, "same", [1, 2] (per axis), [[0, 1], [0, 1]]."""
    if isinstance(value, str):
        return parse_padding(value)
    entries = value if isinstance(value, (list, tuple)) else [value]
    found: list[Padding] = []
    for entry in entries:
        if isinstance(entry, str):
            found += parse_padding(entry)
        elif isinstance(entry, (list, tuple)) and len(entry) == 2:
            found.append((_integer(entry[0], "padding"), _integer(entry[1], "padding")))
        else:
            found.append(_integer(entry, "padding"))
    if not found:
        raise ShapeError("padding is empty; give a number, a name, or one entry per axis")
    return tuple(found)


def sliding_layer(kind: str, item: LayerSpec) -> Layer:
    """The sliding layer that a spec describes."""
    if "kernel_size" not in item:
        raise ShapeError(f"{kind} has no kernel size; write it as in {kind} k3")
    if "out_channels" not in item and kind in ("conv", "conv_transpose"):
        raise ShapeError(f"{kind} has no output channels; write them as in {kind} 64 k3")
    stride = _numbers(item["stride"], "stride") if "stride" in item else None
    extra = item.get("output_padding")
    out = item.get("out_channels")
    return Layer(
        {"dwconv": "conv"}.get(kind, kind),  # type: ignore[arg-type]  # kind is one of SLIDING
        _numbers(item["kernel_size"], "kernel size"),
        stride,
        _pads(item.get("padding", 0)),
        _numbers(item.get("dilation", 1), "dilation"),
        None if extra is None else _numbers(extra, "output padding"),
        bool(item.get("ceil_mode", False)),
        None if out is None else _integer(out, "output channels"),
        _integer(item.get("groups", 1), "groups"),
        bool(item.get("bias", True)),
    )


def label_of(kind: str, layer: Layer | None, options: Mapping[str, Any]) -> str:
    """A layer in the words of a chain."""
    if layer is not None:
        word, _, rest = str(layer).partition(" ")
        return f"{'dwconv' if kind == 'dwconv' else word} {rest}"
    words = [SHORT.get(kind, kind)]
    if "out_channels" in options:
        words.append(str(options["out_channels"]))
    for key in ("size", "factor"):
        if key in options:
            words.append(cross(options[key]))
    if options.get("crop"):
        words.append("crop")
    return " ".join(words)


def options_of(item: LayerSpec, layer: Layer | None) -> dict[str, Any]:
    """What a layer needs beyond its window."""
    keep = ("out_channels", "size", "factor", "crop", "in_channels", "bias", "padding")
    options = {key: item[key] for key in keep if key in item}
    if "padding" in options and layer is None:
        options["padding"] = _pads(options["padding"])
    for key in ("size", "factor"):
        if key in options:
            options[key] = _numbers(options[key], key)
    for key in ("out_channels", "in_channels"):
        if key in options:
            options[key] = _integer(options[key], key)
    return options
