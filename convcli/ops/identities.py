"""Identities that a convolution must satisfy, computed on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from convcli.errors import TensorError
from convcli.ops.border_cells import refuse_affine
from convcli.ops.conv import conv
from convcli.ops.conv_geometry import ConvGeometry, conv_geometry
from convcli.ops.exact import as_exact, has_symbols, zero_padded
from convcli.ops.gradients import conv_grad
from convcli.ops.operands import Array
from convcli.ops.polynomial import Polynomial, indexed_symbols, names_in

__all__ = ["Identity", "check_adjoint", "check_equivariance", "check_gradient"]


class Identity(NamedTuple):
    """Both sides of an identity, with the largest difference and what rounding explains.

    Sides with symbols or fractions are equal or they are not: the difference is 0 or 1.

    ``parts`` are the tensors that the sides are made of besides what was given, by name, so that
    the numbers can be worked out again. ``note`` says where it holds, if not as usual.
    """

    left_name: str
    left: Array
    right_name: str
    right: Array
    difference: float
    tolerance: float
    parts: Mapping[str, Array] = MappingProxyType({})
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


def _compare(left_name: str, left: Array, right_name: str, right: Array, rtol: float) -> Identity:
    left, right = np.asarray(left), np.asarray(right)
    if left.dtype.kind == "O":
        unequal = float(any(a != b for a, b in zip(left.flat, right.flat, strict=True)))
        return Identity(left_name, left, right_name, right, unequal, 0.0)
    scale = float(np.abs(left).max(initial=0)) + float(np.abs(right).max(initial=0))
    with np.errstate(invalid="ignore"):  # of equal infinities, which are no distance apart
        apart = np.where(left == right, 0, np.abs(left - right))
    difference = float(apart.max(initial=0))
    exact = left.dtype.kind in "iu" and right.dtype.kind in "iu"
    return Identity(left_name, left, right_name, right, difference, 0.0 if exact else rtol * scale)


def check_equivariance(
    x: Array, weight: Array, shift: int = 1, *, dims: int | None = None, **options: Any
) -> Identity:
    """``conv(shift(x)) == shift(conv(x))``, with ``x`` moved by ``shift`` strides.

    ``x`` is put on zeros large enough that nothing of it, or of its response, leaves the frame:
    at the border, padding breaks the equivariance. Stride ``s`` keeps it only for shifts by
    multiples of ``s``, so the shift is ``shift * stride`` on the left, ``shift`` on the right.
    With the border ``wrap`` the input is a cycle, and where the outputs go round it evenly, as of
    ``same``, the identity holds everywhere: ``x`` is taken as it is.

    >>> check_equivariance(np.array([1, 2, 3]), np.array([1, 0, -1])).holds
    True
    """
    g = conv_geometry(x.shape, weight.shape, dims=dims, **options)
    refuse_affine(g, "equivariance beyond it")
    shifts = tuple(shift * s for s in g.stride)
    axes = tuple(range(-g.rank, 0))
    if g.border.mode == "wrap" and _goes_round(g):
        found = _both_ways(x, weight, shift, shifts, axes, options)
        note = "border wrap: the input is a cycle, so this holds everywhere, the border included"
        return found._replace(note=note)
    room = [
        (
            s * (d * (k - 1) + abs(shift) + 1 + far),
            s * (d * (k - 1) + abs(shift) + 1 + far),
        )
        # What a border shows of the input must be zeros as well.
        for s, d, k, far in zip(g.stride, g.dilation, g.kernel, _farthest(g), strict=True)
    ]
    framed = zero_padded(x, [(0, 0)] * (x.ndim - g.rank) + room)
    return _both_ways(framed, weight, shift, shifts, axes, options)


def _farthest(g: ConvGeometry) -> tuple[int, ...]:
    """Cells of the input, from its ends, that a border shows."""
    if not g.has_border:
        return (0,) * g.rank
    return tuple(max(pair) for pair in zip(g.before, g.after, strict=True))


def _goes_round(g: ConvGeometry) -> bool:
    """Whether the outputs are as many as the strides of the cycle."""
    return all(o * s == n for o, s, n in zip(g.output, g.stride, g.size, strict=True))


def _both_ways(
    x: Array, weight: Array, shift: int, shifts: Any, axes: Any, options: Mapping[str, Any]
) -> Identity:
    rank = len(axes)
    left = conv(np.roll(x, shifts, axes), weight, dims=rank, **options)
    right = np.roll(conv(x, weight, dims=rank, **options), (shift,) * rank, axes)
    return _compare("conv(shift(x))", left, "shift(conv(x))", right, 1e-12)


def check_adjoint(x: Array, weight: Array, *, dims: int | None = None, **options: Any) -> Identity:
    """``<conv(x), v> == <x, conv_transpose(v)>`` for a ``v`` of small whole numbers.

    With a border the adjoint is the transposed convolution and what it hands back through the
    border, which is the gradient for ``x``; it is called ``adjoint(v)`` then.
    Where ``x`` or ``weight`` has symbols ``v`` is symbols too, and both sides are polynomials.

    >>> check_adjoint(np.array([1, 2, 3, 4]), np.array([1, 0, -1]), padding=1).holds
    True
    >>> from convcli.ops.polynomial import symbols
    >>> print(check_adjoint(symbols("a b"), symbols("x y")).left)
    a·v[0]·x+b·v[0]·y
    """
    g = conv_geometry(x.shape, weight.shape, dims=dims, **options)
    refuse_affine(g, "adjoint of it")
    name = "adjoint(v)" if g.has_border else "conv_transpose(v)"
    y = conv(x, weight, dims=dims, **options)
    if y.dtype.kind == "O":
        return _exact_adjoint(x, weight, y, name, dims, options)
    v = (np.arange(math.prod(y.shape)) % 7 - 3).reshape(y.shape).astype(y.dtype)
    back = conv_grad(v, x, weight, dims=dims, **options).x
    wide = np.int64 if y.dtype.kind == "i" else np.float64
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite sum is shown as one
        left = (y.astype(wide) * v.astype(wide)).sum()
        right = (x.astype(wide) * back.astype(wide)).sum()
    rtol = max(float(np.finfo(y.dtype).eps), 1e-13) * y.size if y.dtype.kind == "f" else 0.0
    found = _compare("<conv(x), v>", left, f"<x, {name}>", right, rtol)
    return found._replace(parts={"v": v, "conv(x)": y, name: back})


def _exact_adjoint(
    x: Array, weight: Array, y: Array, name: str, dims: int | None, options: Any
) -> Identity:
    v = _partner(x, weight, y)
    back = conv_grad(v, x, weight, dims=dims, **options).x
    found = _compare("<conv(x), v>", (y * v).sum(), f"<x, {name}>", (x * back).sum(), 0)
    return found._replace(parts={"v": v, "conv(x)": y, name: back})


def _partner(x: Array, weight: Array, y: Array) -> Array:
    """What ``y`` is multiplied with: symbols beside symbols, else small whole numbers."""
    if x.size * weight.size > MAX_PRODUCTS:
        raise TensorError(
            f"x of {x.size} and a weight of {weight.size} entries are too many for symbols and "
            f"fractions; at most {MAX_PRODUCTS:,} products of them are worked out"
        )
    if not (has_symbols(x) or has_symbols(weight)):
        return as_exact((np.arange(y.size) % 7 - 3).reshape(y.shape))
    taken = {name.partition("[")[0] for name in names_in(x) | names_in(weight)}
    return indexed_symbols(next(s for s in STEMS if s not in taken), y.shape)


def check_gradient(x: Array, weight: Array, *, dims: int | None = None, **options: Any) -> Identity:
    """Analytic gradients of ``sum(y * v)`` against central differences, in float64.

    The loss is linear in ``x`` and in ``weight``, so the differences are exact but for rounding.
    Where ``x`` or ``weight`` has symbols or fractions the loss is a polynomial, and its
    derivatives stand in place of differences.

    >>> check_gradient(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, -1.0])).holds
    True
    """
    if "O" in (x.dtype.kind, weight.dtype.kind):
        return _exact_gradient(x, weight, dims, options)
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    y = conv(x, weight, dims=dims, **options)
    v = (np.arange(y.size) % 5 - 2.0).reshape(y.shape)
    grads = conv_grad(v, x, weight, dims=dims, **options)
    with np.errstate(over="ignore", invalid="ignore"):  # where sums are infinite slopes are NaN
        slopes = [
            _slopes(lambda a: float((conv(a, weight, dims=dims, **options) * v).sum()), x),
            _slopes(lambda a: float((conv(x, a, dims=dims, **options) * v).sum()), weight),
        ]
    left = np.concatenate([grads.x.ravel(), grads.weight.ravel()])
    right = np.concatenate([s.ravel() for s in slopes])
    name = "gradient of <conv(x), v> for x, then weight"
    found = _compare(name, left, "central differences", right, 1e-7)
    return found._replace(parts={"v": v, "conv(x)": y})


def _exact_gradient(x: Array, weight: Array, dims: int | None, options: Any) -> Identity:
    """Every entry gets a name of its own, the loss is differentiated, then the entries return."""
    y = conv(x, weight, dims=dims, **options)
    v = _partner(x, weight, y)
    grads = conv_grad(v, x, weight, dims=dims, **options)
    places = [indexed_symbols(stem, a.shape) for stem, a in ((" x", x), (" w", weight))]
    loss = Polynomial.of((conv(places[0], places[1], dims=dims, **options) * v).sum())
    entries = [
        *zip(places[0].flat, x.flat, strict=True),
        *zip(places[1].flat, weight.flat, strict=True),
    ]
    values = {str(place): entry for place, entry in entries}
    slopes = loss.derivatives()
    right = np.empty(len(values), object)
    right[:] = [slopes.get(name, Polynomial({})).replaced(values) for name in values]
    if not has_symbols(v):
        right[:] = [slope.terms.get((), 0) for slope in right]
    left = np.concatenate([grads.x.ravel(), grads.weight.ravel()])
    name = "gradient of <conv(x), v> for x, then weight"
    found = _compare(name, left, "derivatives of the polynomial", right, 0)
    return found._replace(parts={"v": v, "conv(x)": y})


MAX_PRODUCTS = 1 << 14
"""Most products of an entry of x and one of the weight: a sum of 16,000 terms fills a book."""

STEMS = ("v", "u", "p", "q", "r", "v_", "u_", *(f"v{i}" for i in range(1000)))
"""Names for the symbols of v, of which the first is taken that x and the weight leave free."""

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
