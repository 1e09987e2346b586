"""Openings, closings, top hats, gradients: several erosions and dilations of one input, as one step.

Each inner step sees the border of what it reads, so that ``open`` is what ``erode`` and ``dilate``
give one after the other. Steps before the last keep size and type; the stride and the padding are
the last one's, and a top hat compares it with the samples that stand where it stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from convcli.arithmetic.window import Window
from convcli.engine.algorithms import choose
from convcli.engine.algorithms.gpu_picks import why_cpu_only, why_not_of
from convcli.engine.algorithms.in_turn import IN_TURN, InTurn, Turn
from convcli.engine.morphology import MORPHOLOGY, extrema
from convcli.engine.numerics import EPS32, EPS64, LIMITS, Bounds, exact_type
from convcli.engine.picks import Picks
from convcli.engine.requantize import Requantize
from convcli.engine.step import Problem, Signal, Slot
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import has_heights

__all__ = ["OPERATION", "RECIPES", "Composite", "Recipe"]


class Recipe(NamedTuple):
    """What is done in turn, and which of it is taken from which.

    Value 0 is the input; value ``n`` is what the ``n``-th of ``turns`` makes of the value that it
    names. ``difference`` names two values, or is empty: the last value is the result.
    """

    turns: tuple[tuple[str, int], ...]
    difference: tuple[int, ...] = ()


RECIPES = {
    "open": Recipe((("erode", 0), ("dilate", 1))),
    "close": Recipe((("dilate", 0), ("erode", 1))),
    "tophat": Recipe((("erode", 0), ("dilate", 1)), (0, 2)),
    "blackhat": Recipe((("dilate", 0), ("erode", 1)), (2, 0)),
    "gradient": Recipe((("dilate", 0), ("erode", 0)), (1, 2)),
    "range": Recipe((("largest", 0), ("erode", 0)), (1, 2)),
}


class Composite:
    """Which of :data:`RECIPES`, the kernel's operation says."""

    algorithms = (IN_TURN,)

    def cpu_only(self, problem: Problem) -> str:
        """A GPU does what it can do each turn of."""
        turns = cast(InTurn, problem).turns
        whys = (why_cpu_only(cast(Picks, turn.step.method.problem)) for turn in turns)
        return next(filter(None, whys), why_not_of(problem.dtype, problem.requantize.out_dtype))

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        recipe = RECIPES[kernel.operation]
        read = {source for _, source in recipe.turns}
        places, turns = [slot], []
        for number, (kind, source) in enumerate(recipe.turns, 1):
            at = places[source]
            at = at._replace(padding="same", stride=1) if number in read else at
            keep = bool(recipe.difference) or number in read
            problem, signal = extrema(kernel, at, kind, keep=keep)
            turns.append(Turn(choose(problem, MORPHOLOGY), source))
            kept = signal._replace(dtype=problem.requantize.out_dtype)
            places.append(slot._replace(shape=problem.shape_out, signal=kept))
        centre = _centre(problem, mirrored=recipe.turns[-1][0] == "dilate")
        around = slot.windows(kernel) if kernel.operation == "range" else _around(centre, problem)
        if not recipe.difference:
            return _in_turn(kernel, slot, turns, (), around, problem), signal
        pair = recipe.difference
        if 0 in pair:
            one = Kernel([[1.0]], name=kernel.name)
            problem, _ = extrema(one, slot, "erode", keep=True, windows=centre)
            turns.append(Turn(choose(problem, MORPHOLOGY), 0))
            pair = tuple(n or len(turns) for n in pair)
        return _difference(kernel, slot, turns, pair, around)


OPERATION = Composite()


def _difference(
    kernel: Kernel,
    slot: Slot,
    turns: list[Turn],
    pair: tuple[int, ...],
    windows: tuple[Window, Window],
) -> tuple[Problem, Signal]:
    """One of the values less another."""
    bounds, ordered = None, len(turns) == 2 and _share_a_cell(kernel, turns)
    if slot.bounds is not None:
        reach = slot.bounds.high - slot.bounds.low
        if has_heights(kernel):
            reach += 2 * slot.level * float(np.abs(kernel.weights).max())
        bounds = Bounds(0.0 if ordered else -reach, reach)
    whole = all(turns[n - 1].step.requantize.out_dtype in LIMITS for n in pair)
    sums = (whole and bounds and exact_type(bounds)) or slot.precision
    exact = sums != slot.precision
    requantize = slot.requantize(bounds and [bounds], accumulate=sums, exact=exact)
    if not whole and slot.border.is_missing:
        requantize = requantize.with_nan()
    draft = _Draft(turns[-1].step.weights, requantize, sums, exact, ordered)
    problem = _in_turn(kernel, slot, turns, pair, windows, draft)
    error = 2 * slot.signal.error
    most = slot.white if bounds is None else bounds.magnitude
    eps = EPS64 if sums == "float64" else EPS32
    if not exact and not (whole and most < 1 / eps):
        error += 4 * eps * most
    return problem, Signal(slot.precision, requantize.known(bounds and [bounds]), error)


def _share_a_cell(kernel: Kernel, turns: list[Turn]) -> bool:
    """Whether the largest and the smallest are of footprints that have a cell in common."""
    if has_heights(kernel):
        return False
    cells = []
    for step, _ in turns[:2]:
        starts = step.rows.before, step.cols.before
        gaps = step.rows.dilation, step.cols.dilation
        places = np.argwhere(step.weights[0]) * gaps - starts
        cells.append(set(map(tuple, places.tolist())))
    return not cells[0].isdisjoint(cells[1])


class _Draft(NamedTuple):
    """What a step takes over from its last turn, or from a difference."""

    weights: Any
    requantize: Requantize
    accumulate: str
    exact: bool
    ordered: bool = False


def _in_turn(
    kernel: Kernel,
    slot: Slot,
    turns: list[Turn],
    pair: tuple[int, ...],
    windows: tuple[Window, Window],
    last: Problem | _Draft,
) -> Problem:
    return InTurn(
        slot,
        kernel,
        last.requantize,
        weights=last.weights,
        windows=windows,
        accumulate=last.accumulate,
        exact=last.exact,
        turns=turns,
        difference=pair,
        ordered=getattr(last, "ordered", False),
    )


def _centre(last: Problem, *, mirrored: bool) -> tuple[Window, Window]:
    """Windows of one cell, which stand where the last step's results stand."""
    rows, cols = (
        _standing(window, 1, window.before - (window.effective_kernel - (not mirrored)) // 2)
        for window in (last.rows, last.cols)
    )
    return rows, cols


def _around(centre: tuple[Window, Window], last: Problem) -> tuple[Window, Window]:
    """Windows about the centre in which all cells lie that one erosion after another can read."""
    rows, cols = (
        _standing(
            window,
            2 * window.kernel_size - 1,
            one.before + window.effective_kernel - 1,
        )
        for one, window in zip(centre, (last.rows, last.cols), strict=True)
    )
    return rows, cols


def _standing(window: Window, taps: int, before: int) -> Window:
    """A window of so many taps at as many places as another."""
    span = (taps - 1) * window.dilation + 1
    after = (window.output - 1) * window.stride + span - window.size - before
    return Window(window.size, taps, window.stride, window.dilation, before, after)
