"""A batch of none gives results of none, everywhere; any other empty axis is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convcli as c
from convcli.errors import ShapeError

W = np.ones((4, 3, 3, 2))
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "conv": lambda x: c.conv(x, W.astype(x.dtype), [1, 2, 3, 4], stride=2, padding=1),
    "conv k1": lambda x: c.conv(x, np.ones((2, 3, 1, 1), x.dtype)),
    "depthwise": lambda x: c.conv(x, np.ones((3, 1, 3, 3), x.dtype), groups=3),
    "conv_transpose": lambda x: c.conv_transpose(x, W.swapaxes(0, 1).astype(x.dtype), stride=2),
    "depthwise_separable": lambda x: c.depthwise_separable(
        x, np.ones((3, 1, 3, 3), x.dtype), np.ones((4, 3), x.dtype)
    ),
    "im2col": lambda x: c.im2col(x, (3, 2)),
    "col2im": lambda x: c.col2im(c.im2col(x, 2), x.shape, 2),
    "max_pool": lambda x: c.max_pool(x, 2, return_indices=True),
    "avg_pool": lambda x: c.avg_pool(x, 2, padding=1),
    "global_max_pool": c.global_max_pool,
    "global_avg_pool": c.global_avg_pool,
    "conv_grad": lambda x: c.conv_grad(c.conv(x, W.astype(x.dtype)), x, W.astype(x.dtype))[0],
    "max_pool_grad": lambda x: c.max_pool_grad(c.max_pool(x, 2), x, 2),
    "avg_pool_grad": lambda x: c.avg_pool_grad(c.avg_pool(x, 2), x, 2),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", ["f4", "i8"])
def test_none_of_a_batch_is_the_operation_on_none(name: str, kind: str) -> None:
    x = np.arange(2 * 3 * 5 * 6).reshape(2, 3, 5, 6).astype(kind)
    some, none = OPERATIONS[name](x), OPERATIONS[name](x[:0])
    some, none = (value if isinstance(value, tuple) else (value,) for value in (some, none))
    for a, b in zip(some, none, strict=True):
        assert (b.shape, b.dtype) == ((0, *a.shape[1:]), a.dtype)


def test_gradients_of_no_loss_are_zero() -> None:
    x, y = np.ones((0, 3, 5, 6)), np.ones((0, 4, 3, 5))
    found = c.conv_grad(y, x, W)
    assert found.x.shape == x.shape
    assert np.array_equal(found.weight, np.zeros(W.shape))
    assert np.array_equal(found.bias, np.zeros(4))
    back = c.conv_transpose_grad(x, y, W)
    assert back.x.shape == y.shape
    assert np.array_equal(back.weight, np.zeros(W.shape))


@pytest.mark.parametrize("shape", [(2, 0, 5, 6), (2, 3, 0, 6), (0, 3, 5, 0)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_another_empty_axis_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"only the batch, first of .*, may be empty"):
        OPERATIONS[name](np.ones(shape, "f4"))


def test_channels_alone_are_no_batch() -> None:
    for name in ("conv", "max_pool", "im2col"):
        with pytest.raises(ShapeError, match="x is 0x5x6; only the batch"):
            OPERATIONS[name](np.ones((0, 5, 6), "f4"))
    with pytest.raises(ShapeError, match="weight is 0x3x3x2; no axis of it may be empty"):
        c.conv(np.ones((2, 3, 5, 6)), W[:0])
