"""What surveys have found of a frame, and how the chain goes on with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcli.imaging.source import Plane
from convcli.imaging.stages.plans import Plans
from convcli.kernels.kernel import Kernel
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.imaging.stages.surveys import Answer, Survey

__all__ = ["OTSU", "LevelsFound", "levels_so_far"]

OTSU = "otsu"


class LevelsFound(NamedTuple):
    """Of the answers that there are: the chain with its levels in it, and what is left of them."""

    plans: Plans
    levels: tuple[float, ...]
    """Of the kernels that look for one, in levels of 255 or, in a raster, in its own unit."""
    survey: Survey | None
    """What is to be asked next; None if all levels are known."""
    rest: tuple[Answer, ...]


def levels_so_far(
    plans: Plans, plane: Plane, name: str, answers: Sequence[Answer], *, simple: bool
) -> LevelsFound:
    """Put the levels that are known into the chain, up to the first that is not."""
    rest, levels = list(answers), list[float]()
    if not any(kernel.operation == OTSU for kernel in plans.chain):
        return LevelsFound(plans, (), None, tuple(rest))
    from convcli.imaging.stages.chain_layers import seen_by
    from convcli.imaging.stages.surveys import Ends, Histogram, level_of

    for number, kernel in enumerate(plans.chain):
        if kernel.operation != OTSU:
            continue
        seen = seen_by(number, plane, plans, name, simple=simple)
        ends, level = None, None
        if seen.dtype.kind == "f":
            if not rest:
                return LevelsFound(plans, tuple(levels), Ends(seen), ())
            ends = rest.pop(0)
            level = level_of(ends)
        if level is None:
            if not rest:
                return LevelsFound(plans, tuple(levels), Histogram(seen, ends), ())
            level = rest.pop(0)
        samples = seen.dtype == plane.dtype and number == 0
        unit = 1 / 255 if plans.in_colours and not samples else plans.unit
        levels.append(level / unit)
        own = plans.as_value(level) if samples else level
        plans = plans.with_kernel(number, _at(kernel, levels[-1], own))
    return LevelsFound(plans, tuple(levels), None, tuple(rest))


def _at(kernel: Kernel, level: float, own: float) -> Kernel:
    """The threshold at a level, which is ``own`` among the values that it is to part."""
    return kernel.replace(operation="threshold", numbers=(level, own), name=f"threshold:{level:g}")
