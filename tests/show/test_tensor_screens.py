"""Tensors, working and matrices as they look, at two widths."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convcli.errors import TensorError
from convcli.ops.conv_geometry import conv_geometry
from convcli.ops.impulses import impulses
from convcli.ops.matrix_product import data_product, kernel_product
from convcli.ops.output_sum import conv_output_sum
from convcli.ops.polynomial import symbols
from convcli.ops.separable import separate
from convcli.show.algebra import show_impulses, show_product, show_separated
from convcli.show.console import make_console
from convcli.show.tensor_steps import show_blocks, step_lines
from convcli.show.tensor_text import abbreviated, show_tensor, tensor_document


def drawn(show: Callable[[Any], None], width: int = 80) -> list[str]:
    out = io.StringIO()
    show(make_console(file=out, width=width))
    return out.getvalue().splitlines()


def test_small_tensor_in_aligned_columns() -> None:
    array = np.array([[[1.5, -20], [3, 4]], [[0, 0.1], [1e-9, 7]]])
    assert drawn(lambda c: show_tensor(array, "y:", c)) == [
        "y:  2x2x2 float64",
        "  [0]",
        "    1.5  -20",
        "      3    4",
        "  [1]",
        "        0  0.1",
        "    1e-09    7",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("shape", [(500,), (50, 60), (9, 8, 30, 40)], ids=str)
def test_large_tensors_fit_and_say_what_is_left_out(width: int, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).standard_normal(shape) * 1e-5
    lines = drawn(lambda c: show_tensor(array, "y:", c), width)
    assert max(map(len, lines[1:])) <= width
    assert "…" in "".join(lines)
    assert f"{float(array.flat[0]):.6g}" in "".join(lines)
    assert f"{float(array.flat[-1]):.6g}" in lines[-1]


def test_abbreviated_keeps_both_ends() -> None:
    for size in range(1, 40):
        kept = abbreviated(size, 12)
        assert kept[0] == 0
        assert kept[-1] == size - 1
        assert (None in kept) == (size > 12)


def test_documents() -> None:
    assert tensor_document(symbols("a 0 2b")) == {
        "shape": [3],
        "dtype": "symbolic",
        "data": ["a", 0, "2b"],
    }
    with pytest.raises(TensorError, match="beyond float16"):
        tensor_document(np.array([np.inf], np.float16))


def test_steps_by_rows_of_the_kernel_with_channels_and_bias() -> None:
    x, w = np.arange(8).reshape(1, 2, 2, 2), np.array([[[[1, -1]], [[2, 0]]]])
    g = conv_geometry(x.shape, w.shape, padding=((1, 0), (0, 1)))
    step = conv_output_sum(g, x, w, np.array([5]), (0, 0, 1, 1))
    assert step.value == 1 * 1 + 5 * 2 + 5
    assert drawn(lambda c: show_blocks([step_lines(step, "y[0,1,1]")], 3, c)) == [
        "y[0,1,1]",
        "  channel 0:   1·1 + [0]·(-1) = 1",
        "  channel 1:   5·2 + [0]·0 = 10",
        "  sum:         1 + 10 + 5 (bias) = 16",
        "… 3 more outputs; --all shows them, --at i,j one of them",
        "[0] is padding",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_matrices_fit_side_by_side_or_below_each_other(width: int) -> None:
    product = kernel_product(np.ones((3, 3)), (9, 10), padding=1)
    assert product.holds
    lines = drawn(lambda c: show_product(product, c), width)
    assert max(map(len, lines[1:])) <= width
    assert any("…" in line for line in lines)
    wide = data_product(np.full((12, 12), 1234.567), np.ones((2, 2)))
    lines = drawn(lambda c: show_product(wide, c), width)
    assert max(map(len, lines[1:])) <= width


def test_a_wrong_product_says_so() -> None:
    product = kernel_product([1, 2, 3], 5, [1, 2, 3, 4, 5])
    assert product.result is not None
    product.result[1] += 1
    assert product.holds is False
    lines = drawn(lambda c: show_product(product, c))
    assert lines[-1] == "✗ NOT: equals the sliding window; largest difference 1"


def test_impulses_and_factors() -> None:
    x, w = np.array([3, 0, -1]), np.array([1, 2])
    parts = list(impulses(x, w, flip=True, padding="full"))
    lines = drawn(lambda c: show_impulses(parts, np.array([3, 6, -1, -2]), c))
    assert lines == [
        "x = 3·δ[n] + (-1)·δ[n-2]",
        "responses:",
        "  3·δ[n]      → [3 6 0 0]",
        "  (-1)·δ[n-2] → [0 0 -1 -2]",
        "  sum = [3 6 -1 -2]",
        "✓ equals the output (4 int64); largest difference 0",
    ]
    kernel = np.outer([1, 2, 1], [1, 0, -1])
    assert drawn(lambda c: show_separated(kernel, separate(kernel), c)) == [
        "rank 1, largest error 0",
        "kernel = ⎡1⎤ [1 0 -1]",
        "         ⎢2⎥",
        "         ⎣1⎦",
        "6 products for each output instead of 9: fewer",
    ]
