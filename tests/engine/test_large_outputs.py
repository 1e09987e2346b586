"""Outputs too large for the caches are written past them: the same samples as in parts."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

RNG = np.random.default_rng(8)
SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
KERNELS = {
    "bytes": (SOBEL, {}),
    "box": (np.full((3, 3), 1 / 9), {}),
    "floats": (RNG.normal(size=(3, 4)) / 6, {}),
    "separable": (np.outer([0.25, 0.47, 0.28], [0.2, 0.55, 0.25]), {"algorithm": "separable"}),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", KERNELS)
def test_a_large_output_has_the_samples_of_its_parts(name, dtype):
    weights, options = KERNELS[name]
    kernel = Kernel(weights)
    width = 34_000_001 // (np.dtype(dtype).itemsize * 3 * 1500) + 1
    x = RNG.integers(0, 256, (1500, width, 3), np.uint8)
    if dtype != "uint8":
        x = np.multiply(x, 257 if dtype == "uint16" else np.float32(1 / 255), dtype=dtype)

    def run(part):
        plan = plan_filter(part.shape, part.dtype, [kernel], padding=0, threads=2, **options)
        out = np.full(plan.shape_out, 1, plan.out_dtype)
        execute(plan, part, out)
        return out

    whole = run(x)
    assert whole.nbytes > 2**25
    below = kernel.shape[0] - 1
    for start, stop in ((0, 700), (700, 1500 - below)):
        part = run(x[start : stop + below])
        assert part.nbytes < 2**25
        if dtype == "float32" and name != "bytes":  # rows fall into other groups of a tile
            np.testing.assert_allclose(whole[start:stop], part, rtol=0, atol=1e-6)
        else:
            here = whole[start:stop]
            apart = np.maximum(here, part) - np.minimum(here, part)
            assert apart.max() <= (name in ("floats", "separable"))
