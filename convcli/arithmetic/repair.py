"""Small changes that would make a layer fit; each is tried before it is suggested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import gcd

from convcli.arithmetic.layer import Layer
from convcli.arithmetic.network_graph import Node
from convcli.arithmetic.shape_inference import Feature, infer
from convcli.arithmetic.sizes import cross
from convcli.errors import ShapeError

__all__ = ["find_repair"]

MOST_PADDING = 64
MOST_GROUPS = 4096
MOST_REPAIRS = 2


def find_repair(node: Node, inputs: Sequence[Feature]) -> str:
    """Name up to two changes that work, or nothing where none was found.

    >>> node = Node("c", "conv", ("x",), "conv 8 k5", Layer("conv", (5,), out_channels=8))
    >>> find_repair(node, [Feature.of_input((3, 4, 4))])
    'p1 or k4 would work'
    """
    found = []
    for words, trial in _changes(node, inputs):
        try:
            infer(trial, inputs)
        except ShapeError:
            continue
        if words not in found:
            found.append(words)
        if len(found) == MOST_REPAIRS:
            break
    if found:
        return " or ".join(found) + " would work"
    return _advice(node, inputs)


def _changes(node: Node, inputs: Sequence[Feature]) -> Iterator[tuple[str, Node]]:
    given = inputs[0]
    if node.options.get("in_channels") not in (None, given.channels):
        options = {**node.options, "in_channels": given.channels}
        yield f"in{given.channels}", replace(node, options=options)
    if node.layer is not None:
        for words, layer in _layers(node.layer, given):
            yield words, replace(node, layer=layer)
    if node.kind == "concat" and not node.options.get("crop"):
        yield "concat ... crop", replace(node, options={**node.options, "crop": True})


def _layers(layer: Layer, given: Feature) -> Iterator[tuple[str, Layer]]:
    common = gcd(given.channels, layer.out_channels or given.channels)
    if layer.groups > 1 and common % layer.groups:
        groups = max(g for g in range(1, min(common, MOST_GROUPS) + 1) if common % g == 0)
        yield f"g{groups}", layer._replace(groups=groups)
    if layer.kind != "conv_transpose":
        for pad in range(1, MOST_PADDING + 1):
            yield f"p{pad}", layer._replace(padding=(pad,))
            if _fits(layer, pad, given):
                break
    if given.spatial and layer.kind != "conv_transpose":
        smallest = min(given.spatial)
        if smallest < max(layer.kernel_size):
            smaller = layer._replace(kernel_size=(smallest,))
            yield f"k{smallest}", smaller
    if layer.output_padding:
        most = max(max(layer.strides), max(layer.dilation)) - 1
        yield f"op{most}", layer._replace(output_padding=(most,))
    if layer.kind == "conv_transpose" and layer.padding != (0,):
        yield "p0", layer._replace(padding=(0,))
    if layer.ceil_mode and not layer.is_pool:
        yield "no ceil", layer._replace(ceil_mode=False)
    if max(layer.strides) < 1:
        yield "s1", layer._replace(stride=(1,))


def _fits(layer: Layer, pad: int, given: Feature) -> bool:
    try:
        layer._replace(padding=(pad,)).windows(given.spatial)
    except ShapeError:
        return False
    return True


def _advice(node: Node, inputs: Sequence[Feature]) -> str:
    """What to put before the layer, where no number of its own helps."""
    given = inputs[0]
    if node.kind == "linear" and given.spatial:
        return f"put flatten before it ({cross(given.shape)} = {_product(given.shape)} features)"
    if not given.spatial and node.kind not in ("add", "concat"):
        return "move it before flatten"
    if node.kind == "add" and all(len(f.spatial) == len(given.spatial) for f in inputs):
        other = inputs[-1]
        narrow, wide = sorted((given, other), key=lambda f: f.spatial, reverse=True)
        ratios = {
            big / small for big, small in zip(narrow.spatial, wide.spatial, strict=True) if small
        }
        if len(ratios) == 1 and (ratio := ratios.pop()) == int(ratio):
            stride = f" s{int(ratio)}" if ratio != 1 else ""
            return (
                f"conv {wide.channels} k1{stride} on the branch of {cross(narrow.shape)} would work"
            )
    return ""


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
