"""An operation to draw, from sizes and numbers as Python has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np

from convcli.arithmetic.borders import parse_filling
from convcli.arithmetic.layer import Layer, LayerKind
from convcli.arithmetic.sizes import parse_sizes
from convcli.arithmetic.window import Padding
from convcli.errors import UsageError
from convcli.show.draw.classics import CLASSICS, classic
from convcli.show.draw.operation import Operation, plan_operation

__all__ = ["LayerWords", "Pool", "Sizes", "given_operation"]

Pool: TypeAlias = Literal["", "max", "avg"]
Sizes: TypeAlias = int | Sequence[int]
Array = np.ndarray[Any, Any]

KINDS: dict[str, LayerKind] = {"max": "maxpool", "avg": "avgpool"}


class LayerWords(TypedDict, total=False):
    """What a layer can be told, in the words of :func:`convcli.conv`; what is left out is as there."""

    n: Sizes | None
    k: Sizes | None
    stride: Sizes | None
    padding: Padding | Sequence[Padding]
    border: str
    dilation: Sizes
    output_padding: Sizes | None
    in_channels: int
    out_channels: int | None
    groups: int
    transposed: bool
    pool: Pool
    ceil_mode: bool
    flip: bool
    dims: int | None


def given_operation(x: Any, weight: Any, bias: Any, words: LayerWords) -> Operation:
    """The operation of :func:`convcli.draw` and :func:`convcli.explore`.

    Raises
    ------
    ShapeError, TensorError, UsageError
        If sizes do not fit together, are too large to be read, or do not go with the numbers.

    >>> given_operation(None, None, None, {"n": 5, "k": 3, "stride": 2}).subtitle
    'input 5x5, kernel 3x3, stride 2 -> output 2x2'
    >>> given_operation("a b c", "u v", None, {}).y
    array([Polynomial('au+bv'), Polynomial('bu+cv')], dtype=object)
    """
    unknown = [name for name in words if name not in LayerWords.__annotations__]
    if unknown:
        known = ", ".join(LayerWords.__annotations__)
        raise TypeError(f"{unknown[0]!r} is no option of a layer; allowed: {known}")
    pool = words.get("pool", "")
    if pool and pool not in KINDS:
        raise UsageError(f"pool is {pool!r}; allowed: {', '.join(KINDS)}")
    if pool and (words.get("transposed") or weight is not None or bias is not None):
        raise UsageError("pool takes neither a weight nor a bias, and is never transposed")
    if isinstance(x, str) and weight is None and _names_a_classic(x):
        extra = [name for name in words if name not in ("flip", "border")]
        if extra or bias is not None:
            raise UsageError(f"{x} says its sizes itself; leave {', '.join(extra) or 'bias'} out")
        return _classic(x, words)
    if x is not None and words.get("n") is not None:
        raise UsageError("n is for an input without numbers; x has its own size")
    if weight is not None and words.get("k") is not None:
        raise UsageError("k is for a kernel without numbers; weight has its own size")
    if not pool and (x is None) != (weight is None):
        raise UsageError("numbers need both x and weight; without them give n and k")
    if x is None:
        return _of_sizes(words)
    return _of_numbers(
        _array(x, "x"), None if weight is None else _array(weight, "weight"), bias, words
    )


def _names_a_classic(text: str) -> bool:
    """Whether a text is a name of several letters, and no symbols such as ``a b``."""
    return text.lower().replace("-", "_") in CLASSICS or "_" in text.strip("_")


def _classic(name: str, given: LayerWords) -> Operation:
    c = classic(name)
    words: LayerWords = {
        "stride": parse_sizes(c.s, "stride"),
        "padding": int(c.p),
        "dilation": int(c.d),
        "output_padding": int(c.op) or None,
        "transposed": c.transpose,
        "flip": given.get("flip", False),
        "border": given.get("border", "zeros"),
    }
    if c.pool:
        words["pool"] = "max" if c.pool == "max" else "avg"
    if not c.x:
        words |= {"n": int(c.n), "k": int(c.k)}
        return _of_sizes(words)
    if c.pool:
        words["k"] = int(c.k)
    return _of_numbers(_array(c.x, "x"), _array(c.w, "w") if c.w else None, None, words)


def _of_sizes(words: LayerWords) -> Operation:
    sizes, kernel = words.get("n"), words.get("k")
    if sizes is None or kernel is None:
        raise UsageError("how large are input and kernel? Give n and k, as in n=5, k=3")
    spatial = (sizes, sizes) if isinstance(sizes, int) else tuple(sizes)
    into = words.get("in_channels", 1)
    out = words.get("out_channels")
    if out is None and not words.get("pool"):
        out = into if words.get("groups", 1) > 1 else 1
    layer = _layer(words, _each(kernel), out)
    more = _turned_and_bordered(words)
    return plan_operation(layer, spatial, in_channels=into, **more)


def _of_numbers(x: Array, weight: Array | None, bias: Any, words: LayerWords) -> Operation:
    dims = words.get("dims")
    for name in ("in_channels", "out_channels"):
        if words.get(name) is not None:
            raise UsageError(f"{name} is for sizes without numbers; these have their own")
    groups, more = words.get("groups", 1), _turned_and_bordered(words)
    if weight is None:
        kernel = words.get("k")
        if kernel is None:
            raise UsageError("how large is the window? Give k, as in k=2")
        rank = dims or min(x.ndim, 2)
        x = _without_batch(x, rank)
        layer = _layer(words, _each(kernel), None)
        return plan_operation(layer, x.shape[1:], x=x, in_channels=len(x), **more)
    from convcli.ops.conv_geometry import operand_shapes

    transposed = words.get("transposed", False)
    if x.ndim == 2 and weight.ndim == 1:
        weight = weight[None]  # a row of weights on a picture
    rank, _, shape, _ = operand_shapes(x.shape, weight.shape, groups, dims, 0 if transposed else 1)
    x, weight = _without_batch(x, rank), weight.reshape(shape)
    layer = _layer(words, shape[2:], shape[1] * groups if transposed else shape[0])
    shift = None if bias is None else _array(bias, "bias")
    return plan_operation(layer, x.shape[1:], x=x, w=weight, bias=shift, in_channels=len(x), **more)


def _turned_and_bordered(words: LayerWords) -> dict[str, Any]:
    border = parse_filling(words.get("border", "zeros"))
    return {"flip": words.get("flip", False), "border": border}


def _layer(words: LayerWords, kernel: tuple[int, ...], out_channels: int | None) -> Layer:
    pool, stride, extra = words.get("pool", ""), words.get("stride"), words.get("output_padding")
    padding = words.get("padding", 0)
    return Layer(
        KINDS[pool] if pool else "conv_transpose" if words.get("transposed") else "conv",
        kernel,
        None if stride is None else _each(stride),
        (padding,) if isinstance(padding, int | str) else tuple(padding),
        _each(words.get("dilation", 1)),
        None if extra is None else _each(extra),
        words.get("ceil_mode", False),
        out_channels,
        words.get("groups", 1),
    )


def _each(value: Sizes) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _array(value: Any, name: str) -> Array:
    """Numbers or symbols, of an array or of a text."""
    if isinstance(value, str):
        from convcli.ops.read_tensor import parse_tensor

        return np.asarray(parse_tensor(value, name))
    from convcli.ops.operands import as_operand

    array: Array = as_operand(value, name)
    return array


def _without_batch(array: Array, rank: int) -> Array:
    """One example with its channels, (C, \\*spatial)."""
    while array.ndim > rank + 1 and len(array) == 1:
        array = array[0]
    if rank not in (1, 2) or array.ndim not in (rank, rank + 1):
        raise UsageError(f"x is of shape {array.shape}; one example of 1 or 2 axes can be drawn")
    return array.reshape((1,) * (rank + 1 - array.ndim) + array.shape)
