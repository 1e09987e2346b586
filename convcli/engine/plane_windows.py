"""The windows of a two-dimensional kernel over a picture, from what a user may write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from convcli.arithmetic.window import Padding, Window, conv_window, per_axis
from convcli.errors import ShapeError
from convcli.kernels.kernel import MAX_SIDE

__all__ = ["Padding2d", "Windowed", "checked_shape", "windows"]

MOST_CELLS = 1 << 26
"""Of an axis; for each of them there is an index of eight bytes."""
MOST_OUTSIDE = 1 << 20
"""Cells that are read outside of the picture on each side."""

Padding2d: TypeAlias = int | str | Sequence[int] | Sequence[Sequence[int]]
"""A number, a name, ``(PH, PW)`` or ``((top, bottom), (left, right))``."""


class Windowed(Protocol):
    """A kernel of a chain: anything with a window, and an ``operation`` unless it correlates."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, int]: ...


def windows(
    kernel: Windowed,
    size: tuple[int, int],
    padding: Padding2d,
    stride: int | Sequence[int],
    dilation: int | Sequence[int],
) -> tuple[Window, Window]:
    pads = _per_axis_padding(padding)
    strides, dilations = per_axis(stride, 2, "stride"), per_axis(dilation, 2, "dilation")
    try:
        rows, cols = (
            conv_window(n, k, stride=s, padding=p, dilation=d)
            for n, k, s, p, d in zip(size, kernel.shape, strides, pads, dilations, strict=True)
        )
        _check_extent(rows, cols)
    except ShapeError as error:
        raise ShapeError(
            str(error),
            while_=f"planning {kernel.name} {kernel.shape[0]}x{kernel.shape[1]}, stride "
            f"{strides[0]}x{strides[1]}, dilation {dilations[0]}x{dilations[1]}, on "
            f"{size[1]}x{size[0]}",
        ) from None
    return rows, cols


def _check_extent(rows: Window, cols: Window) -> None:
    """Refuse what no memory holds: mistyped numbers, and headers that claim whatever they like."""
    for window in (rows, cols):
        if window.size > MOST_CELLS:
            raise ShapeError(
                f"an axis has {window.size:,} cells; at most {MOST_CELLS:,} are allowed"
            )
        if max(window.before, window.after) > MOST_OUTSIDE:
            raise ShapeError(
                f"{max(window.before, window.after):,} cells are read outside of the picture; "
                f"at most {MOST_OUTSIDE:,} are allowed on each side"
            )
    if rows.effective_kernel * cols.effective_kernel > MAX_SIDE**2:
        raise ShapeError(
            f"the kernel spans {rows.effective_kernel}x{cols.effective_kernel} cells; at most "
            f"{MAX_SIDE}x{MAX_SIDE}, or as many in another shape, are allowed"
        )


def _per_axis_padding(padding: Padding2d) -> tuple[Padding, Padding]:
    if isinstance(padding, int | str):
        return padding, padding
    if len(padding) != 2:
        raise ShapeError(f"padding has {len(padding)} parts; give 1, or 2: rows and columns")
    rows, cols = (p if isinstance(p, int) else _pair(p) for p in padding)
    return rows, cols


def _pair(sides: Sequence[int]) -> tuple[int, int]:
    if len(sides) != 2:
        raise ShapeError(f"padding {tuple(sides)} must be two numbers: before and after")
    return int(sides[0]), int(sides[1])


def checked_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"picture shape is {tuple(shape)}; it must be (H, W, C), each 1 or more")
    height, width, channels = (int(n) for n in shape)
    return height, width, channels
