"""What a filter will do, resolved once: shapes, borders, types, algorithms, and why.

Backends carry a plan out and never interpret an option again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import PICTURES, Border
from convcli.arithmetic.window import Window
from convcli.engine.backends import Work, backend_and_device, pick_backend, weigh
from convcli.engine.cpu.choice import loops
from convcli.engine.cpu.tiles import default_threads
from convcli.engine.finish import Finish, make_finish, response_bounds
from convcli.engine.geometry import Padding2d, checked_shape, windows
from convcli.engine.numerics import (
    FULL,
    Bounds,
    exact_type,
    float_error,
    full_scale,
    sum_bounds,
    whole_weights,
)
from convcli.engine.planner import Candidate, Problem, choose
from convcli.engine.weights import Factor
from convcli.errors import ShapeError, UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["DTYPES", "RANGES", "Padding2d", "Plan", "Step", "plan_filter"]

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
OUT_DTYPES = ("uint8", "uint16", "float32", "float64")
RANGES = ("auto", "clip", "abs", "offset", "stretch", "float")
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

    @property
    def is_bank(self) -> bool:
        """Whether the kernel mixes channels."""
        return self.weights.ndim == 4

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return self.weights.shape[-2], self.weights.shape[-1]


@dataclass(frozen=True, eq=False)
class Plan:
    """A chain of steps with its types, range, backend and threads.

    ``device`` is the number of the GPU; ``fallback`` says that the CPU may take over from it,
    because nobody asked for it by name.
    """

    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    dtype: str
    out_dtype: str
    steps: tuple[Step, ...]
    range: str
    backend: str
    backend_reason: str
    threads: int
    loops: str
    loops_reason: str
    device: int = 0
    fallback: bool = False

    @property
    def work(self) -> Work:
        """What carrying it out costs, for the choice between CPU and GPU."""
        cpu = gpu = traffic = 0.0
        for step in self.steps:
            samples = float(np.prod(step.shape_out))
            cpu += samples * next(c.cost for c in step.candidates if c.name == step.algorithm)
            taps = np.count_nonzero(step.weights) / (step.shape_out[2] if step.is_bank else 1)
            gpu += samples * min(float(taps), 1000.0)
            traffic += 4.0 * float(np.prod(step.shape_in)) + 4.0 * samples
        sizes = [
            float(np.prod(shape)) * np.dtype(dtype).itemsize
            for shape, dtype in ((self.shape_in, self.dtype), (self.shape_out, self.out_dtype))
        ]
        return Work(cpu / self.threads / 1e9, gpu, traffic, sizes[0], sizes[1], len(self.steps))


@dataclass(frozen=True, slots=True)
class _Signal:
    """What is known of the values between two steps."""

    dtype: str
    bounds: Bounds | None
    error: float


def plan_filter(
    shape: Sequence[int],
    dtype: str | np.dtype[np.generic],
    kernels: Sequence[Kernel],
    *,
    padding: Padding2d = "same",
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    border: Border | None = None,
    flip: bool = False,
    range: str = "clip",
    out_dtype: str | np.dtype[np.generic] | None = None,
    backend: str = "auto",
    threads: int | None = None,
    algorithm: str | None = None,
    count: int = 1,
) -> Plan:
    """Resolve a chain of kernels on pictures of one shape and type.

    Parameters
    ----------
    shape
        ``(H, W, C)``, channels interleaved.
    dtype
        ``uint8``, ``uint16``, ``float16``, ``float32`` or ``float64``. White is 255, 65535, 1.0.
    kernels
        Applied in order, in floating point between them.
    padding, stride, dilation
        Of every step; ``same`` puts the odd row and column at the end.
    border
        What is read outside the picture, ``reflect`` by default; a constant in native units.
    flip
        Mathematical convolution instead of correlation.
    range
        How results become samples: ``clip``; ``auto`` (absolute where a kernel says so, then
        clip); ``abs``; ``offset`` (adds half of the range); ``stretch`` (smallest to black,
        largest to white); ``float`` (as they are). Floating-point output is never clipped.
    out_dtype
        ``uint8``, ``uint16``, ``float32`` or ``float64``; as the input by default. A change of
        depth maps white to white.
    backend
        ``auto``, ``numpy``, ``cupy``, or ``cupy:1`` for another device than the first.
    threads
        All processors by default.
    algorithm
        Forces one for every step.
    count
        Pictures like this one that are to be filtered: ``auto`` weighs the whole of them.

    Raises
    ------
    ShapeError
        If sizes do not fit together.
    UsageError
        If an option is unknown or an algorithm cannot do a step.
    BackendError
        If the backend asked for cannot run here.

    >>> plan = plan_filter((480, 640, 3), "uint8", [Kernel([[1, 0, -1]])], stride=2)
    >>> plan.shape_out, plan.steps[0].accumulate
    ((240, 320, 3), 'int16')
    """
    dtype = _known("picture type", np.dtype(dtype).name, DTYPES)
    _known("range", range, RANGES)
    natural = "float32" if dtype == "float16" or (range == "float" and dtype in FULL) else dtype
    target = _known("output type", np.dtype(out_dtype or natural).name, OUT_DTYPES)
    if range == "float" and target in FULL:
        raise UsageError(f"range 'float' keeps values as they are; it cannot write {target}")
    border = border or Border("reflect")
    if border.mode not in PICTURES:
        raise UsageError(f"border {border.mode!r} is not known; allowed: {', '.join(PICTURES)}")
    height, width, channels = checked_shape(shape)
    if not kernels:
        raise UsageError("no kernel is given; a filter needs at least one")
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise UsageError(f"threads is {threads}; it must be 1 or more")
    chosen, why = pick_backend(backend)
    inner, inner_why = loops()
    last = len(kernels) - 1

    def plan_on(chosen: str) -> Plan:
        for precision in ("float32", "float64"):
            if precision == "float32" and "float64" in (dtype, target):
                continue
            steps: list[Step] = []
            here = (height, width, channels)
            signal = _Signal(dtype, Bounds(0.0, FULL[dtype]) if dtype in FULL else None, 0.0)
            for number, kernel in enumerate(kernels):
                step, signal = _plan_step(
                    kernel.flipped() if flip else kernel,
                    here,
                    signal,
                    geometry=(padding, stride, dilation, border),
                    full=full_scale(dtype),
                    precision=precision,
                    range=range if number == last or range == "auto" else "clip",
                    target=target if number == last else "",
                    backend=chosen,
                    inner=inner,
                    algorithm=algorithm,
                )
                steps.append(step)
                here = step.shape_out
            levels = full_scale(target) / full_scale(dtype) if target in FULL else 0.0
            if signal.error * levels < 0.45:
                break
        return Plan(
            (height, width, channels),
            here,
            dtype,
            target,
            tuple(steps),
            range,
            chosen,
            why,
            threads,
            inner,
            inner_why,
            backend_and_device(backend)[1],
        )

    plan = plan_on(chosen)
    if backend != "auto":
        return plan
    chosen, why = weigh(plan.work, count)
    if chosen == "cupy":
        return replace(plan_on(chosen), fallback=True)
    return replace(plan, backend_reason=why)


def _plan_step(
    kernel: Kernel,
    shape: tuple[int, int, int],
    signal: _Signal,
    *,
    geometry: tuple[Padding2d, int | Sequence[int], int | Sequence[int], Border],
    full: float,
    precision: str,
    range: str,
    target: str,
    backend: str,
    inner: str,
    algorithm: str | None,
) -> tuple[Step, _Signal]:
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
    offset = HALF.get(signal_dtype(full), 0.5) if range == "offset" and final else 0.0
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
    after = _Signal(precision, *_through(kernel, weights, scale, signal, sums, finish, exact, full))
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
    )
    return step, after


def signal_dtype(full: float) -> str:
    """The picture type whose white is ``full``."""
    return {white: name for name, white in FULL.items()}.get(full, "float32")


def _through(
    kernel: Kernel,
    weights: NDArray[np.float64],
    scale: float,
    signal: _Signal,
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
    weights: NDArray[np.float64], signal: _Signal, scale: float, full: float, target: str
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


def _known(what: str, name: str, allowed: Sequence[str]) -> str:
    if name not in allowed:
        raise UsageError(f"{what} {name!r} is not known; allowed: {', '.join(allowed)}")
    return name
