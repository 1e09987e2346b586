"""How long the transforms are; the planner asks, and needs nothing else of them."""

from __future__ import annotations

from convcli.engine.axis_maps import AxisMap

__all__ = ["efficiency", "fft_length", "smooth_length", "transform_length"]


def fft_length(kernel: int, outputs: int) -> int:
    """Transform length of one axis: a power of two some five times the kernel, or what suffices.

    >>> fft_length(31, 4000), fft_length(31, 20)
    (256, 50)
    """
    length = 256
    while length < 5 * kernel:
        length *= 2
    return min(length, smooth_length(outputs + kernel - 1))


def transform_length(outputs: int, taps: int, line: AxisMap) -> int:
    """Transform length of an axis of so many outputs and taps, whose cells lie as the map says."""
    return fft_length((taps - 1) * line.dilation + 1, (outputs - 1) * line.stride + 1)


def efficiency(kernel: int, outputs: int) -> float:
    """Share of a transform of one axis that becomes output."""
    length = fft_length(kernel, outputs)
    tiles = -(-outputs // (length - kernel + 1))
    return outputs / (tiles * length)


def smooth_length(n: int) -> int:
    """Smallest even number from ``n`` on with no prime factor above 5: a fast transform.

    >>> smooth_length(4097)
    4320
    """
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1 and n % 2 == 0:
            return n
        n += 1
