"""The layers of a chain, one stage for each kernel, and what a kernel of it sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import visible
from convcli.imaging.stages.carry_out import chain_on
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.surveys import Seen
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges
    from convcli.imaging.stages.float_layers import LayerStage

__all__ = ["layers_of", "seen_by"]


def layers_of(plane: Plane, plans: Plans, name: str) -> LayerStage:
    """What the last kernel of a chain makes, before it becomes samples."""
    from convcli.imaging.stages.light import AsColours

    *_, (layers, _) = _stages(plane, plans, name)
    if plans.in_colours:
        return AsColours(layers, plans)
    if plans.chain and hasattr(layers, "ends"):
        layers.ends()
    return layers


def _stages(plane: Plane, plans: Plans, name: str) -> Iterator[tuple[LayerStage, np.dtype[Any]]]:
    """The layers before each kernel and behind the last, and the type of their samples.

    Colours are in the light that was asked for, weighted by alpha; values may be missing.
    """
    from convcli.imaging.stages.edges import EdgeStage
    from convcli.imaging.stages.nonlinear import Nonlinear

    def of_values(kernel: Kernel) -> type[EdgeStage | Nonlinear]:
        return EdgeStage if facts_of(kernel).whole else Nonlinear

    steps = zip(plans.chain, plans.chained(plane.shape[:2]).steps, strict=True)
    layers: Any
    if plans.in_colours:
        from convcli.imaging.stages.light import AsFloats
        from convcli.imaging.stages.weighted import Weighted

        layers = AsFloats(plane, plans, name)
        yield layers, plans.float_dtype
        for kernel, step in steps:
            if kernel.is_correlation:
                layers = Weighted(layers, kernel, step, plans)
            else:
                layers = of_values(kernel)(layers, kernel, step, plans, plans.float_dtype)
            yield layers, plans.float_dtype
        return
    from convcli.imaging.stages.normalized import Known, Normalized

    layers, dtype = Known(plane, plans, name), plane.dtype
    yield layers, dtype
    for kernel, step in steps:
        one = Normalized if kernel.is_correlation else of_values(kernel)
        layers = one(layers, kernel, step, plans, dtype)
        dtype = layers.dtype
        yield layers, dtype


def seen_by(number: int, plane: Plane, plans: Plans, name: str, *, simple: bool) -> Seen:
    """The values before a kernel, and which count: what is missing or transparent does not.

    Before the first they are the samples themselves, unless they become light.
    """
    if number == 0 and (simple or (plans.weighs and not plans.in_light)):
        return Seen(plane.shape, plane.dtype, lambda want: _colours(plane, plans, want))
    plan = plans.chained(plane.shape[:2])
    if simple:
        steps = plan.steps[:number]
        inner = plan._replace(steps=steps, shape_out=steps[-1].shape_out)
        dtype = np.dtype(steps[-1].requantize.out_dtype)

        def colours(have: Ranges) -> Pixels:
            return np.ascontiguousarray(_colours(plane, plans, have)[0])

        def read(want: Ranges) -> tuple[Pixels, None]:
            return chain_on(inner, colours, want), None

        return Seen(inner.shape_out, dtype, read)
    stages = _stages(plane, plans, name)
    for _ in range(number + 1):
        layers, dtype = next(stages)

    def among(want: Ranges) -> tuple[Pixels, Any]:
        x, alpha, _, there = layers.read(want)
        if plans.weighs and alpha is not None:
            return x, visible(alpha)
        return x, None if there is None else there != 0

    return Seen(plan.steps[number].shape_in, dtype, among)


def _colours(plane: Plane, plans: Plans, want: Ranges) -> tuple[Pixels, Any]:
    colours, alpha = plans.split(plane.read(want))
    return colours, None if alpha is None else visible(alpha)
