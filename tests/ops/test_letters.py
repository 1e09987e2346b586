"""Symbols and fractions through every operation: numbers in their place give the numeric result."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convcli.errors import TensorError
from convcli.ops import identities
from convcli.ops.conv import conv, conv_transpose
from convcli.ops.exact import as_exact, as_floats, has_symbols, is_exact, settled
from convcli.ops.gradients import conv_grad, conv_transpose_grad
from convcli.ops.polynomial import Polynomial, indexed_symbols, parse_entry, symbols
from convcli.ops.read_tensor import read_tensor

RNG = np.random.default_rng(19)


def layers(count: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """Shapes of x and weight, all sizes different, and options that fit them."""
    for number in range(count):
        rank = 1 + number % 2
        groups = 1 + number % 2
        kernel = [int(k) for k in RNG.integers(1, 4, rank)]
        size = [int(n) for n in RNG.integers(4, 7, rank)]
        options = {
            "stride": [int(s) for s in RNG.integers(1, 4, rank)],
            "dilation": [int(d) for d in RNG.integers(1, 3, rank)],
            "padding": [tuple(int(p) for p in RNG.integers(0, 3, 2)) for _ in range(rank)],
            "groups": groups,
        }
        for axis in range(rank):  # so that the kernel fits
            size[axis] += (kernel[axis] - 1) * options["dilation"][axis]
        yield (1, 2 * groups, *size), (groups, 2, *kernel), options


def evaluated(array: Any, values: dict[str, int]) -> list[Any]:
    """Every polynomial with whole numbers in place of its names."""
    found = [Polynomial.of(entry).replaced(values) for entry in np.ravel(array)]
    assert all(not value.names() for value in found)
    return [value.terms.get((), 0) for value in found]


def numbers_for(*arrays: Any) -> tuple[dict[str, int], list[Any]]:
    """A whole number for each symbol, and the arrays made of them."""
    values = {str(e): int(RNG.integers(-9, 10)) for array in arrays for e in array.flat}
    return values, [
        np.array([values[str(e)] for e in array.flat], np.int64).reshape(array.shape)
        for array in arrays
    ]


def test_numbers_in_place_of_letters() -> None:
    """Forward and backward, both operations, strides, dilations, groups and uneven paddings."""
    for x_shape, w_shape, options in layers(10):
        x, w = indexed_symbols("x", x_shape), indexed_symbols("w_", w_shape)
        values, (a, b) = numbers_for(x, w)
        y = conv(x, w, **options)
        assert evaluated(y, values) == conv(a, b, **options).ravel().tolist()
        g = indexed_symbols("g", y.shape)
        more, (c,) = numbers_for(g)
        letters = conv_grad(g, x, w, **options)
        for found, wanted in zip(letters, conv_grad(c, a, b, **options), strict=True):
            assert evaluated(found, values | more) == wanted.ravel().tolist()
        back = dict(options, padding=0)
        y = conv_transpose(x, w.reshape(x_shape[1], -1, *w_shape[2:]), **back)
        weight = b.reshape(x_shape[1], -1, *w_shape[2:])
        assert evaluated(y, values) == conv_transpose(a, weight, **back).ravel().tolist()
        g = indexed_symbols("g", y.shape)
        more, (c,) = numbers_for(g)
        letters = conv_transpose_grad(g, x, w.reshape(weight.shape), **back)
        for found, wanted in zip(letters, conv_transpose_grad(c, a, weight, **back), strict=True):
            assert evaluated(found, values | more) == wanted.ravel().tolist()


def test_fractions_are_exact() -> None:
    """Against a loop over fractions."""
    for number in range(12):
        n, k, stride, pad = 5 + number % 4, 1 + number % 3, 1 + number % 2, number % 3
        x, w = ([Fraction(int(p), int(q)) for p, q in RNG.integers(1, 10, (m, 2))] for m in (n, k))
        padded = [Fraction(0)] * pad + x + [Fraction(0)] * pad
        starts = range(0, len(padded) - k + 1, stride)
        wanted = [sum((padded[s + t] * w[t] for t in range(k)), Fraction(0)) for s in starts]
        found = conv(as_exact(x), as_exact(w), stride=stride, padding=pad)
        assert found.tolist() == wanted
        assert is_exact(found)
        np.testing.assert_allclose(as_floats(found), [float(value) for value in wanted], rtol=1e-15)


NAMES = ("a", "b2", "w_11", "w₁₁", "x[0]", "x[1,2]", "a'", "b''", "α", "α_1", "_t", "e1", "E2")


def test_a_product_is_read_as_its_factors() -> None:
    """What stands between two names is no part of a name, and a number before one is none."""
    for left, right in itertools.combinations(NAMES, 2):
        text = str(Polynomial.of(left) * Polynomial.of(right))
        parts = text.split("·")
        assert sorted(parts) == sorted((left, right)) or len(left + right) == 2
    for name, number in itertools.product(NAMES, (2, -3, Fraction(-1, 2), Fraction(5, 3), 1200000)):
        product = Polynomial.of(name) * number
        again = parse_entry(str(product))
        assert isinstance(again, Polynomial)
        assert again == product


def test_indices_are_ordered_as_numbers() -> None:
    total = Polynomial({})
    for name in ("w₁₀", "w₂", "x10", "x2", "x02"):
        total = total + Polynomial.of(name)
    assert str(total) == "w₂+w₁₀+x02+x2+x10"
    two, padded = Polynomial.of("x2"), Polynomial.of("x02")
    assert two * padded == padded * two
    assert len((two * padded - padded * two).terms) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    {
        "a/2 b/2": "(a+b)/2",
        "a/2 b/3": "a/2+b/3",
        "-a/2 b": "-a/2+b",
        "2a/3 -4b/3": "(2a-4b)/3",
        "a/4 1/4": "(a+1)/4",
        "1000000a 1": "1000000a+1",
        "0.5a 0.25": "0.5a+0.25",
        "2e -3": "2·e-3",
        "e 3f": "e+3f",
        "2e 3f": "2·e+3f",
        "x2e 3": "x2e+3",
    }.items(),
)
def test_fractions_before_letters(text: str, shown: str) -> None:
    assert str(sum(symbols(text))) == shown


def test_only_typed_fractions_are_kept(tmp_path: Any) -> None:
    assert is_exact(read_tensor("1/3 2; 0.1 1", exact=True))
    assert read_tensor("1/3 2; 0.1 1", exact=True)[1, 0] == Fraction(1, 10)
    assert read_tensor("[[1/3, 2]]", exact=True)[0, 0] == Fraction(1, 3)
    (tmp_path / "x.csv").write_text("1/3 2\n")
    for plain in (
        read_tensor("1/3 2"),
        read_tensor(str(tmp_path / "x.csv"), exact=True),
        read_tensor("0.5 2", exact=True),
    ):
        assert plain.dtype == np.float64
    assert read_tensor("1 2", exact=True).dtype == np.int64
    for bad in ("a/0", "1/0", "1/2/3", "a/b", "/2", "1½", "½0", "²", "½/2"):
        with pytest.raises(TensorError):
            read_tensor(bad, exact=True)


def test_fractions_stay_where_all_is_exact_and_small() -> None:
    third, whole, decimal = as_exact([0.5]), np.array([1, 2]), np.array([0.5])
    assert [a.dtype.kind for a in settled([third, whole, None]) if a is not None] == ["O", "i"]
    assert [a.dtype.kind for a in settled([third, decimal])] == ["f", "f"]
    assert [a.dtype.kind for a in settled([third, np.ones(1 << 17, np.int64)])] == ["f", "i"]
    letters = symbols("a 1/2")
    assert settled([letters, decimal])[0] is letters
    assert has_symbols(letters)
    assert not is_exact(letters)


OPERANDS = [("a b 3 c b", "x 1/2y"), ("a v; b u; 1/3 a", "x p; u 0"), ("1/3 1 2/7 4", "1/2 -3")]


@pytest.mark.parametrize("operands", OPERANDS, ids=["letters", "taken", "fractions"])
def test_identities_hold_exactly(operands: tuple[str, str]) -> None:
    x, w = (read_tensor(text, exact=True) for text in operands)
    for options in (
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": ((2, 1),) * x.ndim},
    ):
        for check in (
            identities.check_adjoint,
            identities.check_gradient,
            identities.check_equivariance,
        ):
            found = check(x, w, **options)
            assert found.holds
            assert found.tolerance == 0
            assert has_symbols(found.left) == has_symbols(x)
            assert any(entry != 0 for entry in found.left.flat)


def test_identities_of_letters_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = symbols("a b c d"), symbols("x y")

    def wrong(*operands: Any, **options: Any) -> Any:
        right = conv_grad(*operands, **options)
        return right._replace(x=right.x[::-1], weight=right.weight)

    monkeypatch.setattr(identities, "conv_grad", wrong)
    assert not identities.check_adjoint(x, w).holds
    assert not identities.check_gradient(x, w).holds


def test_the_gradient_of_letters_is_what_a_lecture_writes() -> None:
    grads = conv_grad(symbols("g h"), symbols("a b c"), symbols("x y"))
    assert [[str(e) for e in grad] for grad in grads] == [
        ["gx", "gy+hx", "hy"],
        ["ag+bh", "bg+ch"],
        ["g+h"],
    ]


def test_too_much_to_write_down() -> None:
    with pytest.raises(TensorError, match="at most 16,384 products"):
        identities.check_adjoint(indexed_symbols("x", (200,)), indexed_symbols("w", (100,)))


def test_sums_that_are_infinite_are_compared_without_a_warning() -> None:
    x, weight = np.array([1, 2, 1e308]), np.array([1.0, 2.0])
    assert identities.check_adjoint(x, weight).difference == 0
    assert np.isnan(identities.check_gradient(x, weight).difference)
    assert not identities.check_gradient(x, weight).holds
