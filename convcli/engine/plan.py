"""What a filter will do, resolved once: shapes, borders, types, algorithms, and why.

Backends carry a plan out and never interpret an option again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.algorithms import choose
from convcli.engine.backends import NUMPY, Backend, Choice, no_gpu, pick_backend, weigh
from convcli.engine.cpu.c_loops import Loops, loops
from convcli.engine.numerics import (
    DTYPES,
    LIMITS,
    OUT_DTYPES,
    RANGES,
    WHITE,
    WIDE,
    Bounds,
    full_scale,
)
from convcli.engine.operations import WindowOperation, knows, operation_of
from convcli.engine.plane_windows import Padding2d, Windowed, checked_shape
from convcli.engine.step import CPU_ONLY, Signal, Slot, Step
from convcli.errors import BackendError, UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_names import CORRELATE
from convcli.records import NamedTuple
from convcli.system.machine import default_threads

if TYPE_CHECKING:
    from convcli.engine.gpu.workload import Workload

__all__ = ["Plan", "Step", "plan_filter"]

_Chain: TypeAlias = Sequence[tuple[Windowed, WindowOperation]]

LEAST = 2.0**-100
"""Weights below it, beside which results have to be right, are the CPU's."""


class Plan(NamedTuple):
    """A chain of steps with its types, range, backend and threads.

    ``fallback`` says that the CPU may take over from a GPU, because nobody asked for it by name;
    ``work`` is what was weighed, where there was a choice.
    """

    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    dtype: str
    out_dtype: str
    steps: tuple[Step, ...]
    range: str
    backend: Backend
    backend_reason: str
    threads: int
    loops: Loops
    fallback: bool = False
    work: Workload | None = None

    def __eq__(self, other: object) -> bool:  # arrays are in it, which have no one truth
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)

    @property
    def cpu_seconds(self) -> float:
        """Predicted for the CPU, with all threads, by the engine's cost table."""
        each = (float(np.prod(step.shape_out)) * step.cost for step in self.steps)
        return sum(each) / self.threads / 1e9


def plan_filter(
    shape: Sequence[int],
    dtype: str | np.dtype[np.generic],
    kernels: Sequence[Windowed],
    *,
    padding: Padding2d = "same",
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    border: Border | None = None,
    flip: bool = False,
    range: str = "clip",
    out_dtype: str | np.dtype[np.generic] | None = None,
    backend: Backend | Choice | str | None = "auto",
    threads: int | None = None,
    algorithm: str | None = None,
    count: int = 1,
    values: bool = False,
    bounds: Bounds | tuple[float, float] | None = None,
    relative: bool = False,
    precise: bool = False,
) -> Plan:
    """Resolve a chain of kernels on pictures, or rasters, of one shape and type.

    Parameters
    ----------
    shape
        ``(H, W, C)``, channels interleaved.
    dtype
        One of ``DTYPES``. White is 255, 65535, or 1.0; whole-number types other than ``uint8``
        and ``uint16`` have none: they hold values, of pictures that are rasters.
    kernels
        Applied in order, in floating point between them; see :class:`Windowed`.
    padding, stride, dilation, border
        Of every step; ``same`` puts the odd row and column at the end, ``reflect`` is what is
        read outside by default, and a constant is in native units.
    flip
        Mathematical convolution instead of correlation.
    range
        How results become samples: ``clip``; ``auto`` (absolute where a kernel says so, then
        clip); ``abs``; ``offset`` (adds half of the range); ``stretch`` (smallest to black,
        largest to white); ``float`` (as they are). Floating-point output is never clipped.
    out_dtype
        One of ``OUT_DTYPES``, as the input by default. A change of depth maps white to white; in
        a raster it keeps values, rounded half to even and clipped where the type asks for it.
    backend
        A :class:`Backend` or what it is parsed from: ``auto``, ``numpy``, ``cupy``, or ``cupy:1``
        for another device than the first; or the :class:`Choice` that ``auto`` has made for a batch.
    threads, algorithm
        All processors by default; forces one for every step whose operation has it.
    count
        Pictures like this one that are to be filtered: ``auto`` weighs the whole of them.
    values
        Whether it is a raster: a kernel's bias and the half that ``offset`` adds are in the units
        of the samples, and ``stretch`` maps to 0 and the type's largest value. So it is anyway
        where one of the types has no white.
    bounds
        Smallest and largest sample, if more is known than the type says: no other occurs, nor NaN.
        64-bit integers need it, since float64 holds them exactly only below 2**53.
    relative
        Whether results have to be right beside the smallest weight, as those of masks that are
        divided by: terms are taken only where they are the kernel's weights to a relative 1e-12,
        and transforms where whole sums are found again by rounding, or where their error stays
        below 2**-24 of the smallest weight times the largest sample.
    precise
        Whether sums that are not exact are made in float64.

        On a GPU, ``relative`` and ``precise`` leave the transforms out.

    Raises
    ------
    ShapeError
        If sizes do not fit together.
    UsageError
        If an option is unknown, an algorithm cannot do a step, or 64-bit integers would not be
        exact.
    BackendError
        If the backend asked for cannot run here.

    >>> from convcli.kernels.kernel import Kernel
    >>> plan = plan_filter((480, 640, 3), "uint8", [Kernel([[1, 0, -1]])], stride=2)
    >>> plan.shape_out, plan.steps[0].accumulate
    ((240, 320, 3), 'int16')
    """
    slot = _entry(shape, *_types(dtype, range, out_dtype), range, border, values)
    slot = slot._replace(padding=padding, stride=stride, dilation=dilation, flip=flip)
    slot = slot._replace(relative=relative, signal=_narrowed(slot.signal, bounds))
    slot = slot._replace(
        exacting=relative or precise, precision="float64" if precise else "float32"
    )
    chain = [(kernel, operation_of(kernel)) for kernel in kernels]
    if not chain:
        raise UsageError("no kernel is given; a filter needs at least one")
    if algorithm is not None and not knows(kernels, algorithm):
        raise UsageError(_unknown_algorithm(chain, algorithm))
    threads = default_threads() if threads is None else threads
    if threads < 1:
        raise UsageError(f"threads is {threads}; it must be 1 or more")
    asked: Backend | None = None
    if isinstance(backend, Choice):
        chosen, why = backend
    elif (asked := Backend.parse(backend)) is None:
        chosen, why = NUMPY, no_gpu()
    else:
        chosen, why = pick_backend(asked)
    plan = _plan(chain, slot, None if chosen.on_gpu else algorithm, NUMPY, why, threads)
    on_cpu = _on_cpu_only(chain, plan.steps, relative=relative)
    if chosen.on_gpu:
        if on_cpu and asked is not None:
            raise BackendError(f"backend {chosen}: {on_cpu}")
        plan = _plan(chain, slot, algorithm, NUMPY if on_cpu else chosen, why, threads)
    if asked is not None or on_cpu:
        return plan._replace(backend_reason=on_cpu or why)
    if why:  # decided: there is no GPU, or the choice has been made
        return plan._replace(fallback=chosen.on_gpu)
    return _weighed(plan, _plan(chain, slot, algorithm, Backend("cupy"), "", threads), count)


