"""What a convolution does to shapes: operands checked, axes named, everything resolved.

Both the forward and the transposed operation are described by one :class:`ConvGeometry`, seen from
the convolution's side: ``big`` (N, C, \\*size) is what it reads and ``small`` (N, C', \\*output)
what it writes. The transposed operation, and the gradient for the input, go the other way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

from convcli.arithmetic.borders import ZEROS, Border, parse_filling
from convcli.arithmetic.sizes import cross, spread_padding
from convcli.arithmetic.transposed import TransposedWindow, transposed_pads, transposed_window
from convcli.arithmetic.window import Padding, Window, conv_window, per_axis
from convcli.errors import ShapeError

__all__ = [
    "ConvGeometry",
    "PerAxis",
    "conv_geometry",
    "operand_shapes",
    "transposed_geometry",
    "window_rank",
    "with_channels",
]

PerAxis: TypeAlias = int | Sequence[int]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConvGeometry:
    """Sizes of a convolution from ``big`` to ``small``, all of them resolved.

    ``result_axes`` says how many of the axes N and C the result keeps: operands given without
    them get results without them.
    """

    batch: int
    big_channels: int
    small_channels: int
    groups: int
    size: Shape
    output: Shape
    kernel: Shape
    stride: Shape
    dilation: Shape
    before: Shape
    after: Shape
    result_axes: int
    border: Border = ZEROS
    """What the cells of the padding hold."""

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.size)

    @property
    def weight_shape(self) -> Shape:
        """(C', C/groups, \\*kernel)."""
        return (self.small_channels, self.big_channels // self.groups, *self.kernel)

    @property
    def big_shape(self) -> Shape:
        """(N, C, \\*size)."""
        return (self.batch, self.big_channels, *self.size)

    @property
    def small_shape(self) -> Shape:
        """(N, C', \\*output)."""
        return (self.batch, self.small_channels, *self.output)

    @property
    def padded(self) -> Shape:
        """Spatial size with the padding."""
        return tuple(n + a + b for n, a, b in zip(self.size, self.before, self.after, strict=True))

    @property
    def interior(self) -> tuple[Any, ...]:
        """Index of the cells that are no padding, in an array (..., \\*padded)."""
        return (..., *(slice(a, a + n) for a, n in zip(self.before, self.size, strict=True)))

    @property
    def has_border(self) -> bool:
        """Whether there is padding that holds anything but zeros."""
        return not self.border.is_zeros and any(self.before + self.after)

    @property
    def unpadded(self) -> ConvGeometry:
        """The same convolution of an input that has its padding already."""
        none = (0,) * self.rank
        return replace(self, size=self.padded, before=none, after=none, border=ZEROS)

    @property
    def sources(self) -> tuple[tuple[int | None, ...], ...]:
        """For each axis and each of its padded cells, the input cell that stands there."""
        return tuple(
            self.border.sources(n, a, b)
            for n, a, b in zip(self.size, self.before, self.after, strict=True)
        )

    @property
    def terms(self) -> int:
        """Products that one value of ``small`` sums."""
        return self.big_channels // self.groups * math.prod(self.kernel)

    def strip(self, shape: Shape) -> Shape:
        """``shape`` (N, C, ...) with only the leading axes that the caller used."""
        return shape[2 - self.result_axes :]


WEIGHTS = ("(C_in, C_out/groups, *kernel)", "(C_out, C_in/groups, *kernel)")
"""The axes of a weight, of a transposed convolution and of a convolution."""


def spatial_rank(x: Shape, weight: Shape, dims: int | None, axes: str = WEIGHTS[1]) -> int:
    """Spatial rank of a pair: from the weight, which is bare or has two axes more."""
    if dims is not None and dims not in (1, 2, 3):
        raise ShapeError(f"dims is {dims}; it must be 1, 2 or 3")
    allowed = {1: (1,), 2: (2,), 3: (1, 3), 4: (2,), 5: (3,)}.get(len(weight), ())
    fits = [r for r in allowed if r <= len(x) <= r + 2 and dims in (None, r)]
    if not fits:
        given = f" and dims={dims}" if dims is not None else ""
        raise ShapeError(
            f"x of shape {cross(x) or 'scalar'} and weight of shape {cross(weight) or 'scalar'}"
            f"{given} do not go together; with 1 to 3 spatial axes, x is (N, C, *spatial), "
            f"(C, *spatial) or bare, weight is {axes} or bare"
        )
    return fits[0]


def refuse_empty(x: Shape, rank: int) -> None:
    """Refuse an empty axis; only the batch may be empty, and its result is then empty too."""
    if 0 in (x[1:] if len(x) == rank + 2 else x):
        raise ShapeError(
            f"x is {cross(x)}; only the batch, first of (N, C, *spatial), may be empty"
        )


def window_rank(shape: Shape, kernel_size: PerAxis) -> int:
    """Spatial rank that a window on an array means: as the kernel size has numbers, else usual.

    >>> window_rank((3, 32, 32), 2), window_rank((3, 32), (5,))
    (2, 1)
    """
    counted = 0 if isinstance(kernel_size, int) else len(tuple(kernel_size))
    return counted or {1: 1, 2: 2, 3: 2, 4: 2, 5: 3}.get(len(shape), 0)


def with_channels(shape: Shape, rank: int) -> Shape:
    """``shape`` with both leading axes, 1 where it had none.

    >>> with_channels((3, 32, 32), 2), with_channels((7,), 1)
    ((1, 3, 32, 32), (1, 1, 7))
    """
    return (1,) * (rank + 2 - len(shape)) + shape


def operand_shapes(
    x: Shape, weight: Shape, groups: int, dims: int | None, x_meets: int
) -> tuple[int, Shape, Shape, int]:
    """Rank, complete shapes, and the axes of the result; ``x_meets`` is the weight axis of x.

    >>> operand_shapes((3, 9), (2, 3, 5), 1, None, 1)
    (1, (1, 3, 9), (2, 3, 5), 1)
    """
    axes = WEIGHTS[x_meets]
    rank = spatial_rank(x, weight, dims, axes)
    refuse_empty(x, rank)
    if 0 in weight:
        raise ShapeError(f"weight is {cross(weight)}; no axis of it may be empty")
    bare = len(x) == len(weight) == rank
    result_axes = 0 if bare else max(len(x) - rank, 1)
    full_x, full_weight = with_channels(x, rank), with_channels(weight, rank)
    if groups < 1:
        raise ShapeError(f"groups is {groups}; it must be 1 or more")
    first, second = full_weight[:2]
    if first % groups:
        axis = "C_out" if x_meets else "C_in"
        raise ShapeError(
            f"weight {cross(weight)}: {axis} is {first}, not a multiple of {groups} groups"
        )
    expected = second * groups if x_meets else first
    if full_x[1] != expected:
        rule = f"{second} per group times {groups}" if x_meets else "its first axis"
        hint = f"; the weight has no channel axes: give {axes}" if len(weight) == rank else ""
        raise ShapeError(
            f"x {cross(x)} has {full_x[1]} channels, but weight {cross(weight)} with groups "
            f"{groups} needs {expected} ({rule}){hint}"
        )
    return rank, full_x, full_weight, result_axes


def _geometry(*, windows: Sequence[Window | TransposedWindow], **sizes: Any) -> ConvGeometry:
    return ConvGeometry(
        **sizes,
        kernel=tuple(w.kernel_size for w in windows),
        stride=tuple(w.stride for w in windows),
        dilation=tuple(w.dilation for w in windows),
        before=tuple(w.before for w in windows),
        after=tuple(w.after for w in windows),
    )


def conv_geometry(
    x: Shape,
    weight: Shape,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
    border: str = "constant",
) -> ConvGeometry:
    """Resolve a convolution of shapes.

    Raises
    ------
    ShapeError
        If anything does not fit; the message has the shapes and the rule.
    UsageError
        If the border is not known.

    >>> conv_geometry((10, 3, 32, 32), (1, 3, 5, 5), padding=2).small_shape
    (10, 1, 32, 32)
    """
    resolve = _remembered if all(map(_plain, (stride, padding, dilation, groups))) else _resolved
    return resolve(x, weight, stride, padding, dilation, groups, dims, border)


def _plain(value: object) -> bool:
    """Whether a value may be the key of what is remembered: True and 1.0 would be taken for 1."""
    return type(value) in (int, str) or (type(value) is tuple and all(map(_plain, value)))


def _resolved(
    x: Shape,
    weight: Shape,
    stride: PerAxis,
    padding: Padding | Sequence[Padding],
    dilation: PerAxis,
    groups: int,
    dims: int | None,
    border: str,
) -> ConvGeometry:
    rank, full_x, full_weight, result_axes = operand_shapes(x, weight, groups, dims, 1)
    kernel = full_weight[2:]
    strides, dilations = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    while_ = f"convolving x {cross(x)} with weight {cross(weight)}"
    try:
        windows = [
            conv_window(n, k, stride=s, padding=p, dilation=d)
            for n, k, s, p, d in zip(
                full_x[2:], kernel, strides, spread_padding(padding, rank), dilations, strict=True
            )
        ]
    except ShapeError as error:
        raise ShapeError(str(error), while_=while_) from error
    return _geometry(
        batch=full_x[0],
        big_channels=full_x[1],
        small_channels=full_weight[0],
        groups=groups,
        size=full_x[2:],
        output=tuple(w.output for w in windows),
        windows=windows,
        result_axes=result_axes,
        border=parse_filling(border),
    )


_remembered = lru_cache(256)(_resolved)
"""A network asks for the same few again and again."""


def transposed_geometry(
    x: Shape,
    weight: Shape,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    output_shape: PerAxis | None = None,
    dims: int | None = None,
) -> ConvGeometry:
    """Resolve a transposed convolution of shapes; ``x`` is the result's ``small``.

    >>> transposed_geometry((4, 8, 8), (4, 2, 3, 3), stride=2, padding=1, output_padding=1).big_shape
    (1, 2, 16, 16)
    """
    rank, full_x, full_weight, result_axes = operand_shapes(x, weight, groups, dims, 0)
    kernel = full_weight[2:]
    strides, dilations = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    extra = per_axis(output_padding, rank, "output_padding")
    paddings = spread_padding(padding, rank)
    targets: Sequence[int | None] = (
        (None,) * rank if output_shape is None else per_axis(output_shape, rank, "output_shape")
    )
    windows = []
    try:
        for n, k, s, p, d, op, target in zip(
            full_x[2:], kernel, strides, paddings, dilations, extra, targets, strict=True
        ):
            if target is not None:
                mode = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}.get(str(p), "NOTSET")
                *pads, op = transposed_pads(
                    n, target, k, stride=s, dilation=d, output_padding=op, auto_pad=mode
                )
                p = (pads[0], pads[1])
            windows.append(
                transposed_window(n, k, stride=s, padding=p, dilation=d, output_padding=op)
            )
    except ShapeError as error:
        while_ = f"transposing x {cross(x)} with weight {cross(weight)}"
        raise ShapeError(str(error), while_=while_) from error
    return _geometry(
        batch=full_x[0],
        big_channels=full_weight[1] * groups,
        small_channels=full_x[1],
        groups=groups,
        size=tuple(w.output for w in windows),
        output=full_x[2:],
        windows=windows,
        result_axes=result_axes,
    )
