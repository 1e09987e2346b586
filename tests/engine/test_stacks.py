"""Kernels of several members, on rows longer than the blocks of sums, against float64 tap by tap."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.cpu.c_loops import loops
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.skipif(not loops().compiled, reason="of the compiled loops")


@pytest.mark.parametrize("combine", ["magnitude", "maximum"])
@pytest.mark.parametrize("members", [2, 3, 5])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_members_across_blocks(isa, combine, members, dtype):
    rng = np.random.default_rng(members)
    weights = rng.integers(-3, 4, (members, 4, 3)).astype(float)
    x = rng.integers(1, 256, (23, 2600, 1)).astype(dtype)
    kernel = Kernel(weights, combine=combine, scale=1 / 8, bias=30)
    plan = plan_filter(
        x.shape,
        dtype,
        [kernel],
        algorithm="direct",
        backend="numpy",
        padding=0,
        out_dtype="float64",
    )
    sums = np.zeros((members, 20, 2598, 1))
    for (p, i, j), w in np.ndenumerate(weights):
        sums[p] += w * x[i : i + 20, j : j + 2598]
    sums /= 8
    want = np.sqrt((sums**2).sum(0)) if combine == "magnitude" else sums.max(0)
    full = {"uint8": 255.0, "uint16": 65535.0}.get(dtype, 1.0)
    want = (want + 30 * full / 255) / full
    np.testing.assert_allclose(execute(plan, x).pixels, want, rtol=2e-6, atol=2e-6)
