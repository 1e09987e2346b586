"""A launch of one of our kernels, and what such launches are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window
from convcli.engine.gpu.blocks import BlockSize
from convcli.engine.gpu.kernel_source import KernelSource, Shape, make_source, skew
from convcli.engine.gpu.whole_readers import Whole
from convcli.engine.requantize import Requantize
from convcli.engine.step import Step

__all__ = ["MOST_CHANNELS", "REGISTERS", "KernelJob", "Pass", "span"]

REGISTERS = 112
"""Of a thread, as they are counted here: four blocks of 128 on a multiprocessor."""

NARROWEST = 4
"""Fewer samples per thread than this load mostly what their neighbours load as well."""

MOST_CHANNELS = 8
"""More channels leave too little room in one thread, where strided samples must stay together."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One launch: a compiled kernel and the windows that it slides."""

    source: KernelSource
    rows: Window
    cols: Window
    mode: str
    border: float
    channels: int
    channels_out: int
    dtype: str
    """Type of the samples that it reads."""
    out_dtype: str
    samples: int
    """Samples per thread along a row."""
    step: int
    """Samples of the input from the first that a thread sees to its neighbour's."""
    span: int
    """Samples of a row of the input that a thread sees."""
    skew: int
    """Samples from the start of a word to the first of them."""
    tile: int
    """Rows per thread; 0 where the launch is free to choose."""
    weights: NDArray[np.float64] | None
    acc: str
    """Type of the sums, and of the weights in memory."""
    block: BlockSize | None = None
    """What a block makes whose threads work together; none where each works by itself."""
    whole: Whole | None = None
    """What readers make that all see as much, even beyond the end."""
    separable: bool = False
    """Whether it sums across, and then down."""
    unrolled: int = 0
    """Multiply-adds or comparisons that are written one after another, where that is what compiling
    takes."""


@dataclass(frozen=True, slots=True)
class KernelJob:
    """A correlation, before a kernel is chosen for it."""

    rows: Window
    cols: Window
    weights: NDArray[np.float64]
    requantize: Requantize
    dtype: str
    acc: str
    step: Step
    border: float | None = None

    @property
    def shape(self) -> Shape:
        """The geometry, for a sample a thread."""
        return Shape(
            self.step.shape_in[2],
            (self.rows.kernel_size, self.cols.kernel_size),
            (self.rows.stride, self.cols.stride),
            (self.rows.dilation, self.cols.dilation),
            1,
        )

    @property
    def types(self) -> tuple[str, str, str]:
        """Of the input, the sums and the output."""
        return self.dtype, self.acc, self.requantize.out_dtype

    @property
    def item(self) -> int:
        """Bytes of a sample of the input."""
        return np.dtype(self.dtype).itemsize

    @property
    def members(self) -> int:
        """Kernels of a stack."""
        return 1 if self.step.is_bank else len(self.weights)

    @property
    def is_scattered(self) -> bool:
        """Whether strided pixels have too many channels for one thread."""
        return self.cols.stride > 1 and self.step.shape_in[2] > MOST_CHANNELS

    def widths(self) -> Iterator[int]:
        """Samples that a thread can make, widest first: whole words, whole pixels if strided."""
        unit = 4 // min(self.item, np.dtype(self.requantize.out_dtype).itemsize, 4)
        if self.cols.stride > 1:
            unit = lcm(unit, self.step.shape_in[2])
        least = -(-NARROWEST // unit)
        widest = max(16 // self.item // unit, least)
        yield from (unit * times for times in (16, 8, 4, 2, 1) if least <= times <= widest)
        if least not in (1, 2, 4):
            yield unit * least

    def skew(self, shape: Shape) -> int:
        """Samples from the start of a word to the first that a thread sees."""
        return skew(shape, self.item, self.cols.before)

    def done_by(
        self,
        function: str,
        shape: Shape,
        tables: Sequence[str] = (),
        tile: int = 0,
        in_memory: bool = False,
        /,
        **constants: int,
    ) -> Pass:
        """The pass of a kernel.

        Parameters
        ----------
        function, shape, tables, constants
            As :func:`make_source` takes them.
        tile
            Rows per thread; 0 where the launch is free to choose.
        in_memory
            Whether the kernel reads the weights from memory.
        """
        step = self.step
        source = make_source(
            function,
            shape,
            types=self.types,
            requantize=self.requantize,
            before=self.cols.before,
            tables=tables,
            members=self.members,
            **constants,
        )
        # A thread of a bank sees a pixel, or more.
        seen = shape._replace(samples=shape.channels) if step.is_bank else shape
        return Pass(
            source=source,
            rows=self.rows,
            cols=self.cols,
            mode=step.border.mode,
            border=step.border.value if self.border is None else self.border,
            channels=shape.channels,
            channels_out=step.shape_out[2] if step.is_bank else shape.channels,
            dtype=self.dtype,
            out_dtype=self.requantize.out_dtype,
            samples=shape.samples,
            step=seen.samples * shape.stride[1],
            span=span(seen, shape.kernel[1]),
            skew=self.skew(shape),
            tile=tile,
            weights=self.weights if in_memory else None,
            acc=self.acc,
        )


def span(shape: Shape, taps: int) -> int:
    """Cells of a row that a thread sees with this many taps."""
    last = (shape.samples - 1) // shape.channels * shape.stride[1] * shape.channels
    last += (shape.samples - 1) % shape.channels
    return last + (taps - 1) * shape.dilation[1] * shape.channels + 1
