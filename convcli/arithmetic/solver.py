"""Find the layers that turn one size into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcli.arithmetic.layer import Layer, LayerKind
from convcli.arithmetic.window import effective_kernel
from convcli.errors import ShapeError
from convcli.records import NamedTuple

__all__ = ["Fixed", "Solution", "solve"]

KERNELS = tuple(range(1, 12))
DILATIONS = (1, 2, 3)
MOST_STRIDE = 64
MOST_TRIED = 256


class Fixed(NamedTuple):
    """Values that a solution must have; None leaves one open."""

    kernel_size: int | None = None
    stride: int | None = None
    padding: int | tuple[int, int] | None = None
    dilation: int | None = None
    output_padding: int | None = None


class Solution(NamedTuple):
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
    kind: LayerKind = "conv",
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
    sizes: Sequence[int], outputs: Sequence[int], kind: LayerKind, fixed: Fixed
) -> Iterator[Solution]:
    """What solves the first axis, or nearly; whether it fits all of them is asked later."""
    paddings = _transposed_paddings if kind == "conv_transpose" else _paddings
    for stride in _strides(sizes, outputs, kind, fixed):
        for dilation in (fixed.dilation,) if fixed.dilation is not None else DILATIONS:
            for kernel in _kernels(sizes, outputs, kind, stride, fixed):
                if kernel == 1 and dilation > 1 and fixed.dilation is None:
                    continue  # a single tap has nothing to spread
                span = effective_kernel(kernel, dilation)
                limit = max(stride, dilation)
                for pads, extra in paddings(sizes[0], outputs[0], span, stride, limit, fixed):
                    yield Solution(kernel, stride, pads, dilation, extra)


def _strides(
    sizes: Sequence[int], outputs: Sequence[int], kind: LayerKind, fixed: Fixed
) -> Sequence[int]:
    if fixed.stride is not None:
        return (fixed.stride,)
    if kind != "conv_transpose" and all(output == 1 for output in outputs):
        return (1,)  # a single window never moves
    large, small = (outputs, sizes) if kind == "conv_transpose" else (sizes, outputs)
    ratio = max(-(-big // little) for big, little in zip(large, small, strict=True))
    return range(1, min(max(ratio + 1, 2), MOST_STRIDE) + 1)


def _kernels(
    sizes: Sequence[int], outputs: Sequence[int], kind: LayerKind, stride: int, fixed: Fixed
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


def _paddings(
    size: int, output: int, span: int, stride: int, limit: int, fixed: Fixed
) -> Iterator[tuple[tuple[int, int], int]]:
    """Paddings of a convolution or pooling, from the formula solved for the padding."""
    extra = fixed.output_padding or 0
    if fixed.padding is not None:
        yield _pair(fixed.padding), extra
        return
    least = (output - 1) * stride + span - size
    # Ceil mode reaches an output with up to a stride less.
    low, high = max(-(-(least - stride) // 2), 0), (least + stride - 1) // 2
    for pad in _plausible(low, high, span, stride):
        yield (pad, pad), extra


def _transposed_paddings(
    size: int, output: int, span: int, stride: int, limit: int, fixed: Fixed
) -> Iterator[tuple[tuple[int, int], int]]:
    """Paddings of a transposed convolution, each with the output padding that it needs."""
    missing = output - (size - 1) * stride - span
    if fixed.padding is not None:
        pairs = [_pair(fixed.padding)]
    else:
        low, high = max(-(missing // 2), 0), (limit - 1 - missing) // 2
        pairs = [(pad, pad) for pad in _plausible(low, high, span, stride)]
    for pads in pairs:
        extra = missing + sum(pads)
        if 0 <= extra < limit and fixed.output_padding in (None, extra):
            yield pads, extra


def _pair(padding: int | tuple[int, int]) -> tuple[int, int]:
    return (padding, padding) if isinstance(padding, int) else padding


def _plausible(low: int, high: int, span: int, stride: int) -> Iterator[int]:
    """Paddings up to half of the kernel; more is only ever meant as full padding."""
    yield from range(low, min(high, span // 2) + 1)[:MOST_TRIED]
    if stride == 1 and span // 2 < span - 1 and low <= span - 1 <= high:
        yield span - 1


def _fits(
    solution: Solution,
    sizes: Sequence[int],
    outputs: Sequence[int],
    kind: LayerKind,
    ceil_mode: bool,
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


def _nothing(sizes: Sequence[int], outputs: Sequence[int], kind: LayerKind, fixed: Fixed) -> str:
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
