"""Convolution of tensors and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack, overload

from numpy.typing import ArrayLike, NDArray

from convcli.arithmetic.sizes import cross
from convcli.arithmetic.window import Padding
from convcli.errors import ShapeError
from convcli.ops.array_types import (
    BorderedOptions,
    ConvOptions,
    Device,
    Same,
    Tensor,
    TransposedOptions,
)
from convcli.ops.border_cells import with_border
from convcli.ops.conv_geometry import PerAxis, conv_geometry, transposed_geometry
from convcli.ops.forward_backward import backward_input, forward
from convcli.ops.operands import Array, as_operand, common_namespace, result_type, working_type

__all__ = ["conv", "conv_transpose", "depthwise_separable", "flip_kernel"]


def _bias(bias: Any, channels: int, xp: Any) -> Array | None:
    if bias is None:
        return None
    array = as_operand(bias if not isinstance(bias, (int, float)) else [bias], "bias", xp)
    if array.shape != (channels,):
        raise ShapeError(
            f"bias has shape {cross(array.shape) or 'scalar'}; it must have one number for each "
            f"of the {channels} output channels"
        )
    return array


def flip_kernel(weight: Array, rank: int) -> Array:
    """``weight`` reversed on its last ``rank`` axes, the spatial ones.

    >>> flip_kernel(as_operand([[1, 2, 3]], "weight"), 1)
    array([[3, 2, 1]])
    """
    return weight[(..., *(slice(None, None, -1),) * rank)]


@overload
def conv(
    x: NDArray[Same],
    weight: NDArray[Same],
    bias: NDArray[Same] | None = None,
    **options: Unpack[ConvOptions],
) -> Tensor[Same]: ...
@overload
def conv(
    x: Device,
    weight: Device | Sequence[object],
    bias: Device | Sequence[float] | float | None = None,
    **options: Unpack[ConvOptions],
) -> Device: ...
@overload
def conv(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, **options: Unpack[ConvOptions]
) -> Tensor[Any]: ...
def conv(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    flip: bool = False,
    dims: int | None = None,
    border: str = "constant",
) -> Array:
    """Convolve ``x`` with ``weight`` over 1 to 3 spatial axes.

    ``y[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, i * stride + k * dilation
    - before]``, the correlation that deep learning calls convolution; ``flip=True`` reverses the
    kernel first, which is the convolution of mathematics and signal processing.

    Parameters
    ----------
    x
        Shape (N, C, \\*spatial), (C, \\*spatial) or bare spatial. NumPy arrays are computed with
        on the CPU, CuPy arrays on the GPU.
    weight
        Shape (C_out, C_in/groups, \\*kernel), or the bare kernel for one channel. Its rank names
        the number of spatial axes; three axes are (C_out, C_in, k) for an ``x`` of up to three
        axes unless ``dims=3``.
    bias
        Shape (C_out,), or None.
    stride, dilation
        One number, or one per axis.
    padding
        Cells around ``x``: a number, one per axis, pairs ``(before, after)`` per axis, or
        ``"valid"`` (none), ``"same"``, ``"same_lower"``, ``"full"``. ``"same"`` gives
        ``ceil(size / stride)`` outputs with the odd cell at the end (TensorFlow's SAME, ONNX's
        SAME_UPPER); ``"same_lower"`` has it at the beginning. PyTorch agrees with ``"same"``
        for stride 1 and refuses other strides.
    groups
        Channels are split into this many groups that do not mix; C is depthwise.
    flip
        Reverse the kernel on every spatial axis.
    dims
        Spatial rank, where the shapes leave it open.
    border
        What the cells of the padding hold: ``"constant"`` (zeros) or ``"constant:V"``,
        ``"edge"``, ``"reflect"``, ``"symmetric"`` or ``"wrap"``, NumPy's names, or those of other
        libraries, such as PyTorch's ``"zeros"``, ``"replicate"`` and ``"circular"``. Mirrors and
        cycles go on where the padding is larger than ``x``, which PyTorch refuses.

    Returns
    -------
    array
        With the leading axes of ``x`` (and C_out if the weight names channels). float32 and
        float64 as given; float16 is summed in float32; whole numbers are summed exactly and
        returned as int64.

        Sums of n products in floating point are off by at most ``n u sum(|w| |x|)``, u = 2**-24
        for float32. 3x3 kernels of stride 1 between many channels go through Winograd's
        F(2x2, 3x3) in float32 on the CPU, here and in the transpose and the gradients: usually
        off by less, by at most ``16 (C + 11) u sum(sum(|w|) max(|x|))``, the sum over C channels
        and the maximum under the window. Whole numbers in float32 are exact while 16 times that
        sum stays below 2**24. Windows that are not finite are summed directly.

    Raises
    ------
    ShapeError
        If shapes, groups, padding or strides do not fit together.
    TensorError
        If a type cannot be computed with, whole numbers could overflow int64, or ``constant:V``
        is no number of the type of ``x``.
    UsageError
        If the border is not known.

    >>> conv([1, 2, 3, 4], [1, 0, -1])
    array([-2, -2])
    >>> conv([1, 2, 3, 4], [1, 0, -1], padding=1, border="reflect")
    array([ 0, -2, -2,  0])
    >>> conv([3, 4, 5], [2, 1], padding="full", flip=True)
    array([ 6, 11, 14,  5])
    """
    xp = common_namespace(x=x, weight=weight, bias=bias)
    x, weight = as_operand(x, "x", xp), as_operand(weight, "weight", xp)
    g = conv_geometry(
        x.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups,
        dims=dims, border=border,
    )  # fmt: skip
    bias = _bias(bias, g.small_channels, xp)
    if flip:
        weight = flip_kernel(weight, g.rank)
    g, big = with_border(g, x.reshape(g.big_shape))
    work, result = _types(big, weight, g.terms, bias)
    out = xp.empty(g.small_shape, result)
    forward(g, big, weight.reshape(g.weight_shape), bias, out, work)
    return out.reshape(g.strip(g.small_shape))


@overload
def conv_transpose(
    x: NDArray[Same],
    weight: NDArray[Same],
    bias: NDArray[Same] | None = None,
    **options: Unpack[TransposedOptions],
) -> Tensor[Same]: ...
@overload
def conv_transpose(
    x: Device,
    weight: Device | Sequence[object],
    bias: Device | Sequence[float] | float | None = None,
    **options: Unpack[TransposedOptions],
) -> Device: ...
@overload
def conv_transpose(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[TransposedOptions],
) -> Tensor[Any]: ...
def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    output_shape: PerAxis | None = None,
    dims: int | None = None,
) -> Array:
    """Transposed convolution: every value of ``x`` stamps the kernel, ``stride`` cells apart.

    The adjoint of :func:`conv`: ``<conv(x, w), y> == <x, conv_transpose(y, w)>`` with the same
    weight. Parameters are those of :func:`conv`, except as follows. There is no border: what is
    around the result is cropped (as in PyTorch, which knows zeros alone here). The adjoint of a
    convolution with a border is the gradient for its input, :func:`conv_grad`.

    Parameters
    ----------
    x
        Shape (N, C_in, \\*spatial), (C_in, \\*spatial) or bare spatial.
    weight
        Shape (C_in, C_out/groups, \\*kernel), or the bare kernel.
    padding
        Cells cropped off the result, as the convolution it is the adjoint of would have padded.
        ``"same"`` gives ``size * stride``.
    output_padding
        Cells added at the end, below ``max(stride, dilation)``: which of the sizes that the
        convolution maps to this one is meant.
    output_shape
        Spatial size of the result; the padding follows from it by ONNX's rule.

    >>> conv_transpose([1, 2], [1, 10, 100], stride=2)
    array([  1,  10, 102,  20, 200])
    """
    xp = common_namespace(x=x, weight=weight, bias=bias)
    x, weight = as_operand(x, "x", xp), as_operand(weight, "weight", xp)
    g = transposed_geometry(
        x.shape, weight.shape, stride=stride, padding=padding, output_padding=output_padding,
        dilation=dilation, groups=groups, output_shape=output_shape, dims=dims,
    )  # fmt: skip
    bias = _bias(bias, g.big_channels, xp)
    terms = weight.size // max(g.big_channels // g.groups, 1)
    work, result = _types(x, weight, terms, bias)
    out = xp.empty(g.big_shape, result)
    backward_input(g, x.reshape(g.small_shape), weight.reshape(g.weight_shape), bias, out, work)
    return out.reshape(g.strip(g.big_shape))


def _types(a: Array, b: Array, terms: int, bias: Array | None) -> tuple[Any, Any]:
    """Type to work in and type to return."""
    if bias is None:
        return working_type(a, b, terms), result_type(a, b)
    return working_type(a, b, terms, bias), result_type(a, b, bias)


@overload
def depthwise_separable(
    x: NDArray[Same],
    depthwise: NDArray[Same],
    pointwise: NDArray[Same],
    bias: NDArray[Same] | None = None,
    **options: Unpack[BorderedOptions],
) -> Tensor[Same]: ...
@overload
def depthwise_separable(
    x: Device,
    depthwise: Device | Sequence[object],
    pointwise: Device | Sequence[object],
    bias: Device | Sequence[float] | float | None = None,
    **options: Unpack[BorderedOptions],
) -> Device: ...
@overload
def depthwise_separable(
    x: ArrayLike,
    depthwise: ArrayLike,
    pointwise: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[BorderedOptions],
) -> Tensor[Any]: ...
def depthwise_separable(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    bias: Any = None,
    *,
    stride: PerAxis = 1,
    padding: Padding | Sequence[Padding] = 0,
    dilation: PerAxis = 1,
    border: str = "constant",
) -> Array:
    """A kernel for each channel, then a 1x1 convolution that mixes them (MobileNets, 2017).

    Parameters
    ----------
    x
        Shape (N, C, \\*spatial) or (C, \\*spatial).
    depthwise
        Shape (C, 1, \\*kernel).
    pointwise
        Shape (C_out, C).
    bias
        Shape (C_out,), or None.
    stride, padding, dilation, border
        Of the depthwise convolution, as for :func:`conv`.

    >>> depthwise_separable([[1, 2, 3], [4, 5, 6]], [[[1, 1]], [[1, -1]]], [[1, 10]])
    array([[-7, -5]])
    """
    xp = common_namespace(x=x, depthwise=depthwise, pointwise=pointwise, bias=bias)
    depthwise = as_operand(depthwise, "depthwise", xp)
    pointwise = as_operand(pointwise, "pointwise", xp)
    rank = depthwise.ndim - 2
    if rank not in (1, 2, 3) or pointwise.ndim != 2:
        raise ShapeError(
            f"depthwise {cross(depthwise.shape)} and pointwise {cross(pointwise.shape)} must be "
            "(C, 1, *kernel) and (C_out, C)"
        )
    between = conv(
        x, depthwise, stride=stride, padding=padding, dilation=dilation, groups=depthwise.shape[0],
        dims=rank, border=border,
    )  # fmt: skip
    return conv(between, pointwise.reshape(*pointwise.shape, *(1,) * rank), bias, dims=rank)
