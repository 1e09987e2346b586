"""The windows of a two-dimensional kernel over a picture, from what a user may write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from convcli.arithmetic.window import Padding, Window, conv_window, per_axis
from convcli.errors import ShapeError
from convcli.kernels.kernel import Kernel

__all__ = ["Padding2d", "checked_shape", "windows"]

Padding2d: TypeAlias = int | str | Sequence[int] | Sequence[Sequence[int]]
"""A number, a name, ``(PH, PW)`` or ``((top, bottom), (left, right))``."""


def windows(
    kernel: Kernel,
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
    except ShapeError as error:
        raise ShapeError(
            str(error),
            while_=f"planning {kernel.name} {kernel.shape[0]}x{kernel.shape[1]}, stride "
            f"{strides[0]}x{strides[1]}, dilation {dilations[0]}x{dilations[1]}, on "
            f"{size[1]}x{size[0]}",
        ) from None
    return rows, cols


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
