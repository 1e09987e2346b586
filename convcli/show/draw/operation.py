"""The operation that is drawn: its windows, and its numbers if there are any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.arithmetic.borders import ZEROS, Border
from convcli.arithmetic.layer import AnyWindow, Layer, LayerKind, check_channels
from convcli.arithmetic.sizes import cross, show_padding
from convcli.errors import ShapeError, UsageError

__all__ = [
    "MAX_CHANNELS",
    "MAX_LENGTH",
    "MAX_SIDE",
    "NAMES",
    "Operation",
    "plan_operation",
    "plane",
]

Array = np.ndarray[Any, Any]

MAX_SIDE, MAX_LENGTH = 36, 64
"""Most cells of a side of a picture and of a sequence: more could not be read."""

MAX_CHANNELS = 4
"""Most channels that go in, and that come out."""

NAMES: dict[LayerKind, str] = {
    "conv": "Convolution",
    "conv_transpose": "Transposed convolution",
    "maxpool": "Max pooling",
    "avgpool": "Average pooling",
}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One layer on one or two axes, everything resolved.

    One channel to one, without a bias, stays bare: ``x``, ``w`` and ``y`` have spatial axes
    alone. Otherwise (:attr:`has_channels`) the channels come first. The numbers are the
    operands as given and what the operations of :mod:`convcli.ops` make of them; None where
    only sizes are known.

    Parameters
    ----------
    x, y
        Input and output: bare, or (C_in, \\*spatial) and (C_out, \\*spatial).
    w
        Kernel: bare, or (C_out, C_in/groups, \\*kernel); (C_in, C_out/groups, \\*kernel) of a
        transposed convolution; None of pooling.
    bias
        One number for each output channel, or None.
    border
        What the padding of a convolution holds.
    """

    kind: LayerKind
    windows: tuple[AnyWindow, ...]
    flip: bool = False
    x: Array | None = None
    w: Array | None = None
    y: Array | None = None
    bias: Array | None = None
    in_channels: int = 1
    out_channels: int = 1
    groups: int = 1
    border: Border = ZEROS

    @property
    def has_channels(self) -> bool:
        """Whether the arrays have channel axes."""
        return self.in_channels > 1 or self.out_channels > 1 or self.bias is not None

    @property
    def is_pool(self) -> bool:
        """Whether it is a pooling, which has no weights and keeps channels apart."""
        return "pool" in self.kind

    @property
    def is_depthwise(self) -> bool:
        """Whether every output reads one channel of several: depthwise, and pooling."""
        return self.in_channels > 1 and self.groups == self.in_channels

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1x1 convolution, which mixes the channels of each pixel."""
        plain = all(w.kernel_size == w.stride == 1 for w in self.windows)
        unpadded = not any(w.before or w.after for w in self.windows)
        return self.kind == "conv" and self.has_channels and plain and unpadded

    def reads(self, out: int) -> range:
        """The input channels that an output channel is made from: those of its group.

        >>> Operation("conv", (), in_channels=4, out_channels=2, groups=2).reads(1)
        range(2, 4)
        """
        each = self.in_channels // self.groups
        first = out // (self.out_channels // self.groups) * each
        return range(first, first + each)

    def reached(self, into: int) -> list[int]:
        """The output channels that an input channel goes into."""
        return [out for out in range(self.out_channels) if into in self.reads(out)]

    def weights(self, out: int, into: int) -> Array | None:
        """The bare kernel between an input channel and an output channel of its group."""
        if self.w is None or not self.has_channels:
            return self.w
        if self.kind == "conv_transpose":
            kernel: Array = self.w[into, out % (self.out_channels // self.groups)]
        else:
            kernel = self.w[out, into - self.reads(out).start]
        return kernel

    def share(self, out: int, into: int) -> Operation:
        """What one input channel gives one output channel, as an operation of one channel.

        The ``y`` of all that an output channel reads, and its bias, add up to that channel.
        """
        if not self.has_channels:
            return self
        alone = replace(
            self, x=None, w=None, y=None, bias=None, in_channels=1, out_channels=1, groups=1
        )
        if self.x is None:
            return alone
        x, w = self.x[into], self.weights(out, into)
        return replace(alone, x=x, w=w, y=_compute(alone, x, w, None))

    def lead(self, *channels: int) -> tuple[int, ...]:
        """The channel axes of an array, which has none if it is bare."""
        return channels if self.has_channels else ()

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
        name = NAMES[self.kind]
        if self.is_depthwise and not self.is_pool:
            name = f"Depthwise {name[0].lower()}{name[1:]}"
        elif self.groups > 1 and not self.is_pool:
            name = f"Grouped {name[0].lower()}{name[1:]}"
        elif self.is_pointwise:
            name = f"{cross((1,) * max(len(self.windows), 2))} {name[0].lower()}{name[1:]}"
        return name + (", kernel flipped" if self.flip else "")

    @property
    def subtitle(self) -> str:
        """Its sizes, as in ``input 5x5, kernel 3x3, stride 2 -> output 2x2``."""
        words = [f"input {self.input_words}"]
        words.append(f"{'window' if 'pool' in self.kind else 'kernel'} {cross(self.kernel)}")
        words.append(f"stride {_brief([w.stride for w in self.windows])}")
        pads = [show_padding(w.before, w.after) for w in self.windows]
        if any(pad != "0" for pad in pads):
            words.append(f"padding {_brief(pads)}")
            words += [] if self.border.is_zeros else [f"border {self.border}"]
        if any(w.dilation != 1 for w in self.windows):
            words.append(f"dilation {_brief([w.dilation for w in self.windows])}")
        extras = [getattr(w, "output_padding", 0) for w in self.windows]
        if any(extras):
            words.append(f"output padding {_brief(extras)}")
        if self.groups > 1 and not self.is_pool:
            words.append(f"groups {self.groups}")
        if self.bias is not None:
            words.append("bias")
        return f"{', '.join(words)} -> output {self.output_words}"

    @property
    def input_words(self) -> str:
        """The input in words: its size, and its channels where there are any."""
        return self._words(self.in_channels, self.sizes)

    @property
    def output_words(self) -> str:
        """The output likewise."""
        return self._words(self.out_channels, self.outputs)

    def _words(self, channels: int, sizes: tuple[int, ...]) -> str:
        if not self.has_channels:
            return cross(sizes)
        return f"{channels} {'channels' if channels > 1 else 'channel'} of {cross(sizes)}"


def plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns; a sequence is one row.

    >>> plane((7,)), plane((2, 3))
    ((1, 7), (2, 3))
    """
    return (1 if len(sizes) == 1 else sizes[0]), sizes[-1]


