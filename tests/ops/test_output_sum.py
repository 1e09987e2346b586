"""The working of an output adds up to that output, with groups and all sizes different."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli.ops.conv import conv, conv_transpose
from convcli.ops.conv_geometry import conv_geometry, transposed_geometry
from convcli.ops.output_sum import OutputSum, conv_output_sum, transposed_output_sum

OPTIONS: list[dict[str, Any]] = [
    {},
    {"stride": (2, 1), "padding": ((1, 0), (2, 1))},
    {"dilation": (1, 2), "padding": (2, 1), "stride": (1, 3)},
]
cases = pytest.mark.parametrize("options", OPTIONS)
groups = pytest.mark.parametrize("groups", [1, 2, 3])


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape) + shape[0]).integers(-9, 10, shape)


def check(step: OutputSum, total: int, per_group: int, group: int) -> None:
    """The sum of the products, and the channels of its own group."""
    assert step.value == total
    products = [p for c in step.channels for row in c.rows for p in row]
    assert sum(0 if p.is_padding else p.x * p.weight for p in products) + step.bias == total
    assert [c.channel for c in step.channels] == list(
        range(group * per_group, (group + 1) * per_group)
    )


@cases
@groups
def test_every_output_of_a_convolution(options: dict[str, Any], groups: int) -> None:
    x, w = draw((2, 2 * groups, 7, 8)), draw((4 * groups, 2, 3, 2))
    bias = draw((4 * groups,))
    y = conv(x, w, bias, groups=groups, **options)
    g = conv_geometry(x.shape, w.shape, groups=groups, **options)
    for index in np.ndindex(y.shape):
        check(conv_output_sum(g, x, w, bias, index), y[index], 2, index[1] // 4)


@cases
@groups
def test_every_output_of_a_transposed_convolution(options: dict[str, Any], groups: int) -> None:
    x, w = draw((2, 2 * groups, 5, 4)), draw((2 * groups, 3, 3, 2))
    bias = draw((3 * groups,))
    y = conv_transpose(x, w, bias, groups=groups, **options)
    g = transposed_geometry(x.shape, w.shape, groups=groups, **options)
    for index in np.ndindex(y.shape):
        check(transposed_output_sum(g, x, w, bias, index), y[index], 2, index[1] // 3)


def test_padding_is_marked() -> None:
    """The first window of a 3-tap kernel with padding 1 has one cell outside, the last one, too."""
    x, w = np.array([[[5, 6, 7]]]), np.array([[[1, 2, 3]]])
    g = conv_geometry(x.shape, w.shape, padding=1)
    marked = []
    for place in range(3):
        (channel,) = conv_output_sum(g, x, w, None, (0, 0, place)).channels
        marked.append([(p.x, p.is_padding) for p in channel.rows[0]])
    assert marked == [
        [(0, True), (5, False), (6, False)],
        [(5, False), (6, False), (7, False)],
        [(6, False), (7, False), (0, True)],
    ]
