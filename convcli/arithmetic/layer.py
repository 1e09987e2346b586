"""One sliding layer over any number of axes: its windows, parameters and multiplications."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import Literal, TypeAlias

from convcli.arithmetic.sizes import cross, show_padding
from convcli.arithmetic.transposed import TransposedWindow, transposed_window
from convcli.arithmetic.window import (
    Padding,
    Window,
    conv_window,
    per_axis,
    pool_window,
    wrong_count,
)
from convcli.errors import ShapeError
from convcli.records import NamedTuple

__all__ = ["POOLS", "AnyWindow", "Cost", "Layer", "LayerKind", "check_channels"]

LayerKind: TypeAlias = Literal["conv", "conv_transpose", "maxpool", "avgpool"]
AnyWindow: TypeAlias = Window | TransposedWindow

POOLS: dict[str, LayerKind] = {"max": "maxpool", "avg": "avgpool"}
"""The two poolings by the words for them, ``--pool max`` and ``pool="max"``."""


class Cost(NamedTuple):
    """What a layer costs: parameters, and multiply-accumulates for the whole batch."""

    params: int = 0
    macs: int = 0


class Layer(NamedTuple):
    """A layer as it was asked for. Sequences have one entry per axis, or one for all.

    Parameters
    ----------
    stride
        None is 1, or the kernel size for pooling.
    output_padding
        None is 0; it is told apart because Keras computes another default.
    out_channels
        None where only sizes are asked for.

    >>> layer = Layer("conv", (7,), stride=(2,), padding=(3,), out_channels=64)
    >>> windows = layer.windows((224, 224))
    >>> [window.output for window in windows]
    [112, 112]
    >>> layer.cost(3, windows)
    Cost(params=9472, macs=118013952)
    >>> str(layer)
    'conv 64 k7 s2 p3'
    """

    kind: LayerKind
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] | None = None
    padding: tuple[Padding, ...] = (0,)
    dilation: tuple[int, ...] = (1,)
    output_padding: tuple[int, ...] | None = None
    ceil_mode: bool = False
    out_channels: int | None = None
    groups: int = 1
    bias: bool = True

    @property
    def is_pool(self) -> bool:
        """Whether it is a pooling layer, which has no weights."""
        return self.kind in ("maxpool", "avgpool")

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides, with the default filled in."""
        if self.stride is not None:
            return self.stride
        return self.kernel_size if self.is_pool else (1,)

    def windows(self, spatial: Sequence[int]) -> tuple[AnyWindow, ...]:
        """One resolved window per axis of ``spatial``.

        Raises
        ------
        ShapeError
            If the numbers do not fit; the message names the axis where there are several.
        """
        rank = len(spatial)
        kernels = per_axis(_one(self.kernel_size), rank, "kernel size")
        strides = per_axis(_one(self.strides), rank, "stride")
        dilations = per_axis(_one(self.dilation), rank, "dilation")
        extras = per_axis(_one(self.output_padding or (0,)), rank, "output padding")
        pads = self.padding * rank if len(self.padding) == 1 else self.padding
        if len(pads) != rank:
            raise ShapeError(wrong_count("padding", len(pads), rank))
        found: list[AnyWindow] = []
        for axis, size in enumerate(spatial):
            try:
                found.append(
                    self._window(
                        size,
                        kernels[axis],
                        strides[axis],
                        pads[axis],
                        dilations[axis],
                        extras[axis],
                    )
                )
            except ShapeError as error:
                if rank == 1:
                    raise
                raise ShapeError(f"axis {axis + 1} of {rank}: {error}") from None
        return tuple(found)

    def _window(
        self, size: int, kernel: int, stride: int, padding: Padding, dilation: int, extra: int
    ) -> AnyWindow:
        if self.kind == "conv_transpose":
            return transposed_window(
                size,
                kernel,
                stride=stride,
                padding=padding,
                dilation=dilation,
                output_padding=extra,
            )
        if extra:
            raise ShapeError(f"output padding is {extra}; only a transposed convolution has one")
        if self.is_pool:
            return pool_window(
                size,
                kernel,
                stride=stride,
                padding=padding,
                dilation=dilation,
                ceil_mode=self.ceil_mode,
            )
        if self.ceil_mode:
            raise ShapeError("ceil mode is for pooling; a convolution always rounds down")
        return conv_window(size, kernel, stride=stride, padding=padding, dilation=dilation)

    def cost(self, in_channels: int, windows: Sequence[AnyWindow], batch: int = 1) -> Cost:
        """Parameters and multiply-accumulates.

        Parameters are ``C_out (C_in / g) prod(k) + C_out`` (the last for the bias). A
        convolution multiplies ``C_in / g * prod(k)`` times per output; a transposed one
        ``C_out / g * prod(k)`` times per *input*. A bias starts the accumulator and costs none;
        pooling has neither.
        """
        if self.is_pool or self.out_channels is None:
            return Cost()
        check_channels(in_channels, self.out_channels, self.groups)
        taps = prod(window.kernel_size for window in windows)
        weights = self.out_channels * in_channels // self.groups * taps
        transposed = self.kind == "conv_transpose"
        places = prod(window.size if transposed else window.output for window in windows)
        return Cost(weights + self.out_channels * self.bias, batch * weights * places)

    def __str__(self) -> str:
        words: list[str] = [self.kind]
        if self.out_channels is not None:
            words.append(str(self.out_channels))
        words.append(f"k{_brief(self.kernel_size)}")
        if self.is_pool or any(stride != 1 for stride in self.strides):
            words.append(f"s{_brief(self.strides)}")
        if any(pad != 0 for pad in self.padding):
            named = isinstance(self.padding[0], str)
            pads = [
                pad if isinstance(pad, (int, str)) else show_padding(*pad) for pad in self.padding
            ]
            words.append(("" if named else "p") + _brief(pads))
        if any(dilation != 1 for dilation in self.dilation):
            words.append(f"d{_brief(self.dilation)}")
        if self.output_padding and any(self.output_padding):
            words.append(f"op{_brief(self.output_padding)}")
        if self.groups != 1:
            words.append(f"g{self.groups}")
        if self.ceil_mode:
            words.append("ceil")
        return " ".join(words)


def _one(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(values) == 1 else values


def _brief(values: Sequence[object]) -> str:
    return str(values[0]) if len(set(values)) == 1 else cross(values)


def check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    """Refuse channels that are not positive or that the groups do not divide.

    >>> check_channels(64, 128, 3)
    Traceback (most recent call last):
    ...
    convcli.errors.ShapeError: groups is 3; it must divide 64 input channels and 128 output channels: 1, 2, 4, 8, 16, 32, 64 would work
    """
    for name, value in (
        ("input channels", in_channels),
        ("output channels", out_channels),
        ("groups", groups),
    ):
        if value < 1:
            raise ShapeError(f"{name} is {value}; it must be 1 or more")
    if in_channels % groups or out_channels % groups:
        common = gcd(in_channels, out_channels)
        # Divisors of a gcd: small enough to try, and a huge one is not worth listing in full.
        works = [g for g in range(1, min(common, 4096) + 1) if common % g == 0]
        raise ShapeError(
            f"groups is {groups}; it must divide {in_channels} input channels and "
            f"{out_channels} output channels: {', '.join(map(str, works))} would work"
        )