def _brief(values: list[Any]) -> str:
    return str(values[0]) if len({*values}) == 1 else cross(values)


def plan_operation(
    layer: Layer,
    spatial: tuple[int, ...],
    *,
    x: Any = None,
    w: Any = None,
    bias: Any = None,
    in_channels: int = 1,
    flip: bool = False,
    border: Border = ZEROS,
) -> Operation:
    """Resolve a layer on an input of a size, and compute its output if there are numbers.

    Parameters
    ----------
    layer
        With ``out_channels`` (None is as many as go in) and ``groups``.
    spatial
        Size of the input without its channels.
    x, w, bias
        The numbers, if there are any; channel axes of 1 may be left out.
    in_channels
        Channels of the input.
    border
        What the padding of a convolution holds; a pool and a transposed convolution have zeros.

    Raises
    ------
    ShapeError
        If the sizes do not fit, or are too large to be drawn.

    >>> operation = plan_operation(Layer("conv", (3,)), (4,), x=np.arange(4), w=np.array([1, 0, 2]))
    >>> operation.y, operation.subtitle
    (array([4, 7]), 'input 4, kernel 3, stride 1 -> output 2')
    >>> layer = Layer("conv", (2,), out_channels=1)
    >>> operation = plan_operation(
    ...     layer, (3,), x=[[1, 2, 3], [4, 5, 6]], w=[[[1, 0], [0, 1]]], bias=[10], in_channels=2
    ... )
    >>> operation.y, operation.share(0, 1).y
    (array([[16, 18]]), array([5, 6]))
    """
    if len(spatial) not in (1, 2):
        raise ShapeError(f"size {cross(spatial)} has {len(spatial)} axes; 1 or 2 can be drawn")
    windows = layer.windows(spatial)
    if flip and layer.kind != "conv":
        raise UsageError("--flip is for a convolution; a transposed one turns the kernel itself")
    if not border.is_zeros and layer.kind != "conv":
        why = "a pool leaves its padding out" if layer.is_pool else "it has zeros, as in PyTorch"
        raise UsageError(f"--border {border} is not one of {NAMES[layer.kind]}: {why}")
    for window in windows:
        _check_drawable(window, len(windows))
    out_channels = in_channels if layer.out_channels is None else layer.out_channels
    groups = in_channels if layer.is_pool else layer.groups
    check_channels(in_channels, out_channels, groups)
    if max(in_channels, out_channels) > MAX_CHANNELS:
        raise ShapeError(
            f"{max(in_channels, out_channels)} channels are too many to be read in a drawing; at "
            f"most {MAX_CHANNELS} go in and come out. convcli conv --steps works out any number"
        )
    bias = None if bias is None else np.asarray(bias)
    plan = Operation(
        layer.kind,
        windows,
        flip,
        bias=bias,
        in_channels=in_channels,
        out_channels=out_channels,
        groups=groups,
        border=border,
    )
    if x is None:
        return plan
    x = np.asarray(x).reshape(plan.lead(in_channels) + plan.sizes)
    if w is not None:
        axes = (out_channels, in_channels // groups)
        if layer.kind == "conv_transpose":
            axes = (in_channels, out_channels // groups)
        w = np.asarray(w).reshape(plan.lead(*axes) + plan.kernel)
    return replace(plan, x=x, w=w, y=_compute(plan, x, w, bias))


def _check_drawable(window: AnyWindow, rank: int) -> None:
    most = MAX_LENGTH if rank == 1 else MAX_SIDE
    cells = max(window.output, getattr(window, "full", 0) or getattr(window, "padded", 0))
    if cells > most:
        raise ShapeError(
            f"{cells} cells along one axis are too many to be read in a drawing; at most {most} "
            "are drawn. convcli shape works out any size"
        )


def _compute(plan: Operation, x: Array, w: Any, bias: Array | None) -> Array:
    """The output of the operation that is planned, by :mod:`convcli.ops`."""
    windows = plan.windows
    options: dict[str, Any] = {
        "stride": [window.stride for window in windows],
        "padding": [(window.before, window.after) for window in windows],
        "dilation": [window.dilation for window in windows],
        "dims": len(windows),
    }
    result: Array
    if plan.is_pool:
        from convcli.ops.avg_pooling import avg_pool
        from convcli.ops.max_pooling import max_pool

        pool: Any = max_pool if plan.kind == "maxpool" else avg_pool
        hangs = any(getattr(window, "ceil_mode", False) for window in windows)
        result = pool(x, plan.kernel, ceil_mode=hangs, **options)
    elif plan.kind == "conv":
        from convcli.ops.conv import conv

        more: Any = {"flip": plan.flip, "border": plan.border}
        result = conv(x, w, bias, groups=plan.groups, **more, **options)
    else:
        from convcli.ops.conv import conv_transpose

        extras = [getattr(window, "output_padding", 0) for window in windows]
        result = conv_transpose(x, w, bias, output_padding=extras, groups=plan.groups, **options)
    assert result.shape == plan.lead(plan.out_channels) + plan.outputs
    return result
