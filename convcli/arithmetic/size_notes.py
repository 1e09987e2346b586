"""Notes on a layer's size: cells that no window reads, uneven padding, checkerboards."""

from __future__ import annotations

from convcli.arithmetic.layer import AnyWindow
from convcli.arithmetic.transposed import TransposedWindow
from convcli.arithmetic.window import Padding, Window

__all__ = ["average_note", "count_blind", "count_unread", "overlap_pattern", "size_notes"]

MOST_TAPS = 200_000
"""Beyond this many taps of a dilated kernel the unread cells are not counted one by one."""

LONGEST_PATTERN = 16


def count_unread(window: Window) -> int | None:
    """Input cells that no window reads; None where counting them would take too long.

    >>> from convcli.arithmetic.window import conv_window
    >>> count_unread(conv_window(10, 2, stride=3)), count_unread(conv_window(10, 2, dilation=5))
    (4, 0)
    """
    low, high = window.before, window.before + window.size
    if window.dilation == 1 and window.stride <= window.kernel_size:
        reach = (window.output - 1) * window.stride + window.kernel_size
        return window.size - max(min(reach, high) - low, 0)
    if window.dilation == 1:
        return window.size - _cells_of_disjoint(window, low, high)
    if window.output * window.kernel_size > MOST_TAPS:
        return None
    starts = range(0, window.output * window.stride, window.stride)
    span, step = window.effective_kernel, window.dilation
    read = {tap for start in starts for tap in range(start, start + span, step)}
    return window.size - sum(low <= tap < high for tap in read)


