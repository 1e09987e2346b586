"""The working of the tensor commands: which entries are shown, and on which stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from convcli.errors import UsageError

__all__ = [
    "Working",
    "place",
    "show_entries",
    "show_gradient",
    "show_pool",
    "show_pool_gradient",
    "show_working",
]

FIRST = 4
"""Outputs whose working ``--steps`` shows unless told otherwise."""


class Working(NamedTuple):
    """What was asked for by ``--steps``, ``--at`` and ``--all``, and whether data goes out as well.

    The working then goes to standard error.
    """

    steps: bool
    at: str
    show_all: bool
    aside: bool

    @property
    def wanted(self) -> bool:
        """Whether any is to be shown."""
        return self.steps or bool(self.at) or self.show_all


def show_entries(
    lines: Callable[[tuple[int, ...]], list[Any]],
    shape: tuple[int, ...],
    asked: Working,
    *,
    border: Any = None,
    what: str = "outputs",
) -> tuple[list[tuple[int, ...]], Any]:
    """Print the working of the entries asked for.

    Gives back which entries these are, and the console.
    """
    import itertools
    import math

    import numpy as np

    from convcli.show.console import make_console
    from convcli.show.tensor_steps import show_blocks

    left_out = 0
    if asked.at:
        chosen = [place(asked.at, shape, what)]
    else:
        chosen = [*itertools.islice(np.ndindex(*shape), None if asked.show_all else FIRST)]
        left_out = math.prod(shape) - len(chosen)
    console = make_console("stderr" if asked.aside else "stdout")
    show_blocks(map(lines, chosen), left_out, console, border, what)
    return chosen, console


def show_working(step: Any, geometry: Any, operands: Any, y: Any, asked: Working) -> None:
    """The working of a convolution, or of a transposed one, and the map of every channel."""
    from convcli.show.channel_maps import show_channel_maps
    from convcli.show.tensor_steps import at as entry
    from convcli.show.tensor_steps import step_lines

    lead = (0,) * (geometry.rank + 2 - y.ndim)
    chosen, console = show_entries(
        lambda index: step_lines(step(geometry, *operands, (*lead, *index)), entry("y", index)),
        y.shape,
        asked,
        border=geometry.border if geometry.has_border else None,
    )
    show_channel_maps(step, geometry, operands, chosen, y.shape, console)


def show_pool(pool: Any, x: Any, y: Any, asked: Working, *, mean: bool | None = None) -> None:
    """The working of pooling; ``mean`` is ``count_include_pad``, None where the largest wins."""
    from convcli.ops.pool_sums import pool_sum
    from convcli.show.pool_steps import max_line, mean_line

    def lines(index: tuple[int, ...]) -> list[Any]:
        if mean is None:
            return [max_line(pool_sum(pool, x, index))]
        step = pool_sum(pool, x, index, count_include_pad=mean, compare=False)
        return [mean_line(step, y[index], mean)]

    show_entries(lines, y.shape, asked)


def show_pool_gradient(
    pool: Any,
    grad_y: Any,
    x: Any,
    found: Any,
    asked: Working,
    *,
    mean: bool | None = None,
) -> None:
    """What reaches entries of x in the backward pass of pooling; ``mean`` as above."""
    from convcli.ops.pool_sums import pool_shares
    from convcli.show.pool_steps import share_lines

    def lines(index: tuple[int, ...]) -> list[Any]:
        shares = pool_shares(pool, grad_y, x, index, count_include_pad=mean)
        return share_lines(index, shares, found[index])

    show_entries(lines, x.shape, asked, what="entries")


def show_gradient(
    name: str,
    geometry: Any,
    operands: tuple[Any, Any, Any],
    found: Any,
    asked: Working,
    *,
    transposed: bool,
    flip: bool,
) -> None:
    """The chain rule of one gradient, ``x``, ``weight`` or ``bias``, as it was found.

    ``operands`` are the gradient for the output, the input and the weight, as they were typed.
    """
    from convcli.ops.gradient_sums import (
        bias_gradient_sum,
        input_gradient_sum,
        weight_gradient_sum,
    )
    from convcli.show.gradient_steps import gradient_lines

    g = geometry
    grad_y, x, weight = operands
    y_shape, x_shape = (g.big_shape, g.small_shape)[:: 1 if transposed else -1]
    full_y, full_x = grad_y.reshape(y_shape), x.reshape(x_shape)
    full_weight = weight.reshape(g.weight_shape)
    of = {
        "y": full_y.ndim - grad_y.ndim,
        "x": full_x.ndim - x.ndim,
        "weight": full_weight.ndim - weight.ndim,
        "bias": 0,
    }
    other = {"x": "weight", "weight": "x", "bias": "bias"}[name]

    def lines(index: tuple[int, ...]) -> list[Any]:
        whole = (*(0,) * of[name], *index)
        if name == "x":
            step = input_gradient_sum(
                g, full_y, full_weight, whole, transposed=transposed, flip=flip
            )
        elif name == "weight":
            step = weight_gradient_sum(g, full_y, full_x, whole, transposed=transposed, flip=flip)
        else:
            step = bias_gradient_sum(g, full_y, whole, transposed=transposed)
        return gradient_lines(name, step, (of["y"], of[other], of[name]), found[index])

    border = g.border if g.has_border else None
    show_entries(lines, found.shape, asked, border=border, what="entries")


def place(text: str, shape: tuple[int, ...], what: str = "outputs") -> tuple[int, ...]:
    """The index that ``--at`` names, of an output or of an entry of a gradient."""
    from convcli.arithmetic.sizes import cross

    try:
        index = tuple(int(part) for part in text.split(","))
    except ValueError:
        index = ()
    fits = len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
    if not fits:
        noun = "output" if what == "outputs" else "gradient"
        example = ",".join(str(n - 1) for n in shape)
        raise UsageError(
            f"--at {text!r} is not in the {noun} {cross(shape)}; the last one is --at {example}"
        )
    return index
