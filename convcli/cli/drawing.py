"""What the commands that draw share: operations from options, and drawings into files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.layout import Drawing
    from convcli.show.draw.operation import Operation
    from convcli.show.draw.scene import Scene

__all__ = ["FIGURES", "SUFFIXES", "check_drawing", "classic_scene", "operation", "write_drawing"]

SUFFIXES = (".svg", ".gif", ".png", ".apng", ".webp")
FIGURES = (".svg", ".png", ".webp")
"""Suffixes of animations, and of figures that do not move."""


def check_drawing(output: str, overwrite: bool, allowed: tuple[str, ...] = SUFFIXES) -> None:
    """Refuse a target before anything is drawn."""
    if _suffix(output) not in allowed:
        raise UsageError(f"{output!r}: a drawing is written as {', '.join(allowed)}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)


def write_drawing(
    drawing: Drawing,
    output: str,
    what: str,
    *,
    overwrite: bool,
    width: int | None = None,
    fps: float = 2.0,
    frame: int | None = None,
) -> None:
    """Write a drawing in the format of the suffix, and say so."""
    from convcli.imaging.atomic import display_name, write_atomic
    from convcli.show.draw.drawing_bytes import drawing_bytes

    data = drawing_bytes(drawing, _suffix(output), width=width, fps=fps, frame=frame)
    write_atomic(output, data, overwrite=overwrite)
    typer.echo(f"{what} -> {display_name(output)}", err=True)


def _suffix(output: str) -> str:
    return output[output.rfind(".") :].lower() if "." in output else ""


def classic_scene(name: str, view: str = "", *, flip: bool = False) -> Scene:
    """The scene of a classic animation."""
    from convcli.show.draw.classics import classic
    from convcli.show.draw.views import build_scene

    c = classic(name)
    planned = operation(
        c.n, c.k, c.s, c.p, c.d, c.op, False, c.transpose, c.pool, False, flip, c.x, c.w
    )
    return build_scene(planned, view)


def operation(
    n: str,
    k: str,
    s: str,
    p: str,
    d: str,
    op: str,
    one: bool,
    transpose: bool,
    pool: str,
    ceil: bool,
    flip: bool,
    x: str,
    w: str,
) -> Operation:
    """The operation that the options of ``convcli draw`` ask for."""
    from convcli.arithmetic.layer import Layer
    from convcli.arithmetic.sizes import parse_padding, parse_sizes
    from convcli.cli.shape_options import POOLS
    from convcli.show.draw.operation import plan_operation

    if pool and pool not in POOLS:
        raise UsageError(f"--pool is {pool!r}; it must be {' or '.join(POOLS)}")
    if pool and transpose:
        raise UsageError("--pool and --transpose exclude each other")
    if pool and w:
        raise UsageError("--w is for a convolution; pooling has no weights, only --k")
    a = _plane(x, "--x") if x else None
    weight = _plane(w, "--w") if w else None
    if a is not None and weight is not None and a.ndim == 2 and weight.ndim == 1:
        weight = weight[None]  # a row of weights on a picture
    if not pool and (a is None) != (weight is None):
        raise UsageError("numbers need both --x and --w; without them give --n and --k")
    for option, text, array in (("--n", n, a), ("--k", k, weight)):
        if not text and array is None:
            what = "the input" if option == "--n" else "the window" if pool else "the kernel"
            raise UsageError(f"how large is {what}? Give {option}, or the name of a classic")
        if text and array is not None and not _same(parse_sizes(text, option), array.shape):
            shape = "x".join(map(str, array.shape))
            raise UsageError(f"{option} is {text}, but the numbers are {shape}; leave {option} out")
    sizes = a.shape if a is not None else parse_sizes(n, "input size")
    kernel = weight.shape if weight is not None else parse_sizes(k, "kernel size")
    if len(sizes) == 1 and a is None and not one:
        sizes *= 2
    if one and len(sizes) != 1:
        raise UsageError(f"--1d is for one axis; the input is {'x'.join(map(str, sizes))}")
    layer = Layer(
        "conv_transpose" if transpose else POOLS.get(pool, "conv"),
        kernel,
        parse_sizes(s, "stride") if s else None,
        parse_padding(p) if p else (0,),
        parse_sizes(d, "dilation") if d else (1,),
        parse_sizes(op, "output padding") if op else None,
        ceil,
    )
    return plan_operation(layer, sizes, x=a, w=weight, flip=flip)


def _same(sizes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return sizes * (len(shape) if len(sizes) == 1 else 1) == shape


def _plane(text: str, option: str) -> Any:
    """Numbers of one or two axes; one channel alone may come with its axes."""
    from convcli.cli.tensor_io import read

    array = read(text, option)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (1, 2):
        shape = "x".join(map(str, array.shape)) or "a single number"
        raise UsageError(f"{option} is {shape}; one channel of 1 or 2 axes can be drawn")
    return array
