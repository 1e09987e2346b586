"""Separable factors and ranks, against products that are known and NumPy's own rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convcli.kernels.factors import low_rank_factors, numerical_rank, separable_factors
from convcli.kernels.load import load_kernel

whole = st.integers(-(2**20), 2**20).map(float)


def vectors(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(np.float64, st.integers(1, 9), elements=elements)


@given(vectors(whole), vectors(whole))
def test_whole_products_have_whole_factors(column: np.ndarray, row: np.ndarray) -> None:
    weights = np.outer(column, row)
    found = separable_factors(weights)
    if not weights.any():
        assert found is None
        return
    assert found is not None
    assert (np.outer(*found) == weights).all()
    assert all((factor == np.rint(factor)).all() for factor in found)


@given(vectors(st.floats(-9, 9)), vectors(st.floats(-9, 9)))
def test_products_of_floats_are_found(column: np.ndarray, row: np.ndarray) -> None:
    weights = np.outer(column, row)
    if np.abs(weights).max() < 1e-200:
        return
    found = separable_factors(weights)
    assert found is not None
    assert np.abs(np.outer(*found) - weights).max() <= 1e-12 * np.abs(weights).max()


@given(arrays.arrays(np.float64, (4, 5), elements=st.integers(-3, 3).map(float)))
def test_factors_exist_exactly_where_the_rank_is_one(weights: np.ndarray) -> None:
    assert (separable_factors(weights) is not None) == (np.linalg.matrix_rank(weights) == 1)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([[1, 2], [2, 4 + 1e-9]], "off by more than rounding"),
        ([[2.0**52, 1], [1, 0]], "whole and large"),
        ([[2.0**60, 2.0**60], [2.0**60, -(2.0**60)]], "beyond whole numbers"),
        (np.eye(3), "the identity matrix"),
        ([[0, 0], [0, 0]], "zero"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_no_factors(weights: object, reason: str) -> None:
    assert separable_factors(np.array(weights)) is None, reason


@pytest.mark.parametrize(
    ("spec", "column", "row"),
    [
        ("sobel-x", [1, 2, 1], [-1, 0, 1]),
        ("sobel-y", [-1, 0, 1], [1, 2, 1]),
        ("gaussian-5x5", [1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
        ("box:4x2", [1, 1], [1, 1, 1, 1]),
        ("scharr-y", [-1, 0, 1], [3, 10, 3]),
        ("0 0 0; 0 6 4; 0 9 6", [0, 2, 3], [0, 3, 2]),
        # A sign belongs to the factor that sums to zero; of two such, to the row.
        ("1 0 -1; 2 0 -2; 1 0 -1", [1, 2, 1], [1, 0, -1]),
        ("-1 -2 -1; 0 0 0; 1 2 1", [-1, 0, 1], [1, 2, 1]),
        ("1 2 1; 0 0 0; -1 -2 -1", [1, 0, -1], [1, 2, 1]),
        ("-1 -2; -2 -4", [-1, -2], [1, 2]),
        ("-1 1; -3 3", [1, 3], [-1, 1]),
        ("1 -1; 3 -3", [1, 3], [1, -1]),
        ("2 -2; -2 2", [2, -2], [1, -1]),
        ("-2 2; 2 -2", [2, -2], [-1, 1]),
    ],
)
def test_signs_and_sizes_are_where_one_looks_for_them(
    spec: str, column: list[float], row: list[float]
) -> None:
    found = separable_factors(load_kernel(spec).weights)
    assert found is not None
    assert found[0].tolist() == column
    assert found[1].tolist() == row


@pytest.mark.parametrize(
    "spec", ["gaussian:2.3", "farid-x", "dgauss-y:1.5", "freichen-x", "motion:9"]
)
def test_presets_made_of_factors_are_separable(spec: str) -> None:
    assert separable_factors(load_kernel(spec).weights) is not None


def test_low_rank_is_best_and_says_its_error() -> None:
    weights = np.random.default_rng(5).normal(size=(7, 4))
    errors = []
    for rank in range(1, 5):
        columns, rows, error = low_rank_factors(weights, rank)
        assert columns.shape == (7, rank)
        assert rows.shape == (rank, 4)
        assert error == pytest.approx(np.abs(columns @ rows - weights).max(), abs=1e-14)
        # Eckart and Young: the rest is the root of the remaining squared singular values.
        rest = np.sqrt((np.linalg.svd(weights)[1][rank:] ** 2).sum())
        assert np.linalg.norm(columns @ rows - weights) == pytest.approx(rest, abs=1e-12)
        errors.append(error)
    assert errors[-1] < 1e-13  # a few roundings of whatever LAPACK
    assert numerical_rank(weights) == 4
    assert numerical_rank(load_kernel("laplacian8").weights) == 2
