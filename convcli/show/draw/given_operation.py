"""An operation to draw, from sizes and numbers as Python has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from convcli.arithmetic.borders import parse_filling
from convcli.arithmetic.layer import POOLS, Layer
from convcli.arithmetic.sizes import parse_sizes
from convcli.arithmetic.window import Padding
from convcli.errors import UsageError
from convcli.ops.exact import settled
from convcli.ops.operands import as_operand
from convcli.ops.read_tensor import parse_tensor
from convcli.show.draw.classics import CLASSICS, classic, classic_key
from convcli.show.draw.layer_numbers import layer_numbers
from convcli.show.draw.operation import Operation, plan_operation

__all__ = ["LayerWords", "Pool", "Sizes", "classic_operation", "given_operation"]

Pool: TypeAlias = Literal["", "max", "avg"]
Sizes: TypeAlias = int | Sequence[int]


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
    if pool and pool not in POOLS:
        raise UsageError(f"pool is {pool!r}; allowed: {', '.join(POOLS)}")
    if pool and (words.get("transposed") or weight is not None or bias is not None):
        raise UsageError("pool takes neither a weight nor a bias, and is never transposed")
    if isinstance(x, str) and weight is None and _names_a_classic(x):
        extra = [name for name in words if name not in ("flip", "border")]
        if extra or bias is not None:
            raise UsageError(f"{x} says its sizes itself; leave {', '.join(extra) or 'bias'} out")
        return classic_operation(
            x, flip=words.get("flip", False), border=words.get("border", "zeros")
        )
    if x is not None and words.get("n") is not None:
        raise UsageError("n is for an input without numbers; x has its own size")
    if weight is not None and words.get("k") is not None:
        raise UsageError("k is for a kernel without numbers; weight has its own size")
    if not pool and (x is None) != (weight is None):
        raise UsageError("numbers need both x and weight; without them give n and k")
    if x is None:
        return _of_sizes(words)
    return _of_numbers(x, weight, bias, words)


def _names_a_classic(text: str) -> bool:
    """Whether a text is a name of several letters, and no symbols such as ``a b``."""
    return classic_key(text) in CLASSICS or "_" in text.strip("_")


def classic_operation(name: str, *, flip: bool = False, border: str = "zeros") -> Operation:
    """The operation of a classic animation, ``padding_strides`` or another."""
    c = classic(name)
    words: LayerWords = {
        "stride": parse_sizes(c.s, "stride"),
        "padding": int(c.p),
        "dilation": int(c.d),
        "output_padding": int(c.op) or None,
        "transposed": c.transpose,
        "flip": flip,
        "border": border,
    }
    if c.pool:
        words["pool"] = "max" if c.pool == "max" else "avg"
    if not c.x:
        return _of_sizes(words | {"n": int(c.n), "k": int(c.k)})
    if c.pool:
        words["k"] = int(c.k)
    return _of_numbers(c.x, c.w or None, None, words)


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


def _of_numbers(x: Any, weight: Any, bias: Any, words: LayerWords) -> Operation:
    for name in ("in_channels", "out_channels"):
        if words.get(name) is not None:
            raise UsageError(f"{name} is for sizes without numbers; these have their own")
    kernel = words.get("k")
    if weight is None and kernel is None:
        raise UsageError("how large is the window? Give k, as in k=2")
    x, weight, bias = settled([_array(x, "x"), _array(weight, "weight"), _array(bias, "bias")])
    numbers = layer_numbers(
        x,
        weight,
        bias,
        groups=words.get("groups", 1),
        dims=words.get("dims"),
        transposed=words.get("transposed", False),
    )
    layer = _layer(
        words,
        numbers.kernel if kernel is None else _each(kernel),
        None if weight is None else numbers.out_channels,
    )
    return plan_operation(
        layer,
        numbers.spatial,
        x=numbers.x,
        w=numbers.w,
        bias=numbers.bias,
        in_channels=numbers.in_channels,
        **_turned_and_bordered(words),
    )


def _turned_and_bordered(words: LayerWords) -> dict[str, Any]:
    border = parse_filling(words.get("border", "zeros"))
    return {"flip": words.get("flip", False), "border": border}


def _layer(words: LayerWords, kernel: tuple[int, ...], out_channels: int | None) -> Layer:
    pool, stride, extra = words.get("pool", ""), words.get("stride"), words.get("output_padding")
    padding = words.get("padding", 0)
    return Layer(
        POOLS[pool] if pool else "conv_transpose" if words.get("transposed") else "conv",
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


def _array(value: Any, name: str) -> Any:
    """Numbers or symbols, of an array or of a text, whose fractions are kept; None as it is."""
    if value is None:
        return None
    return (
        parse_tensor(value, name, exact=True) if isinstance(value, str) else as_operand(value, name)
    )
