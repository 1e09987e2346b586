"""The kernel itself: weights and what goes with them, frozen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convcli.displays import displayed
from convcli.errors import KernelError
from convcli.kernels.operation_names import CORRELATE

__all__ = ["MAX_SIDE", "Combine", "Kernel", "Role", "as_numbers"]

Role: TypeAlias = Literal["smooth", "sharpen", "derivative", "point", "other"]
Combine: TypeAlias = Literal["none", "magnitude", "maximum"]

MAX_SIDE = 10_000
"""Most rows or columns of a kernel: more is a mistake, not a filter."""

Weights: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

if TYPE_CHECKING:

    class _Fields(TypedDict, total=False):
        weights: ArrayLike
        scale: float
        bias: float
        name: str
        role: Role
        combine: Combine
        absolute: bool
        source: str
        note: str
        remark: str
        operation: str
        total: bool
        numbers: Sequence[float]


class Kernel:
    """Weights in correlation orientation, with scale, bias and what they are for.

    Parameters
    ----------
    weights
        float64 array. 2-D ``(kH, kW)`` is applied to every channel. 3-D ``(P, kH, kW)`` is a
        stack whose ``P`` responses ``combine`` folds into one. 4-D ``(C_out, C_in, kH, kW)`` is
        a bank across channels.
    scale
        Multiplies the sums; ``1/16`` keeps the weights of a binomial kernel whole numbers, so
        that its sums are exact.
    bias
        Added to the result, in levels of 0 to 255 whatever the picture's depth (255 is white).
    name
        What summaries and output names call it.
    role
        What it is for.
    combine
        How the responses of a stack become one: ``magnitude`` is the root of the summed
        squares, ``maximum`` the largest.
    absolute
        Whether a filter shows the absolute value of the response by default, as derivatives
        need to (half of an edge is negative).
    source
        Where the definition comes from.
    note
        What it is for, in words.
    remark
        What whoever wrote it may have overlooked; empty for most.
    operation
        What is computed of the cells under the weights, by its name in
        :data:`convcli.kernels.operation_names.OPERATIONS`: their weighted sum.
    total
        Whether the result is a sum of what is there, which is less where samples are missing, and
        no mean that stands for the whole window.
    numbers
        The operation's own numbers, such as the percent of a rank; the weights are then the
        footprint, whose cells count where they are not zero.

    Raises
    ------
    KernelError
        If the weights are empty, not finite, or not of 2 to 4 dimensions.

    >>> Kernel([[1, 0, -1]], name="difference").shape
    (1, 3)
    """

    weights: Weights
    scale: float
    bias: float
    name: str
    role: Role
    combine: Combine
    absolute: bool
    source: str
    note: str
    remark: str
    operation: str
    total: bool
    numbers: tuple[float, ...]

    def __init__(
        self,
        weights: ArrayLike,
        scale: float = 1.0,
        bias: float = 0.0,
        name: str = "kernel",
        role: Role = "other",
        combine: Combine = "none",
        absolute: bool = False,
        source: str = "",
        note: str = "",
        remark: str = "",
        operation: str = CORRELATE,
        total: bool = False,
        numbers: Sequence[float] = (),
    ) -> None:
        # Written out because what is given (lists too) is not what is kept.
        own = tuple(float(number) for number in numbers)
        others = (scale, bias, *own)
        checked = _checked(as_numbers(weights, f"kernel {name!r}"), others, name, combine)
        what = (name, role, combine, absolute, source, note, remark, operation, total, own)
        kept = (checked, float(scale), float(bias), *what)
        self.__dict__.update(zip(_FIELDS, kept, strict=True))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a kernel cannot be changed; its replace({name}=...) gives another")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={self.__dict__[name]!r}" for name in _FIELDS[:8])
        return f"Kernel({told})"

    @property
    def slug(self) -> str:
        """The name as a part of a file name.

        >>> Kernel([[1]], name="dog:1,1.6").slug
        'dog-1-1.6'
        """
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", self.name).strip("-.") or "kernel"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, ``(kH, kW)``."""
        return self.weights.shape[-2], self.weights.shape[-1]

    @property
    def is_correlation(self) -> bool:
        """Whether the weights are those of a sum, and not the footprint of another operation."""
        return self.operation == CORRELATE

    @property
    def is_bank(self) -> bool:
        """Whether the kernel mixes channels."""
        return self.weights.ndim == 4

    @property
    def sum(self) -> float:
        """Sum of the scaled weights; of the first part of a stack, of all taps of a bank per output."""
        if self.weights.ndim == 4:
            return float(self.weights.sum(axis=(1, 2, 3)).mean() * self.scale)
        if self.weights.ndim == 3:
            return float(self.weights[0].sum() * self.scale)
        return float(self.weights.sum() * self.scale)

    @property
    def is_zero_sum(self) -> bool:
        """Whether flat areas give zero, but for the rounding of floating-point weights.

        >>> Kernel([[-0.1, -0.2, 0.3]]).is_zero_sum
        True
        """
        taps = (1, 2, 3) if self.is_bank else (-2, -1)
        total = np.abs(self.weights.sum(axis=taps))
        return bool((total <= 1e-12 * np.abs(self.weights).sum(axis=taps)).all())

    def flipped(self) -> Kernel:
        """Rows and columns reversed: correlation with it is convolution with the original.

        >>> Kernel([[1, 2, 3]]).flipped().weights
        array([[3., 2., 1.]])
        """
        return self.replace(weights=self.weights[..., ::-1, ::-1])

    def _repr_svg_(self) -> str | None:
        return displayed(self)

    def replace(self, **changes: Unpack[_Fields]) -> Kernel:
        """A copy with some fields changed."""
        return Kernel(**{**self.__dict__, **changes})


_FIELDS = tuple(Kernel.__annotations__)
"""Those that a kernel is shown by come first, up to ``source``."""


def _checked(weights: Weights, others: Sequence[float], name: str, combine: str) -> Weights:
    """The weights, read-only, if they make a kernel."""
    if weights.ndim not in (2, 3, 4):
        raise KernelError(
            f"kernel {name!r} has {weights.ndim} dimensions; it must have 2 (kH, kW), "
            "3 (P, kH, kW) with a way to combine, or 4 (C_out, C_in, kH, kW)"
        )
    if weights.size == 0:
        raise KernelError(f"kernel {name!r} is empty: its shape is {weights.shape}")
    if max(weights.shape[-2:]) > MAX_SIDE:
        raise KernelError(
            f"kernel {name!r} is {weights.shape[-2]}x{weights.shape[-1]}; "
            f"at most {MAX_SIDE}x{MAX_SIDE} is allowed"
        )
    if not (np.isfinite(weights).all() and np.isfinite(others).all()):
        raise KernelError(f"kernel {name!r}: every weight and number must be finite")
    if (combine == "none") == (weights.ndim == 3):
        raise KernelError(
            f"kernel {name!r}: a stack of kernels needs combine=magnitude or maximum, "
            f"and nothing else does; got shape {weights.shape} and combine={combine}"
        )
    weights.setflags(write=False)
    return weights


def as_numbers(weights: Any, name: str) -> NDArray[np.float64]:
    """A new float64 array of numbers; NumPy alone would also take "1" and True."""
    try:
        array = np.asarray(weights)
    except (TypeError, ValueError) as error:
        raise KernelError(f"{name}: the rows of the weights are not equally long") from error
    if array.dtype.kind not in "iuf" and array.size:
        raise KernelError(
            f"{name}: the weights are {array.dtype.name}; they must be numbers "
            "(whole or floating-point)"
        )
    return np.array(array, dtype=np.float64, order="C")