def _weighed(plan: Plan, on_gpu: Plan, count: int) -> Plan:
    """The one of two plans for as many pictures that ends sooner."""
    from convcli.engine.gpu.workload import workload_of

    work = workload_of(plan, on_gpu)
    chosen, why = weigh(work, count)
    taken = on_gpu if chosen.on_gpu else plan
    return taken._replace(backend_reason=why, fallback=chosen.on_gpu, work=work)


def _unknown_algorithm(chain: _Chain, algorithm: str) -> str:
    """Why no step can be done by the algorithm asked for."""
    names = list(dict.fromkeys(a.name for _, operation in chain for a in operation.algorithms))
    return f"algorithm {algorithm!r} is not known; allowed: {', '.join(names)}"


def _on_cpu_only(chain: _Chain, steps: Sequence[Step], *, relative: bool) -> str:
    """Why a GPU cannot do what was planned for a chain; empty if it can.

    What has to be more exact than a picture it can: float64 rounds there as here, sums of terms of
    one sign are as right beside the smallest weight, and transforms are left out (``Slot.exacting``).
    But there float32 has no subnormal numbers, in which the smallest weights would vanish.
    """
    whys: dict[str, list[str]] = {}
    for (kernel, operation), step in zip(chain, steps, strict=True):
        why = operation.cpu_only(step.method.problem)
        if relative and isinstance(kernel, Kernel) and _vanishes(kernel):
            why = f"has weights near 0, which {CPU_ONLY}"
        if why:
            whys.setdefault(why, []).append(kernel.name)
    return "; ".join(f"{', '.join(dict.fromkeys(names))} {why}" for why, names in whys.items())


def _vanishes(kernel: Kernel) -> bool:
    """Whether a weight, or what it makes of a small sample, may be no number of a GPU's float32."""
    weights = np.abs(kernel.weights)
    return bool(weights[weights != 0].min(initial=inf) < LEAST)


def _types(dtype: Any, range: str, out_dtype: Any) -> tuple[str, str]:
    """Names of the types of the picture and of the output."""
    name = _known("picture type", np.dtype(dtype).name, DTYPES)
    _known("range", range, RANGES)
    natural = name
    if name == "float16" or (range == "float" and name in LIMITS):
        natural = "float64" if name in WIDE else "float32"
    target = _known("output type", np.dtype(out_dtype or natural).name, OUT_DTYPES)
    if range == "float" and target in LIMITS:
        raise UsageError(f"range 'float' keeps values as they are; it cannot write {target}")
    return name, target


