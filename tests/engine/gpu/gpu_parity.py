"""What a device makes against what the NumPy backend makes, for the tests beside this file."""

from __future__ import annotations

import numpy as np

from convcli.engine.dispatch import execute
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.plan import plan_filter

__all__ = ["agrees", "picture", "plan_of"]


def picture(dtype, shape, seed=5):
    rng = np.random.default_rng(seed)
    if dtype.startswith("uint"):
        x = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
        x[rng.random(shape) < 0.1] = np.iinfo(dtype).max
        return x
    return rng.random(shape).astype(dtype)


def agrees(shim, plan, x, how=run_tiles):
    want = execute(plan, x)
    got, clipped = how(shim, plan, x)
    assert got.dtype == want.pixels.dtype
    assert got.shape == want.pixels.shape
    exact = len(plan.steps) == 1 and plan.steps[0].exact
    if plan.out_dtype.startswith("uint") and plan.range != "stretch":
        off = np.abs(got.astype(int) - want.pixels.astype(int)).max()
        assert off <= (0 if exact else 1)
        assert abs(clipped - want.clipped) <= (0 if exact else max(2, x.size // 2000))
    elif exact:
        np.testing.assert_array_equal(got, want.pixels)
    else:
        bound = np.abs(want.pixels).max() or 1.0
        precise = plan.steps[0].accumulate == "float64"
        np.testing.assert_allclose(got, want.pixels, atol=bound * (1e-12 if precise else 3e-6))


def plan_of(x, kernels, **options):
    kernels = kernels if isinstance(kernels, list) else [kernels]
    return plan_filter(x.shape, x.dtype, kernels, backend="numpy", **options)
