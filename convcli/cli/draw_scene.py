"""What ``convcli draw`` and ``explore`` show: a classic animation, or a layer with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from convcli.arithmetic.borders import parse_filling
from convcli.arithmetic.sizes import cross, parse_sizes
from convcli.cli.layer_parse import LayerOptions
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.layer_numbers import LayerNumbers
    from convcli.show.draw.operation import Operation

__all__ = ["Drawn", "asked_operation", "file_stem", "typed_operands"]


class Drawn(NamedTuple):
    """What was typed of the layer to draw: its sizes, its numbers, and how it is computed."""

    layer: LayerOptions = LayerOptions(bias=False)
    x: str = ""
    w: str = ""
    bias: str = ""
    one_axis: bool = False
    flip: bool = False
    border: str = "zeros"

    @property
    def given(self) -> list[str]:
        """The options that were given and say what a classic animation says itself."""
        layer = self.layer
        given = {f"--{key}": getattr(layer, key) for key in ("n", "k", "s", "p", "d", "op")}
        given |= {
            "--in": layer.in_channels is not None,
            "--out": layer.out_channels is not None,
            "--groups": layer.groups != 1,
            "--x": self.x,
            "--w": self.w,
            "--bias": self.bias,
            "--1d": self.one_axis,
            "--transpose": layer.transpose,
            "--pool": layer.pool,
            "--ceil": layer.ceil,
        }
        return [option for option, value in given.items() if value]


def typed_operands(name: str, weight: str, drawn: Drawn) -> tuple[str, Drawn]:
    """The name of a classic, if the words are one, and the layer with the operands that they are.

    Two words are the input and the weight, as ``convcli conv`` takes them; one is the input of a
    pool, as of ``convcli pool``, where it is no classic's name.

    >>> typed_operands("1 2 3", "1 -1", Drawn())[1].given
    ['--x', '--w']
    """
    from convcli.show.draw.classics import CLASSICS, classic_key

    is_classic = classic_key(name) in CLASSICS
    if is_classic and weight:
        raise UsageError(f"{weight!r}: {name} says its sizes itself; give one of both")
    if not weight and (is_classic or not (name and drawn.layer.pool)):
        return name, drawn
    if drawn.x or drawn.w:
        twice = " ".join(f"{word!r}" for word in (name, weight) if word)
        raise UsageError(f"{twice} and --x or --w: the numbers are given twice; leave one out")
    return "", drawn._replace(x=name, w=weight)


def file_stem(name: str, kind: str, view: str) -> str:
    """What the stills of a drawing are called.

    >>> file_stem("Padding-strides", "conv", ""), file_stem("", "conv_transpose", "scatter")
    ('padding_strides', 'conv_transpose-scatter')
    """
    from convcli.show.draw.classics import classic_key

    stem = classic_key(name) or kind
    return f"{stem}-{view}" if view else stem


def asked_operation(name: str, drawn: Drawn) -> Operation:
    """The operation of a classic by its name, or of the options of a layer; not of both."""
    if not name:
        return _of_layer(drawn)
    if drawn.given:
        raise UsageError(
            f"{', '.join(drawn.given)}: {name} says its sizes itself; give one of both"
        )
    if name.strip()[:1] in {*"-[0123456789"}:
        typed = repr(name.strip())
        raise UsageError(f"{typed}: the kernel is missing behind the input; as in {typed} '1 0 -1'")
    from convcli.show.draw.given_operation import classic_operation

    return classic_operation(name, flip=drawn.flip, border=drawn.border)


def _of_layer(drawn: Drawn) -> Operation:
    from convcli.show.draw.operation import plan_operation

    layer, x, w, bias = drawn.layer, drawn.x, drawn.w, drawn.bias
    pools = layer.is_pool
    for option, text in (("--w", w), ("--bias", bias)):
        if pools and text:
            raise UsageError(f"{option} is for a convolution; pooling has no weights, only --k")
    if not pools and bool(x) != bool(w):
        raise UsageError("numbers need both --x and --w; without them give --n and --k")
    if bias and not x:
        raise UsageError("--bias is numbers; give --x and --w too, or leave it out")
    numbers = _numbers(drawn) if x else None
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
        sizes = layer.spatial * (2 if len(layer.spatial) == 1 and not drawn.one_axis else 1)
    else:
        sizes = numbers.spatial
    if drawn.one_axis and len(sizes) != 1:
        raise UsageError(f"--1d is for one axis; the input is {cross(sizes)}")
    return plan_operation(
        layer.layer(numbers.kernel if numbers and numbers.kernel else layer.kernel_size),
        sizes,
        x=numbers and numbers.x,
        w=numbers and numbers.w,
        bias=numbers and numbers.bias,
        in_channels=1 if layer.in_channels is None else layer.in_channels,
        flip=drawn.flip,
        border=parse_filling(drawn.border),
    )


def _numbers(drawn: Drawn) -> LayerNumbers:
    """The numbers that were typed, and the axes that they have."""
    from convcli.cli.tensor_io import read_together
    from convcli.show.draw.layer_numbers import layer_numbers

    return layer_numbers(
        *read_together(x=drawn.x, w=drawn.w or None, bias=drawn.bias or None),
        groups=drawn.layer.groups,
        dims=1 if drawn.one_axis else None,
        transposed=drawn.layer.transpose,
    )


def _check_sizes(layer: LayerOptions, numbers: LayerNumbers) -> None:
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
