"""One axis of a sliding window: the sizes that every other part of convcli is built on.

Plain integers only. Filters, tensors and ``convcli shape`` all take their sizes from here, so
they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from convcli.errors import ShapeError
from convcli.records import NamedTuple

__all__ = [
    "PADDING_NAMES",
    "Padding",
    "Window",
    "check_positive",
    "conv_window",
    "effective_kernel",
    "per_axis",
    "pool_window",
    "resolve_padding",
    "wrong_count",
]

Padding: TypeAlias = int | str | tuple[int, int]
"""Padding of one axis: a number for both sides, ``(before, after)``, or a name."""

PADDING_NAMES = ("valid", "same", "same_lower", "full")


class Window(NamedTuple):
    """A window of ``kernel_size`` cells that slides over one axis, everything resolved.

    Sizes are in cells. ``output`` is the number of positions of the window:
    ``floor((size + before + after - effective_kernel) / stride) + 1``. In ceil mode, which only
    pooling has, the last window may hang over the end: the quotient is rounded up, and one
    position less is left where the last window would start beyond the input and its padding
    before (PyTorch's rule, which ONNX follows).

    >>> conv_window(32, 5, padding=2).output
    32
    >>> pool_window(9, 4, padding=2, ceil_mode=True).output
    3
    """

    size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int
    ceil_mode: bool = False

    @property
    def effective_kernel(self) -> int:
        """Cells that the dilated kernel spans."""
        return effective_kernel(self.kernel_size, self.dilation)

    @property
    def padded(self) -> int:
        """Cells of the axis with its padding, without what ceil mode hangs over."""
        return self.size + self.before + self.after

    @property
    def output(self) -> int:
        """Positions of the window."""
        if self.ceil_mode:
            return self._ceiled - self.clipped
        return (self.padded - self.effective_kernel) // self.stride + 1

    @property
    def _ceiled(self) -> int:
        return -(-(self.padded - self.effective_kernel) // self.stride) + 1

    @property
    def clipped(self) -> bool:
        """Whether ceil mode would add a last window that starts beyond the input."""
        return self.ceil_mode and (self._ceiled - 1) * self.stride >= self.size + self.before

    @property
    def overhang(self) -> int:
        """Cells by which the last window reaches over the padded end (ceil mode only)."""
        return max((self.output - 1) * self.stride + self.effective_kernel - self.padded, 0)

    def divisor(self, position: int, *, count_include_pad: bool = False) -> int:
        """Cells that an average over the window at ``position`` is divided by.

        With ``count_include_pad`` the window is clipped to the input and its padding (what ceil
        mode hangs over is never counted), otherwise to the input alone.

        >>> window = pool_window(5, 3, stride=2, padding=1, ceil_mode=True)
        >>> [window.divisor(i) for i in range(window.output)]
        [2, 3, 2]
        >>> [window.divisor(i, count_include_pad=True) for i in range(window.output)]
        [3, 3, 3]
        """
        low, high = (
            (0, self.padded) if count_include_pad else (self.before, self.before + self.size)
        )
        start = position * self.stride
        # Taps are `dilation` apart: the first and the last that lie in [low, high).
        first = max(-(-(low - start) // self.dilation), 0)
        last = min((high - 1 - start) // self.dilation, self.kernel_size - 1)
        return max(last - first + 1, 0)


def check_positive(size: int, kernel_size: int, stride: int, dilation: int) -> None:
    """Refuse a size, stride or dilation below 1, which no window can have.

    >>> check_positive(8, 3, 0, 1)
    Traceback (most recent call last):
    ...
    convcli.errors.ShapeError: stride is 0; it must be 1 or more
    """
    for name, value in (
        ("input size", size),
        ("kernel size", kernel_size),
        ("stride", stride),
        ("dilation", dilation),
    ):
        if value < 1:
            raise ShapeError(f"{name} is {value}; it must be 1 or more")


def effective_kernel(kernel_size: int, dilation: int = 1) -> int:
    """Span of a dilated kernel, ``dilation * (kernel_size - 1) + 1``.

    >>> effective_kernel(3, 2)
    5
    """
    return dilation * (kernel_size - 1) + 1


def resolve_padding(
    padding: Padding, size: int, kernel_size: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Turn a padding into cells ``(before, after)``.

    ``"same"`` gives ``ceil(size / stride)`` outputs, split evenly with the odd cell at the end
    (SAME_UPPER of ONNX, SAME of TensorFlow); ``"same_lower"`` puts the odd cell at the
    beginning; ``"full"`` lets the kernel overlap the input by one cell on each side; ``"valid"``
    is none.

    Raises
    ------
    ShapeError
        If the name is unknown or a number is negative.

    >>> resolve_padding("same", 5, 4)
    (1, 2)
    >>> resolve_padding("same", 224, 7, stride=2)
    (2, 3)
    >>> resolve_padding("full", 8, 3, dilation=2)
    (4, 4)
    """
    span = effective_kernel(kernel_size, dilation)
    if isinstance(padding, str):
        if padding == "valid":
            return 0, 0
        if padding == "full":
            return span - 1, span - 1
        if padding in ("same", "same_lower"):
            outputs = -(-size // stride)
            total = max((outputs - 1) * stride + span - size, 0)
            less, more = total // 2, total - total // 2
            return (less, more) if padding == "same" else (more, less)
        raise ShapeError(
            f"padding {padding!r} is not known; use a number, (before, after) or one of "
            + ", ".join(PADDING_NAMES)
        )
    before, after = (padding, padding) if isinstance(padding, int) else padding
    if before < 0 or after < 0:
        raise ShapeError(f"padding is {before},{after}; it must be 0 or more on each side")
    return before, after


def conv_window(
    size: int, kernel_size: int, *, stride: int = 1, padding: Padding = 0, dilation: int = 1
) -> Window:
    """Resolve one axis of a convolution.

    Raises
    ------
    ShapeError
        If a number is out of range or the output is empty.

    >>> conv_window(224, 7, stride=2, padding=3).output
    112
    >>> conv_window(2, 3)
    Traceback (most recent call last):
    ...
    convcli.errors.ShapeError: the output is empty: a kernel that spans 3 does not fit into 2 cells with padding 0,0; pad by at least 1 in all or use a smaller kernel
    """
    return _window("kernel", size, kernel_size, stride, padding, dilation)


def pool_window(
    size: int,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> Window:
    """Resolve one axis of a pooling layer; the stride is the kernel size unless it is given.

    Raises
    ------
    ShapeError
        If a number is out of range or the output is empty.

    >>> pool_window(112, 3, stride=2, padding=1).output
    56
    >>> pool_window(7, 2, ceil_mode=True).output, pool_window(7, 2).output
    (4, 3)
    >>> pool_window(2, 3, stride=2, ceil_mode=True).output  # the only window hangs over
    1
    """
    stride = kernel_size if stride is None else stride
    return _window("window", size, kernel_size, stride, padding, dilation, ceil_mode)


def _window(
    noun: str,
    size: int,
    kernel_size: int,
    stride: int,
    padding: Padding,
    dilation: int,
    ceil_mode: bool = False,
) -> Window:
    check_positive(size, kernel_size, stride, dilation)
    before, after = resolve_padding(padding, size, kernel_size, stride, dilation)
    window = Window(size, kernel_size, stride, dilation, before, after, ceil_mode)
    if window.output < 1:
        raise ShapeError(
            f"the output is empty: a {noun} that spans {window.effective_kernel} does not fit "
            f"into {size} cells with padding {before},{after}; pad by at least "
            f"{window.effective_kernel - window.padded} in all or use a smaller {noun}"
        )
    return window


def per_axis(value: int | Sequence[int], rank: int, name: str) -> tuple[int, ...]:
    """Spread one number over ``rank`` axes, or check that there is one per axis.

    >>> per_axis(2, 3, "stride")
    (2, 2, 2)
    """
    if isinstance(value, int):
        return (value,) * rank
    values = tuple(value)
    if len(values) != rank:
        raise ShapeError(wrong_count(name, len(values), rank))
    return values


def wrong_count(name: str, count: int, rank: int) -> str:
    """What to say where there are neither one nor ``rank`` numbers.

    >>> wrong_count("stride", 3, 2)
    'stride has 3 numbers for 2 axes; give 1 or 2'
    """
    if rank == 1:
        return f"{name} has {count} numbers for 1 axis; give 1"
    return f"{name} has {count} numbers for {rank} axes; give 1 or {rank}"
