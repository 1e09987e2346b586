"""Which kernels of our own carry out a step: one pass over memory, or two."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.window import Window, conv_window
from convcli.engine.gpu.blocks import QUAD, BlockSize, across_down_tile, running_tile
from convcli.engine.gpu.kernel_source import (
    KernelSource,
    Shape,
    alignment,
    make_source,
    skew,
    words_of,
)
from convcli.engine.gpu.whole_readers import Whole
from convcli.engine.numerics import WHITE, Bounds, sum_bounds
from convcli.engine.requantize import Requantize
from convcli.engine.step import Step
from convcli.engine.weights import Factor

__all__ = ["Pass", "leaves_sums", "passes_of"]

TYPES = {*WHITE, "float32", "float64"}
"""Of samples that the kernels read and write."""

REGISTERS = 112
"""Of a thread, as :func:`_registers` counts them: four blocks of 128 on a multiprocessor."""

OTHERS = 3
"""Registers for pointers and counters, beside what is in between."""

FORMULA = 4
"""Registers more where sums are scaled or shifted, and twice that where that is done in doubles."""

CAPS = ((7, 72), (6, 80), (5, 96), (4, 128), (3, 168))
"""Blocks on a multiprocessor, and the registers that their threads have. More are of no use to
kernels that have loads of the next row under way."""

UNROLLED = 4096
"""Multiply-adds in an unrolled loop: 64 KiB of instructions, half of their cache, and less than a
second of compiling."""

NARROWEST = 4
"""Fewer samples per thread than this load mostly what their neighbours load as well."""

WORTH_A_PASS = 64
"""Taps above which another pass over memory costs less than they do."""

FEWEST_SHARED = 16
"""Taps, down and across, below which sums in registers cost less than sums in shared memory."""

CLOCKS_OF_A_BYTE = 0.077
"""Of one of the 132 multiprocessors of an H100, for a byte of memory."""

FEWEST_SLID = 20
"""Cells of a box below which it is summed anew for each output."""

FINISHED = 6
"""Multiply-adds that making a float of a byte, and a byte of a float, cost as much as."""

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


def passes_of(step: Step, dtype: str) -> tuple[Pass, ...] | None:
    """Passes for a step on a picture of this type, or ``None`` if array operations do it better.

    The first may want the picture as floats: a frame holds the border as samples, and kernels read
    few types. Where they do not write the step's either, the last leaves its sums.
    """
    if step.method.transform:
        return None
    if dtype not in TYPES:
        dtype = "float64" if step.accumulate == "float64" else "float32"
    if leaves_sums(step):
        if step.requantize.combine != "none":
            return None
        step = _summing(step)
    if step.border.is_constant:
        dtype = _holding(step.border.value, dtype, step.accumulate)
    acc = _accumulator(step, dtype)
    if step.is_bank:
        return _bank(step, dtype, acc)
    job = _Job(step.rows, step.cols, step.weights, step.requantize, dtype, acc, step)
    factors = _factors(step)
    running = _running(job)
    if running is not None:
        return (running,)
    packed = _bytes(job, factors)
    if packed is not None:
        return (packed,)
    if factors:
        shared = _separable(job, factors)
        if shared is not None:
            return (shared,)
        fused = _rolling(job, factors)
        if fused is not None:
            return (fused,)
        if len(factors) == 1 and step.weights.size > WORTH_A_PASS:
            return _two_passes(job, factors[0])
    return _direct(job)


def leaves_sums(step: Step) -> bool:
    """Whether its passes make sums, since no kernel writes the samples."""
    return step.requantize.out_dtype not in TYPES


def _summing(step: Step) -> Step:
    """The step without its finish."""
    sums = copy(step)
    sums.requantize = _unfinished(step.requantize, _accumulator(step, ""))
    return sums


def _unfinished(requantize: Requantize, acc: str) -> Requantize:
    """Sums as they are."""
    return requantize._replace(
        combine="none",
        scale=1.0,
        bias=0.0,
        absolute=False,
        offset=0.0,
        ratio=1.0,
        out_dtype=acc,
        work="float32" if acc == "float32" else "float64",
        clip=False,
    )


def _holding(border: float, dtype: str, accumulate: str) -> str:
    """The type of a picture, or the one of its sums where only that holds the border."""
    if dtype in WHITE and 0 <= border <= WHITE[dtype] and border.is_integer():
        return dtype
    sums = "float64" if accumulate == "float64" else "float32"
    return sums if dtype in WHITE or float(np.float32(border)) != border else dtype


@dataclass(frozen=True, slots=True)
class _Job:
    """A correlation per channel, before a kernel is chosen for it."""

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
        return Shape(
            self.step.shape_in[2],
            (self.rows.kernel_size, self.cols.kernel_size),
            (self.rows.stride, self.cols.stride),
            (self.rows.dilation, self.cols.dilation),
            1,
        )


def _accumulator(step: Step, dtype: str) -> str:
    """Type of the sums on the device.

    float32 holds whole numbers to 2**24 as exactly as an integer does and multiplies twice as
    fast on current devices; beyond, 32-bit integers, since float64 is slow on most of them.
    """
    if step.accumulate != "float64":
        return "float32"
    if step.exact and dtype in WHITE:
        low, high = min(0.0, step.border.value), max(WHITE[dtype], step.border.value)
        reach = max(sum_bounds(w, Bounds(low, high)).magnitude for w in step.weights)
        if reach < 2**31:
            return "int32"
    return "float64"


def _factors(step: Step) -> tuple[Factor, ...]:
    """The separable terms of all members in a row, if each has as many."""
    factors = step.method.factors
    if len({len(terms) for terms in factors}) != 1:
        return ()
    return tuple(term for terms in factors for term in terms)


def _widths(shape: Shape, dtype: str, out_dtype: str) -> Iterator[int]:
    """Samples that a thread can make, widest first: whole words, whole pixels if strided."""
    small = min(np.dtype(dtype).itemsize, np.dtype(out_dtype).itemsize, 4)
    unit = 4 // small
    if shape.stride[1] > 1:
        unit = lcm(unit, shape.channels)
    least = -(-NARROWEST // unit)
    widest = max(16 // np.dtype(dtype).itemsize // unit, least)
    yield from (unit * times for times in (16, 8, 4, 2, 1) if least <= times <= widest)
    if least not in (1, 2, 4):
        yield unit * least


def _span(shape: Shape, taps: int) -> int:
    """Cells of a row that a thread sees with this many taps."""
    last = (shape.samples - 1) // shape.channels * shape.stride[1] * shape.channels
    last += (shape.samples - 1) % shape.channels
    return last + (taps - 1) * shape.dilation[1] * shape.channels + 1


def _pass(job: _Job, source: KernelSource, shape: Shape, tile: int, weights: bool = False) -> Pass:
    step = job.step
    pixel = shape._replace(samples=shape.channels)  # what a thread of a bank sees, or more
    seen = pixel if step.is_bank else shape
    return Pass(
        source,
        job.rows,
        job.cols,
        step.border.mode,
        step.border.value if job.border is None else job.border,
        shape.channels,
        step.shape_out[2] if step.is_bank else shape.channels,
        job.dtype,
        job.requantize.out_dtype,
        shape.samples,
        seen.samples * shape.stride[1],
        _span(seen, shape.kernel[1]),
        skew(shape, np.dtype(job.dtype).itemsize, job.cols.before),
        tile,
        job.weights if weights else None,
        job.acc,
    )


def _rolling(job: _Job, factors: tuple[Factor, ...] = ()) -> Pass | None:
    """The kernel that keeps all sums in registers, if they fit."""
    shape = job.shape
    if shape.stride[1] > 1 and shape.channels > MOST_CHANNELS:
        return None
    members, (kh, kw) = len(job.weights), shape.kernel
    rolls = shape.stride[0] == shape.dilation[0] == 1
    lines = len(factors)
    if lines and not rolls:
        return None  # every output row would sum its rows across again
    taps = lines * (kh + kw) if lines else int(np.count_nonzero(job.weights))
    # Where a weight is 1 or comes twice, the assembler keeps cells and products for more than a sum.
    shared = 0 if lines or np.unique(np.abs(job.weights)).size == job.weights.size else 2
    for samples in _widths(shape, job.dtype, job.requantize.out_dtype):
        shape = shape._replace(samples=samples)
        sums = samples * (members * (kh if rolls else 1) + lines)
        registers = _registers(job, sums, shape) + (2 if lines else 3) * max(kh, 3) + shared
        if registers <= REGISTERS and taps * samples * (kh if rolls else 1) <= UNROLLED:
            source = make_source(
                "rolling",
                shape,
                types=(job.dtype, job.acc, job.requantize.out_dtype),
                requantize=job.requantize,
                before=job.cols.before,
                weights=job.weights,
                factors=factors,
                members=members,
                ROLLING=int(rolls),
                BLOCKS=_at_once(registers) if rolls and job.acc == "float32" else 1,
            )
            return _pass(job, source, shape, 0 if rolls else 4)
    return None


def _at_once(registers: int) -> int:
    """Blocks that a multiprocessor is asked to hold, where what a thread does is known well enough:
    other sums than floats, and strided rows that are all loaded at once, take what they take."""
    return next((blocks for blocks, most in CAPS if registers <= most), 1)


def _formula_of(requantize: Requantize) -> bool:
    """Whether sums are more than rounded."""
    return (
        requantize._replace(scale=1.0, bias=0.0, absolute=False, offset=0.0, ratio=1.0)
        != requantize
    )


def _registers(job: _Job, sums: int, shape: Shape) -> int:
    """Registers of a thread of ``rolling``: sums, a row as it lies in memory and the next one.

    What is in between grows with the kernel's height, which the caller adds: the assembler does
    more at once. It is told to keep to the next of ``CAPS``, and manages without spilling.
    """
    item = np.dtype(job.dtype).itemsize
    before = skew(shape, item, job.cols.before)
    # Words that are not needed are not loaded, but those of floats are loaded by fours.
    row = -(-(before * item % 4 + _span(shape, shape.kernel[1]) * item) // 4)
    if item >= 4:
        row += before * item // 4 + 2
    finished = shape.samples * np.dtype(job.requantize.out_dtype).itemsize // 4
    finished += shape.samples * (len(job.weights) > 1) - shape.samples // 4
    finished += FORMULA * (_formula_of(job.requantize) + (job.requantize.work == "float64") * 2)
    wide = 2 if job.acc == "float64" else 1
    return sums * wide + 2 * row + finished + OTHERS


def _separable(job: _Job, factors: tuple[Factor, ...]) -> Pass | None:
    """The kernel whose blocks sum in shared memory, if it is the better one and its sums fit."""
    shape, kinds = job.shape, (job.dtype, job.acc, job.requantize.out_dtype)
    if shape.stride != (1, 1) or sum(shape.kernel) < FEWEST_SHARED:
        return None
    word = shape._replace(samples=16 // np.dtype(job.dtype).itemsize)
    before = skew(word, np.dtype(job.dtype).itemsize, job.cols.before)
    tile = across_down_tile(shape, len(factors), len(job.weights), kinds, before)
    if tile is None or (len(factors) == 1 and tile.cost > _cost_of_two_passes(shape, kinds)):
        return None
    shape = shape._replace(samples=tile.columns)
    source = make_source(
        "across_down",
        shape,
        types=kinds,
        requantize=job.requantize,
        before=job.cols.before,
        weights=job.weights,
        factors=factors,
        members=len(job.weights),
        **tile.constants(kinds[2]),
    )
    words = 16 // np.dtype(job.dtype).itemsize
    return replace(_pass(job, source, shape, 0), samples=QUAD, step=words, block=tile.block)


def _cost_of_two_passes(shape: Shape, kinds: tuple[str, str, str]) -> float:
    """Clocks of a multiprocessor for a sample: instructions, or bytes, of which the sums are most."""
    read, held, written = (np.dtype(kind).itemsize for kind in kinds)
    return max(2 * sum(shape.kernel) / 128, (read + 2 * held + written) * CLOCKS_OF_A_BYTE)


def _running(job: _Job) -> Pass | None:
    """The kernel that slides the sums of boxes, if it is the better one and its sums fit."""
    step, shape = job.step, job.shape
    if not step.is_box or job.dtype not in WHITE or job.weights.size < FEWEST_SLID:
        return None
    if shape.stride != (1, 1) or shape.dilation != (1, 1) or shape.channels > MOST_CHANNELS:
        return None
    weight, item = float(job.weights.flat[0]), np.dtype(job.dtype).itemsize
    tile = running_tile(shape, job.cols.before, item)
    if not weight.is_integer() or abs(weight) * job.weights.size * WHITE[job.dtype] >= 2**31:
        return None
    if tile is None:
        return None
    shape = shape._replace(samples=tile.samples)
    source = make_source(
        "running",
        shape,
        types=(job.dtype, "int32", job.requantize.out_dtype),
        requantize=job.requantize,
        before=job.cols.before,
        weights=job.weights,
        CHUNKS=tile.chunks,
        WEIGHT=int(weight),
        PAIRS=int(item == 1 and shape.kernel[0] * 255 < 1 << 16),
    )
    return replace(_pass(job, source, shape, 0), acc="int32", block=tile.block)


def _bytes(job: _Job, factors: tuple[Factor, ...]) -> Pass | None:
    """The kernel for whole weights on bytes, if it is the better one and its bytes fit."""
    shape, weights = job.shape, job.weights
    if job.dtype != "uint8" or shape.stride[0] > 1 or shape.dilation[0] > 1:
        return None
    if (np.rint(weights) != weights).any() or np.abs(weights).max() > 127:
        return None
    members, words = len(weights), words_of(shape.kernel[0])
    if shape.stride[1] > 1 and shape.channels > MOST_CHANNELS:
        return None
    columns = int(np.count_nonzero(weights.any(axis=1)))
    if factors and words * (columns + 1) > len(factors) * sum(shape.kernel) + FINISHED:
        return None
    requantize = job.requantize
    for samples in _widths(shape, job.dtype, requantize.out_dtype):
        shape = shape._replace(samples=samples)
        span = _span(shape, shape.kernel[1])
        if span * (words + 1) + samples * members > REGISTERS:
            continue
        if not alignment(shape, 1) or columns * words * samples > UNROLLED:
            continue
        source = make_source(
            "bytes",
            shape,
            types=(job.dtype, "int32", requantize.out_dtype),
            requantize=requantize,
            before=job.cols.before,
            weights=weights,
            members=members,
            INTEGER=int(_in_integers(requantize)),
        )
        return replace(_pass(job, source, shape, 0), acc="int32")
    return None


def _in_integers(requantize: Requantize) -> bool:
    return (
        requantize.out_dtype in WHITE
        and requantize.combine != "magnitude"
        and requantize.scale == requantize.ratio == 1
        and float(requantize.bias).is_integer()
        and float(requantize.offset).is_integer()
    )


def _direct(job: _Job) -> tuple[Pass, ...] | None:
    found = _rolling(job) or _wide(job)
    return None if found is None else (found,)


def _wide(job: _Job) -> Pass | None:
    """The kernel for any number of taps."""
    shape = job.shape
    kw = shape.kernel[1]
    if shape.stride[1] > 1 and shape.channels > MOST_CHANNELS:
        return None
    unit = 2 if job.acc == "float64" else 1
    widths = list(_widths(shape, job.dtype, job.requantize.out_dtype))
    samples = next((n for n in widths if n <= 8 // unit), widths[-1])
    shape = shape._replace(samples=samples)
    chunk = next(n for n in (8, 4, 2, 1) if n <= kw and (_span(shape, n) * unit <= 24 or n == 1))
    tile = 1 if shape.dilation[0] > 1 else 8 if kw == 1 else 4
    while tile > 1 and tile * samples * unit > 64:
        tile //= 2
    shape = shape._replace(chunk=chunk)
    source = make_source(
        "wide",
        shape,
        types=(job.dtype, job.acc, job.requantize.out_dtype),
        requantize=job.requantize,
        before=job.cols.before,
        weights=job.weights,
        members=len(job.weights),
        TILE_H=tile,
    )
    return _pass(job, source, shape, tile, weights="#define WEIGHTS weights" in source.text)


def _two_passes(job: _Job, factor: Factor) -> tuple[Pass, ...] | None:
    """Across into an intermediate picture of sums, then down."""
    column, row = factor
    across = replace(
        job,
        rows=conv_window(job.rows.size, 1),
        weights=row[None, None],
        requantize=_unfinished(job.requantize, job.acc),
    )
    # A row outside the picture is constant, and so are its sums.
    border = job.step.border.value * float(row.sum())
    down = replace(
        job,
        cols=conv_window(job.cols.output, 1),
        weights=column[None, :, None],
        dtype=job.acc,
        border=border,
    )
    first, second = _direct(across), _direct(down)
    return None if first is None or second is None else first + second


def _bank(step: Step, dtype: str, acc: str) -> tuple[Pass, ...] | None:
    job = _Job(step.rows, step.cols, step.weights, step.requantize, dtype, acc, step)
    outputs = step.weights.shape[0]
    if max(outputs, step.shape_in[2]) > 4 * MOST_CHANNELS:
        return None
    source = make_source(
        "bank",
        job.shape,
        types=(dtype, acc, step.requantize.out_dtype),
        requantize=step.requantize,
        before=step.cols.before,
        weights=step.weights,
        C_OUT=outputs,
    )
    weights = "#define WEIGHTS weights" in source.text
    return (_pass(job, source, job.shape._replace(samples=outputs), 1, weights),)
