"""One axis of pooling: windows as in a convolution, but the last one may hang over the end."""

from __future__ import annotations

from dataclasses import dataclass

from convcli.arithmetic.window import Padding, check_positive, effective_kernel, resolve_padding
from convcli.errors import ShapeError

__all__ = ["PoolWindow", "pool_window"]


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """A pooling window over one axis, everything resolved.

    Sizes are in cells. In ceil mode the windows are counted by
    ``ceil((size + before + after - effective_kernel) / stride) + 1``, less one if the last would
    start beyond the input and its padding before (PyTorch's rule, which ONNX follows).

    >>> pool_window(9, 4, padding=2, ceil_mode=True).output
    3
    """

    size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int
    ceil_mode: bool

    @property
    def effective_kernel(self) -> int:
        """Cells that the dilated window spans."""
        return effective_kernel(self.kernel_size, self.dilation)

    @property
    def padded(self) -> int:
        """Cells of the axis with its padding, without what ceil mode hangs over."""
        return self.size + self.before + self.after

    @property
    def clipped(self) -> bool:
        """Whether ceil mode would add a last window that starts beyond the input."""
        return self.ceil_mode and (self._ceiled - 1) * self.stride >= self.size + self.before

    @property
    def _ceiled(self) -> int:
        return -(-(self.padded - self.effective_kernel) // self.stride) + 1

    @property
    def output(self) -> int:
        """Positions of the window."""
        if not self.ceil_mode:
            return (self.padded - self.effective_kernel) // self.stride + 1
        return self._ceiled - self.clipped

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


def pool_window(
    size: int,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> PoolWindow:
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
    check_positive(size, kernel_size, stride, dilation)
    before, after = resolve_padding(padding, size, kernel_size, stride, dilation)
    window = PoolWindow(size, kernel_size, stride, dilation, before, after, ceil_mode)
    if window.output < 1:
        raise ShapeError(
            f"the output is empty: a window that spans {window.effective_kernel} does not fit "
            f"into {size} cells with padding {before},{after}; pad by at least "
            f"{window.effective_kernel - window.padded} in all or use a smaller window"
        )
    return window
