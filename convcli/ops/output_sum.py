"""An output of a convolution written out as a sum of products."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convcli.ops.border_cells import outside_value
from convcli.ops.conv_geometry import ConvGeometry
from convcli.ops.operands import Array

__all__ = ["ChannelSum", "OutputSum", "Term", "conv_output_sum", "item", "transposed_output_sum"]


@dataclass(frozen=True, slots=True)
class Term:
    """An input value times a weight; where ``is_padding``, the value that the border has there."""

    x: Any
    weight: Any
    is_padding: bool = False


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """What one input channel contributes: its products, by rows of the kernel."""

    channel: int
    rows: tuple[tuple[Term, ...], ...]

    @property
    def value(self) -> Any:
        """Sum of the products."""
        return sum(p.x * p.weight for row in self.rows for p in row)


@dataclass(frozen=True, slots=True)
class OutputSum:
    """One output value: its index (N, C_out, \\*spatial) and where it comes from."""

    index: tuple[int, ...]
    channels: tuple[ChannelSum, ...]
    bias: Any = None

    @property
    def value(self) -> Any:
        """The output value."""
        total = sum(channel.value for channel in self.channels)
        return total if self.bias is None else total + self.bias


def conv_output_sum(
    g: ConvGeometry, x: Array, weight: Array, bias: Array | None, index: tuple[int, ...]
) -> OutputSum:
    """How :func:`convcli.conv` makes the output at ``index``.

    Parameters
    ----------
    g
        The geometry of the convolution.
    x, weight
        Of shapes ``g.big_shape`` and ``g.weight_shape``; reverse the weight before for ``flip``.
    index
        (n, c_out, \\*spatial).
    """
    n, out, *place = index
    per_in = g.big_channels // g.groups
    first = out // (g.small_channels // g.groups) * per_in
    sources = g.sources
    outside = outside_value(g.border, x)

    def row(channel: int, prefix: tuple[int, ...]) -> Iterator[Term]:
        for last in range(g.kernel[-1]):
            tap = (*prefix, last)
            at = [
                o * s + t * d for o, s, t, d in zip(place, g.stride, tap, g.dilation, strict=True)
            ]
            inside = all(
                before <= c < before + size
                for c, before, size in zip(at, g.before, g.size, strict=True)
            )
            found = [axis[c] for axis, c in zip(sources, at, strict=True)]
            cell = tuple(c for c in found if c is not None)
            filled = len(cell) < len(found)
            value = outside if filled else item(x, (n, first + channel, *cell))
            yield Term(value, item(weight, (out, channel, *tap)), not inside)

    sums = tuple(
        ChannelSum(
            first + channel,
            tuple(tuple(row(channel, prefix)) for prefix in _indices(g.kernel[:-1])),
        )
        for channel in range(per_in)
    )
    return OutputSum(index, sums, None if bias is None else item(bias, (out,)))


def transposed_output_sum(
    g: ConvGeometry, x: Array, weight: Array, bias: Array | None, index: tuple[int, ...]
) -> OutputSum:
    """How :func:`convcli.conv_transpose` makes the output at ``index``: the stamps that cover it.

    ``x`` has shape ``g.small_shape``, ``weight`` (C_in, C_out/groups, \\*kernel).
    """
    n, out, *place = index
    per_out, per_in = g.big_channels // g.groups, g.small_channels // g.groups
    group, within = divmod(out, per_out)
    pairs: list[list[tuple[int, int]]] = []  # (input cell, tap) by axis, in the order of cells
    for position, size, s, k, d, before in zip(
        place, g.output, g.stride, g.kernel, g.dilation, g.before, strict=True
    ):
        found = [(*divmod(position + before - t * d, s), t) for t in range(k)]
        pairs.append(sorted((i, t) for i, rest, t in found if rest == 0 and 0 <= i < size))

    def products(channel: int) -> tuple[tuple[Term, ...], ...]:
        rows = itertools.product(*pairs[:-1])
        return tuple(
            tuple(
                Term(
                    item(x, (n, channel, *(i for i, _ in (*prefix, last)))),
                    item(weight, (channel, within, *(t for _, t in (*prefix, last)))),
                )
                for last in pairs[-1]
            )
            for prefix in rows
        )

    sums = tuple(
        ChannelSum(channel, products(channel))
        for channel in range(group * per_in, (group + 1) * per_in)
    )
    return OutputSum(index, sums, None if bias is None else item(bias, (out,)))


def _indices(sizes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, sizes))


def item(array: Array, index: tuple[int, ...]) -> Any:
    """One entry as Python's own number, or as the polynomial it is."""
    entry = array[index]
    return entry.item() if hasattr(entry, "item") else entry
