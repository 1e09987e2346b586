"""Rasters on a device: types that its kernels neither read nor write are floats on the way."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu.host_strips import run_tiles
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

RNG = np.random.default_rng(8)
WHOLE = Kernel([[1, -2, 1], [0, 3, -1], [2, 0, -3]])
REAL = Kernel(RNG.normal(size=(4, 3)))
MEAN = Kernel(np.full((5, 5), 1 / 25))
STACK = Kernel(np.array([[[-1.0, 0, 1]], [[1.0, -2, 1]]]), combine="magnitude")
BANK = Kernel(RNG.integers(-2, 3, (3, 2, 3, 2)).astype(float))


def raster(dtype, reach=2**40):
    low, high = max(-reach, np.iinfo(dtype).min), min(reach, np.iinfo(dtype).max)
    return RNG.integers(low, high, (17, 21, 2), dtype, endpoint=True)


@pytest.mark.parametrize(
    "kernel", [WHOLE, REAL, MEAN, STACK, BANK], ids=["whole", "real", "mean", "stack", "bank"]
)
@pytest.mark.parametrize(
    ("dtype", "target"),
    [("int16", "int16"), ("int8", "int32"), ("int32", "int32"), ("uint32", "float64"), ("uint8", "int16"),
     ("float32", "int8"), ("int64", "int64"), ("uint64", "uint64"), ("float64", "uint32")],
)  # fmt: skip
def test_every_type_is_rounded_and_clipped_as_on_the_cpu(shim, dtype, target, kernel):
    how = (
        {"bounds": (0 if dtype == "uint64" else -(2**40), 2**40)} if "64" in dtype + target else {}
    )
    if dtype.startswith("float"):
        x, how = ((RNG.random((17, 21, 2)) - 0.4) * 4e3).astype(dtype), {}
    else:
        x = raster(dtype)
    plan = plan_filter(
        x.shape, dtype, [kernel], out_dtype=target, backend="numpy", values=True,
        border=Border("constant", 3.0), algorithm=None if kernel is BANK else "direct", **how,
    )  # fmt: skip
    want = execute(plan, x)
    got, clipped = run_tiles(shim, plan, x)
    assert got.dtype == want.pixels.dtype
    off = np.abs(got.astype(np.float64) - want.pixels.astype(np.float64)).max()
    exact = plan.steps[0].exact and kernel is not STACK
    tolerance = 1e-12 * float(np.abs(want.pixels.astype(np.float64)).max())
    assert off <= (0 if exact else max(tolerance, target[0] != "f"))
    assert abs(clipped - want.clipped) <= (0 if exact else 2)
    # A kernel of the device sums, but for stacks, which array operations finish member by member.
    writes = target in ("uint8", "uint16", "float32", "float64")
    assert bool(shim.launched) == (kernel is not STACK or writes)


def test_a_raster_of_16_bits_is_exact_where_its_sums_need_float64(shim):
    x = raster("int16")
    kernel = Kernel(np.full((25, 25), 99.0), scale=1 / 61875)
    plan = plan_filter(x.shape, "int16", [kernel], backend="numpy", algorithm="direct")
    assert (plan.steps[0].accumulate, plan.steps[0].exact) == ("float64", True)
    np.testing.assert_array_equal(run_tiles(shim, plan, x)[0], execute(plan, x).pixels)
