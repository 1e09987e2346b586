"""A table of weights as a 1x1 layer."""

from __future__ import annotations

from convcli.ops.operands import Array

__all__ = ["pointwise_weight"]


def pointwise_weight(
    x: tuple[int, ...],
    weight: Array,
    *,
    groups: int = 1,
    dims: int | None = None,
    transposed: bool = False,
) -> Array:
    """A table (C_out, C_in/groups) with the axes of a 1x1 kernel, where it cannot be a bare kernel.

    Parameters
    ----------
    x
        Shape of the input. With channels that the table fits, (C, \\*spatial) or
        (N, C, \\*spatial), the table is read as weights between channels.
    weight
        Of a transposed convolution (C_in, C_out/groups). What is no table is returned as it is,
        and so is one that can be a bare kernel, for an input of one channel.
    dims
        Spatial axes; 2 where it is not said, 3 for an input of 5 axes. Say 1 for a sequence with
        channels.

    >>> import numpy as np
    >>> table = np.array([[1, 0], [0, 1], [1, -1]])
    >>> pointwise_weight((2, 5, 7), table).shape, pointwise_weight((5, 7), table).shape
    ((3, 2, 1, 1), (3, 2))
    >>> pointwise_weight((2, 7), table, dims=1).shape
    (3, 2, 1)
    """
    rank = dims or (3 if len(x) == 5 else 2)
    if weight.ndim != 2 or len(x) not in (rank + 1, rank + 2):
        return weight
    channels = x[-rank - 1]
    could_be_bare = rank == 2 and channels == 1
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    if could_be_bare or channels != wanted:
        return weight
    return weight.reshape(*weight.shape, *(1,) * rank)
