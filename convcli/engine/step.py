"""One step of a plan: what is to be computed, and the method that was chosen for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.borders import Border
from convcli.arithmetic.window import Window
from convcli.engine.axis_maps import AxisMap, Tap, TiledAxis, axis_map, taps_of
from convcli.engine.costs import CostEstimate
from convcli.engine.cpu.c_loops import NO_LOOPS, Loops
from convcli.engine.numerics import HALF, LIMITS, Bounds, full_scale
from convcli.engine.plane_windows import Padding2d, Windowed, windows
from convcli.engine.requantize import Requantize, make_requantize
from convcli.engine.weights import Factor, is_box
from convcli.kernels.kernel import Kernel
from convcli.records import NamedTuple

__all__ = [
    "CPU_ONLY",
    "Algorithm",
    "Maps",
    "Method",
    "Problem",
    "Signal",
    "Slot",
    "Step",
]

CPU_ONLY = "is done on the CPU only"
"""Said of what no GPU does."""

Maps = tuple[AxisMap, AxisMap]
"""Which cells of the input stand where, along the rows' axis and the columns'."""


class Signal(NamedTuple):
    """What is known of the values between two steps: type, bounds, rounding error so far."""

    dtype: str
    bounds: Bounds | None
    error: float


class Slot(NamedTuple):
    """The place of a step in its chain: all that an operation is told besides its kernel."""

    shape: tuple[int, int, int]
    signal: Signal
    white: float
    """Of the picture that the chain began with; nothing in a raster."""
    border: Border
    range: str
    target: str
    """Type of the output after the last step, else empty."""
    padding: Padding2d = "same"
    stride: int | Sequence[int] = 1
    dilation: int | Sequence[int] = 1
    flip: bool = False
    precision: str = "float32"
    """Floating-point type between the steps."""
    on_gpu: bool = False
    loops: Loops = NO_LOOPS
    raster: bool = False
    """Whether samples are values in units of their own, of which none is white."""
    relative: bool = False
    """Whether results have to be right beside the smallest weight, not beside the largest sum."""
    exacting: bool = False
    """Whether they have to be better than a picture's, in that way or another: a GPU's transforms,
    whose errors nobody bounds, are not good enough then."""

    @property
    def bounds(self) -> Bounds | None:
        """Of the samples that are read, the border's among them."""
        bounds = self.signal.bounds
        if bounds is None or not self.border.is_constant:
            return bounds
        return Bounds(min(bounds.low, self.border.value), max(bounds.high, self.border.value))

    @property
    def level(self) -> float:
        """What one of the levels of 0 to 255 comes to in the picture."""
        return 1.0 if self.raster else self.white / 255.0

    def fits(self, dtype: str) -> bool:
        """Whether a whole-number type holds what stands outside."""
        if not self.border.is_constant:
            return True
        low, high = LIMITS[dtype]
        outside = self.border.outside
        return low <= outside <= high and outside == int(outside)

    def windows(self, kernel: Windowed) -> tuple[Window, Window]:
        """Where the kernel stands along each axis."""
        return windows(kernel, self.shape[:2], self.padding, self.stride, self.dilation)

    def requantize(
        self,
        values: list[Bounds] | None,
        *,
        accumulate: str,
        exact: bool,
        combine: str = "none",
        scale: float = 1.0,
        bias: float = 0.0,
        absolute: bool = False,
    ) -> Requantize:
        """From a kernel's values, within these bounds for each member, to what the step writes.

        ``bias`` counts white as 255, or is in a raster's units; ``absolute`` says what the kernel
        would show by itself.
        """
        last = bool(self.target)
        late = self.range in ("stretch", "float")  # as they are, or mapped when all are known
        draft = Requantize(
            combine,
            scale,
            bias if self.raster else bias * self.white / 255.0,
            (absolute and self.range == "auto") or (self.range == "abs" and last),
            self._half if self.range == "offset" and last else 0.0,
            full_scale(self.target) / self.white if last and not (late or self.raster) else 1.0,
            self.target if last and self.range != "stretch" else self.precision,
        )
        return make_requantize(draft, values, accumulate, exact)

    @property
    def _half(self) -> float:
        if self.raster:
            return float((LIMITS[self.target][1] + 1) // 2)
        return HALF.get(self.white, 0.5)


def _without_cached(thing: object) -> dict[str, Any]:
    """What is sent to another process: what was computed on demand is computed there again."""
    return {
        name: value
        for name, value in vars(thing).items()
        if not isinstance(getattr(type(thing), name, None), cached_property)
    }


class Problem:
    """What a step computes, whichever algorithm does; nothing of it is changed any more.

    Parameters
    ----------
    slot
        Its place in the chain.
    kernel
        Gives the name, and the operation's own numbers, such as the percent of a rank.
    requantize
        From sums to samples.
    weights
        The kernel's, if they are no others. In correlation orientation, ``(P, kH, kW)`` or, for a bank, ``(C_out, C_in, kH, kW)``.
        Whole numbers where ``exact``; the factor taken out is part of ``requantize.scale``.
    windows
        Along the rows' axis and the columns': the kernel's at its place by default.
    channels
        Of the output; the input's by default.
    accumulate
        Type of the sums: ``int16``, ``uint16``, ``float32`` or ``float64``; the place's by default.
    exact
        Whether every sum is exact.
    tolerance
        Sum of absolute weights that an approximation may leave out.

    Attributes
    ----------
    border
        Its value is in native units of the picture.
    dtype
        Of the input's samples.
    values
        Largest absolute input, or ``None`` if any can occur.
    on_gpu, loops
        What will run it; ``loops`` also where a GPU hands over to the CPU.
    raster, relative, exacting
        As in :class:`Slot`.
    is_sum
        Whether weights times samples are added, and nothing else.
    """

    is_sum = False

    def __init__(
        self,
        slot: Slot,
        kernel: Kernel,
        requantize: Requantize,
        *,
        weights: NDArray[np.float64] | None = None,
        windows: tuple[Window, Window] | None = None,
        channels: int | None = None,
        accumulate: str | None = None,
        exact: bool = False,
        tolerance: float = 0.0,
    ) -> None:
        weights = kernel.weights if weights is None else weights
        self.weights = weights[None] if weights.ndim == 2 else weights
        self.name, self.numbers, self.requantize = kernel.name, kernel.numbers, requantize
        self.rows, self.cols = windows or slot.windows(kernel)
        self.border, self.on_gpu, self.loops = slot.border, slot.on_gpu, slot.loops
        self.shape_in, self.dtype = slot.shape, slot.signal.dtype
        self.shape_out = self.rows.output, self.cols.output, channels or slot.shape[2]
        self.accumulate = accumulate or slot.precision
        self.exact, self.tolerance = exact, tolerance
        self.values = None if slot.bounds is None else slot.bounds.magnitude
        self.raster, self.relative, self.exacting = slot.raster, slot.relative, slot.exacting

    __getstate__ = _without_cached

    @property
    def is_bank(self) -> bool:
        """Whether the kernel mixes channels."""
        return self.weights.ndim == 4

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return self.weights.shape[-2], self.weights.shape[-1]

    @property
    def group(self) -> int:
        """Channels that stand side by side in a lane of the loops."""
        return 1 if self.is_bank else self.shape_in[2]

    @property
    def is_box(self) -> bool:
        """Whether all weights are equal, and those of one kernel for each channel."""
        return self.weights.ndim == 3 and len(self.weights) == 1 and is_box(self.weights[0])

    @property
    def on_bytes(self) -> bool:
        """Whether the compiled loops read bytes, and have what only bytes can be put through."""
        return self.loops.bytes and self.dtype == "uint8" and not self.on_gpu

    @cached_property
    def maps(self) -> Maps:
        """The whole picture's."""
        return axis_map(self.rows, self.border.mode), axis_map(self.cols, self.border.mode)

    def taps(self, weights: NDArray[np.float64], channel: int = 0) -> list[Tap]:
        """The weights of a plane that are not zero, as the loops see them."""
        return taps_of(weights, self.maps, self.group, channel)


class Method(ABC):
    """How a step is computed, with all numbers that this takes: an algorithm's offer.

    Parameters
    ----------
    estimate
        The algorithm's name, what it is predicted to cost, and a note.
    factors
        Per member of the stack, the separable terms; empty if it needs none.
    transform
        Type of its Fourier transforms; empty if it needs none.
    slides
        Whether a GPU that carries it out slides the sums of a box.
    """

    def __init__(
        self,
        problem: Problem,
        estimate: CostEstimate,
        *,
        factors: tuple[tuple[Factor, ...], ...] = (),
        transform: str = "",
        slides: bool = False,
    ) -> None:
        self.problem, self.estimate = problem, estimate
        self.factors, self.transform, self.slides = factors, transform, slides

    __getstate__ = _without_cached

    @property
    @abstractmethod
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile; they depend on the whole picture, not on a part of it."""

    @property
    def rows_apart(self) -> bool:
        """Whether a row of the output is the same, to the last bit, wherever it stands in its tile."""
        return False

    def axes(self, tile: tuple[int, int]) -> tuple[TiledAxis, TiledAxis]:
        """Rows and columns, to be looked up part by part in tiles of this size."""
        p, (rows, cols) = self.problem, self.problem.maps
        tall = 1 if self.rows_apart else tile[0]
        return TiledAxis(rows, p.rows, tall), TiledAxis(cols, p.cols, tile[1])

    @abstractmethod
    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        """Compute all of ``out`` on the CPU.

        Returns the number of samples outside the range, if they are counted. ``maps`` say which
        cells of ``x`` stand where; ``x`` and ``out`` may be parts of pictures.
        """


class Algorithm(Protocol):
    """A way to do some of an operation's problems."""

    name: str

    def offer(self, problem: Problem) -> Method | None:
        """How it would be done and what it would cost; nothing if it cannot be done so."""


class Step(Problem):
    """A problem with the method chosen for it, why, and the estimates that were weighed."""

    method: Method
    reason: str
    candidates: tuple[CostEstimate, ...]

    def __init__(self, method: Method, reason: str, candidates: tuple[CostEstimate, ...]) -> None:
        self.__dict__.update(_without_cached(method.problem))
        self.__dict__.update(method=method, reason=reason, candidates=candidates)

    @property
    def maps(self) -> Maps:
        """Those of the problem that the method solves: made once for both."""
        return self.method.problem.maps

    @cached_property
    def axes(self) -> tuple[TiledAxis, TiledAxis]:
        """Rows and columns, to be looked up part by part."""
        return self.method.axes(self.tile)

    @property
    def algorithm(self) -> str:
        """Its name, to be told."""
        return self.method.estimate.name

    @property
    def cost(self) -> float:
        """Predicted ns per output sample on one thread."""
        return self.method.estimate.cost

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the tiles that the output is cut into on the CPU."""
        rows, cols = self.method.tile
        return min(rows, self.shape_out[0]), min(cols, self.shape_out[1])

    @property
    def least_rows(self) -> int:
        """What the height of a part has to be a multiple of to have the bits of the whole."""
        return self.axes[0].tile
