"""One axis of a sliding window: the sizes that every other part of convcli is built on.

Plain integers only. Filters, tensors and ``convcli shape`` all take their sizes from here, so
they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from convcli.errors import ShapeError

__all__ = [
    "PADDING_NAMES",
    "Padding",
    "Window",
    "check_positive",
    "conv_window",
    "effective_kernel",
    "per_axis",
    "resolve_padding",
    "wrong_count",
]

Padding: TypeAlias = int | str | tuple[int, int]
"""Padding of one axis: a number for both sides, ``(before, after)``, or a name."""

PADDING_NAMES = ("valid", "same", "same_lower", "full")


class Window(NamedTuple):
    """A window of ``kernel_size`` cells that slides over one axis, everything resolved.

    Sizes are in cells. ``output`` is the number of positions of the window:
    ``floor((size + before + after - effective_kernel) / stride) + 1``.

    >>> conv_window(32, 5, padding=2).output
    32
    """

    size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def effective_kernel(self) -> int:
        """Cells that the dilated kernel spans."""
        return effective_kernel(self.kernel_size, self.dilation)

    @property
    def padded(self) -> int:
        """Cells of the axis with its padding."""
        return self.size + self.before + self.after

    @property
    def output(self) -> int:
        """Positions of the window."""
        return (self.padded - self.effective_kernel) // self.stride + 1


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
    check_positive(size, kernel_size, stride, dilation)
    before, after = resolve_padding(padding, size, kernel_size, stride, dilation)
    window = Window(size, kernel_size, stride, dilation, before, after)
    if window.output < 1:
        raise ShapeError(
            f"the output is empty: a kernel that spans {window.effective_kernel} does not fit "
            f"into {size} cells with padding {before},{after}; pad by at least "
            f"{window.effective_kernel - window.padded} in all or use a smaller kernel"
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
