"""Every window of a small picture, by NumPy's own padding: for references that sort or count.

And parts of a picture, as a plan asks for them.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def pads(size: int, taps: int, padding, stride: int, dilation: int) -> tuple[int, int]:
    """Cells before and after an axis."""
    span = (taps - 1) * dilation + 1
    if padding == "valid":
        return 0, 0
    if padding == "full":
        return span - 1, span - 1
    if isinstance(padding, int):
        return padding, padding
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    pair = total // 2, total - total // 2
    return pair if padding == "same" else pair[::-1]


def windows(
    x, shape, border="reflect", value=0.0, padding="same", stride=1, dilation=1, mirrored=False
):
    """Cells ``(rows, columns, channels, kH * kW)`` under each window, and which of them are there.

    Of windows without a middle, those with mirrored anchors stand a cell further on.

    Whole numbers become int64 (float64 where the value outside is none), floats float64.
    """
    kind = np.float64 if x.dtype.kind == "f" or value != int(value) else np.int64
    amounts = [pads(n, k, padding, stride, dilation) for n, k in zip(x.shape, shape, strict=False)]
    spans = tuple((k - 1) * dilation + 1 for k in shape)
    sizes = [
        (n + sum(a) - s) // stride + 1 for n, a, s in zip(x.shape, amounts, spans, strict=False)
    ]
    turn = {"same": 1, "same_lower": -1}.get(padding, 0) if mirrored else 0
    by = [turn * (s % 2 == 0) for s in spans]
    amounts = [(a + t, b) for (a, b), t in zip(amounts, by, strict=True)]
    amounts = [(a, b - t) if t < 0 else (a, b) for (a, b), t in zip(amounts, by, strict=True)]
    amounts.append((0, 0))
    there = ~np.isnan(x) if x.dtype.kind == "f" else np.ones(x.shape, bool)
    cells = x.astype(kind)
    if border == "constant":
        cells = np.pad(cells, amounts, constant_values=value)
        there = np.pad(there, amounts, constant_values=True)
    elif border == "missing":
        cells, there = np.pad(cells, amounts), np.pad(there, amounts)
    else:
        cells, there = np.pad(cells, amounts, border), np.pad(there, amounts, border)

    def seen(a):
        found = sliding_window_view(a, spans, (0, 1))[::stride, ::stride, :, ::dilation, ::dilation]
        return found[: sizes[0], : sizes[1]].reshape(*sizes, x.shape[2], -1)

    return seen(cells), seen(there)


def reader(x):
    """Reads cutouts of an array, and checks that they lie in it."""

    def read(want):
        for spans, size in zip(want, x.shape, strict=False):
            assert all(0 <= a < b <= size for a, b in spans)
        rows, cols = (np.concatenate([np.arange(a, b) for a, b in spans]) for spans in want)
        return np.ascontiguousarray(x[rows][:, cols])

    return read


def centred(footprint, *origin):
    """SciPy's footprint, with cells that do not count until its centre is where ours is.

    >>> centred(np.ones((1, 2)), 0, 0).tolist(), centred(np.ones((1, 2)), 0, -1).tolist()
    ([[1.0, 1.0, 0.0]], [[1.0, 1.0]])
    """
    widths = []
    for side, moved in zip(np.shape(footprint), origin or (0, 0), strict=True):
        centre = side // 2 + moved
        widths.append(
            next(
                (before, total - before)
                for total in range(2 * side + 1)
                for before in range(total + 1)
                if (side + total - 1) // 2 == before + centre
            )
        )
    return np.pad(np.asarray(footprint, float), widths)
