"""Every border of the table is what every algorithm reads, however far outside the picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.algorithms import ALGORITHMS
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.errors import UsageError
from convcli.imaging.api import filter_image
from convcli.kernels.kernel import Kernel

LEVEL = 37.0
KERNELS = {
    "small": np.array([[1.0, -2, 3], [0, 5, -1]]),
    "separable": np.outer([1.0, 2, 3, 2, 1], [1.0, 0, -1]),
    "box": np.ones((3, 5)),
    "far": np.arange(1.0, 20 * 33 + 1).reshape(20, 33) % 7,
}


def cells(mode: str, size: int, before: int, after: int) -> list[int | None]:
    """Input cells of the positions from ``before`` the picture to ``after`` it."""
    outside = BORDERS[mode].cell
    return [
        at if 0 <= at < size else None if outside is None else outside(at, size)
        for at in range(-before, size + after)
    ]


def read_cell_by_cell(x: np.ndarray, weights: np.ndarray, mode: str) -> np.ndarray:
    (tall, wide), (height, width) = weights.shape, x.shape
    rows = cells(mode, height, (tall - 1) // 2, tall // 2)
    cols = cells(mode, width, (wide - 1) // 2, wide // 2)
    padded = np.full((len(rows), len(cols)), LEVEL)
    for i, j in itertools.product(range(len(rows)), range(len(cols))):
        if rows[i] is not None and cols[j] is not None:
            padded[i, j] = x[rows[i], cols[j]]
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape)
    return np.einsum("ijkl,kl->ij", windows, weights)


@pytest.mark.parametrize("size", [(7, 11), (1, 4), (2, 1)])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("mode", BORDERS)
def test_each_algorithm_reads_what_the_table_says(mode, kernel, size):
    x = np.random.default_rng(5).integers(0, 256, size).astype(np.uint8)
    weights = KERNELS[kernel]
    want = read_cell_by_cell(x, weights, mode)
    done = 0
    for algorithm in ALGORITHMS:
        try:
            plan = plan_filter(
                (*size, 1), "uint8", [Kernel(weights)], border=Border(mode, LEVEL),
                range="float", algorithm=algorithm, out_dtype="float64", backend="numpy",
            )  # fmt: skip
        except UsageError:
            continue  # it cannot do the kernel
        got = execute(plan, x[..., None]).pixels[..., 0]
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-6 * np.abs(weights).sum())
        done += 1
    assert done >= 2


def test_no_two_borders_are_one():
    # What lies outside and is missing is left out by the stages; here a constant stands for it.
    read = {mode: tuple(cells(mode, 5, 17, 17)) for mode in BORDERS if mode != "missing"}
    assert len(set(read.values())) == len(BORDERS) - 1
    assert all(cell is None or 0 <= cell < 5 for row in read.values() for cell in row)


def test_the_python_documentation_names_them():
    missing = [mode for mode in BORDERS if f"``{mode}" not in str(filter_image.__doc__)]
    assert not missing
