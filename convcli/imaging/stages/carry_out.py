"""Plans carried out on a region of their output: the one place where stages meet the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.dispatch import filtered_values
from convcli.imaging.source import Pixels

if TYPE_CHECKING:
    from convcli.engine.plan import Plan
    from convcli.engine.regions import Ranges

__all__ = ["Counts", "chain_on", "is_whole", "step_on", "whole_of"]


class Counts:
    """What is counted while stages work, perhaps on several threads."""

    def __init__(self) -> None:
        self._made: list[tuple[int, int]] = []  # appending is one step for every thread
        self.notes: list[str] = []

    def add(self, samples: int, clipped: int, *notes: str) -> None:
        """Count samples of the result, and how many of them lay outside the range; note why."""
        self._made.append((samples, clipped))
        self.notes += [note for note in notes if note and note not in self.notes]

    def clear(self) -> None:
        """Count from nothing."""
        self._made.clear()

    @property
    def samples(self) -> int:
        """Samples of colour that were made."""
        return sum(samples for samples, _ in self._made)

    @property
    def clipped(self) -> int:
        """How many of them lay outside the range."""
        return sum(clipped for _, clipped in self._made)


def whole_of(shape: tuple[int, ...]) -> Ranges:
    """The region that covers a picture of ``shape`` ``(H, W, ...)``.

    >>> whole_of((4, 5, 3))
    (((0, 4),), ((0, 5),))
    """
    return ((0, shape[0]),), ((0, shape[1]),)


def is_whole(want: Ranges, shape: tuple[int, ...]) -> bool:
    """Whether a region covers a picture."""
    return want == whole_of(shape)


def chain_on(
    plan: Plan, read: Callable[[Ranges], Pixels], want: Ranges, counts: Counts | None = None
) -> Pixels:
    """Outputs ``want`` of a chain whose input is read as it is needed; ``stretch`` is left out.

    The whole is done on the backend of the plan, regions on the CPU, to the same bits.
    """
    if is_whole(want, plan.shape_out):
        x = np.ascontiguousarray(read(whole_of(plan.shape_in)))
        values, clipped, note = filtered_values(plan, x)
    else:
        from convcli.engine.regions import run_plan

        (values, clipped), note = run_plan(plan, read, want), ""
    if counts is not None:
        counts.add(values.size, clipped, note)
    return values


def step_on(
    plan: Plan, x: Pixels, have: Ranges, want: Ranges, counts: Counts | None = None
) -> Pixels:
    """Outputs ``want`` of a plan of one step, from the cutout ``have`` of its input."""
    x = np.ascontiguousarray(x)
    if is_whole(want, plan.shape_out) and is_whole(have, plan.shape_in):
        return chain_on(plan, lambda _: x, want, counts)
    from convcli.engine.regions import run_step

    values, clipped = run_step(plan, plan.steps[0], x, have, want)
    if counts is not None:
        counts.add(values.size, clipped)
    return values
