"""Steps by whole-array operations, on NumPy in CuPy's place: the samples of the CPU's loops."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu.array_steps import run_rows_on
from convcli.engine.gpu.row_maps import row_map
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

RNG = np.random.default_rng(4)
ROW = np.array([-1.0, 0, 3, 0, 2])
KERNELS = {
    "product": Kernel(np.outer([1.0, 2, 0, -1], ROW)),
    "two_terms": Kernel(RNG.normal(size=(7, 2)) @ RNG.normal(size=(2, 6)) / 40, bias=90),
    "holes": Kernel([[0, 0, 2.0], [0, 0, 0], [-1, 0, 0]], scale=0.5, bias=64),
    "nothing": Kernel(np.zeros((2, 3)), bias=7),
    "stack": Kernel(np.array([[[-1.0, 0, 1]] * 3, [[-1.0] * 3, [0.0] * 3, [1.0] * 3]]),
                    combine="magnitude"),
    "bank": Kernel(RNG.integers(-3, 4, (2, 3, 2, 4)).astype(float), scale=1 / 9, bias=100),
}  # fmt: skip


CASES = [(name, algorithm) for name in KERNELS for algorithm in ("direct", "fft")]
CASES += [("product", "separable"), ("two_terms", "separable")]


@pytest.mark.parametrize("name, algorithm", CASES)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("shape", [{}, {"stride": (2, 3)}, {"dilation": (3, 2)}])
def test_every_row_equals_the_loops(name, algorithm, dtype, shape):
    x = RNG.integers(0, 256, (19, 23, 3)).astype(dtype) / (1 if dtype == "uint8" else 255)
    x = x.astype(dtype)
    how = {"backend": "numpy", "border": Border("constant", 30.0 if dtype == "uint8" else 0.1)}
    if algorithm == "separable":
        how["border"] = Border("symmetric")
    plan = plan_filter(x.shape, dtype, [KERNELS[name]], algorithm=algorithm, **how, **shape)
    (step,) = plan.steps
    want = execute(plan, x)
    rows = step.shape_out[0]
    for start, stop in ((0, rows), (2, 5)):
        have = ((0, x.shape[0]),)
        places = row_map(step.rows, step.border.mode, (start, stop), have)
        got, clipped = run_rows_on(np, step, x, places, stop - start)
        assert got.dtype == want.pixels.dtype
        off = np.abs(got.astype(float) - want.pixels[start:stop])
        assert off.max() <= (0 if step.exact else 1 if dtype == "uint8" else 1e-12)
        if stop - start == rows and step.exact:
            assert clipped == want.clipped
