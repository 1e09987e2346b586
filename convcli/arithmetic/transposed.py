"""One axis of a transposed convolution: the sizes that a stride multiplies instead of divides."""

from __future__ import annotations

from convcli.arithmetic.window import Padding, check_positive, effective_kernel, resolve_padding
from convcli.errors import ShapeError
from convcli.records import NamedTuple

__all__ = ["TransposedWindow", "split_total_padding", "transposed_pads", "transposed_window"]


class TransposedWindow(NamedTuple):
    """A transposed convolution over one axis, everything resolved.

    Sizes are in cells. Each of ``size`` inputs stamps the kernel, ``stride`` cells apart;
    ``before`` and ``after`` are cropped off the result, ``output_padding`` is added at its end:
    ``(size - 1) * stride - before - after + effective_kernel + output_padding``.

    >>> transposed_window(2, 3, stride=2, padding=1, output_padding=1).output
    4
    """

    size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int
    output_padding: int

    @property
    def effective_kernel(self) -> int:
        """Cells that the dilated kernel spans."""
        return effective_kernel(self.kernel_size, self.dilation)

    @property
    def full(self) -> int:
        """Cells that the stamped kernels cover, before anything is cropped or added."""
        return (self.size - 1) * self.stride + self.effective_kernel

    @property
    def output(self) -> int:
        """Cells of the output."""
        return self.full - self.before - self.after + self.output_padding


def split_total_padding(total: int, auto_pad: str = "NOTSET") -> tuple[int, int]:
    """Split a total padding as ONNX's ConvTranspose does: only SAME_UPPER puts the less first.

    >>> split_total_padding(3, "SAME_UPPER"), split_total_padding(3)
    ((1, 2), (2, 1))
    """
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def transposed_pads(
    size: int,
    output: int,
    kernel_size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    output_padding: int = 0,
    auto_pad: str = "NOTSET",
) -> tuple[int, int, int]:
    """Padding ``(before, after, output_padding)`` that makes an output of a given size.

    This is the ``output_shape`` attribute of ONNX's ConvTranspose:
    ``total = (size - 1) * stride + output_padding + effective_kernel - output``, split so that
    SAME_UPPER has the smaller half first and every other mode the larger. Where the total is
    negative, the stamps do not reach that far: nothing is cropped, and the missing cells are
    added at the end as output padding.

    Raises
    ------
    ShapeError
        If ``output`` is below 1, or so large that the missing cells are ``max(stride,
        dilation)`` or more, which no kernel position could have made.

    >>> transposed_pads(3, 6, 4, stride=2)
    (1, 1, 0)
    >>> transposed_pads(3, 5, 4, stride=2), transposed_pads(3, 5, 4, stride=2, auto_pad="SAME_UPPER")
    ((2, 1, 0), (1, 2, 0))
    >>> transposed_pads(3, 9, 2, stride=3)
    (0, 0, 1)
    """
    if output < 1:
        raise ShapeError(f"output size is {output}; it must be 1 or more")
    reach = (size - 1) * stride + effective_kernel(kernel_size, dilation)
    total = reach + output_padding - output
    if total >= 0:
        return (*split_total_padding(total, auto_pad), output_padding)
    limit = max(stride, dilation)
    if output - reach >= limit:
        raise ShapeError(
            f"output size {output} cannot be reached from {size} cells with kernel size "
            f"{kernel_size}, stride {stride}, dilation {dilation}; at most {reach + limit - 1} can"
        )
    return 0, 0, output - reach


def transposed_window(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> TransposedWindow:
    """Resolve one axis of a transposed convolution.

    ``padding="same"`` and ``"same_lower"`` give ``size * stride`` (TensorFlow, and ONNX's
    auto_pad); ``"full"`` crops as much as the full padding of a convolution adds.

    Raises
    ------
    ShapeError
        If a number is out of range, ``output_padding`` is ``max(stride, dilation)`` or more, or
        the output is empty.

    >>> transposed_window(112, 4, stride=2, padding=1).output
    224
    >>> transposed_window(7, 3, stride=2, padding="same")
    TransposedWindow(size=7, kernel_size=3, stride=2, dilation=1, before=0, after=1, output_padding=0)
    >>> transposed_window(7, 3, stride=2, output_padding=2)
    Traceback (most recent call last):
    ...
    convcli.errors.ShapeError: output padding is 2; it must be 0 to 1, below the larger of stride 2 and dilation 1
    >>> transposed_window(7, 3, output_padding=1)
    Traceback (most recent call last):
    ...
    convcli.errors.ShapeError: output padding is 1; it must be 0, below the larger of stride 1 and dilation 1
    """
    check_positive(size, kernel_size, stride, dilation)
    limit = max(stride, dilation)
    if not 0 <= output_padding < limit:
        allowed = f"0 to {limit - 1}" if limit > 1 else "0"
        raise ShapeError(
            f"output padding is {output_padding}; it must be {allowed}, below the larger of "
            f"stride {stride} and dilation {dilation}"
        )
    if padding in ("same", "same_lower"):
        before, after, output_padding = transposed_pads(
            size,
            size * stride,
            kernel_size,
            stride=stride,
            dilation=dilation,
            output_padding=output_padding,
            auto_pad="SAME_UPPER" if padding == "same" else "SAME_LOWER",
        )
    else:
        before, after = resolve_padding(padding, size, kernel_size, stride, dilation)
    window = TransposedWindow(size, kernel_size, stride, dilation, before, after, output_padding)
    if window.output < 1:
        raise ShapeError(
            f"the output is empty: the kernels cover {window.full} cells and padding "
            f"{before},{after} crops {before + after} of them; crop at most "
            f"{window.full + output_padding - 1} in all"
        )
    return window
