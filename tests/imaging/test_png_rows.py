"""PNG's row filters in C against the definition (third edition, sections 9 and 12.7), row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli.extensions import extension

NONE, SUB, UP, AVERAGE, PAETH = range(5)
STEPS = [1, 2, 3, 4, 6, 8]
WIDTHS = range(1, 71)


def guesses(x: np.ndarray, up: np.ndarray, step: int) -> list[np.ndarray]:
    """What each filter takes from a row."""
    a, b, c = np.zeros_like(x), up, np.zeros_like(x)
    a[step:], c[step:] = x[:-step], up[:-step]
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
    return [np.zeros_like(x), a, b, (a + b) // 2, paeth]


def filtered(rows: np.ndarray, step: int, kinds: list[int] | None) -> np.ndarray:
    """Rows as a PNG has them; without kinds, each by the filter of the least sum."""
    out = []
    up = np.zeros(rows.shape[1], int)
    for y, x in enumerate(rows.astype(int)):
        made = [(x - guess) % 256 for guess in guesses(x, up, step)]
        sums = [np.minimum(m, 256 - m).sum() for m in made]
        kind = kinds[y] if kinds else SUB + int(np.argmin(sums[SUB:]))
        out.append([kind, *made[kind]])
        up = x
    return np.array(out, np.uint8)


def picture(height: int, width: int, step: int, turn: int) -> np.ndarray:
    """Bytes of the file: noise, or a slope with a little of it."""
    rng = np.random.default_rng([height, width, step, turn])
    noise = rng.integers(0, 256, (height, width * step))
    if turn % 2:
        y, x = np.indices(noise.shape)
        noise = x // step * 5 * (turn % 4 - 2) + y * (turn % 6) + noise % 7
    return (noise % 256).astype(np.uint8)


def swapped(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).view(np.uint16).byteswap().view(np.uint8)


KINDS = [[k] * 5 for k in range(5)] + [[4, 4, 0, 4, 4], [1, 4, 4, 4, 3], [3, 1, 2, 4, 1]]


@pytest.mark.parametrize("step", STEPS)
def test_filters_are_undone_in_pieces_of_any_length(isa: str, step: int) -> None:
    loops: Any = extension("_png").module
    rng = np.random.default_rng(step)
    for width in WIDTHS:
        rows = picture(5, width, step, width)
        size = width * step
        for turn, kinds in list(enumerate(KINDS))[width % 4 :: 4]:
            data = filtered(rows, step, kinds).tobytes()
            swap = step % 2 == 0 and turn % 2 == 0
            pixels, begun = bytearray(5 * size), bytearray(1 + size)
            done = have = at = 0
            while at < len(data):
                piece = (
                    int(rng.integers(1, 3 * size + 3))
                    if width % 3
                    else (width % 5 + 1) * (1 + size)
                )
                raw = data[at : at + piece]
                done, have = loops.unfilter(raw, begun, have, pixels, done, size, step, swap)
                at += len(raw)
            assert (done, have) == (5, 0)
            expected = swapped(rows) if swap else rows
            assert bytes(pixels) == expected.tobytes(), (width, kinds)


@pytest.mark.parametrize("step", STEPS)
def test_the_filter_of_the_least_sum_in_bands_of_any_height(isa: str, step: int) -> None:
    loops: Any = extension("_png").module
    for width in WIDTHS:
        rows = picture(5, width, step, width // 2)
        expected = filtered(rows, step, None)
        swap = step % 2 == 0 and width % 2 == 0
        given = swapped(rows) if swap else rows
        band = width % 5 + 1
        for top in range(0, 5, band):
            count = min(band, 5 - top)
            out = np.full((count, 1 + width * step), 99, np.uint8)
            above = given[max(top - 1, 0) : top]
            loops.filter(given[top : top + count], above, out, count, width * step, step, swap)
            np.testing.assert_array_equal(out, expected[top : top + count])
