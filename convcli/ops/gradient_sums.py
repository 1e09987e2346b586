"""An entry of a gradient written out by the chain rule: which outputs it reaches, times what.

``y`` is a sum of products, so ``dL/dx[i]`` adds up ``dL/dy[o]`` times the weight between ``x[i]``
and ``y[o]``, over all outputs that read ``x[i]``; ``dL/dw[t]`` adds up ``dL/dy[o]`` times the
input that ``w[t]`` met there; ``dL/db`` is the sum of ``dL/dy``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from convcli.ops.border_cells import outside_value
from convcli.ops.conv_geometry import ConvGeometry
from convcli.ops.operands import Array
from convcli.ops.output_sum import item

__all__ = [
    "GradientSum",
    "GradientTerm",
    "bias_gradient_sum",
    "input_gradient_sum",
    "weight_gradient_sum",
]

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GradientTerm:
    """``dL/dy`` at an index, times a weight or an input at an index; alone for a bias.

    ``other_at`` is None where ``other`` is padding that holds no cell of the input.
    """

    grad: Any
    grad_at: Index
    other: Any = 1
    other_at: Index | None = None
    is_padding: bool = False


@dataclass(frozen=True, slots=True)
class GradientSum:
    """One entry of a gradient, its terms by rows of the outputs or of the kernel."""

    index: Index
    rows: tuple[tuple[GradientTerm, ...], ...]

    @property
    def value(self) -> Any:
        """The gradient."""
        return sum(term.grad * term.other for row in self.rows for term in row)


def input_gradient_sum(
    g: ConvGeometry,
    grad_y: Array,
    weight: Array,
    index: Index,
    *,
    transposed: bool = False,
    flip: bool = False,
) -> GradientSum:
    """The terms of ``dL/dx`` at ``index`` (n, c, \\*spatial).

    Parameters
    ----------
    g
        Of the convolution, or of the transposed one.
    grad_y
        Gradient for the output, of shape ``g.small_shape`` (``g.big_shape`` if transposed).
    weight
        Of shape ``g.weight_shape``, not reversed; ``flip`` does that.

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> import numpy as np
    >>> g = conv_geometry((3,), (2,))
    >>> ones, w = np.ones((1, 1, 2), int), np.array([[[5, 7]]])
    >>> terms = input_gradient_sum(g, ones, w, (0, 0, 1)).rows[0]
    >>> [(term.grad_at, term.other_at, term.other) for term in terms]
    [((0, 0, 0), (0, 0, 1), 7), ((0, 0, 1), (0, 0, 0), 5)]
    """
    n, channel, *cell = index
    per_big, per_small = g.big_channels // g.groups, g.small_channels // g.groups
    pairs: list[list[tuple[int, int]]]  # (output, tap) of each axis, in the order of outputs
    if transposed:
        group = channel // per_small
        pairs = [
            [(big, t) for t in range(k) if 0 <= (big := c * s + t * d - before) < size]
            for c, s, k, d, before, size in zip(
                cell, g.stride, g.kernel, g.dilation, g.before, g.size, strict=True
            )
        ]
        lines = [(group * per_big + b, (channel, b)) for b in range(per_big)]
    else:
        group, within = divmod(channel, per_big)
        pairs = [_readers(g, axis, c) for axis, c in enumerate(cell)]
        lines = [(o, (o, within)) for o in range(group * per_small, (group + 1) * per_small)]

    def term(out: int, lead: Index, found: Iterable[tuple[int, int]]) -> GradientTerm:
        places, taps = zip(*found, strict=True)
        at, tap = (n, out, *places), (*lead, *_turned(g, taps, flip))
        return GradientTerm(item(grad_y, at), at, item(weight, tap), tap)

    rows = [
        tuple(term(out, lead, (*prefix, last)) for last in pairs[-1])
        for out, lead in lines
        for prefix in itertools.product(*pairs[:-1])
    ]
    return GradientSum(index, tuple(row for row in rows if row))


def _readers(g: ConvGeometry, axis: int, cell: int) -> list[tuple[int, int]]:
    """Outputs along an axis that read a cell of the input, or the padding where it stands."""
    stride, dilation = g.stride[axis], g.dilation[axis]
    found = []
    for at, source in enumerate(g.sources[axis]):
        for tap in range(g.kernel[axis]) if source == cell else ():
            output, rest = divmod(at - tap * dilation, stride)
            if rest == 0 and 0 <= output < g.output[axis]:
                found.append((output, tap))
    return sorted(found)


def _turned(g: ConvGeometry, taps: Index, flip: bool) -> Index:
    return tuple(k - 1 - t for k, t in zip(g.kernel, taps, strict=True)) if flip else taps


def weight_gradient_sum(
    g: ConvGeometry,
    grad_y: Array,
    x: Array,
    index: Index,
    *,
    transposed: bool = False,
    flip: bool = False,
) -> GradientSum:
    """The terms of ``dL/dw`` at ``index`` (c_out, c_in within its group, \\*tap).

    For a transposed convolution (c_in, c_out within its group, \\*tap). ``x`` has the shape
    ``g.big_shape`` (``g.small_shape`` if transposed); the rest is as above.

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> import numpy as np
    >>> g = conv_geometry((3,), (2,))
    >>> ones, x = np.ones((1, 1, 2), int), np.array([[[5, 7, 9]]])
    >>> weight_gradient_sum(g, ones, x, (0, 0, 1)).value
    16
    """
    small, within, *typed = index
    tap = _turned(g, tuple(typed), flip)
    group = small // (g.small_channels // g.groups)
    big = group * (g.big_channels // g.groups) + within
    sources = g.sources
    outside = outside_value(g.border, x)

    def term(n: int, place: Index) -> GradientTerm | None:
        at = [o * s + t * d for o, s, t, d in zip(place, g.stride, tap, g.dilation, strict=True)]
        padding = any(
            not before <= c < before + size
            for c, before, size in zip(at, g.before, g.size, strict=True)
        )
        found = [axis[c] for axis, c in zip(sources, at, strict=True)]
        cell = tuple(c for c in found if c is not None)
        if transposed:  # what padding cropped has no gradient
            if padding:
                return None
            from_y, from_x = (n, big, *cell), (n, small, *place)
            return GradientTerm(item(grad_y, from_y), from_y, item(x, from_x), from_x)
        from_y = (n, small, *place)
        if len(cell) < len(found):
            return GradientTerm(item(grad_y, from_y), from_y, outside, None, True)
        from_x = (n, big, *cell)
        return GradientTerm(item(grad_y, from_y), from_y, item(x, from_x), from_x, padding)

    return GradientSum(index, tuple(_rows(g.batch, g.output, term)))


def bias_gradient_sum(
    g: ConvGeometry, grad_y: Array, index: Index, *, transposed: bool = False
) -> GradientSum:
    """The terms of ``dL/db`` at ``index`` (c_out,): all of ``dL/dy`` in that channel.

    >>> from convcli.ops.conv_geometry import conv_geometry
    >>> import numpy as np
    >>> bias_gradient_sum(conv_geometry((3,), (2,)), np.array([[[5, 7]]]), (0,)).value
    12
    """

    def term(n: int, place: Index) -> GradientTerm:
        at = (n, index[0], *place)
        return GradientTerm(item(grad_y, at), at)

    return GradientSum(index, tuple(_rows(g.batch, g.size if transposed else g.output, term)))


def _rows(
    batch: int, sizes: Index, term: Callable[[int, Index], GradientTerm | None]
) -> Iterator[tuple[GradientTerm, ...]]:
    for n, prefix in itertools.product(range(batch), itertools.product(*map(range, sizes[:-1]))):
        found = (term(n, (*prefix, last)) for last in range(sizes[-1]))
        row = tuple(each for each in found if each is not None)
        if row:
            yield row
