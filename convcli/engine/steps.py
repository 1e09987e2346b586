"""One step of a plan: its types, its formula, its algorithm, and the error it adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import Border
from convcli.arithmetic.window import Window
from convcli.engine.numerics import (
    FULL,
    Bounds,
    exact_type,
    float_error,
    full_scale,
    sum_bounds,
    whole_weights,
)
from convcli.engine.plane_windows import Padding2d, windows
from convcli.engine.planner import Candidate, Problem, choose
from convcli.engine.requantize import Finish, make_finish, response_bounds
from convcli.engine.weights import Factor
from convcli.errors import ShapeError
from convcli.kernels.kernel import Kernel

if TYPE_CHECKING:
    from convcli.engine.cpu.pairs import Pairs

__all__ = ["Signal", "Step", "plan_step"]

HALF = {"uint8": 128.0, "uint16": 32768.0}


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel of the chain, resolved.

    Parameters
    ----------
    name
        The kernel's.
    weights
        In correlation orientation, ``(P, kH, kW)`` or, for a bank, ``(C_out, C_in, kH, kW)``.
        Whole numbers where ``exact``; the factor taken out is part of ``finish.scale``.
    rows, cols
        The window along each axis.
    border
        Its value is in native units of the picture.
    accumulate
        Type of the sums: ``int16``, ``uint16``, ``float32`` or ``float64``.
    exact
        Whether every sum is exact.
    finish
        From sums to samples.
    factors
        Per member of the stack, the separable terms; empty if the algorithm needs none.
    transform
        Type of the transforms, if the algorithm is ``fft``.
    pairs
        Column and row of a blur of bytes, if the compiled loops do it in 16 bits.
    """

    name: str
    weights: NDArray[np.float64]
    rows: Window
    cols: Window
    border: Border
    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    accumulate: str
    exact: bool
    finish: Finish
    algorithm: str
    reason: str
    candidates: tuple[Candidate, ...]
    factors: tuple[tuple[Factor, ...], ...] = ()
    transform: str = "float64"
    pairs: tuple[Pairs, Pairs] | tuple[()] = ()

    @property
    def is_bank(self) -> bool:
        """Whether the kernel mixes channels."""
        return self.weights.ndim == 4

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return self.weights.shape[-2], self.weights.shape[-1]


class Signal(NamedTuple):
    """What is known of the values between two steps."""

    dtype: str
    bounds: Bounds | None
    error: float


