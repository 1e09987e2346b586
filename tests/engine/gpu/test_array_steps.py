"""Steps by whole-array operations, on NumPy in CuPy's place: the samples of the CPU's loops."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu import array_steps
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


@pytest.mark.parametrize("options", [{}, {"stride": (2, 3)}, {"dilation": (3, 2)}, {"stride": 9}])
@pytest.mark.parametrize("name", ["product", "two_terms", "stack", "bank"])
def test_transforms_of_tiles_that_overlap(monkeypatch, name, options):
    """Tiles of 24 samples, so that a small picture has many."""
    monkeypatch.setattr(array_steps, "fft_length", lambda kernel, outputs: 24)
    x = RNG.integers(0, 256, (61, 83, 3)).astype(np.uint8)
    plan = plan_filter(
        x.shape, "uint8", [KERNELS[name]], algorithm="fft", backend="numpy", **options
    )
    (step,) = plan.steps
    want = execute(plan, x)
    places = row_map(step.rows, step.border.mode, (0, step.shape_out[0]), ((0, 61),))
    got, _ = run_rows_on(np, step, x, places, step.shape_out[0])
    off = np.abs(got.astype(int) - want.pixels)
    assert off.max() <= (0 if step.exact else 1)


def test_transforms_are_of_the_type_that_is_planned(monkeypatch):
    kinds = set()
    real = np.fft.irfft2

    def back(product, *rest):
        kinds.add(product.dtype.name)
        return real(product, *rest)

    monkeypatch.setattr(np.fft, "irfft2", back)
    x = RNG.integers(0, 256, (61, 83, 1)).astype(np.uint8)
    for kernel, transform in (
        (RNG.normal(size=(9, 9)) / 40, "float32"),
        (1e5 * ROW[None], "float64"),
    ):
        plan = plan_filter(x.shape, "uint8", [Kernel(kernel)], algorithm="fft", backend="numpy")
        (step,) = plan.steps
        assert step.method.transform == transform
        places = row_map(step.rows, step.border.mode, (0, 61), ((0, 61),))
        kinds.clear()
        run_rows_on(np, step, x, places, 61)
        assert kinds == {"complex64" if transform == "float32" else "complex128"}
