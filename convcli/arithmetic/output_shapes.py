"""Sizes for callers from Python: ``convcli.output_shape`` and its relatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, overload

from convcli.arithmetic.layer import Layer, LayerKind
from convcli.arithmetic.receptive_field import ReceptiveField
from convcli.arithmetic.sizes import spread_padding
from convcli.arithmetic.window import Padding
from convcli.errors import ShapeError

__all__ = [
    "output_shape",
    "pool_output_shape",
    "receptive_field",
    "transposed_output_shape",
]

Sizes: TypeAlias = int | Sequence[int]
Pads: TypeAlias = Padding | Sequence[Padding]
LayerLike: TypeAlias = int | Sequence[object] | Mapping[str, object] | Layer
"""A layer of ``receptive_field``: numbers in order, or by name."""


def _sizes(value: Sizes) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _resolve(
    kind: LayerKind,
    size: Sizes,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Pads,
    dilation: Sizes,
    output_padding: Sizes = 0,
    ceil_mode: bool = False,
) -> int | tuple[int, ...]:
    spatial = _sizes(size)
    if not spatial:
        raise ShapeError("the input has no axes; give one size or more")
    layer = Layer(
        kind,
        _sizes(kernel_size),
        None if stride is None else _sizes(stride),
        spread_padding(padding, len(spatial)),
        _sizes(dilation),
        _sizes(output_padding),
        ceil_mode,
    )
    outputs = tuple(window.output for window in layer.windows(spatial))
    return outputs[0] if isinstance(size, int) else outputs


@overload
def output_shape(
    size: int, kernel_size: int, *, stride: int = 1, padding: Pads = 0, dilation: int = 1
) -> int: ...
@overload
def output_shape(
    size: Sequence[int],
    kernel_size: Sizes,
    *,
    stride: Sizes = 1,
    padding: Pads = 0,
    dilation: Sizes = 1,
) -> tuple[int, ...]: ...
def output_shape(
    size: Sizes,
    kernel_size: Sizes,
    *,
    stride: Sizes = 1,
    padding: Pads = 0,
    dilation: Sizes = 1,
) -> int | tuple[int, ...]:
    """Output size of a convolution, ``floor((n + pb + pe - d (k - 1) - 1) / s) + 1`` per axis.

    Parameters
    ----------
    size
        Spatial size in cells: a number, or one per axis (without batch and channels).
    kernel_size, stride, dilation
        A number for every axis, or one per axis.
    padding
        A number, ``"same"``, ``"same_lower"``, ``"valid"``, ``"full"``, or one entry per axis,
        each a number, a name or ``(before, after)``. For one axis ``(1, 2)`` is before and after.

    Returns
    -------
    int or tuple of int
        A number if ``size`` is one, else one per axis.

    Raises
    ------
    ShapeError
        If a number is out of range, or the output would be empty.

    >>> output_shape(32, 5, padding=2)
    32
    >>> output_shape((224, 200), 7, stride=2, padding=[(2, 3), 3])
    (112, 100)
    """
    return _resolve("conv", size, kernel_size, stride, padding, dilation)


@overload
def transposed_output_shape(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: Pads = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int: ...
@overload
def transposed_output_shape(
    size: Sequence[int],
    kernel_size: Sizes,
    *,
    stride: Sizes = 1,
    padding: Pads = 0,
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
) -> tuple[int, ...]: ...
def transposed_output_shape(
    size: Sizes,
    kernel_size: Sizes,
    *,
    stride: Sizes = 1,
    padding: Pads = 0,
    dilation: Sizes = 1,
    output_padding: Sizes = 0,
) -> int | tuple[int, ...]:
    """Output size of a transposed convolution, ``(n - 1) s - pb - pe + d (k - 1) + 1 + op``.

    Parameters are those of ``output_shape``; ``output_padding`` cells are added at the end and
    must stay below the larger of stride and dilation. ``padding="same"`` gives ``n s``.

    Raises
    ------
    ShapeError
        If a number is out of range, or the output would be empty.

    >>> transposed_output_shape((2, 3), 3, stride=2, padding=1, output_padding=1)
    (4, 6)
    """
    return _resolve("conv_transpose", size, kernel_size, stride, padding, dilation, output_padding)


@overload
def pool_output_shape(
    size: int,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: Pads = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int: ...
@overload
def pool_output_shape(
    size: Sequence[int],
    kernel_size: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Pads = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]: ...
def pool_output_shape(
    size: Sizes,
    kernel_size: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Pads = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> int | tuple[int, ...]:
    """Output size of pooling; the stride is the kernel size unless it is given.

    With ``ceil_mode`` the last window may hang over the end, but must start inside the input or
    the padding before it, as in PyTorch.

    Raises
    ------
    ShapeError
        If a number is out of range, or the output would be empty.

    >>> pool_output_shape(9, 4, padding=2, ceil_mode=True)
    3
    """
    return _resolve("maxpool", size, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)


def receptive_field(layers: str | Sequence[LayerLike]) -> ReceptiveField:
    """Receptive field of a chain of layers along one axis, whatever the input's size.

    Parameters
    ----------
    layers
        Text such as ``"conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1"``, or a sequence whose
        entries are ``(kernel_size, stride, padding, dilation)``, from the right as many as are
        needed left out, mappings with these keys, or ``Layer`` objects. Branches need a
        ``Network``; so does ``same`` with a stride, which depends on the size.

    Returns
    -------
    ReceptiveField
        ``size``, ``jump`` and ``start`` (the first output's centre), in cells of the input.

    Raises
    ------
    ShapeError
        If a layer has no receptive field of its own or is not understood.

    >>> receptive_field("conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1")
    ReceptiveField(size=11, jump=4, start=0.5, aligned=True)
    >>> receptive_field([(3, 1, 1), (3, 1, 1), (2, 2)]).size
    6
    """
    field = ReceptiveField()
    for layer in _layers(layers):
        if len({*layer.kernel_size}) > 1 or len({*layer.strides}) > 1:
            raise ShapeError(f"{layer} differs between axes; give the numbers of one axis")
        size_matters = layer.padding[0] in ("same", "same_lower") and layer.strides[0] != 1
        if size_matters:
            raise ShapeError(f"{layer}: same with a stride depends on the size; use Network")
        # Any size that the layer fits into does: the field depends on the padding before only.
        span = layer.dilation[0] * layer.kernel_size[0] + layer.strides[0]
        field = field.after(layer.windows((2 * span,))[0])
    return field


def _layers(layers: str | Sequence[LayerLike]) -> list[Layer]:
    if isinstance(layers, str):
        from convcli.arithmetic.network import Network
        from convcli.arithmetic.vocabulary import ELEMENTWISE

        found = []
        for node in Network.parse(layers).nodes:
            if node.layer is not None:
                found.append(node.layer)
            elif node.kind not in (*ELEMENTWISE, "batchnorm"):
                raise ShapeError(f"{node.label} needs the input's size or branches; use Network")
        return found
    return [_layer(entry) for entry in layers]


def _layer(entry: Any) -> Layer:
    if isinstance(entry, Layer):
        return entry
    keys = ("kernel_size", "stride", "padding", "dilation")
    if not isinstance(entry, Mapping):
        entry = (entry,) if isinstance(entry, int) else tuple(entry)
        entry = dict(zip(keys, entry, strict=False)) if len(entry) <= 4 else {"": entry}
    unknown = [key for key in entry if key not in keys]
    if unknown or "kernel_size" not in entry:
        raise ShapeError(
            f"layer {entry!r}: give kernel_size and, where needed, {', '.join(keys[1:])}"
        )
    return Layer(
        "conv",
        _sizes(entry["kernel_size"]),
        _sizes(entry.get("stride", 1)),
        spread_padding(entry.get("padding", 0), 1),
        _sizes(entry.get("dilation", 1)),
    )
