"""The order in which taps are handed to the loops changes no whole-number sum."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.algorithms import direct_correlation
from convcli.engine.cpu.c_loops import loops
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.skipif(not loops().compiled, reason="of the compiled loops")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_any_order_gives_the_same(isa, monkeypatch, dtype, seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-9, 10, (7, 6)).astype(float)
    x = rng.integers(0, np.iinfo(dtype).max + 1, (61, 90, 2), dtype=dtype)
    plan = plan_filter(
        x.shape, dtype, [Kernel(weights, scale=1 / 16)], algorithm="direct", backend="numpy",
        padding=0,
    )  # fmt: skip
    usual = direct_correlation.Compiled.lists

    def shuffled(method):
        lines, planes = usual(method)
        for plane in planes:
            rng.shuffle(plane)
        return lines, planes

    monkeypatch.setattr(direct_correlation.Compiled, "lists", shuffled)
    sums = np.zeros((55, 85, 2), np.int64)
    for (i, j), w in np.ndenumerate(weights):
        sums += int(w) * x[i : i + 55, j : j + 85].astype(np.int64)
    want = np.rint(sums / 16).clip(0, np.iinfo(dtype).max)
    np.testing.assert_array_equal(execute(plan, x).pixels, want)
