"""The views of an operation, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from convcli.errors import UsageError
from convcli.show.draw.backward import gradient_scene
from convcli.show.draw.channel_gradients import gradients_scene
from convcli.show.draw.channel_matrix import channel_matrix_scene
from convcli.show.draw.channel_planes import channels_scene
from convcli.show.draw.channel_stamps import stamps_scene
from convcli.show.draw.matrix_view import matrix_scene
from convcli.show.draw.operation import NAMES, Operation
from convcli.show.draw.pointwise_view import pointwise_scene
from convcli.show.draw.scatter import scatter_scene
from convcli.show.draw.scene import Scene
from convcli.show.draw.sliding import sliding_scene

__all__ = ["VIEWS", "View", "build_scene"]

View = Literal["window", "gather", "scatter", "gradient", "matrix"]
VIEWS: tuple[View, ...] = get_args(View)

_ALLOWED: dict[str, tuple[View, ...]] = {
    "conv": ("window", "gradient", "matrix"),
    "conv_transpose": ("gather", "scatter", "gradient"),
    "maxpool": ("window", "gradient"),
    "avgpool": ("window", "gradient"),
}
_BUILDERS = {
    "window": sliding_scene,
    "gather": sliding_scene,
    "scatter": scatter_scene,
    "gradient": gradient_scene,
    "matrix": matrix_scene,
}

_OF_CHANNELS = {
    "window": channels_scene,
    "gather": channels_scene,
    "scatter": stamps_scene,
    "gradient": gradients_scene,
    "matrix": channel_matrix_scene,
}


def build_scene(operation: Operation, view: str = "") -> Scene:
    """The scene of an operation; without a view the first that it has.

    Raises
    ------
    UsageError
        If the operation has no such view.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> build_scene(plan_operation(Layer("maxpool", (2,)), (6,)), "scatter")
    Traceback (most recent call last):
    ...
    convcli.errors.UsageError: view 'scatter' is not one of Max pooling; it has window, gradient
    """
    allowed = _ALLOWED[operation.kind]
    if view and view not in allowed:
        raise UsageError(
            f"view {view!r} is not one of {NAMES[operation.kind]}; it has {', '.join(allowed)}"
        )
    scene = _built(operation, view or allowed[0])
    return scene if operation.border.is_zeros else replace(scene, border=str(operation.border))


def _built(operation: Operation, chosen: View) -> Scene:
    if not operation.has_channels:
        return _BUILDERS[chosen](operation)
    mixes = operation.is_pointwise and chosen == "window"
    return pointwise_scene(operation) if mixes else _OF_CHANNELS[chosen](operation)
