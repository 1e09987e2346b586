"""Gradients of the convolution and of its transpose, analytic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, Unpack, overload

from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.sizes import cross
from convcli.arithmetic.window import Padding
from convcli.displays import displayed
from convcli.errors import ShapeError
from convcli.ops.array_types import ConvOptions, Device, Same, Tensor, TransposedOptions
from convcli.ops.border_cells import fold_border, repeats, with_border
from convcli.ops.conv import flip_kernel
from convcli.ops.conv_geometry import ConvGeometry, PerAxis, conv_geometry, transposed_geometry
from convcli.ops.forward_backward import backward_input, backward_weight, forward
from convcli.ops.operands import Array, as_operands, result_type, working_type

__all__ = ["Gradients", "conv_grad", "conv_transpose_grad"]


Operand = TypeVar("Operand")


class Gradients(NamedTuple, Generic[Operand]):
    """Gradients for the three operands, in their shapes; ``bias`` has shape (C_out,)."""

    x: Operand
    weight: Operand
    bias: Operand

    def _repr_latex_(self) -> str | None:
        return displayed(self)


def _gradients(
    g: ConvGeometry, xp: Any, big: Array, small: Array, weight: Array, x_is_big: bool, shapes: Any
) -> Gradients[Array]:
    """Both operations have the same two products; which of them is for ``x`` differs."""
    grad_y = small if x_is_big else big
    x = big if x_is_big else small
    terms = weight.size * repeats(g)
    work, result = working_type(grad_y, weight, terms), result_type(grad_y, weight)
    if x_is_big:
        grad_x = _for_big(g, xp, grad_y, weight, work, result)
    else:
        grad_x = xp.empty(x.shape, result)
        forward(g, grad_y, weight, None, grad_x, work)
    g, big = with_border(g, big)
    x = big if x_is_big else small
    work, result = working_type(x, grad_y, grad_y.size), result_type(x, grad_y)
    grad_weight = backward_weight(g, big, small, work).astype(result, copy=False)
    result = result_type(grad_y)
    axes = (0, *range(2, grad_y.ndim))
    grad_bias = grad_y.sum(axis=axes, dtype=result if result != xp.float16 else xp.float32)
    return Gradients(
        grad_x.reshape(shapes[0]),
        grad_weight.reshape(shapes[1]),
        grad_bias.astype(result, copy=False),
    )


def _for_big(
    g: ConvGeometry, xp: Any, small: Array, weight: Array, work: Any, result: Any
) -> Array:
    """Gradient for what the convolution reads: a transposed one, and the border handed back."""
    if not g.has_border:
        out = xp.empty(g.big_shape, result)
        backward_input(g, small, weight, None, out, work)
        return out
    half = result == xp.float16  # what the border hands back is added before it is rounded
    cells = xp.empty((g.batch, g.big_channels, *g.padded), work if half else result)
    backward_input(g.unpadded, small, weight, None, cells, work)
    return fold_border(g, cells).astype(result, copy=False)


def _expect(grad_y: Array, shape: tuple[int, ...]) -> None:
    if grad_y.shape != shape:
        raise ShapeError(
            f"grad_y has shape {cross(grad_y.shape) or 'scalar'}, but the output it is the "
            f"gradient of has shape {cross(shape)}"
        )


@overload
def conv_grad(
    grad_y: NDArray[Same], x: NDArray[Same], weight: NDArray[Same], **options: Unpack[ConvOptions]
) -> Gradients[Tensor[Same]]: ...
@overload
def conv_grad(
    grad_y: Device, x: Device, weight: Device | Sequence[object], **options: Unpack[ConvOptions]
) -> Gradients[Device]: ...
@overload
def conv_grad(
    grad_y: ArrayLike, x: ArrayLike, weight: ArrayLike, **options: Unpack[ConvOptions]
) -> Gradients[Tensor[Any]]: ...
def conv_grad(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    flip: bool = False,
    dims: int | None = None,
    border: str = "constant",
) -> Gradients[Array]:
    """Gradients of ``sum(grad_y * conv(x, weight, bias))`` for ``x``, ``weight`` and ``bias``.

    For ``x`` it is the transposed convolution of ``grad_y`` with the same weight (at stride 1: a
    full convolution with the flipped kernel); for the weight, the correlation of ``x`` with
    ``grad_y``; for the bias, ``grad_y`` summed over batch and space. Parameters are those of
    :func:`conv`; ``grad_y`` has the shape of its result. With a border, what arrives in a cell of
    the padding is added to the cell of ``x`` that stands there.

    >>> grad = conv_grad([1, 1], [1, 2, 3, 4], [1, 0, -1])
    >>> grad.x, grad.weight, grad.bias
    (array([ 1,  1, -1, -1]), array([3, 5, 7]), array([2]))
    >>> conv_grad([1, 1, 1, 1], [1, 2, 3, 4], [1, 10, 100], padding=1, border="edge").x
    array([ 12, 111, 111, 210])
    """
    xp, grad_y, x, weight = as_operands(grad_y=grad_y, x=x, weight=weight)
    g = conv_geometry(
        x.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups,
        dims=dims, border=border,
    )  # fmt: skip
    _expect(grad_y, g.strip(g.small_shape))
    big, small = x.reshape(g.big_shape), grad_y.reshape(g.small_shape)
    shapes = (x.shape, weight.shape)
    weight = flip_kernel(weight, g.rank) if flip else weight
    grads = _gradients(g, xp, big, small, weight.reshape(g.weight_shape), True, shapes)
    return grads._replace(weight=flip_kernel(grads.weight, g.rank)) if flip else grads


@overload
def conv_transpose_grad(
    grad_y: NDArray[Same],
    x: NDArray[Same],
    weight: NDArray[Same],
    **options: Unpack[TransposedOptions],
) -> Gradients[Tensor[Same]]: ...
@overload
def conv_transpose_grad(
    grad_y: Device,
    x: Device,
    weight: Device | Sequence[object],
    **options: Unpack[TransposedOptions],
) -> Gradients[Device]: ...
@overload
def conv_transpose_grad(
    grad_y: ArrayLike, x: ArrayLike, weight: ArrayLike, **options: Unpack[TransposedOptions]
) -> Gradients[Tensor[Any]]: ...
def conv_transpose_grad(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    output_shape: PerAxis | None = None,
    dims: int | None = None,
) -> Gradients[Array]:
    """Gradients of ``sum(grad_y * conv_transpose(x, weight, bias))``, parameters as there.

    >>> conv_transpose_grad([1, 0, 1, 0, 0], [1, 2], [1, 10, 100], stride=2).x
    array([101,   1])
    """
    xp, grad_y, x, weight = as_operands(grad_y=grad_y, x=x, weight=weight)
    g = transposed_geometry(
        x.shape, weight.shape, stride=stride, padding=padding, output_padding=output_padding,
        dilation=dilation, groups=groups, output_shape=output_shape, dims=dims,
    )  # fmt: skip
    _expect(grad_y, g.strip(g.big_shape))
    big, small = grad_y.reshape(g.big_shape), x.reshape(g.small_shape)
    shapes = (x.shape, weight.shape)
    return _gradients(g, xp, big, small, weight.reshape(g.weight_shape), False, shapes)
