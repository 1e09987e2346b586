"""Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), one by one."""

from __future__ import annotations

from itertools import product

import pytest

from convcli import output_shape, pool_output_shape, transposed_output_shape

SIZES, KERNELS, STRIDES, PADS = range(1, 15), range(1, 7), range(1, 5), range(4)


def fitting(pads: range = PADS, strides: range = STRIDES) -> list[tuple[int, int, int, int]]:
    every = product(SIZES, KERNELS, strides, pads)
    return [(i, k, s, p) for i, k, s, p in every if i + 2 * p >= k]


def test_1_no_padding_unit_strides() -> None:
    for i, k, _, _ in fitting():
        if i >= k:
            assert output_shape(i, k) == (i - k) + 1


def test_2_zero_padding_unit_strides() -> None:
    for i, k, _, p in fitting():
        assert output_shape(i, k, padding=p) == (i - k) + 2 * p + 1


def test_3_half_padding_keeps_the_size() -> None:
    for i, n in product(SIZES, range(4)):
        assert output_shape(i, 2 * n + 1, padding=n) == i
        assert output_shape(i, 2 * n + 1, padding="same") == i


def test_4_full_padding_grows_the_size() -> None:
    for i, k in product(SIZES, KERNELS):
        assert output_shape(i, k, padding=k - 1) == i + (k - 1)
        assert output_shape(i, k, padding="full") == i + (k - 1)


def test_5_no_padding_strides() -> None:
    for i, k, s, _ in fitting():
        if i >= k:
            assert output_shape(i, k, stride=s) == (i - k) // s + 1


def test_6_padding_and_strides() -> None:
    for i, k, s, p in fitting():
        assert output_shape(i, k, stride=s, padding=p) == (i + 2 * p - k) // s + 1


def test_7_pooling() -> None:
    for i, k, s, _ in fitting():
        if i >= k:
            assert pool_output_shape(i, k, stride=s) == (i - k) // s + 1


def test_8_transposed_no_padding_unit_strides() -> None:
    for i, k in product(SIZES, KERNELS):
        assert transposed_output_shape(i, k) == i + (k - 1)


def test_9_transposed_padding_unit_strides() -> None:
    for i, k, p in product(SIZES, KERNELS, PADS):
        if i + (k - 1) > 2 * p:
            assert transposed_output_shape(i, k, padding=p) == i + (k - 1) - 2 * p


def test_10_transposed_half_padding() -> None:
    for i, n in product(SIZES, range(4)):
        assert transposed_output_shape(i, 2 * n + 1, padding=n) == i


def test_11_transposed_full_padding() -> None:
    for i, k in product(SIZES, KERNELS):
        if i >= k:
            assert transposed_output_shape(i, k, padding=k - 1) == i - (k - 1)
            assert transposed_output_shape(i, k, padding="full") == i - (k - 1)


def test_12_transposed_strides() -> None:
    for i, k, s, _ in fitting():
        if i >= k and (i - k) % s == 0:
            inner = output_shape(i, k, stride=s)
            assert transposed_output_shape(inner, k, stride=s) == s * (inner - 1) + k == i


def test_13_transposed_padding_and_strides() -> None:
    for i, k, s, p in fitting():
        if (i + 2 * p - k) % s == 0:
            inner = output_shape(i, k, stride=s, padding=p)
            back = transposed_output_shape(inner, k, stride=s, padding=p)
            assert back == s * (inner - 1) + k - 2 * p == i


def test_14_transposed_odd_sizes() -> None:
    for i, k, s, p in fitting():
        a = (i + 2 * p - k) % s
        inner = output_shape(i, k, stride=s, padding=p)
        back = transposed_output_shape(inner, k, stride=s, padding=p, output_padding=a)
        assert back == s * (inner - 1) + a + k - 2 * p == i


def test_15_dilated() -> None:
    for i, k, s, p in fitting():
        for d in (1, 2, 3):
            room = i + 2 * p - k - (k - 1) * (d - 1)
            if room >= 0:
                assert output_shape(i, k, stride=s, padding=p, dilation=d) == room // s + 1


@pytest.mark.parametrize(
    ("name", "kind", "numbers", "expected"),
    [
        ("no_padding_no_strides", "conv", {"size": 4, "kernel_size": 3}, 2),
        ("arbitrary_padding_no_strides", "conv", {"size": 5, "kernel_size": 4, "padding": 2}, 6),
        ("same_padding_no_strides", "conv", {"size": 5, "kernel_size": 3, "padding": 1}, 5),
        ("full_padding_no_strides", "conv", {"size": 5, "kernel_size": 3, "padding": 2}, 7),
        ("no_padding_strides", "conv", {"size": 5, "kernel_size": 3, "stride": 2}, 2),
        ("padding_strides", "conv", {"size": 5, "kernel_size": 3, "stride": 2, "padding": 1}, 3),
        (
            "padding_strides_odd",
            "conv",
            {"size": 6, "kernel_size": 3, "stride": 2, "padding": 1},
            3,
        ),
        ("dilation", "conv", {"size": 7, "kernel_size": 3, "dilation": 2}, 3),
        ("no_padding_no_strides_transposed", "up", {"size": 2, "kernel_size": 3}, 4),
        (
            "arbitrary_padding_no_strides_transposed",
            "up",
            {"size": 6, "kernel_size": 4, "padding": 2},
            5,
        ),
        (
            "same_padding_no_strides_transposed",
            "up",
            {"size": 5, "kernel_size": 3, "padding": 1},
            5,
        ),
        (
            "full_padding_no_strides_transposed",
            "up",
            {"size": 7, "kernel_size": 3, "padding": 2},
            5,
        ),
        ("no_padding_strides_transposed", "up", {"size": 2, "kernel_size": 3, "stride": 2}, 5),
        (
            "padding_strides_transposed",
            "up",
            {"size": 3, "kernel_size": 3, "stride": 2, "padding": 1},
            5,
        ),
        (
            "padding_strides_odd_transposed",
            "up",
            {"size": 3, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
            6,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else "",
)
def test_the_animations_of_the_guide(
    name: str, kind: str, numbers: dict[str, int], expected: int
) -> None:
    shape = output_shape if kind == "conv" else transposed_output_shape
    assert shape(**numbers) == expected
