"""Types of the public functions on tensors: what goes in says what comes out.

Each function has up to three signatures: NumPy arrays of one type, whose type is known; arrays on
a GPU, which stay there; and whatever else NumPy makes an array of, whose type only the values
tell, as with ``np.asarray``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypedDict, TypeVar

import numpy as np

from convcli.arithmetic.window import Padding
from convcli.ops.conv_geometry import PerAxis

__all__ = [
    "BorderedOptions",
    "ConvOptions",
    "Device",
    "Float",
    "MatrixOptions",
    "MeanOptions",
    "OnDevice",
    "Padding",
    "PoolOptions",
    "Same",
    "Scalar",
    "SlidingOptions",
    "Tensor",
    "TransposedOptions",
]

Scalar = TypeVar("Scalar", bound=np.generic)
Float = TypeVar("Float", np.float16, np.float32, np.float64)
Same = TypeVar("Same", np.float16, np.float32, np.float64, np.int64, np.object_)
"""Types that sums of products keep where all operands have it."""

Tensor: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Scalar]]


class OnDevice(Protocol):
    """An array in the memory of a GPU, as CuPy's are."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...


Device = TypeVar("Device", bound=OnDevice)


class SlidingOptions(TypedDict, total=False):
    """Where the windows lie."""

    stride: PerAxis
    padding: Padding | Sequence[Padding]
    dilation: PerAxis


class BorderedOptions(SlidingOptions, total=False):
    """Where the windows lie, and what they read outside."""

    border: str


class ConvOptions(BorderedOptions, total=False):
    """Options of a convolution."""

    groups: int
    flip: bool
    dims: int | None


class TransposedOptions(SlidingOptions, total=False):
    """Options of a transposed convolution."""

    output_padding: PerAxis
    groups: int
    output_shape: PerAxis | None
    dims: int | None


class MatrixOptions(BorderedOptions, total=False):
    """Options of a convolution as a matrix."""

    groups: int
    flip: bool
    padded: bool


class PoolOptions(TypedDict, total=False):
    """Options of pooling."""

    stride: PerAxis | None
    padding: Padding | Sequence[Padding]
    dilation: PerAxis
    ceil_mode: bool
    dims: int | None


class MeanOptions(PoolOptions, total=False):
    """Options of average pooling."""

    count_include_pad: bool
