"""The operation that is drawn: its windows, and its numbers if there are any."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from convcli.arithmetic.layer import AnyWindow, Layer, LayerKind
from convcli.arithmetic.sizes import cross, show_padding
from convcli.errors import ShapeError, UsageError

__all__ = ["MAX_LENGTH", "MAX_SIDE", "NAMES", "Operation", "plan_operation", "plane"]

Array = np.ndarray[Any, Any]

MAX_SIDE, MAX_LENGTH = 32, 64
"""Most cells of a side of a picture and of a sequence: more could not be read."""

NAMES: dict[LayerKind, str] = {
    "conv": "Convolution",
    "conv_transpose": "Transposed convolution",
    "maxpool": "Max pooling",
    "avgpool": "Average pooling",
}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One layer on one channel of one or two axes, everything resolved.

    ``x`` and ``w`` are the operands as given, without channels, and ``y`` what the operations
    of :mod:`convcli.ops` make of them; None where only sizes are known.
    """

    kind: LayerKind
    windows: tuple[AnyWindow, ...]
    flip: bool = False
    x: Array | None = None
    w: Array | None = None
    y: Array | None = None

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spatial size of the output."""
        return tuple(window.output for window in self.windows)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Spatial size of the input."""
        return tuple(window.size for window in self.windows)

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the kernel."""
        return tuple(window.kernel_size for window in self.windows)

    @property
    def title(self) -> str:
        """What it is called."""
        return NAMES[self.kind] + (", kernel flipped" if self.flip else "")

    @property
    def subtitle(self) -> str:
        """Its sizes, as in ``input 5x5, kernel 3x3, stride 2 -> output 2x2``."""
        words = [f"input {cross(self.sizes)}"]
        words.append(f"{'window' if 'pool' in self.kind else 'kernel'} {cross(self.kernel)}")
        words.append(f"stride {_brief([w.stride for w in self.windows])}")
        pads = [show_padding(w.before, w.after) for w in self.windows]
        if any(pad != "0" for pad in pads):
            words.append(f"padding {_brief(pads)}")
        if any(w.dilation != 1 for w in self.windows):
            words.append(f"dilation {_brief([w.dilation for w in self.windows])}")
        extras = [getattr(w, "output_padding", 0) for w in self.windows]
        if any(extras):
            words.append(f"output padding {_brief(extras)}")
        return f"{', '.join(words)} -> output {cross(self.outputs)}"


def plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns; a sequence is one row.

    >>> plane((7,)), plane((2, 3))
    ((1, 7), (2, 3))
    """
    return (1 if len(sizes) == 1 else sizes[0]), sizes[-1]


def _brief(values: list[Any]) -> str:
    return str(values[0]) if len({*values}) == 1 else cross(values)


def plan_operation(
    layer: Layer, spatial: tuple[int, ...], *, x: Any = None, w: Any = None, flip: bool = False
) -> Operation:
    """Resolve a layer on an input of a size, and compute its output if there are numbers.

    Raises
    ------
    ShapeError
        If the sizes do not fit, or are too large to be drawn.

    >>> operation = plan_operation(Layer("conv", (3,)), (4,), x=np.arange(4), w=np.array([1, 0, 2]))
    >>> operation.y, operation.subtitle
    (array([4, 7]), 'input 4, kernel 3, stride 1 -> output 2')
    """
    if len(spatial) not in (1, 2):
        raise ShapeError(f"size {cross(spatial)} has {len(spatial)} axes; 1 or 2 can be drawn")
    windows = layer.windows(spatial)
    if flip and layer.kind != "conv":
        raise UsageError("--flip is for a convolution; a transposed one turns the kernel itself")
    for window in windows:
        _check_drawable(window, len(windows))
    y = None if x is None else _compute(layer, windows, x, w, flip)
    return Operation(layer.kind, windows, flip, x, w, y)


def _check_drawable(window: AnyWindow, rank: int) -> None:
    most = MAX_LENGTH if rank == 1 else MAX_SIDE
    cells = max(window.output, getattr(window, "full", 0) or getattr(window, "padded", 0))
    if cells > most:
        raise ShapeError(
            f"{cells} cells along one axis are too many to be read in a drawing; at most {most} "
            "are drawn. convcli shape works out any size"
        )


def _compute(layer: Layer, windows: tuple[AnyWindow, ...], x: Array, w: Any, flip: bool) -> Array:
    options: dict[str, Any] = {
        "stride": [window.stride for window in windows],
        "padding": [(window.before, window.after) for window in windows],
        "dilation": [window.dilation for window in windows],
    }
    kernel = [window.kernel_size for window in windows]
    result: Array
    if layer.is_pool:
        from convcli.ops.avg_pooling import avg_pool
        from convcli.ops.max_pooling import max_pool

        pool: Any = max_pool if layer.kind == "maxpool" else avg_pool
        result = pool(x, kernel, ceil_mode=layer.ceil_mode, dims=len(windows), **options)
    elif layer.kind == "conv":
        from convcli.ops.conv import conv

        result = conv(x, w, flip=flip, dims=len(windows), **options)
    else:
        from convcli.ops.conv import conv_transpose

        extras = [getattr(window, "output_padding", 0) for window in windows]
        result = conv_transpose(x, w, output_padding=extras, dims=len(windows), **options)
    assert result.size == prod(window.output for window in windows)
    return result
