"""The compiled loops against im2col and BLAS, for every instruction set that this machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.extensions import extension
from convcli.ops import compiled_conv
from convcli.ops.conv import conv, conv_transpose
from convcli.ops.gradients import conv_grad

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "rows_of_several_tiles": ((1, 3, 5, 301), (9, 3, 3, 3), {"padding": 1}),
    "rows_shorter_than_a_vector": ((2, 4, 19, 7), (11, 4, 3, 2), {"padding": (2, 0)}),
    "strides_sort_the_cells": ((1, 3, 33, 41), (5, 3, 5, 4), {"stride": (2, 3), "padding": 2}),
    "wide_dilation": ((1, 2, 30, 29), (3, 2, 3, 3), {"dilation": (4, 9), "padding": "same"}),
    "depthwise": ((2, 13, 17, 23), (13, 1, 3, 5), {"groups": 13, "padding": 1}),
    "groups": ((2, 6, 9, 31), (10, 3, 2, 3), {"groups": 2, "stride": (1, 2)}),
    "pointwise": ((3, 7, 12, 11), (18, 7, 1, 1), {}),
    "one_axis": ((2, 5, 700), (9, 5, 8), {"padding": (7, 3), "stride": 3}),
    "three_axes": ((1, 3, 6, 7, 37), (8, 3, 2, 3, 3), {"padding": (1, 0, 2), "stride": (2, 1, 1)}),
    "kernel_larger_than_input": ((1, 2, 3, 2), (3, 2, 7, 5), {"padding": "full"}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_compiled_equals_blas(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    shape, weight_shape, options = LAYERS[name]
    rng = np.random.default_rng(len(name))
    # Whole numbers: both ways are exact, so they must be equal, not only close.
    x = rng.integers(-8, 8, shape).astype(dtype)
    w = rng.integers(-8, 8, weight_shape).astype(dtype)
    bias = rng.integers(-8, 8, weight_shape[0]).astype(dtype)
    y = conv(x, w, bias, **options)
    grad = conv_grad(y, x, w, **options).x
    stamps = {k: v for k, v in options.items() if k != "padding"}
    spread = conv_transpose(y, w, **stamps)
    with monkeypatch.context() as patch:
        patch.setenv("CONVCLI_LOOPS", "numpy")
        np.testing.assert_array_equal(y, conv(x, w, bias, **options))
        np.testing.assert_array_equal(grad, conv_grad(y, x, w, **options).x)
        np.testing.assert_array_equal(spread, conv_transpose(y, w, **stamps))
    assert y.dtype == dtype


def test_rounding_is_that_of_float32(isa: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 16, 20, 50)).astype(np.float32)
    w = rng.standard_normal((12, 16, 3, 3)).astype(np.float32)
    exact = conv(x.astype(np.float64), w.astype(np.float64), padding=1)
    bound = conv(abs(x).astype(np.float64), abs(w).astype(np.float64), padding=1)
    assert (abs(conv(x, w, padding=1) - exact) <= 16 * 9 * 2**-24 * bound).all()


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_pieces_do_not_show(isa: str, monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 3, 14, 26)).astype(np.float32)
    w = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    whole = conv(x, w, stride=(1, 2), padding=(2, 1))
    monkeypatch.setattr(compiled_conv, "PIECES", pieces)
    monkeypatch.setattr(compiled_conv, "MIN_PRODUCTS", 0)
    compiled_conv._numbers.cache_clear()
    np.testing.assert_array_equal(conv(x, w, stride=(1, 2), padding=(2, 1)), whole)
    compiled_conv._numbers.cache_clear()


def test_values_behind_the_last_cell_are_not_used(isa: str) -> None:
    """Scratch memory is used again: NaN left there by one call must not reach the next."""
    conv(np.full((1, 2, 9, 90), np.nan, np.float32), np.ones((3, 2, 3, 3), np.float32), padding=1)
    y = conv(np.ones((1, 2, 5, 6), np.float32), np.ones((3, 2, 3, 3), np.float32), padding=1)
    assert np.isfinite(y).all()
    assert y.max() == 18


def numbers(**changed: Any) -> bytes:
    """The numbers of a convolution with 2x2 taps; those of an axis are given for all three."""
    values: dict[str, Any] = {"algorithm": 0, "groups": 1, "pieces": 1, "kernel": (1, 2, 2)}
    values |= {"stride": (1, 1, 1), "dilation": (1, 1, 1), "start": (0, 0, 0)}
    values |= {"first": (0, 0, 0), "apart": (1, 1, 1), **changed}
    flat = [n for value in values.values() for n in np.atleast_1d(np.array(value, np.int64))]
    return np.array(flat, np.int64).tobytes()


def run_arguments() -> dict[str, Any]:
    """One channel of 3x40 cells, 2x2 taps, 2x32 outputs."""
    return {
        "numbers": numbers(),
        "x": np.ones((1, 1, 3, 40), np.float32),
        "weight": np.ones((1, 1, 2, 2), np.float32),
        "bias": np.zeros(1, np.float32),
        "out": np.zeros((1, 1, 2, 32), np.float32),
        "shared": np.zeros(100, np.int64),
        "own": np.zeros(10_000, np.int64),
    }


def askew(*strides: int) -> np.ndarray:
    """Numbers that do not lie a whole number of numbers apart."""
    return np.ndarray((1, 1, 3, 40), np.float32, bytearray(2000), strides=strides)


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


WRONG: dict[str, dict[str, Any]] = {
    "numbers_too_few": {"numbers": numbers()[:-8]},
    "numbers_too_many": {"numbers": numbers() + bytes(8)},
    "algorithm_negative": {"numbers": numbers(algorithm=-1)},
    "algorithm_unknown": {"numbers": numbers(algorithm=3)},
    "algorithm_for_other_kernels": {"numbers": numbers(algorithm=2)},
    "winograd_of_another_stride": {
        "numbers": numbers(algorithm=2, kernel=(1, 3, 3), stride=(1, 1, 2)),
        "weight": floats(1, 1, 3, 3),
    },
    "winograd_of_another_dilation": {
        "numbers": numbers(algorithm=2, kernel=(1, 3, 3), dilation=(1, 2, 1)),
        "weight": floats(1, 1, 3, 3),
    },
    "winograd_of_three_axes": {
        "numbers": numbers(algorithm=2, kernel=(1, 3, 3)),
        "x": floats(1, 1, 2, 3, 40), "weight": floats(1, 1, 3, 3), "out": floats(1, 1, 2, 2, 32),
    },
    "winograd_in_float64": {
        "numbers": numbers(algorithm=2, kernel=(1, 3, 3)),
        "x": np.zeros((1, 1, 3, 40)), "weight": np.zeros((1, 1, 3, 3)),
        "bias": np.zeros(1), "out": np.zeros((1, 1, 2, 32)),
    },
    "depthwise_of_two_channels": {
        "numbers": numbers(algorithm=1), "x": floats(1, 2, 3, 40), "weight": floats(1, 2, 2, 2),
    },
    "no_groups": {"numbers": numbers(groups=0)},
    "groups_do_not_divide": {"numbers": numbers(groups=2)},
    "no_pieces": {"numbers": numbers(pieces=0)},
    "no_taps": {"numbers": numbers(kernel=(1, 0, 2))},
    "no_stride": {"numbers": numbers(stride=(1, 0, 1))},
    "no_dilation": {"numbers": numbers(dilation=(1, 1, 0))},
    "taps_wrap": {"numbers": numbers(kernel=(1, 2**62, 2**62))},
    "strides_wrap": {"numbers": numbers(stride=(1, 2**63 - 1, 1))},
    "dilations_wrap": {"numbers": numbers(dilation=(1, 1, 2**63 - 1))},
    "first_output_outside": {"numbers": numbers(first=(0, 2, 0))},
    "first_output_negative": {"numbers": numbers(first=(0, 0, -1))},
    "outputs_not_apart": {"numbers": numbers(apart=(1, 0, 1))},
    "outputs_far_apart": {"numbers": numbers(apart=(1, 1, 2**62))},
    "second_without_weights": {"numbers": numbers() + numbers()},
    "weights_too_many": {"weight": np.ones(5, np.float32)},
    "start_far": {"numbers": numbers(start=(0, 2**41, 0))},
    "start_far_before": {"numbers": numbers(start=(0, -(2**63), 0))},
    "block_huge": {"numbers": numbers(stride=(1, 2**39, 1), dilation=(1, 2**39, 2**39))},
    "x_of_another_type": {"x": np.ones((1, 1, 3, 40), np.int16)},
    "x_of_one_axis": {"x": floats(120)},
    "x_empty": {"x": floats(1, 1, 0, 40)},
    "x_of_more_images": {"x": floats(2, 1, 3, 40)},
    "x_askew": {"x": askew(480, 480, 161, 4)},
    "x_askew_in_a_row": {"x": askew(480, 480, 240, 6)},
    "out_of_other_axes": {"out": floats(1, 1, 1, 2, 32)},
    "out_of_another_type": {"out": np.zeros((1, 1, 2, 32))},
    "weights_too_few": {"weight": np.ones(3, np.float32)},
    "bias_missing": {"bias": np.ones(0, np.float32)},
    "shared_too_small": {"shared": np.zeros(9, np.int64)},
    "shared_askew": {"shared": np.zeros(801, np.uint8)[1:]},
    "own_too_small": {"own": np.zeros(10, np.int64)},
    "own_askew": {"own": np.zeros(80_001, np.uint8)[1:]},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_extension_refuses_what_would_leave_its_arrays(isa: str, name: str) -> None:
    module = extension("_tensors").module
    right = run_arguments()
    module.run(*right.values())
    assert (right["out"] == 4).all()
    with pytest.raises(ValueError, match="run: "):
        module.run(*{**run_arguments(), **WRONG[name]}.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_threads_of_its_own() -> None:
    code = """