def _cells_of_disjoint(window: Window, low: int, high: int) -> int:
    """Input cells under windows that do not overlap; only the outermost can be cut."""
    kernel, stride = window.kernel_size, window.stride
    first = max(-(-(low - kernel + 1) // stride), 0)
    last = min((high - 1) // stride, window.output - 1)
    if last < first:
        return 0
    cut_before = max(low - first * stride, 0)
    cut_after = max(last * stride + kernel - high, 0)
    return (last - first + 1) * kernel - cut_before - cut_after


def count_blind(window: Window) -> int | None:
    """Windows that read padding alone; None where counting them would take too long.

    >>> from convcli.arithmetic.window import conv_window
    >>> count_blind(conv_window(5, 2, padding=3)), count_blind(conv_window(5, 3, padding=1))
    (4, 0)
    """
    low, high = window.before, window.before + window.size
    # Only windows that begin in the padding before, or end in what comes after, can be blind.
    first = range(min(-(-low // window.stride), window.output))
    reach = max((high - window.effective_kernel) // window.stride + 1, len(first))
    last = range(reach, window.output)
    if (len(first) + len(last)) * window.kernel_size > MOST_TAPS:
        return None
    return sum(
        not any(
            low <= place * window.stride + tap * window.dilation < high
            for tap in range(window.kernel_size)
        )
        for places in (first, last)
        for place in places
    )


def overlap_pattern(window: TransposedWindow) -> tuple[int, ...] | None:
    """How many inputs each output cell is summed from, over one period of ``stride`` cells.

    All alike where the stride divides the kernel size; otherwise the output has a checkerboard
    (Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016).

    >>> from convcli.arithmetic.transposed import transposed_window
    >>> overlap_pattern(transposed_window(8, 3, stride=2)), overlap_pattern(transposed_window(8, 4, stride=2))
    ((2, 1), (2, 2))

    None where listing it would take too long.
    """
    if window.stride + window.kernel_size > MOST_TAPS:
        return None
    counts = [0] * window.stride
    for tap in range(window.kernel_size):
        counts[tap * window.dilation % window.stride] += 1
    shift = window.before % window.stride
    return tuple(counts[shift:] + counts[:shift])


def size_notes(window: AnyWindow, padding: Padding = 0) -> list[str]:
    """Sentences about one axis; ``padding`` is the padding as it was asked for.

    >>> from convcli.arithmetic.window import conv_window
    >>> for line in size_notes(conv_window(32, 4, stride=2, padding="same"), "same"): print(line)
    same: 2 cells of padding in all, 1 before and 1 after
    >>> for line in size_notes(conv_window(32, 3, stride=2)): print(line)
    1 of 32 input cells is read by no window
    the floor drops 1 left-over cell: with 1 more cell of padding the output would be 16
    """
    found = []
    if padding in ("same", "same_lower"):
        found.append(_same(window))
    if isinstance(window, TransposedWindow):
        return found + _about_overlap(window)
    return found + _about_cells(window) + _about_ceil(window)


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"


def _same(window: AnyWindow) -> str:
    total = window.before + window.after
    if not total:
        return "same: no padding is needed"
    verb = "cropped" if isinstance(window, TransposedWindow) else "of padding"
    odd = ""
    if window.before < window.after:
        odd = " (the odd one at the end)"
    elif window.before > window.after:
        odd = " (the odd one at the beginning)"
    return (
        f"same: {_cells(total)} {verb} in all, {window.before} before and {window.after} after{odd}"
    )


def _about_cells(window: Window) -> list[str]:
    found = []
    unread = count_unread(window)
    if unread:
        verb = "is" if unread == 1 else "are"
        found.append(f"{unread} of {window.size} input cells {verb} read by no window")
    if window.stride > window.effective_kernel:
        gap = window.stride - window.effective_kernel
        found.append(
            f"the stride {window.stride} is larger than the kernel's {window.effective_kernel}: "
            f"{_cells(gap)} between windows {'is' if gap == 1 else 'are'} skipped"
        )
    left = (window.padded - window.effective_kernel) % window.stride
    if left and not window.ceil_mode:
        found.append(
            f"the floor drops {left} left-over cell{'s' * (left > 1)}: with "
            f"{window.stride - left} more cell{'s' * (window.stride - left > 1)} of padding the "
            f"output would be {window.output + 1}"
        )
    blind = count_blind(window)
    if blind:
        found.append(
            f"{blind} window{' reads' if blind == 1 else 's read'} nothing but padding; pad by at "
            "most half of the kernel"
        )
    return found


def _about_ceil(window: Window) -> list[str]:
    if window.clipped:
        return [
            f"ceil would give {window.output + 1}, but the last window would start beyond the "
            f"input: {window.output} (PyTorch's rule)"
        ]
    if window.overhang:
        return [
            f"ceil adds a last window that hangs {_cells(window.overhang)} over the end; an "
            "average never counts those cells"
        ]
    return []


def average_note(window: Window) -> str:
    """What an average is divided by at the ends, where frameworks differ; empty where not.

    >>> from convcli.arithmetic.window import pool_window
    >>> average_note(pool_window(9, 3, stride=2, padding=1))
    'the first average is divided by 2 cells, or by 3 where padding counts; the last by 2 or 3'
    """
    inside = [window.divisor(place) for place in (0, window.output - 1)]
    padded = [window.divisor(place, count_include_pad=True) for place in (0, window.output - 1)]
    if inside == padded == [window.kernel_size] * 2:
        return ""
    return (
        f"the first average is divided by {_cells(inside[0])}, or by {padded[0]} where padding "
        f"counts; the last by {inside[1]} or {padded[1]}"
    )


def _about_overlap(window: TransposedWindow) -> list[str]:
    pattern = overlap_pattern(window)
    if pattern is None or len(set(pattern)) == 1:
        return []
    shown = " ".join(map(str, pattern[:LONGEST_PATTERN]))
    if len(pattern) > LONGEST_PATTERN:
        shown += " ..."
    return [
        f"checkerboard: outputs are summed from {shown} inputs in turn, since the stride "
        f"{window.stride} does not divide the kernel size {window.kernel_size}; kernel size "
        f"{_even_kernel(window)} would be even"
    ]


def _even_kernel(window: TransposedWindow) -> int:
    return -(-window.kernel_size // window.stride) * window.stride
