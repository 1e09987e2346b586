"""Identities that a convolution must satisfy, computed on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from convcli.errors import TensorError
from convcli.ops.conv import conv
from convcli.ops.conv_geometry import conv_geometry
from convcli.ops.gradients import conv_grad
from convcli.ops.operands import Array

__all__ = ["Identity", "check_adjoint", "check_equivariance", "check_gradient"]


class Identity(NamedTuple):
    """Both sides of an identity, with the largest difference and what rounding explains.

    ``parts`` are the tensors that the sides are made of besides what was given, by name, so that
    the numbers can be worked out again.
    """

    left_name: str
    left: Array
    right_name: str
    right: Array
    difference: float
    tolerance: float
    parts: Mapping[str, Array] = MappingProxyType({})

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


def _numbers_only(x: Array, weight: Array) -> None:
    if "O" in (x.dtype.kind, weight.dtype.kind):
        raise TensorError("symbols cannot be checked by numbers; give numbers for X and W")


def _compare(left_name: str, left: Array, right_name: str, right: Array, rtol: float) -> Identity:
    left, right = np.asarray(left), np.asarray(right)
    scale = float(np.abs(left).max(initial=0)) + float(np.abs(right).max(initial=0))
    difference = float(np.abs(left - right).max(initial=0))
    exact = left.dtype.kind in "iu" and right.dtype.kind in "iu"
    return Identity(left_name, left, right_name, right, difference, 0.0 if exact else rtol * scale)


def check_equivariance(
    x: Array, weight: Array, shift: int = 1, *, dims: int | None = None, **options: Any
) -> Identity:
    """``conv(shift(x)) == shift(conv(x))``, with ``x`` moved by ``shift`` strides.

    ``x`` is put on zeros large enough that nothing of it, or of its response, leaves the frame:
    at the border, padding breaks the equivariance. Stride ``s`` keeps it only for shifts by
    multiples of ``s``, so the shift is ``shift * stride`` on the left, ``shift`` on the right.

    >>> check_equivariance(np.array([1, 2, 3]), np.array([1, 0, -1])).holds
    True
    """
    _numbers_only(x, weight)
    g = conv_geometry(x.shape, weight.shape, dims=dims, **options)
    room = [
        (
            s * (d * (k - 1) + abs(shift) + 1),
            s * (d * (k - 1) + abs(shift) + 1),
        )
        for s, d, k in zip(g.stride, g.dilation, g.kernel, strict=True)
    ]
    framed = np.pad(x, [(0, 0)] * (x.ndim - g.rank) + room)
    axes = tuple(range(-g.rank, 0))
    moved = np.roll(framed, tuple(shift * s for s in g.stride), axes)
    left = conv(moved, weight, dims=g.rank, **options)
    right = np.roll(conv(framed, weight, dims=g.rank, **options), (shift,) * g.rank, axes)
    return _compare("conv(shift(x))", left, "shift(conv(x))", right, 1e-12)


def check_adjoint(x: Array, weight: Array, *, dims: int | None = None, **options: Any) -> Identity:
    """``<conv(x), v> == <x, conv_transpose(v)>`` for a ``v`` of small whole numbers.

    >>> check_adjoint(np.array([1, 2, 3, 4]), np.array([1, 0, -1]), padding=1).holds
    True
    """
    _numbers_only(x, weight)
    y = conv(x, weight, dims=dims, **options)
    v = (np.arange(math.prod(y.shape)) % 7 - 3).reshape(y.shape).astype(y.dtype)
    back = conv_grad(v, x, weight, dims=dims, **options).x
    wide = np.int64 if y.dtype.kind == "i" else np.float64
    left = (y.astype(wide) * v.astype(wide)).sum()
    right = (x.astype(wide) * back.astype(wide)).sum()
    rtol = max(float(np.finfo(y.dtype).eps), 1e-13) * y.size if y.dtype.kind == "f" else 0.0
    found = _compare("<conv(x), v>", left, "<x, conv_transpose(v)>", right, rtol)
    return found._replace(parts={"v": v, "conv(x)": y, "conv_transpose(v)": back})


def check_gradient(x: Array, weight: Array, *, dims: int | None = None, **options: Any) -> Identity:
    """Analytic gradients of ``sum(y * v)`` against central differences, in float64.

    The loss is linear in ``x`` and in ``weight``, so the differences are exact but for rounding.

    >>> check_gradient(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, -1.0])).holds
    True
    """
    _numbers_only(x, weight)
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    y = conv(x, weight, dims=dims, **options)
    v = (np.arange(y.size) % 5 - 2.0).reshape(y.shape)
    grads = conv_grad(v, x, weight, dims=dims, **options)
    slopes = [
        _slopes(lambda a: float((conv(a, weight, dims=dims, **options) * v).sum()), x),
        _slopes(lambda a: float((conv(x, a, dims=dims, **options) * v).sum()), weight),
    ]
    left = np.concatenate([grads.x.ravel(), grads.weight.ravel()])
    right = np.concatenate([s.ravel() for s in slopes])
    name = "gradient of <conv(x), v> for x, then weight"
    found = _compare(name, left, "central differences", right, 1e-7)
    return found._replace(parts={"v": v, "conv(x)": y})


MAX_SLOPES = 4096


def _slopes(loss: Any, at: Array) -> Array:
    if at.size > MAX_SLOPES:
        raise TensorError(
            f"{at.size} values would each be moved and computed again; check a tensor of at most "
            f"{MAX_SLOPES}"
        )
    slopes = np.empty_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = 0.5
        slopes[index] = loss(at + step) - loss(at - step)
    return slopes
