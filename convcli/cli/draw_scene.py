"""What ``convcli draw`` shows: the scene of a classic animation, or of a layer with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from convcli.arithmetic.borders import parse_filling
from convcli.arithmetic.sizes import cross, parse_sizes
from convcli.cli.layer_parse import POOLS, LayerOptions
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.operation import Operation
    from convcli.show.draw.scene import Scene

__all__ = ["asked_operation", "classic_operation", "classic_scene", "file_stem", "operation"]


def classic_scene(name: str, view: str = "", *, flip: bool = False) -> Scene:
    """The scene of a classic animation."""
    from convcli.show.draw.views import build_scene

    return build_scene(classic_operation(name, flip=flip), view)


def classic_operation(name: str, *, flip: bool = False, border: str = "zeros") -> Operation:
    """The operation of a classic animation."""
    from convcli.show.draw.classics import classic

    c = classic(name)
    layer = LayerOptions(c.n, c.k, c.s, c.p, c.d, c.op, c.transpose, c.pool, ceil=False)
    return operation(layer, c.x, c.w, flip=flip, border=border)


def file_stem(name: str, kind: str, view: str) -> str:
    """What the stills of a drawing are called.

    >>> file_stem("Padding-strides", "conv", ""), file_stem("", "conv_transpose", "scatter")
    ('padding_strides', 'conv_transpose-scatter')
    """
    stem = name.lower().replace("-", "_").replace(" ", "_") or kind
    return f"{stem}-{view}" if view else stem


def asked_operation(
    name: str,
    layer: LayerOptions,
    x: str,
    w: str,
    bias: str = "",
    *,
    one_axis: bool = False,
    flip: bool = False,
    border: str = "zeros",
) -> Operation:
    """The operation of a classic by its name, or of the options of a layer; not of both."""
    if not name:
        return operation(layer, x, w, bias, one_axis=one_axis, flip=flip, border=border)
    sizes = {f"--{key}": getattr(layer, key) for key in ("n", "k", "s", "p", "d", "op")}
    channels = {
        "--in": layer.in_channels is not None,
        "--out": layer.out_channels is not None,
        "--groups": layer.groups != 1,
    }
    given = sizes | channels | {"--x": x, "--w": w, "--bias": bias}
    given |= {"--transpose": layer.transpose, "--pool": layer.pool, "--ceil": layer.ceil}
    extra = [option for option, value in given.items() if value]
    if extra:
        raise UsageError(f"{', '.join(extra)}: {name} says its sizes itself; give one of both")
    return classic_operation(name, flip=flip, border=border)


def operation(
    layer: LayerOptions,
    x: str,
    w: str,
    bias: str = "",
    *,
    one_axis: bool = False,
    flip: bool = False,
    border: str = "zeros",
) -> Operation:
    """The operation that the options of ``convcli draw`` ask for.

    Parameters
    ----------
    x, w, bias
        The numbers of the input, of the kernel and of the bias as they were typed, if they were.
    one_axis
        Whether a size that is one number means a sequence, not a square.
    """
    from convcli.show.draw.operation import plan_operation

    pools = layer.kind in POOLS.values()
    for option, text in (("--w", w), ("--bias", bias)):
        if pools and text:
            raise UsageError(f"{option} is for a convolution; pooling has no weights, only --k")
    if not pools and bool(x) != bool(w):
        raise UsageError("numbers need both --x and --w; without them give --n and --k")
    if bias and not x:
        raise UsageError("--bias is numbers; give --x and --w too, or leave it out")
    numbers = _numbers(layer, x, w, bias, one_axis) if x else None
    if numbers is not None:
        _check_sizes(layer, numbers)
        found = None if pools and layer.out_channels is None else numbers.out_channels
        layer = layer._replace(in_channels=numbers.in_channels, out_channels=found)
    layer.check_channels()
    for option, text in (("--n", layer.n), ("--k", layer.k)):
        if not text and not (x and (w or option == "--n")):
            what = "the input" if option == "--n" else "the window" if pools else "the kernel"
            raise UsageError(f"how large is {what}? Give {option}, or the name of a classic")
    if numbers is None:
        sizes = layer.spatial * (2 if len(layer.spatial) == 1 and not one_axis else 1)
    else:
        sizes = numbers.spatial
    if one_axis and len(sizes) != 1:
        raise UsageError(f"--1d is for one axis; the input is {cross(sizes)}")
    return plan_operation(
        layer.layer(numbers.kernel if numbers and numbers.kernel else layer.kernel_size),
        sizes,
        x=numbers and numbers.x,
        w=numbers and numbers.w,
        bias=numbers and numbers.bias,
        in_channels=1 if layer.in_channels is None else layer.in_channels,
        flip=flip,
        border=parse_filling(border),
    )


class Numbers(NamedTuple):
    """Operands with all their channel axes: x (C_in, \\*spatial), w as the operation has it."""

    x: Any
    w: Any
    bias: Any
    spatial: tuple[int, ...]
    kernel: tuple[int, ...]
    in_channels: int
    out_channels: int


def _numbers(layer: LayerOptions, x: str, w: str, bias: str, one_axis: bool) -> Numbers:
    """The numbers that were typed, and the axes that they have."""
    from convcli.cli.tensor_io import read_together

    a, weight, shift = read_together(x=x, w=w or None, bias=bias or None)
    if weight is None:
        rank = 1 if one_axis else min(a.ndim, 2)
        a = _without_batch(a, rank)
        return Numbers(a, None, None, a.shape[1:], (), len(a), len(a))
    from convcli.ops.conv_geometry import operand_shapes
    from convcli.ops.pointwise import pointwise_weight

    weight = pointwise_weight(
        a.shape,
        weight,
        groups=layer.groups,
        dims=1 if one_axis else None,
        transposed=layer.transpose,
    )
    bare = weight.ndim == 3 and len(weight) == 1 and not one_axis
    if bare and a.shape[-2:-1] != (weight.shape[1],):
        weight = weight[0]  # a kernel of two axes, with one channel of its own
    while weight.ndim < 3 and a.ndim > 2 and len(a) == 1:
        a = a[0]
    if a.ndim == 2 and weight.ndim == 1:
        weight = weight[None]  # a row of weights on a picture
    dims = 1 if weight.ndim == 3 else None
    rank, _, shape, _ = operand_shapes(
        a.shape, weight.shape, layer.groups, dims, 0 if layer.transpose else 1
    )
    a = _without_batch(a, rank)
    out = shape[1] * layer.groups if layer.transpose else shape[0]
    return Numbers(a, weight.reshape(shape), shift, a.shape[1:], shape[2:], len(a), out)


def _without_batch(array: Any, rank: int) -> Any:
    """One example with its channels, (C, \\*spatial)."""
    while array.ndim > rank + 1 and len(array) == 1:
        array = array[0]
    if rank not in (1, 2) or array.ndim not in (rank, rank + 1):
        shape = cross(array.shape) or "a single number"
        raise UsageError(f"--x is {shape}; channels of 1 or 2 axes can be drawn, one example")
    return array.reshape((1,) * (rank + 1 - array.ndim) + array.shape)


def _check_sizes(layer: LayerOptions, numbers: Numbers) -> None:
    """Sizes that were given beside the numbers must be theirs."""
    for option, text, shape in (
        ("--n", layer.n, numbers.spatial),
        ("--k", layer.k, numbers.kernel),
    ):
        if text and shape and not _same(parse_sizes(text, option), shape):
            raise UsageError(
                f"{option} is {text}, but the numbers are {cross(shape)}; leave {option} out"
            )
    for option, asked, found in (
        ("--in", layer.in_channels, numbers.in_channels),
        ("--out", layer.out_channels, numbers.out_channels),
    ):
        if asked is not None and asked != found:
            raise UsageError(
                f"{option} is {asked}, but the numbers have {found}; leave {option} out"
            )


def _same(sizes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return sizes * (len(shape) if len(sizes) == 1 else 1) == shape
