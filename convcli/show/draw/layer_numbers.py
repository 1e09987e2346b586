"""The numbers of a layer to draw, with the channel axes that were left out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.errors import UsageError
from convcli.ops.conv_geometry import operand_shapes
from convcli.ops.pointwise import pointwise_weight

__all__ = ["LayerNumbers", "layer_numbers"]

Array = np.ndarray[Any, Any]


class LayerNumbers(NamedTuple):
    """Operands of one example with all their channel axes.

    ``x`` is (C_in, \\*spatial), ``w`` as :class:`~convcli.show.draw.operation.Operation` has it,
    None of pooling, whose ``kernel`` is not known here.
    """

    x: Array
    w: Array | None
    bias: Array | None
    kernel: tuple[int, ...]
    out_channels: int

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return len(self.x)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Size of the input without its channels."""
        sizes: tuple[int, ...] = self.x.shape[1:]
        return sizes


def layer_numbers(
    x: Array,
    weight: Array | None,
    bias: Array | None = None,
    *,
    groups: int = 1,
    dims: int | None = None,
    transposed: bool = False,
) -> LayerNumbers:
    """Tell the channels of operands from their spatial axes, of which there are 1 or 2.

    Beside what :func:`convcli.conv` takes, a table of weights on channels is a 1x1 layer, a row of
    weights lies on a picture as a kernel of one row, and 1xAxB is one kernel of AxB unless it fits
    a sequence of A channels.

    Parameters
    ----------
    weight
        None of pooling.
    dims
        Spatial axes, where the shapes leave it open.

    Raises
    ------
    ShapeError, UsageError
        If the shapes do not fit together, or are not one example of 1 or 2 axes.

    >>> made = layer_numbers(np.ones((2, 5, 7)), np.array([[1, 0], [0, 1], [1, -1]]))
    >>> made.w.shape, made.spatial, made.in_channels, made.out_channels
    ((3, 2, 1, 1), (5, 7), 2, 3)
    >>> layer_numbers(np.ones((5, 7)), np.ones(3)).kernel
    (1, 3)
    """
    if weight is None:
        x = _one_example(x, dims or min(x.ndim, 2))
        return LayerNumbers(x, None, None, (), len(x))
    weight = pointwise_weight(x.shape, weight, groups=groups, dims=dims, transposed=transposed)
    one_kernel = weight.ndim == 3 and len(weight) == 1 and dims != 1
    if one_kernel and x.ndim > 1 and x.shape[-2] != weight.shape[1]:
        weight = weight[0]
    while weight.ndim < 3 and x.ndim > 2 and len(x) == 1:
        x = x[0]
    if x.ndim == 2 and weight.ndim == 1 and dims != 1:
        weight = weight[None]
    rank, _, shape, _ = operand_shapes(
        x.shape,
        weight.shape,
        groups,
        dims or (1 if weight.ndim == 3 else None),
        0 if transposed else 1,
    )
    x = _one_example(x, rank)
    out = shape[1] * groups if transposed else shape[0]
    return LayerNumbers(x, weight.reshape(shape), bias, shape[2:], out)


def _one_example(x: Array, rank: int) -> Array:
    """One example with its channels, (C, \\*spatial)."""
    while x.ndim > rank + 1 and len(x) == 1:
        x = x[0]
    if rank not in (1, 2) or x.ndim not in (rank, rank + 1):
        shape = cross(x.shape) or "a single number"
        raise UsageError(f"x is {shape}; channels of 1 or 2 axes can be drawn, one example")
    return x.reshape((1,) * (rank + 1 - x.ndim) + x.shape)
