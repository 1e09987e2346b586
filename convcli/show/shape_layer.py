"""One layer as a report: formula, steps, what people forget, costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli.arithmetic.derivation import Derivation, derive
from convcli.arithmetic.layer import AnyWindow, Layer
from convcli.arithmetic.receptive_field import ReceptiveField
from convcli.arithmetic.size_notes import average_note, count_unread, size_notes
from convcli.arithmetic.sizes import cross, show_padding
from convcli.arithmetic.transposed import TransposedWindow
from convcli.show.shape_document import (
    Code,
    Column,
    Document,
    Formula,
    Notes,
    Pairs,
    Part,
    Table,
    number,
    size,
)

__all__ = ["layer_document"]

NAMES = {
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "maxpool": "max pooling",
    "avgpool": "average pooling",
}


def layer_document(
    layer: Layer,
    windows: Sequence[AnyWindow],
    *,
    in_channels: int | None = None,
    batch: int = 1,
    dialect: str = "",
    code: str = "",
    notes: Sequence[str] = (),
) -> Document:
    """Everything about one resolved layer.

    >>> from convcli.arithmetic.layer import Layer
    >>> layer = Layer("conv", (5,), padding=(2,))
    >>> layer_document(layer, layer.windows((32,))).title
    'convolution  32 -> 32'
    """
    sizes = cross([window.size for window in windows])
    outputs = cross([window.output for window in windows])
    title = f"{NAMES[layer.kind]}  {sizes} -> {outputs}"
    workings = [derive(window) for window in windows]
    groups = _alike(windows)
    parts: list[Part] = [Pairs(_settings(layer, windows, in_channels, batch))]
    for axes in groups:
        parts += _work(workings[axes[0]], _axis_name(axes, len(windows)))
    said = _remarks(layer, windows, groups)
    if said:
        parts.append(Notes(said, title="worth knowing"))
    parts.append(Pairs(_results(layer, windows, in_channels, batch)))
    if code:
        parts.append(Code([(dialect, code)]))
    if notes:
        parts.append(Notes(notes, title=dialect))
    data = _data(layer, windows, workings, in_channels, batch, dialect)
    data["remarks"] = said + list(notes)
    if code:
        data["code"] = code
    return Document(title, parts, data, _records(windows))


def _alike(windows: Sequence[AnyWindow]) -> list[list[int]]:
    """Axes with equal windows, worked out once."""
    groups: dict[AnyWindow, list[int]] = {}
    for axis, window in enumerate(windows):
        groups.setdefault(window, []).append(axis)
    return list(groups.values())


def _axis_name(axes: Sequence[int], rank: int) -> str:
    if rank == 1:
        return ""
    if len(axes) == rank:
        return "each axis"
    return f"ax{'es' if len(axes) > 1 else 'is'} {' and '.join(str(axis + 1) for axis in axes)}"


def _settings(
    layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None, batch: int
) -> list[tuple[str, str]]:
    def per_axis(values: Sequence[object]) -> str:
        return str(values[0]) if len(set(values)) == 1 else cross(values)

    pads = [show_padding(window.before, window.after) for window in windows]
    named = layer.padding[0] if isinstance(layer.padding[0], str) else ""
    sides = "before,after" if any("," in pad for pad in pads) else ""
    about = ", ".join(word for word in (named, sides) if word)
    rows = [
        ("n  input size", cross([window.size for window in windows])),
        ("k  kernel size", per_axis([window.kernel_size for window in windows])),
        ("s  stride", per_axis([window.stride for window in windows])),
        ("p  padding", per_axis(pads) + (f"  ({about})" if about else "")),
        ("d  dilation", per_axis([window.dilation for window in windows])),
    ]
    extras = [w.output_padding for w in windows if isinstance(w, TransposedWindow)]
    if extras:
        rows.append(("op output padding", per_axis(extras)))
    if in_channels is not None:
        out = layer.out_channels if layer.out_channels is not None else in_channels
        groups = f", {layer.groups} groups" if layer.groups != 1 else ""
        rows.append(("   channels", f"{in_channels} -> {out}{groups}"))
    if batch != 1:
        rows.append(("   batch", str(batch)))
    return rows


def _work(working: Derivation, name: str) -> list[Part]:
    symbol, _, right = working.formula.partition(" = ")
    pad = " " * len(symbol)
    lines = [f"{symbol} = {right}", f"{pad} = {working.numbers}", f"{pad} = {working.output}"]
    steps = [(step.name, step.expression, str(step.value)) for step in working.steps]
    columns = (Column("step", "left"), Column("working"), Column("cells"))
    return [Formula(lines, working.latex, name), Table(columns, steps)]


def _remarks(
    layer: Layer, windows: Sequence[AnyWindow], groups: Sequence[Sequence[int]]
) -> list[str]:
    said: dict[str, list[int]] = {}
    for axes in groups:
        pad = layer.padding[axes[0] % len(layer.padding)]
        window = windows[axes[0]]
        lines = size_notes(window, pad)
        if layer.kind == "avgpool" and not isinstance(window, TransposedWindow):
            lines += filter(None, [average_note(window)])
        for line in lines:
            said.setdefault(line, []).extend(axes)
    return [
        line if len(axes) == len(windows) else f"{_axis_name(axes, len(windows))}: {line}"
        for line, axes in said.items()
    ]


def _fields(windows: Sequence[AnyWindow]) -> list[ReceptiveField]:
    return [ReceptiveField().after(window) for window in windows]


def _results(
    layer: Layer, windows: Sequence[AnyWindow], in_channels: int | None, batch: int
) -> list[tuple[str, str]]:
    outputs = [window.output for window in windows]
    channels = layer.out_channels if layer.out_channels is not None else in_channels
    shape = outputs if in_channels is None else [batch, channels, *outputs]
    rows = [("output", cross(shape) + ("  (N, C, sizes)" if in_channels is not None else ""))]
    fields = _fields(windows)
    rows.append(
        (
            "receptive field",
            f"{_each([field.size for field in fields])}, jump {_each([f.jump for f in fields])}, "
            f"first centre at {_each([field.start for field in fields])}",
        )
    )
    if in_channels is None or layer.out_channels is None:
        return rows
    cost = layer.cost(in_channels, windows, batch)
    taps = cross([window.kernel_size for window in windows]).replace("x", "*")
    weights = f"{layer.out_channels}*{in_channels // layer.groups}*{taps}"
    if layer.kind == "conv_transpose":
        weights = f"{in_channels}*{layer.out_channels // layer.groups}*{taps}"
    bias = f" + {layer.out_channels} (bias)" if layer.bias else ", no bias"
    places = "input" if layer.kind == "conv_transpose" else "output"
    rows += [
        ("parameters", f"{number(cost.params)} = {weights}{bias}"),
        ("MACs", f"{number(cost.macs)}, the weights once per {places} position"),
        ("FLOPs", f"{number(2 * cost.macs)}, 2 per MAC; a bias starts the sum and adds none"),
    ]
    return rows


def _each(values: Sequence[float]) -> str:
    shown = [size(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else cross(shown)


def _data(
    layer: Layer,
    windows: Sequence[AnyWindow],
    workings: Sequence[Derivation],
    in_channels: int | None,
    batch: int,
    dialect: str,
) -> dict[str, Any]:
    fields = _fields(windows)
    data: dict[str, Any] = {
        "kind": layer.kind,
        "dialect": dialect or None,
        "input": [window.size for window in windows],
        "kernel_size": [window.kernel_size for window in windows],
        "stride": [window.stride for window in windows],
        "padding": [[window.before, window.after] for window in windows],
        "dilation": [window.dilation for window in windows],
    }
    if layer.kind == "conv_transpose":
        data["output_padding"] = [
            window.output_padding for window in windows if isinstance(window, TransposedWindow)
        ]
    if layer.is_pool:
        data["ceil_mode"] = layer.ceil_mode
    data["output"] = [window.output for window in windows]
    data["formula"] = workings[0].formula
    data["numbers"] = [working.numbers for working in workings]
    data["steps"] = [
        {"axis": axis, "name": step.name, "expression": step.expression, "value": step.value}
        for axis, working in enumerate(workings)
        for step in working.steps
    ]
    if not isinstance(windows[0], TransposedWindow):
        data["unread"] = [
            count_unread(window) for window in windows if not isinstance(window, TransposedWindow)
        ]
    data["receptive_field"] = [field.size for field in fields]
    data["jump"] = [field.jump for field in fields]
    data["start"] = [field.start for field in fields]
    if in_channels is not None:
        out = layer.out_channels if layer.out_channels is not None else in_channels
        cost = layer.cost(in_channels, windows, batch)
        data |= {
            "batch": batch,
            "in_channels": in_channels,
            "out_channels": out,
            "groups": layer.groups,
            "bias": layer.bias and not layer.is_pool,
            "params": cost.params,
            "macs": cost.macs,
            "flops": 2 * cost.macs,
        }
    return data


def _records(windows: Sequence[AnyWindow]) -> list[dict[str, Any]]:
    return [
        {
            "axis": axis,
            "input": window.size,
            "kernel_size": window.kernel_size,
            "stride": window.stride,
            "padding_before": window.before,
            "padding_after": window.after,
            "dilation": window.dilation,
            "output_padding": window.output_padding if isinstance(window, TransposedWindow) else 0,
            "output": window.output,
        }
        for axis, window in enumerate(windows)
    ]