def _entry(
    shape: Sequence[int], dtype: str, target: str, range: str, border: Border | None, values: bool
) -> Slot:
    """The place of the first step."""
    raster = values or any(name in LIMITS and name not in WHITE for name in (dtype, target))
    if raster and range == "offset" and not target.startswith("u"):
        raise UsageError(
            f"range 'offset' makes room for negative values in unsigned types; {target} has it"
        )
    border = border or Border()
    if border.mode not in BORDERS:
        raise UsageError(f"border {border.mode!r} is not known; allowed: {', '.join(BORDERS)}")
    if not border.is_constant:
        border = Border(border.mode)  # a value would mean nothing
    bounds = Bounds(*map(float, LIMITS[dtype])) if dtype in LIMITS else None
    signal, white = Signal(dtype, bounds, 0.0), full_scale(dtype)
    return Slot(checked_shape(shape), signal, white, border, range, target, raster=raster)


def _narrowed(signal: Signal, bounds: Bounds | tuple[float, float] | None) -> Signal:
    """What is known of the samples, with what is said of them."""
    if bounds is None:
        return signal
    low, high = (float(end) for end in bounds)
    if not -inf < low <= high < inf:
        raise UsageError(f"bounds are {low:g} and {high:g}; they must be finite and in order")
    if signal.bounds is not None:
        low, high = max(low, signal.bounds.low), min(high, signal.bounds.high)
        if low > high:
            raise UsageError(f"no sample of type {signal.dtype} lies within the bounds")
    return signal._replace(bounds=Bounds(low, high))


def _plan(
    chain: _Chain,
    slot: Slot,
    algorithm: str | None,
    backend: Backend,
    why: str,
    threads: int,
) -> Plan:
    """The plan for a backend; ``slot`` is that of the first step."""
    slot = slot._replace(on_gpu=backend.on_gpu, loops=loops())
    steps = _steps(chain, slot, algorithm)
    size, dtype, target = slot.shape, slot.signal.dtype, slot.target
    last = steps[-1].shape_out
    return Plan(size, last, dtype, target, steps, slot.range, backend, why, threads, slot.loops)


def _steps(chain: _Chain, first: Slot, algorithm: str | None) -> tuple[Step, ...]:
    """The steps, in float32 where its rounding stays below half a level, else in float64."""
    dtype, target = first.signal.dtype, first.target
    levels = 0.0
    if target in LIMITS:
        levels = 1.0 if first.raster else full_scale(target) / first.white
    found: list[Step] = []
    for precision in ("float32", "float64"):
        if precision == "float32" and _needs_float64(first):
            continue
        slot, found = first._replace(precision=precision), []
        for number, (kernel, operation) in enumerate(chain):
            last = number == len(chain) - 1
            problem, signal = operation.problem(
                kernel,
                slot._replace(
                    range=slot.range if last or slot.range == "auto" else "clip",
                    target=target if last else "",
                ),
            )
            found.append(choose(problem, operation.algorithms, algorithm))
            slot = slot._replace(shape=problem.shape_out, signal=signal)
        if slot.signal.error * levels < 0.45:
            return tuple(found)
    if dtype in LIMITS and "64" in dtype + target:
        raise UsageError(_too_large(chain, found, dtype, slot.signal.error))
    return tuple(found)


def _needs_float64(slot: Slot) -> bool:
    """Whether float32 is not even tried for sums that are not exact."""
    dtype, target = slot.signal.dtype, slot.target
    unknown = slot.raster and slot.signal.bounds is None and target in LIMITS
    precise = slot.precision == "float64" or unknown
    return precise or any(name == "float64" or name in WIDE for name in (dtype, target))


def _too_large(chain: _Chain, steps: Sequence[Step], dtype: str, error: float) -> str:
    """Why float64 cannot hold what a chain makes of 64-bit integers: sums, and at most differences."""
    sums = [getattr(kernel, "operation", CORRELATE) == CORRELATE for kernel, _ in chain]
    largest = max(
        (step.values or 0.0) * (float(np.abs(step.weights).sum(axis=(-2, -1)).max()) if adds else 2)
        for step, adds in zip(steps, sums, strict=True)
    )
    limit = min(2.0**53, 0.45 * largest / error)
    return (
        f"{'sums' if any(sums) else 'results'} of {dtype} samples may reach {largest:.4g}, and "
        f"float64, which holds them, is exact up to {limit:.4g} here; --depth float64 takes them "
        "as they come"
    )


def _known(what: str, name: str, allowed: Sequence[str]) -> str:
    if name not in allowed:
        raise UsageError(f"{what} {name!r} is not known; allowed: {', '.join(allowed)}")
    return name