import os, numpy as np, convcli
x, w = np.ones((4, 8, 40, 40), np.float32), np.ones((8, 8, 3, 3), np.float32)
convcli.conv(x, w)
child = os.fork()
if child == 0:
    os._exit(int(convcli.conv(x, w)[0, 0, 0, 0]))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 72
"""
    environment = {**os.environ, "CONVCLI_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], timeout=300, env=environment, check=False
    )
    assert done.returncode == 0


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize("loops", ["compiled", "numpy"])
def test_peak_memory_stays_under_four_times_input_and_output(loops: str) -> None:
    code = """
import re, numpy as np, convcli
x = np.random.default_rng(0).standard_normal((8, 64, 224, 224), dtype=np.float32)
w = np.full((64, 64, 3, 3), 0.5, np.float32)
y = convcli.conv(x, w, padding=1)
assert y.shape == x.shape and abs(y[3, 5, 7, 9] - 0.5 * x[3, :, 6:9, 8:11].sum()) < 1e-3
# Not ru_maxrss: it begins with what the process held that started this one.
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(peak / (x.nbytes + y.nbytes))
"""
    variable = {"CONVCLI_LOOPS": "numpy"} if loops == "numpy" else {}
    environment = {k: v for k, v in os.environ.items() if k != "CONVCLI_LOOPS"} | variable
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 4


def _askew(array: np.ndarray) -> np.ndarray:
    """The same, a byte beside where its type wants it."""
    moved = np.ndarray(array.shape, array.dtype, bytearray(array.nbytes + 1), offset=1)
    moved[...] = array
    return moved


def _field(array: np.ndarray) -> np.ndarray:
    """The same, each number behind a byte."""
    records = np.zeros(array.shape, np.dtype([("kind", "u1"), ("value", array.dtype)]))
    records["value"] = array
    return records["value"]


def _backwards(array: np.ndarray) -> np.ndarray:
    return np.flip(np.flip(array).copy())


def _swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


@pytest.mark.parametrize("laid", [_askew, _field, _backwards, _swapped])
def test_where_numbers_lie_changes_no_bit(laid: Callable[[np.ndarray], np.ndarray]) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 5, 9, 11)).astype(np.float32)
    w = rng.standard_normal((7, 5, 3, 2)).astype(np.float32)
    bias = rng.standard_normal(7).astype(np.float32)
    y = conv(x, w, bias)
    np.testing.assert_array_equal(conv(laid(x), laid(w), laid(bias)), y)
    np.testing.assert_array_equal(conv_transpose(laid(y), laid(w)), conv_transpose(y, w))
    want, grads = conv_grad(y, x, w), conv_grad(laid(y), laid(x), laid(w))
    np.testing.assert_array_equal(grads.x, want.x)
    np.testing.assert_array_equal(grads.weight, want.weight)
