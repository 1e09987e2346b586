"""Every small window against a counter that only knows what a window is."""

from __future__ import annotations

from itertools import product

import pytest

from convcli import ShapeError
from convcli.arithmetic.size_notes import count_blind, count_unread, overlap_pattern
from convcli.arithmetic.transposed import transposed_pads, transposed_window
from convcli.arithmetic.window import conv_window, pool_window, resolve_padding

SIZES, KERNELS, STRIDES, PADS, DILATIONS = (
    range(1, 13),
    range(1, 6),
    range(1, 5),
    range(4),
    (1, 2, 3),
)


def taps(start: int, k: int, d: int) -> list[int]:
    return [start + tap * d for tap in range(k)]


def windows(n: int, k: int, s: int, before: int, after: int, d: int) -> list[list[int]]:
    """Cells of each window, by sliding it until it does not fit any more."""
    found, start = [], 0
    while max(taps(start, k, d)) < before + n + after:
        found.append(taps(start, k, d))
        start += s
    return found


def ceil_windows(n: int, k: int, s: int, p: int, d: int) -> list[list[int]]:
    """The same, with one more that hangs over, unless the last starts beyond the input."""
    found = windows(n, k, s, p, p, d)
    start = len(found) * s
    previous_end = max(found[-1]) if found else -1
    if previous_end < p + n + p - 1 and start < p + n + p - (k - 1) * d - 1 + s:
        found.append(taps(start, k, d))
    if found and found[-1][0] >= p + n:
        found.pop()
    return found


@pytest.mark.parametrize("d", DILATIONS, ids=lambda d: f"dilation_{d}")
def test_conv_agrees_with_counting(d: int) -> None:
    for n, k, s, p in product(SIZES, KERNELS, STRIDES, PADS):
        counted = windows(n, k, s, p, p, d)
        if not counted:
            with pytest.raises(ShapeError, match="output is empty"):
                conv_window(n, k, stride=s, padding=p, dilation=d)
            continue
        window = conv_window(n, k, stride=s, padding=p, dilation=d)
        assert window.output == len(counted), (n, k, s, p, d)
        read = {cell for cells in counted for cell in cells}
        assert count_unread(window) == len(set(range(p, p + n)) - read), (n, k, s, p, d)
        blind = [cells for cells in counted if not any(p <= cell < p + n for cell in cells)]
        assert count_blind(window) == len(blind), (n, k, s, p, d)


@pytest.mark.parametrize("d", DILATIONS, ids=lambda d: f"dilation_{d}")
def test_conv_agrees_with_counting_when_the_padding_is_uneven(d: int) -> None:
    for n, k, s, before, after in product(SIZES, KERNELS, STRIDES, (0, 1, 3), (0, 2)):
        counted = windows(n, k, s, before, after, d)
        if counted:
            window = conv_window(n, k, stride=s, padding=(before, after), dilation=d)
            assert window.output == len(counted), (n, k, s, before, after, d)


@pytest.mark.parametrize("d", DILATIONS, ids=lambda d: f"dilation_{d}")
def test_transposed_agrees_with_stamping(d: int) -> None:
    for n, k, s, p in product(SIZES, KERNELS, STRIDES, PADS):
        stamped = [cell for i in range(n) for cell in taps(i * s, k, d)]
        full = max(stamped) + 1
        for op in range(max(s, d)):
            kept = list(range(full + op))[p : full + op - p] if p else list(range(full + op))
            if full + op - 2 * p < 1:
                with pytest.raises(ShapeError, match="output is empty"):
                    transposed_window(n, k, stride=s, padding=p, dilation=d, output_padding=op)
                continue
            window = transposed_window(n, k, stride=s, padding=p, dilation=d, output_padding=op)
            assert window.output == len(kept), (n, k, s, p, d, op)
        with pytest.raises(ShapeError, match="output padding"):
            transposed_window(n, k, stride=s, padding=p, dilation=d, output_padding=max(s, d))


def test_the_transposed_size_inverts_the_convolution() -> None:
    """Dumoulin and Visin: with op = (n + 2p - ke) mod s, the transposed layer gives n again."""
    for n, k, s, p, d in product(SIZES, KERNELS, STRIDES, PADS, DILATIONS):
        room = n + 2 * p - (d * (k - 1) + 1)
        if room < 0:
            continue
        out = conv_window(n, k, stride=s, padding=p, dilation=d).output
        back = transposed_window(out, k, stride=s, padding=p, dilation=d, output_padding=room % s)
        assert back.output == n


@pytest.mark.parametrize("d", DILATIONS, ids=lambda d: f"dilation_{d}")
@pytest.mark.parametrize("ceil", [False, True], ids=["floor", "ceil"])
def test_pooling_agrees_with_counting(d: int, ceil: bool) -> None:
    for n, k, s, p in product(SIZES, KERNELS, STRIDES, PADS):
        counted = ceil_windows(n, k, s, p, d) if ceil else windows(n, k, s, p, p, d)
        if not counted:
            with pytest.raises(ShapeError, match="output is empty"):
                pool_window(n, k, stride=s, padding=p, dilation=d, ceil_mode=ceil)
            continue
        window = pool_window(n, k, stride=s, padding=p, dilation=d, ceil_mode=ceil)
        assert window.output == len(counted), (n, k, s, p, d)
        for place, cells in enumerate(counted):
            inside = sum(p <= cell < p + n for cell in cells)
            padded = sum(cell < p + n + p for cell in cells)
            assert window.divisor(place) == inside
            assert window.divisor(place, count_include_pad=True) == padded
        assert window.overhang == max(max(counted[-1]) - (n + 2 * p - 1), 0)


def test_same_gives_the_promised_size_with_the_least_padding() -> None:
    for n, k, s, d in product(SIZES, KERNELS, STRIDES, DILATIONS):
        promised = -(-n // s)
        for name in ("same", "same_lower"):
            before, after = resolve_padding(name, n, k, s, d)
            assert len(windows(n, k, s, before, after, d)) == promised
            assert abs(before - after) <= 1
            assert before == after or (before < after) == (name == "same")
            if before + after:
                fewer = windows(n, k, s, before, after - 1, d) if after else []
                assert len(fewer) < promised


def test_the_overlap_pattern_is_what_stamping_counts() -> None:
    for k, s, p, d in product(KERNELS, STRIDES, (0, 1, 2), DILATIONS):
        n = 24
        window = transposed_window(n, k, stride=s, padding=p, dilation=d)
        counts = [0] * (window.full + 1)
        for i in range(n):
            for cell in taps(i * s, k, d):
                counts[cell] += 1
        # Far from both ends the counts repeat with the stride; 12 strides in is far enough.
        kept = counts[p:]
        pattern = overlap_pattern(window)
        assert pattern == tuple(kept[12 * s : 13 * s])


def test_onnx_pads_reach_the_given_output() -> None:
    for n, k, s, d in product((1, 2, 5, 7), KERNELS, STRIDES, DILATIONS):
        reach = (n - 1) * s + d * (k - 1) + 1
        for output in range(1, reach + max(s, d)):
            for mode in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
                before, after, op = transposed_pads(
                    n, output, k, stride=s, dilation=d, auto_pad=mode
                )
                window = transposed_window(
                    n, k, stride=s, dilation=d, padding=(before, after), output_padding=op
                )
                assert window.output == output
                assert before <= after if mode == "SAME_UPPER" else before >= after
        with pytest.raises(ShapeError, match="cannot be reached"):
            transposed_pads(n, reach + max(s, d), k, stride=s, dilation=d)
