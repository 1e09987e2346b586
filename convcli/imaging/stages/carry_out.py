"""Plans carried out on a region of their output: the one place where stages meet the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from convcli.engine.dispatch import Values, filtered_values
from convcli.imaging.source import Pixels
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.plan import Plan
    from convcli.engine.regions import Ranges

__all__ = ["Counts", "SampleCounts", "chain_on", "is_whole", "step_on", "whole_of"]


class SampleCounts(NamedTuple):
    """Samples of colour that were made; how many of them lay outside the range, are missing, or
    were moved to the next value since theirs stands for missing ones."""

    samples: int = 0
    clipped: int = 0
    missing: int = 0
    moved: int = 0


class Counts:
    """What is counted while stages work, perhaps on several threads."""

    def __init__(self) -> None:
        self._made: list[SampleCounts] = []  # appending is one step for every thread
        self.notes: list[str] = []
        self.taken_over = ""
        """Why the CPU did what was planned for a GPU; empty where it did not."""

    def add(self, tally: SampleCounts, *notes: str) -> None:
        """Count what was made; note what the user should know of it."""
        self._made.append(tally)
        self._note(*notes)

    def by_cpu(self, why: str) -> None:
        """Note that the CPU takes over from a GPU, if there is a reason ``why``."""
        self._note(why)
        self.taken_over = self.taken_over or why

    def _note(self, *notes: str) -> None:
        self.notes += [note for note in notes if note and note not in self.notes]

    def clear(self) -> None:
        """Count from nothing."""
        self._made.clear()
        self.taken_over = ""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Forget what is counted meanwhile: it will be made again."""
        made = self._made.copy()
        yield
        self._made[:] = made

    @property
    def total(self) -> SampleCounts:
        """Of all that was made: asked after each frame, so what was added up is not again."""
        made = self._made.copy()
        total = SampleCounts(*map(sum, zip(*made, strict=True)))
        self._made[: len(made)] = [total]
        return total


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
        made = filtered_values(plan, x)
    else:
        from convcli.engine.regions import run_plan

        made = Values(*run_plan(plan, read, want))
    if counts is not None:
        counts.add(SampleCounts(made.samples.size, made.clipped), made.note)
        counts.by_cpu(made.taken_over)
    return made.samples


def step_on(
    plan: Plan, x: Pixels, have: Ranges, want: Ranges, counts: Counts | None = None
) -> Pixels:
    """Outputs ``want`` of a plan of one step, from the cutout ``have`` of its input.

    Of a plan for a GPU the cutout lies there, and so do the outputs.
    """
    if plan.backend.on_gpu:
        from convcli.engine.gpu.resident import run_part

        values, clipped = run_part(plan, x, have, want, count=counts is not None)
        if counts is not None:
            counts.add(SampleCounts(values.size, clipped))
        return values
    x = np.ascontiguousarray(x)
    if is_whole(want, plan.shape_out) and is_whole(have, plan.shape_in):
        return chain_on(plan, lambda _: x, want, counts)
    from convcli.engine.regions import run_step

    values, clipped = run_step(plan, plan.steps[0], x, have, want)
    if counts is not None:
        counts.add(SampleCounts(values.size, clipped))
    return values
