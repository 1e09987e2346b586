"""Boxes by running sums: every group of channels, width and border, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.cpu.c_loops import loops
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.skipif(not loops().compiled, reason="of the compiled loops")


def means(x, height, width, mode, **value):
    """By the summed-area table of a padded picture, in 64-bit integers."""
    pads = [((k - 1) // 2, k // 2) for k in (height, width)]
    padded = np.pad(x.astype(np.int64), (*pads, (0, 0)), mode, **value)
    table = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    sums = table[height:, width:] - table[:-height, width:]
    sums += table[:-height, :-width] - table[height:, :-width]
    return np.rint(sums / (height * width))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("height, width", [(1, 7), (7, 1), (3, 3), (5, 21), (31, 9)])
def test_means(isa, channels, height, width):
    x = np.random.default_rng(channels).integers(0, 256, (45, 777, channels)).astype(np.uint8)
    for dtype in (np.uint8, np.uint16):
        y = x.astype(dtype) * (1 if dtype == np.uint8 else 257)
        kernel = Kernel(np.ones((height, width)), scale=1 / (height * width))
        pads = tuple(((k - 1) // 2, k // 2) for k in (height, width))
        plan = plan_filter(y.shape, dtype, [kernel], padding=pads, algorithm="box", backend="numpy")
        np.testing.assert_array_equal(execute(plan, y).pixels, means(y, height, width, "reflect"))


@pytest.mark.parametrize("mode", ["constant", "wrap", "edge"])
def test_borders(isa, mode):
    x = np.random.default_rng(2).integers(0, 256, (12, 40, 3)).astype(np.uint8)
    value = {"constant_values": 9} if mode == "constant" else {}
    plan = plan_filter(
        x.shape, x.dtype, [Kernel(np.ones((9, 25)), scale=1 / 225)],
        border=Border(mode, 9 if value else 0), algorithm="box", backend="numpy",
    )  # fmt: skip
    np.testing.assert_array_equal(execute(plan, x).pixels, means(x, 9, 25, mode, **value))
