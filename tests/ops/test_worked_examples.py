"""Every worked example through the Python API, symbols included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.errors import ShapeError, TensorError
from convcli.ops.conv import conv, conv_transpose
from convcli.ops.matrices import toeplitz
from convcli.ops.polynomial import Polynomial, symbols

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())
CASES = {case["id"]: case for case in EXAMPLES["cases"]}


def operand(entries: Any) -> Any:
    if isinstance(entries[0], str):
        return symbols(" ".join(entries))
    return np.array(entries)


def texts(array: Any) -> list[str]:
    return [str(entry) for entry in np.ravel(array)]


@pytest.mark.parametrize(
    "name", [n for n, c in CASES.items() if c["op"] == "conv" and "input" in c]
)
def test_conv(name: str) -> None:
    case = CASES[name]
    options = {key: case[key] for key in ("flip", "stride", "padding", "dilation") if key in case}
    x, w = np.array(case["input"]), np.array(case["weight"])
    y = conv(x, w, **options)
    assert y.tolist() == case["output"]
    assert y.dtype == np.int64
    for channel, parts in enumerate(case.get("partial_sums", {}).values()):
        for c, part in enumerate(parts):
            assert conv(x[c], w[channel, c], **options).tolist() == part


def test_batch_shape() -> None:
    case = CASES["batch_shape"]
    x, w, b = (np.ones(case[k]) for k in ("input_shape", "weight_shape", "bias_shape"))
    y = conv(x, w, b, stride=case["stride"], padding=case["padding"])
    assert list(y.shape) == case["output_shape"]
    assert y.max() == 3 * 5 * 5 + 1


@pytest.mark.parametrize(
    "name", [n for n, c in CASES.items() if c["op"] == "conv_transpose" and "input" in c]
)
def test_conv_transpose_of_symbols(name: str) -> None:
    case = CASES[name]
    x, w = operand(case["input"]), operand(case["weight"])
    y = conv_transpose(x, w, stride=case["stride"], padding=case["padding"])
    assert texts(y) == case["symbolic_output"]
    if case["stride"] == 1:
        assert texts(toeplitz(w, (4,), padding=1).T @ x) == case["symbolic_output"]


def test_toeplitz_of_symbols() -> None:
    case = CASES["toeplitz_1d_padding_1"]
    x, w = operand(case["input"]), operand(case["weight"])
    matrix = toeplitz(w, (4,), padding=case["padding"])
    assert texts(matrix) == [str(entry) for row in case["matrix"] for entry in row]
    padded = symbols(" ".join(map(str, case["padded_input"])))
    assert texts(matrix @ padded) == case["symbolic_output"]
    assert texts(conv(x, w, padding=1)) == case["symbolic_output"]


def test_transposed_shape() -> None:
    case = CASES["transposed_2x2_to_4x4"]
    options = {key: case[key] for key in ("stride", "padding", "output_padding")}
    w = np.ones((case["kernel_size"],) * 2)
    assert list(conv_transpose(np.ones(case["input_shape"]), w, **options).shape) == [4, 4]
    by_shape = conv_transpose(np.ones((2, 2)), w, stride=2, output_shape=(4, 4))
    assert by_shape.shape == (4, 4)


def test_symbols_are_an_algebra() -> None:
    x = symbols("a b; 2c -d")
    assert texts(x + x) == ["2a", "2b", "4c", "-2d"]
    assert str(x[0, 0] * x[0, 0] - 3) == "aa-3"
    assert str(Polynomial.of("x10") + Polynomial.of("x2")) == "x2+x10"
    assert str(Polynomial.of("w1") * Polynomial.of("x1") * 0.5) == "0.5w1·x1"
    assert Polynomial.of(0) == 0
    assert len({Polynomial.of("a"), Polynomial.of("a") + 0}) == 1
    mixed = conv(x, np.array([[1, -1]]))
    assert texts(mixed) == ["a-b", "2c+d"]
    for bad in ("a b; c", "nan", "1e999", "a? b", "", "."):
        with pytest.raises(TensorError):
            symbols(bad)


REFUSED: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "channels": (np.ones((3, 4, 4)), np.ones((2, 5, 3, 3)), {}, "x 3x4x4 has 3 channels, but weight 2x5x3x3 with groups 1 needs 5"),
    "groups": (np.ones((4, 4, 4)), np.ones((3, 2, 3, 3)), {"groups": 2}, "C_out is 3, not a multiple of 2 groups"),
    "groups_0": (np.ones(4), np.ones(2), {"groups": 0}, "groups is 0"),
    "stride_0": (np.ones(4), np.ones(2), {"stride": 0}, "stride is 0.*while convolving x 4 with weight 2"),
    "empty_output": (np.ones((2, 2)), np.ones((3, 3)), {}, "the output is empty"),
    "ranks": (np.ones((2, 2)), np.ones(3), {}, "2x2 has 2 channels, but weight 3"),
    "axes": (np.ones((1, 1, 2, 2)), np.ones(3), {}, "x of shape 1x1x2x2 and weight of shape 3 do not go together"),
    "scalar": (np.ones(()), np.ones(3), {}, "shape scalar"),
    "bias": (np.ones((1, 4)), np.ones((2, 1, 3)), {"bias": [1.0, 2, 3]}, "each of the 2 output channels"),
    "padding_name": (np.ones(4), np.ones(2), {"padding": "SAME?"}, "padding 'SAME\\?' is not known"),
    "empty_axis": (np.ones((0,)), np.ones(2), {}, "x is 0; only the batch"),
    "dims": (np.ones(4), np.ones(2), {"dims": 3}, "and dims=3"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_that_do_not_fit(name: str) -> None:
    x, w, options, message = REFUSED[name]
    with pytest.raises(ShapeError, match=message):
        conv(x, w, **options)


@pytest.mark.parametrize(
    "values",
    [[[1, 2], [3]], [True, False], ["a", "b"], [1j, 2], [None, 1], np.zeros(3, "f4,i4")],
    ids=["ragged", "bool", "text", "complex", "object", "structured"],
)
def test_types_that_are_refused(values: Any) -> None:
    with pytest.raises(TensorError):
        conv(values, [1.0, 2.0])


def test_whole_numbers_are_exact_or_refused() -> None:
    big = 2**31 - 1
    assert conv(np.array([big, big], np.int64), np.array([2**30, -(2**30)])).tolist() == [0]
    assert conv(np.array([2**40 + 1, 1]), np.array([2**10 + 1, 1])).tolist() == [
        (2**40 + 1) * (2**10 + 1) + 1
    ]
    assert conv(np.array([255] * 4, np.uint8), np.array([-128] * 4, np.int8)).tolist() == [-130560]
    with pytest.raises(TensorError, match="could exceed int64"):
        conv(np.array([2**62, 1]), np.array([2, 2]))


def test_big_endian_and_float16_accumulation() -> None:
    assert conv(np.array([1, 2, 3], ">f4"), np.array([1, 1], ">f4")).tolist() == [3, 5]
    ones = np.ones(4096, np.float16)
    assert conv(ones, ones).tolist() == [4096]
    assert conv(ones, ones).dtype == np.float16
