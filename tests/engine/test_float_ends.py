"""Sums at the ends of float32 with NumPy alone: infinite where they are too large, never NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

EDGE = 3e38


@pytest.fixture(autouse=True)
def _numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")


def made(x: NDArray[Any], kernel: Kernel, **how: Any) -> NDArray[Any]:
    plan = plan_filter(x.shape, x.dtype, [kernel], values=True, backend="numpy", **how)
    assert plan.loops.name == "numpy"
    return execute(plan, x).pixels


def ends(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Samples at both ends, and small ones."""
    rng = np.random.default_rng(1)
    x = rng.choice([-EDGE, EDGE, EDGE / 8, 1.0], shape) * rng.uniform(0.9, 1.0, shape)
    return x.astype(np.float32)


BANK = Kernel(np.random.default_rng(3).integers(-2, 3, (2, 3, 3, 3)) * 1.1, name="bank")


@pytest.mark.parametrize(
    ("kernel", "how"),
    [
        ("laplacian", {"algorithm": "direct"}),
        ("laplacian", {"stride": 2}),
        ("emboss", {"dilation": 2, "stride": 3}),
        ("sobel-x", {"algorithm": "separable"}),
        ("gaussian:1.5", {"algorithm": "separable", "stride": 2}),
        (Kernel(np.ones((5, 5)), name="sum"), {"algorithm": "box"}),
        (BANK, {}),
        (BANK, {"stride": 2}),
    ],
)
def test_what_float32_cannot_hold_is_infinite(kernel: str | Kernel, how: dict[str, Any]) -> None:
    kernel = load_kernel(kernel) if isinstance(kernel, str) else kernel
    x = ends((40, 33, 3))
    got, want = made(x, kernel, **how), made(x.astype(np.float64), kernel, **how)
    assert got.dtype == np.float32
    assert not np.isnan(got).any()
    # A sum that is rounded beside the end may fall on either side of it.
    share = np.abs(want) / np.finfo(np.float32).max
    assert (np.isfinite(got) | (share > 1 - 1e-5)).all()
    assert (np.isinf(got) | (share < 1 + 1e-5)).all()
    held = np.isfinite(got)
    assert held.any()
    np.testing.assert_allclose(got[held], want[held], rtol=0, atol=EDGE * 2.0**-19)


@pytest.mark.parametrize("name", ["sobel-x", "laplacian", "box:3"])
def test_what_lies_beside_is_the_same_to_the_bit(name: str) -> None:
    """Large samples in a tile change no sum but those whose window sees them."""
    x = np.random.default_rng(2).normal(size=(30, 40, 1)).astype(np.float32)
    large = x.copy()
    large[:4, :4] = EDGE * np.array([-1, 1, 1, -1])[:, None]
    kernel = load_kernel(name)
    np.testing.assert_array_equal(made(large, kernel)[6:, 6:], made(x, kernel)[6:, 6:])


def test_what_is_no_number_stays_none() -> None:
    x = np.ones((9, 9, 1), np.float32)
    x[4, 4], x[0, 0] = np.nan, np.inf
    got = made(x, load_kernel("sobel-x"))[..., 0]
    assert np.isnan(got[4, 3]), "a window that sees NaN"
    assert np.isinf(got[1, 1]), "a window that sees one infinity"
    assert got[8, 8] == 0
