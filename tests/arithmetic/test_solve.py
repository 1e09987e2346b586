"""The inverse question: every answer is right, and the common ones come first."""

from __future__ import annotations

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from convcli import ShapeError, output_shape, transposed_output_shape
from convcli.arithmetic.solver import Fixed, Solution, solve


@given(st.integers(1, 64), st.integers(1, 64))
def test_every_solution_gives_the_output(n: int, out: int) -> None:
    try:
        found = solve((n,), (out,))
    except ShapeError:
        reject()
    assert len(set(found)) == len(found)
    for one in found:
        given = {"stride": one.stride, "padding": one.padding, "dilation": one.dilation}
        assert output_shape(n, one.kernel_size, **given) == out


@settings(max_examples=40)
@given(st.integers(1, 32), st.integers(1, 64))
def test_every_transposed_solution_gives_the_output(n: int, out: int) -> None:
    try:
        found = solve((n,), (out,), kind="conv_transpose")
    except ShapeError:
        reject()
    for one in found:
        size = transposed_output_shape(
            n,
            one.kernel_size,
            stride=one.stride,
            padding=one.padding,
            dilation=one.dilation,
            output_padding=one.output_padding,
        )
        assert size == out


@given(
    st.integers(4, 40),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(1, 2),
)
def test_a_layer_that_exists_is_found_again(n: int, k: int, s: int, p: int, d: int) -> None:
    p = min(p, (d * (k - 1) + 1) // 2)
    d = d if k > 1 else 1
    try:
        out = output_shape(n, k, stride=s, padding=p, dilation=d)
    except ShapeError:
        reject()
    assert Solution(k, s, (p, p), d) in solve((n,), (out,), fixed=Fixed(k, s))


@given(
    st.integers(2, 20),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(1, 2),
    st.integers(0, 3),
)
def test_a_transposed_layer_that_exists_is_found_again(
    n: int, k: int, s: int, p: int, d: int, op: int
) -> None:
    d = d if k > 1 else 1
    p, op = min(p, (d * (k - 1) + 1) // 2), min(op, max(s, d) - 1)
    try:
        out = transposed_output_shape(n, k, stride=s, padding=p, dilation=d, output_padding=op)
    except ShapeError:
        reject()
    found = solve((n,), (out,), kind="conv_transpose", fixed=Fixed(k, s))
    assert Solution(k, s, (p, p), d, op) in found


@pytest.mark.parametrize(
    ("n", "out", "kind", "first"),
    [
        (32, 16, "conv", (3, 2, 1, 1, 0)),
        (32, 32, "conv", (3, 1, 1, 1, 0)),
        (32, 30, "conv", (3, 1, 0, 1, 0)),
        (32, 28, "conv", (5, 1, 0, 1, 0)),
        (224, 112, "conv", (3, 2, 1, 1, 0)),
        (224, 14, "conv", (16, 16, 0, 1, 0)),
        (7, 1, "conv", (7, 1, 0, 1, 0)),
        (16, 32, "conv_transpose", (2, 2, 0, 1, 0)),
        (28, 30, "conv_transpose", (3, 1, 0, 1, 0)),
        (28, 14, "maxpool", (3, 2, 1, 1, 0)),
    ],
    ids=lambda value: str(value) if not isinstance(value, tuple) else "k{}_s{}_p{}".format(*value),
)
def test_the_common_choice_comes_first(n: int, out: int, kind: str, first: tuple[int, ...]) -> None:
    best = solve((n,), (out,), kind=kind)[:2]  # type: ignore[arg-type]
    numbers = [(f.kernel_size, f.stride, f.padding[0], f.dilation, f.output_padding) for f in best]
    assert first in numbers


def test_all_axes_share_the_numbers() -> None:
    for one in solve((224, 112), (112, 56)):
        given = {"stride": one.stride, "padding": one.padding[0], "dilation": one.dilation}
        assert output_shape((224, 112), one.kernel_size, **given) == (112, 56)
    with pytest.raises(ShapeError, match="solve each axis alone"):
        solve((30, 20), (30, 5))


def test_any_value_may_be_fixed() -> None:
    assert {one.kernel_size for one in solve((32,), (16,), fixed=Fixed(kernel_size=5))} == {5}
    assert {one.stride for one in solve((32,), (8,), fixed=Fixed(stride=3))} == {3}
    assert {one.padding for one in solve((32,), (15,), fixed=Fixed(padding=(0, 1)))} == {(0, 1)}
    assert {one.dilation for one in solve((32,), (16,), fixed=Fixed(dilation=4))} == {4}


@pytest.mark.parametrize(
    ("n", "out", "kind", "fixed", "advice"),
    [
        (32, 16, "conv", Fixed(stride=9), "with stride 9; leave one of them open"),
        (32, 64, "conv", Fixed(), "transposed convolution makes larger outputs"),
        (64, 5, "conv_transpose", Fixed(), "convolution makes smaller outputs"),
        (32, 0, "conv", Fixed(), "wanted output is 0; it must be 1 or more"),
    ],
    ids=["fixed_too_much", "larger", "smaller", "empty"],
)
def test_nothing_found_says_what_to_do(
    n: int, out: int, kind: str, fixed: Fixed, advice: str
) -> None:
    with pytest.raises(ShapeError, match=advice):
        solve((n,), (out,), kind=kind, fixed=fixed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "out", "most"), [(11, 2, 7), (5, 2, 4), (13, 4, 4), (12, 5, 3)])
def test_every_stride_that_can_give_the_output_is_tried(n: int, out: int, most: int) -> None:
    """Those that kernels of up to 11 with up to half of it as padding can: by counting."""
    counted = {
        s
        for s in range(1, 20)
        for k in range(1, 12)
        for p in range(k // 2 + 1)
        if n + 2 * p >= k and len(range(0, n + 2 * p - k + 1, s)) == out
    }
    assert max(counted) >= most
    assert {one.stride for one in solve((n,), (out,))} == set(range(1, most + 1))
