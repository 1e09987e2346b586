"""The choice of algorithm for one step, by predicted cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.axis_maps import AxisMap, axis_map
from convcli.engine.costs import cost
from convcli.engine.cpu.box_mean import NONE, divides
from convcli.engine.cpu.compiled_loops import can_blur, can_box, can_flat
from convcli.engine.cpu.fft_sizes import efficiency
from convcli.engine.gpu.costs import gpu_cost
from convcli.engine.numerics import EPS32
from convcli.engine.weights import Factor, is_box, rank_factors, whole_factor
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.engine.cpu.pairs import Pairs
    from convcli.engine.plan import Step
    from convcli.engine.requantize import Finish

__all__ = ["ALGORITHMS", "Candidate", "Choice", "Problem", "choose", "work_of"]

ALGORITHMS = ("direct", "separable", "box", "fft")


class Candidate(NamedTuple):
    """An algorithm that could do the step; ``cost`` in predicted ns per output sample."""

    name: str
    cost: float
    note: str


class Choice(NamedTuple):
    """The algorithm taken, why, what it needs, and all that were weighed."""

    algorithm: str
    reason: str
    candidates: tuple[Candidate, ...]
    factors: tuple[tuple[Factor, ...], ...] = ()
    transform: str = "float64"
    pairs: tuple[Pairs, Pairs] | tuple[()] = ()


class Problem(NamedTuple):
    """What the choice depends on.

    Parameters
    ----------
    weights
        ``(P, kH, kW)`` or ``(C_out, C_in, kH, kW)``.
    rows, cols, border_value
        The geometry.
    accumulate, exact
        Type of the sums, and whether each is exact.
    backend, loops
        What will run it: ``numpy`` or ``cupy``; ``compiled`` or ``numpy``.
    tolerance
        Sum of absolute weights that an approximation may leave out.
    values
        Largest input, or ``None`` if any can occur.
    finish
        What follows the sums, if compiled loops filter bytes.
    """

    weights: NDArray[np.float64]
    rows: Window
    cols: Window
    border_value: float
    accumulate: str
    exact: bool
    backend: str
    loops: str
    tolerance: float
    values: float | None
    finish: Finish | None

    @property
    def is_bank(self) -> bool:
        """Whether channels are mixed."""
        return self.weights.ndim == 4

    @property
    def is_box(self) -> bool:
        """Whether all weights are equal, and those of one kernel for each channel."""
        return self.weights.ndim == 3 and len(self.weights) == 1 and is_box(self.weights[0])


def choose(problem: Problem, forced: str | None = None) -> Choice:
    """Weigh the algorithms for one step and take the cheapest, or the one asked for.

    Raises
    ------
    UsageError
        If the algorithm asked for is unknown or cannot do this step.
    """
    if forced is not None and forced not in ALGORITHMS:
        raise UsageError(f"algorithm {forced!r} is not known; allowed: {', '.join(ALGORITHMS)}")
    p = problem
    found = []

    def offer(
        name: str, work: float, note: str, kind: str = "", loops: str = "", row: str = ""
    ) -> None:
        if p.backend == "cupy":
            price = gpu_cost(name, kind or p.accumulate, work)
        else:
            price = round(cost(loops or p.loops, row or name, kind or p.accumulate, work), 3)
        found.append(Candidate(name, price, note))

    taps = int(np.count_nonzero(p.weights))
    note = f"{taps} tap{'s' * (taps != 1)}"
    if _divides(p):
        offer("direct", float(sum(p.weights.shape[1:])), note, row="flat")
    else:
        offer("direct", _passes(p.weights, p.loops), note)
    factors = () if p.is_bank else _separate(p.weights, p.exact, p.tolerance)
    pairs: tuple[Pairs, Pairs] | tuple[()] = ()
    if factors:
        terms = [term for member in factors for term in member]
        lines = sum(int(np.count_nonzero(line)) for term in terms for line in term)
        note = f"{lines} taps in {len(terms)} column{'s' * (len(terms) != 1)} and row"
        note += "s" * (len(terms) != 1)
        pairs = _blurs(p, factors)
        if pairs:
            offer("separable", _pair_passes(pairs), f"{note}, in 16 bits", row="blur")
        else:
            offer("separable", _line_passes(terms, p.loops), note)
    if p.backend != "cupy" and p.is_box:
        if p.exact and can_box(p.rows, p.cols, p.border_value):
            offer("box", 0.0, "running sums", row="running")
        else:
            passes = sum(_box_passes(k) for k in p.weights.shape[1:])
            offer("box", passes, f"{passes} additions by doubling", loops="numpy")
    transform = _transform(p.weights, p.accumulate, p.exact, p.values)
    if transform is not None:
        offer("fft", _fft_work(p), f"{transform} transforms", transform)
    if forced is None:
        best = min(found, key=lambda c: c.cost)
        reason = f"{best.note}: the least predicted cost"
        return _taken(best, reason, found, factors, transform, pairs)
    match = [c for c in found if c.name == forced]
    if not match:
        raise UsageError(
            f"algorithm {forced!r} cannot do this kernel within the promised accuracy; "
            f"possible: {', '.join(c.name for c in found)}"
        )
    return _taken(match[0], f"{match[0].note}: asked for", found, factors, transform, pairs)


def work_of(step: Step, loops: str) -> float:
    """Units of work of a planned step, as in the cost table."""
    if step.algorithm == "direct":
        return _passes(step.weights, loops)
    if step.pairs and loops == "compiled":
        return _pair_passes(step.pairs)
    if step.algorithm == "separable":
        return _line_passes([term for member in step.factors for term in member], loops)
    if step.algorithm == "box":
        return float(sum(_box_passes(k) for k in step.kernel_size))
    return _transformed_samples(step.weights, step.rows, step.cols)


def _taken(
    best: Candidate,
    reason: str,
    found: list[Candidate],
    factors: tuple[tuple[Factor, ...], ...],
    transform: str | None,
    pairs: tuple[Pairs, Pairs] | tuple[()],
) -> Choice:
    if best.name != "separable":
        factors = pairs = ()
    return Choice(best.name, reason, tuple(found), factors, transform or "float64", pairs)


def _divides(p: Problem) -> bool:
    """Whether compiled loops make the means of a box in 16 bits, columns first."""
    if p.finish is None or not p.is_box or not can_flat(p.rows, p.cols, p.border_value):
        return False
    return divides(p.weights, p.finish, p.accumulate, p.exact, "uint8") != NONE


def _blurs(p: Problem, factors: tuple[tuple[Factor, ...], ...]) -> tuple[Pairs, Pairs] | tuple[()]:
    """The pairs of a blur that compiled loops do in 16 bits."""
    if p.finish is None or p.accumulate != "float32" or p.exact or len(factors) != 1:
        return ()
    from convcli.engine.cpu.pairs import blurs

    return blurs(factors[0], p.finish) if can_blur(p.rows, p.cols, p.border_value) else ()


def _passes(weights: NDArray[np.float64], loops: str) -> float:
    """Taps per output sample; for NumPy, with a multiplication per distinct weight."""
    outputs = weights.shape[0] if weights.ndim == 4 else 1
    taps = float(np.count_nonzero(weights))
    if loops == "numpy":
        taps += sum(len(set(np.abs(member[member != 0]).ravel()) - {1.0}) for member in weights)
    return taps / outputs


def _line_passes(terms: list[Factor], loops: str) -> float:
    return sum(_passes(line[None, None], loops) for term in terms for line in term)


def _pair_passes(pairs: tuple[Pairs, Pairs] | tuple[()]) -> float:
    return float(sum(len(line) for line in pairs))


def _box_passes(taps: int) -> int:
    return taps.bit_length() + taps.bit_count()


def _fft_work(p: Problem) -> float:
    return _transformed_samples(p.weights, p.rows, p.cols)


def _transformed_samples(weights: NDArray[np.float64], rows: Window, cols: Window) -> float:
    """Samples transformed, there or back, per output sample."""
    share = 1.0
    for window in (rows, cols):
        line: AxisMap = axis_map(window, "edge")
        span = (window.kernel_size - 1) * line.dilation + 1
        dense = (window.output - 1) * line.stride + 1
        share *= efficiency(span, dense) * window.output / dense
    if weights.ndim == 4:
        transforms = 1.0 + weights.shape[1] / weights.shape[0]
    else:
        transforms = 1.0 + weights.shape[0]
    return float(transforms / share)


def _separate(
    weights: NDArray[np.float64], exact: bool, tolerance: float
) -> tuple[tuple[Factor, ...], ...]:
    """Separable terms of every member, or nothing where that saves no taps."""
    members: list[tuple[Factor, ...]] = []
    for member in weights:
        height, width = member.shape
        if height == 1 or width == 1:
            return ()
        if exact:
            pair = whole_factor(member)
            if pair is None:
                return ()
            members.append((pair,))
            continue
        worth = int(np.count_nonzero(member)) // (height + width)
        terms = rank_factors(member, tolerance, max(worth, 1))
        if terms is None:
            return ()
        members.append(terms)
    return tuple(members)


def _transform(
    weights: NDArray[np.float64], accumulate: str, exact: bool, values: float | None
) -> str | None:
    """Type of the transforms that keeps the promise, if one does.

    A float32 transform rounds relative to the whole tile, so only bounded pictures go through
    one. Exact sums are whole numbers, found again by rounding while the error is below 1/4.
    """
    if values is None:
        return "float64"
    error = 0.0
    for member in weights:
        spread = float(np.sqrt((member**2).sum())) * 2 + float(np.abs(member).sum())
        error = max(error, 8 * EPS32 * values * spread)
    if exact:
        return "float32" if error < 0.25 else "float64" if error < 2.0**25 else None
    return "float32" if accumulate == "float32" else "float64"
