"""What a filter will do, resolved once: shapes, borders, types, algorithms, and why.

Backends carry a plan out and never interpret an option again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.backends import Work, backend_and_device, pick_backend, weigh
from convcli.engine.cpu.choice import loops
from convcli.engine.numerics import (
    FULL,
    Bounds,
    full_scale,
)
from convcli.engine.plane_windows import Padding2d, checked_shape
from convcli.engine.steps import Signal, Step, plan_step
from convcli.errors import UsageError
from convcli.kernels.kernel import Kernel
from convcli.system.machine import default_threads

__all__ = ["DTYPES", "RANGES", "Padding2d", "Plan", "Step", "plan_filter"]

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
OUT_DTYPES = ("uint8", "uint16", "float32", "float64")
RANGES = ("auto", "clip", "abs", "offset", "stretch", "float")


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
    if border.mode not in BORDERS:
        raise UsageError(f"border {border.mode!r} is not known; allowed: {', '.join(BORDERS)}")
    if border.mode != "constant":
        border = Border(border.mode)  # a value would mean nothing
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
            signal = Signal(dtype, Bounds(0.0, FULL[dtype]) if dtype in FULL else None, 0.0)
            for number, kernel in enumerate(kernels):
                step, signal = plan_step(
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


def _known(what: str, name: str, allowed: Sequence[str]) -> str:
    if name not in allowed:
        raise UsageError(f"{what} {name!r} is not known; allowed: {', '.join(allowed)}")
    return name
