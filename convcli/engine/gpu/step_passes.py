"""Which kernels of our own carry out a step, whatever its operation."""

from __future__ import annotations

from convcli.engine.algorithms.in_turn import InTurn
from convcli.engine.gpu.kernel_pass import Pass
from convcli.engine.gpu.passes import passes_of
from convcli.engine.gpu.pick_passes import pick_passes
from convcli.engine.picks import Picks
from convcli.engine.rank_problem import RankProblem
from convcli.engine.step import Step

__all__ = ["parts_of", "step_passes"]


def parts_of(step: Step) -> tuple[Step, ...]:
    """What a step does one after the other; mostly itself alone."""
    problem = step.method.problem
    return tuple(t.step for t in problem.turns) if isinstance(problem, InTurn) else (step,)


def step_passes(step: Step, dtype: str, matrices: bool = True) -> tuple[Pass, ...] | None:
    """Passes for a step on a picture of this type, or ``None`` if array operations do it better.

    The first may want the picture in another type. ``matrices`` says whether the device multiplies
    matrices of bytes.
    """
    problem = step.method.problem
    if isinstance(problem, RankProblem | Picks):
        return pick_passes(problem)
    return passes_of(step, dtype, matrices)
