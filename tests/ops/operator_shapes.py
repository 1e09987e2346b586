"""Shapes of convolutions that PyTorch tries its own operators on.

Of ``sample_inputs_conv1d``, ``conv2d``, ``conv3d`` in ``common_methods_invocations.py`` and of
``test/nn/test_convolution.py``: x, weight, options. Below them what those do not reach here:
several tiles, odd edges, panels that are not full.
"""

from __future__ import annotations

from typing import Any

Layer = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]

OPERATOR_TESTS: list[Layer] = [
    ((1, 3, 4), (3, 3, 3), {"stride": 2, "padding": 2}),
    ((2, 4, 8), (2, 2, 3), {"stride": 3, "padding": 1, "groups": 2, "dilation": 2}),
    ((1, 4, 5), (1, 4, 3), {"stride": 2, "padding": "valid"}),
    ((2, 2, 4), (2, 1, 4), {"padding": "same", "groups": 2, "dilation": 2}),
    ((1, 4, 5), (3, 4, 3), {}),
    ((1, 1, 20), (1, 1, 10), {"padding": "same", "dilation": 2}),
    ((1, 3, 4, 4), (3, 3, 3, 3), {"stride": (2, 2), "padding": 2}),
    ((2, 4, 8, 8), (2, 2, 3, 3), {"stride": (3, 2), "padding": (2, 1), "groups": 2, "dilation": 4}),
    ((1, 4, 5, 5), (1, 4, 2, 3), {"stride": 2, "padding": 1, "dilation": (2, 3)}),
    ((1, 2, 4, 3), (4, 2, 3, 4), {"stride": 2, "padding": 1}),
    ((1, 4, 5, 5), (1, 4, 2, 3), {"stride": 2, "padding": "valid"}),
    ((1, 4, 5, 5), (1, 4, 2, 3), {"padding": "same", "dilation": 3}),
    ((2, 4, 6, 6), (4, 1, 3, 3), {"groups": 4}),
    ((2, 4, 6, 6), (8, 1, 3, 3), {"groups": 4}),
    ((2, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "stride": (3, 2)}),
    ((2, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "padding": (1, 1)}),
    ((2, 4, 5, 5), (4, 1, 2, 2), {"groups": 4, "dilation": (2, 2)}),
    ((2, 4, 6, 5), (6, 2, 3, 2), {"groups": 2}),
    ((2, 4, 6, 6), (16, 2, 3, 3), {"groups": 2}),
    ((1, 1, 10, 11), (1, 1, 4, 5), {"padding": "same"}),
    ((1, 1, 4, 4, 4), (1, 1, 1, 1, 1), {"padding": "same"}),
    ((1, 1, 4, 4, 4), (1, 1, 4, 4, 4), {"stride": (2, 2, 2)}),
    ((1, 1, 5, 5, 5), (1, 1, 3, 3, 3), {"dilation": 2}),
    ((1, 1, 1, 1, 10), (1, 1, 1, 1, 4), {"padding": "valid"}),
    ((1, 1, 10, 11, 12), (1, 1, 1, 2, 5), {"padding": "same", "dilation": 2}),
    ((1, 1, 10, 11, 12), (1, 1, 4, 4, 4), {"padding": "same", "dilation": 3}),
    ((3, 9, 3, 1, 9), (3, 3, 3, 1, 9), {"groups": 3}),
    ((3, 9, 3, 1, 9), (3, 3, 3, 1, 9), {"stride": 2, "padding": 1, "groups": 3}),
    ((2, 2, 3, 4, 5), (4, 1, 3, 3, 3), {"groups": 2, "padding": 1}),
]

MORE: list[Layer] = [
    ((1, 2, 4, 4), (3, 2, 3, 3), {"padding": 1}),
    ((1, 3, 1, 1), (2, 3, 3, 3), {"padding": 1}),
    ((2, 7, 9, 13), (5, 7, 3, 3), {"padding": ((0, 2), (3, 1))}),
    ((1, 2, 5, 331), (9, 2, 3, 3), {"padding": 1}),
    ((2, 6, 31, 37), (14, 3, 3, 3), {"padding": 1, "groups": 2}),
    ((1, 40, 23, 26), (33, 40, 3, 3), {}),
    ((1, 300, 5, 7), (6, 300, 2, 1), {}),
    ((2, 5, 33, 41), (5, 1, 7, 5), {"groups": 5, "stride": (1, 3), "padding": 2}),
    ((1, 3, 2, 1500), (6, 1, 1, 9), {"groups": 3, "padding": (0, 4)}),
    ((3, 7, 12, 11), (18, 7, 1, 1), {}),
    ((2, 16, 700), (24, 16, 1), {}),
    ((1, 400, 3, 41), (6, 400, 1, 1), {}),
    ((1, 3, 6, 7, 37), (8, 3, 2, 3, 3), {"padding": (1, 0, 2), "stride": (2, 1, 1)}),
    ((1, 2, 3, 2), (3, 2, 7, 5), {"padding": "full"}),
]