def plan_step(
    kernel: Kernel,
    shape: tuple[int, int, int],
    signal: Signal,
    *,
    geometry: tuple[Padding2d, int | Sequence[int], int | Sequence[int], Border],
    full: float,
    precision: str,
    range: str,
    target: str,
    backend: str,
    inner: str,
    algorithm: str | None,
) -> tuple[Step, Signal]:
    """Plan one kernel; ``target`` is the output type after the last, else empty."""
    padding, stride, dilation, border = geometry
    height, width, channels = shape
    rows, cols = windows(kernel, (height, width), padding, stride, dilation)
    weights = kernel.weights if kernel.weights.ndim > 2 else kernel.weights[None]
    if kernel.is_bank and weights.shape[1] != channels:
        raise ShapeError(
            f"kernel {kernel.name!r} has shape {weights.shape}: it reads {weights.shape[1]} "
            f"channels, but the picture has {channels}"
        )
    shape_out = (rows.output, cols.output, weights.shape[0] if kernel.is_bank else channels)

    scale, bounds = kernel.scale, signal.bounds
    if bounds is not None and border.mode == "constant":
        bounds = Bounds(min(bounds.low, border.value), max(bounds.high, border.value))
    whole = whole_weights(weights)
    accumulate, exact = precision, False
    if whole is not None and signal.dtype in FULL and bounds is not None:
        numbers, factor, _ = whole
        narrow = exact_type(_union([bounds, *_member_bounds(numbers, bounds)]))
        if border.value != int(border.value) and border.mode == "constant":
            narrow = None
        if narrow is not None:
            weights, scale, accumulate, exact = numbers, scale * factor, narrow, True
        else:
            accumulate = "float64"  # whole weights are promised to the last bit
    if accumulate == "float32" and not exact and kernel.combine == "none":
        weights, scale = weights * scale, 1.0

    final = bool(target)
    out_dtype = (precision if range == "stretch" else target) if final else precision
    absolute = (kernel.absolute and range == "auto") or (range == "abs" and final)
    mapped = final and range not in ("stretch", "float")
    ratio = full_scale(target) / full if mapped else 1.0
    offset = HALF.get(_dtype_of(full), 0.5) if range == "offset" and final else 0.0
    bias = kernel.bias * full / 255.0
    sums = None if bounds is None else _member_bounds(weights, bounds)
    finish = make_finish(
        sums,
        accumulate=accumulate,
        exact=exact,
        combine=kernel.combine,
        scale=scale,
        bias=bias,
        absolute=absolute,
        offset=offset,
        ratio=ratio,
        out_dtype=out_dtype,
    )
    after = Signal(precision, *_through(kernel, weights, scale, signal, sums, finish, exact, full))
    on_bytes = backend != "cupy" and inner == "compiled" and signal.dtype == "uint8"
    problem = Problem(
        weights,
        rows,
        cols,
        border.value if border.mode == "constant" else 0.0,
        accumulate,
        exact,
        backend,
        inner,
        _term_tolerance(weights, signal, scale, full, target),
        None if bounds is None else bounds.magnitude,
        finish if on_bytes else None,
    )
    choice = choose(problem, algorithm)
    step = Step(
        kernel.name,
        weights,
        rows,
        cols,
        border,
        shape,
        shape_out,
        accumulate,
        exact,
        finish,
        choice.algorithm,
        choice.reason,
        choice.candidates,
        choice.factors,
        choice.transform,
        choice.pairs,
    )
    return step, after


def _dtype_of(full: float) -> str:
    """The picture type whose white is ``full``."""
    return {white: name for name, white in FULL.items()}.get(full, "float32")


def _through(
    kernel: Kernel,
    weights: NDArray[np.float64],
    scale: float,
    signal: Signal,
    sums: list[Bounds] | None,
    finish: Finish,
    exact: bool,
    full: float,
) -> tuple[Bounds | None, float]:
    """Bounds of the values after a step, and the rounding error they carry, in native units."""
    inputs = signal.bounds.magnitude if signal.bounds is not None else full
    axes = (1, 2, 3) if weights.ndim == 4 else (1, 2)
    gain = float(np.abs(weights).sum(axis=axes).max()) * abs(scale)
    taps = int(np.count_nonzero(weights, axis=axes).max())
    fresh = 0.0 if exact else float_error(taps, gain * inputs + abs(finish.bias))
    if finish.work == "float64":
        fresh = 0.0
    members = weights.shape[0] if kernel.combine == "magnitude" else 1
    error = (gain * signal.error + fresh) * members**0.5
    if sums is None:
        return None, error
    f = finish
    return response_bounds(sums, f.combine, f.scale, f.bias, f.absolute, f.offset, 1.0), error


def _term_tolerance(
    weights: NDArray[np.float64], signal: Signal, scale: float, full: float, target: str
) -> float:
    """Sum of absolute weights that an approximation may leave out.

    1/50 level of an integer output; else what the type of the sums cannot tell apart.
    """
    largest = float(np.abs(weights).sum(axis=(-2, -1)).max())
    if target not in FULL or signal.bounds is None:
        return largest * (1e-14 if "float64" in (signal.dtype, target) else 1e-7)
    reach = signal.bounds.magnitude * abs(scale)
    return full / FULL[target] * 0.02 / reach if reach else largest


def _member_bounds(weights: NDArray[np.float64], values: Bounds) -> list[Bounds]:
    return [sum_bounds(member, values) for member in weights]


def _union(bounds: Sequence[Bounds]) -> Bounds:
    return Bounds(min(b.low for b in bounds), max(b.high for b in bounds))
