"""The inverse question: which layers turn one size into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convcli.arithmetic.layer import Kind, Layer
from convcli.arithmetic.window import effective_kernel
from convcli.errors import ShapeError

__all__ = ["Fixed", "Solution", "solve"]

KERNELS = tuple(range(1, 12))
DILATIONS = (1, 2, 3)
MOST_STRIDE = 64
MOST_TRIED = 256


@dataclass(frozen=True, slots=True)
class Fixed:
    """Values that a solution must have; None leaves one open."""

    kernel_size: int | None = None
    stride: int | None = None
    padding: int | tuple[int, int] | None = None
    dilation: int | None = None
    output_padding: int | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """Numbers of one layer that gives the wanted output on every axis."""

    kernel_size: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    output_padding: int = 0

    @property
    def remark(self) -> str:
        """What kind of choice it is, where it has a name."""
        span = effective_kernel(self.kernel_size, self.dilation)
        if span == 1:
            return "reads one cell" if self.stride == 1 else "skips cells"
        if self.stride == span and not any(self.padding):
            return "patches side by side"
        if self.stride > span:
            return "skips cells"
        if self.padding == (span // 2, span // 2) and span % 2:
            return "centred"
        return ""


def solve(
    sizes: Sequence[int],
    outputs: Sequence[int],
    *,
    kind: Kind = "conv",
    fixed: Fixed | None = None,
    ceil_mode: bool = False,
) -> list[Solution]:
    """Every layer within reason that turns ``sizes`` into ``outputs``, common choices first.

    Tried are kernel sizes 1 to 11 and those that the sizes suggest, dilations 1 to 3, padding
    up to half the effective kernel or full (the same on both sides), strides that fit, and for a transposed
    convolution the output paddings that frameworks allow. A fixed value may be anything.

    Raises
    ------
    ShapeError
        If the axes do not match or nothing is found.

    >>> for found in solve((32,), (16,))[:3]: print(found)
    Solution(kernel_size=3, stride=2, padding=(1, 1), dilation=1, output_padding=0)
    Solution(kernel_size=2, stride=2, padding=(0, 0), dilation=1, output_padding=0)
    Solution(kernel_size=5, stride=2, padding=(2, 2), dilation=1, output_padding=0)
    """
    if len(outputs) == 1:
        outputs = tuple(outputs) * len(sizes)
    if len(outputs) != len(sizes):
        raise ShapeError(
            f"the wanted output has {len(outputs)} axes and the input {len(sizes)}; give 1 or "
            f"{len(sizes)}"
        )
    for name, values in (("input size", sizes), ("wanted output", outputs)):
        for value in values:
            if value < 1:
                raise ShapeError(f"{name} is {value}; it must be 1 or more")
    fixed = fixed or Fixed()
    found = [
        solution
        for solution in _candidates(sizes, outputs, kind, fixed)
        if _fits(solution, sizes, outputs, kind, ceil_mode)
    ]
    if not found:
        raise ShapeError(_nothing(sizes, outputs, kind, fixed))
    transposed = kind == "conv_transpose"
    size, output = (outputs[0], sizes[0]) if transposed else (sizes[0], outputs[0])
    return sorted(found, key=lambda solution: _rank(solution, size, output))


def _candidates(
    sizes: Sequence[int], outputs: Sequence[int], kind: Kind, fixed: Fixed
) -> Iterator[Solution]:
    for stride in _strides(sizes, outputs, kind, fixed):
        extras: Sequence[int] = (0,)
        for dilation in (fixed.dilation,) if fixed.dilation is not None else DILATIONS:
            if kind == "conv_transpose":
                extras = range(min(max(stride, dilation), MOST_TRIED))
            if fixed.output_padding is not None:
                extras = (fixed.output_padding,)
            for kernel in _kernels(sizes, outputs, kind, stride, fixed):
                if kernel == 1 and dilation > 1 and fixed.dilation is None:
                    continue  # a single tap has nothing to spread
                for extra in extras:
                    for pads in _pads(
                        sizes, outputs, kind, fixed, (kernel, stride, dilation, extra)
                    ):
                        yield Solution(kernel, stride, pads, dilation, extra)


def _strides(
    sizes: Sequence[int], outputs: Sequence[int], kind: Kind, fixed: Fixed
) -> Sequence[int]:
    if fixed.stride is not None:
        return (fixed.stride,)
    if kind != "conv_transpose" and all(output == 1 for output in outputs):
        return (1,)  # a single window never moves
    large, small = (outputs, sizes) if kind == "conv_transpose" else (sizes, outputs)
    ratio = max(-(-big // little) for big, little in zip(large, small, strict=True))
    return range(1, min(max(ratio + 1, 2), MOST_STRIDE) + 1)


def _kernels(
    sizes: Sequence[int], outputs: Sequence[int], kind: Kind, stride: int, fixed: Fixed
) -> Sequence[int]:
    if fixed.kernel_size is not None:
        return (fixed.kernel_size,)
    # Patches as wide as the stride, twice as wide, and the one kernel that needs no padding.
    suggested = {stride, 2 * stride}
    grows = kind == "conv_transpose"
    unpadded = (outputs[0] - sizes[0] if grows else sizes[0] - outputs[0]) + 1
    if unpadded > 0:
        suggested.add(unpadded)
    return sorted({*KERNELS, *suggested})


def _pads(
    sizes: Sequence[int],
    outputs: Sequence[int],
    kind: Kind,
    fixed: Fixed,
    numbers: tuple[int, int, int, int],
) -> Iterator[tuple[int, int]]:
    """The paddings that can work, from the first axis' formula solved for the padding."""
    if fixed.padding is not None:
        pads = fixed.padding
        yield (pads, pads) if isinstance(pads, int) else pads
        return
    kernel, stride, dilation, extra = numbers
    span = effective_kernel(kernel, dilation)
    if kind == "conv_transpose":
        twice = (sizes[0] - 1) * stride + span + extra - outputs[0]
        low, high = twice, twice
    else:
        low = (outputs[0] - 1) * stride + span - sizes[0]
        high = low + stride - 1
        low -= stride  # ceil mode reaches an output with less padding
    pads_that_fit = range(max(-(-low // 2), 0), min(high // 2, span - 1) + 1)
    for pad in pads_that_fit[:MOST_TRIED]:
        # More than half of the kernel is only ever meant as full padding.
        if pad <= span // 2 or (pad == span - 1 and stride == 1):
            yield pad, pad


def _fits(
    solution: Solution, sizes: Sequence[int], outputs: Sequence[int], kind: Kind, ceil_mode: bool
) -> bool:
    layer = Layer(
        kind,
        (solution.kernel_size,),
        (solution.stride,),
        (solution.padding,),
        (solution.dilation,),
        (solution.output_padding,) if solution.output_padding else None,
        ceil_mode,
    )
    try:
        windows = layer.windows(sizes)
    except ShapeError:
        return False
    return tuple(window.output for window in windows) == tuple(outputs)


def _rank(solution: Solution, large: int, small: int) -> tuple[object, ...]:
    """Order of plausibility: no gaps, plain, unpadded or centred, stride as the ratio, small."""
    span = effective_kernel(solution.kernel_size, solution.dilation)
    pad = solution.padding[0]
    common = (3, 2, 1, 5, 7, 4, 9, 11, 6, 8)
    natural = pad == 0 or abs(2 * pad - (span - 1)) <= 1
    order = common.index(solution.kernel_size) if solution.kernel_size in common else 20
    return (
        solution.stride > span,
        solution.dilation,
        not natural,
        solution.output_padding,
        abs(solution.stride * small - large),
        order,
        solution.kernel_size,
        solution.stride,
        pad,
    )


def _nothing(sizes: Sequence[int], outputs: Sequence[int], kind: Kind, fixed: Fixed) -> str:
    given = [
        f"{name} {value}"
        for name, value in (
            ("kernel size", fixed.kernel_size),
            ("stride", fixed.stride),
            ("padding", fixed.padding),
            ("dilation", fixed.dilation),
            ("output padding", fixed.output_padding),
        )
        if value is not None
    ]
    axes = "x".join(map(str, sizes)), "x".join(map(str, outputs))
    text = f"no {kind} layer found that turns {axes[0]} into {axes[1]}"
    if given:
        return f"{text} with {', '.join(given)}; leave one of them open"
    if kind != "conv_transpose" and outputs[0] > sizes[0]:
        return f"{text}; a transposed convolution makes larger outputs (--transpose)"
    if kind == "conv_transpose" and outputs[0] < sizes[0]:
        return f"{text}; a convolution makes smaller outputs (without --transpose)"
    if len(sizes) > 1:
        return f"{text} with the same numbers on every axis; solve each axis alone"
    return f"{text} with kernel sizes to {KERNELS[-1]}; fix a larger one"
