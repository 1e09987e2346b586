"""Bounds of sums and samples, and the types chosen from them, where they only just hold.

A bound that is one too wide shows nothing on most pictures; these meet it exactly.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convcli.engine.dispatch import execute
from convcli.engine.numerics import Bounds, exact_type, sum_bounds
from convcli.engine.plan import plan_filter
from convcli.engine.requantize import Requantize, Requantizer, make_requantize
from convcli.engine.weights import rank_factors
from convcli.extensions import VARIABLE
from convcli.kernels.kernel import Kernel

both_loops = pytest.mark.parametrize("loops", ["numpy", "compiled"])


@pytest.fixture
def filtered(monkeypatch):
    """Filter a picture with one of the loops, without a border."""

    def run(x, kernel, loops="numpy", **options):
        if loops == "compiled":
            pytest.importorskip("convcli._loops")
        monkeypatch.setenv(VARIABLE, loops)
        plan = plan_filter(x.shape, x.dtype, [kernel], padding=0, backend="numpy", **options)
        return execute(plan, x).pixels

    return run


whole = st.integers(-300, 300)


@given(st.lists(whole, min_size=1, max_size=4), st.tuples(whole, whole).map(sorted))
def test_every_partial_sum_lies_within_the_bounds(weights, ends):
    bounds = sum_bounds(np.array(weights, float), Bounds(*ends))
    for order in itertools.permutations(weights):
        for values in itertools.product(ends, repeat=len(order)):
            sums = itertools.accumulate(w * v for w, v in zip(order, values, strict=True))
            assert all(bounds.low <= s <= bounds.high for s in sums)


EDGES = [0, 1, -1, *(s * 2**p + d for s in (1, -1) for p in (15, 16, 24, 53) for d in (-1, 0, 1))]


@pytest.mark.parametrize("low", EDGES)
def test_an_exact_type_holds_every_whole_number_within_its_bounds(low):
    for high in (high for high in EDGES if low <= high):
        holds_exactly(low, high)


def holds_exactly(low, high):
    name = exact_type(Bounds(low, high))
    if name is None:
        assert max(-low, high) > 2**53
        return
    dtype = np.dtype(name)
    if dtype.kind == "f":  # whole numbers up to 2 ** (bits of the mantissa), and no further
        assert max(-low, high) <= 2 ** (np.finfo(dtype).nmant + 1)
    else:
        assert np.iinfo(dtype).min <= low
        assert high <= np.iinfo(dtype).max


@given(
    st.lists(st.tuples(whole, whole).map(sorted), min_size=1, max_size=3),
    st.sampled_from(["none", "magnitude", "maximum"]),
    st.sampled_from([1.0, -1.0, 0.5, 3.0]),
    st.sampled_from([0.0, 7.0, -7.0]),
    st.booleans(),
    st.sampled_from([0.0, 128.0]),
    st.sampled_from([1.0, 257.0]),
)
@example([[1, 1]], "magnitude", 1.0, -7.0, True, 0.0, 1.0)
def test_every_response_lies_within_the_bounds(sums, combine, scale, bias, absolute, offset, ratio):
    """And some response is as large, or as small, as they say."""
    bounds = [Bounds(*s) for s in sums]
    low, high = Requantize(combine, scale, bias, absolute, offset, ratio).bounds(bounds)
    found = []
    for ends in itertools.product(*([*s, *([0] if s[0] <= 0 <= s[1] else [])] for s in sums)):
        scaled = [scale * end for end in ends]
        if combine == "magnitude":
            together = [sum(v * v for v in scaled) ** 0.5]
        else:
            together = [max(scaled)] if combine == "maximum" else scaled
        for value in together:
            value += bias
            found.append(((abs(value) if absolute else value) + offset) * ratio)
    assert low - 1e-9 <= min(found)
    assert max(found) == pytest.approx(high)


@both_loops
@pytest.mark.parametrize("bias, scale", [(-1, 1.0), (-1, 0.75), (-0.6, 1.0), (1, 1.0), (0.6, 1.0)])
def test_what_leaves_the_range_by_a_little_is_clipped(filtered, loops, bias, scale):
    x = np.array([0, 1, 2, 254, 255], np.uint8).reshape(1, 5, 1)
    got = filtered(x, Kernel([[1.0]], scale=scale, bias=bias), loops)
    want = [
        round(min(max(v * Fraction(scale) + Fraction(bias), 0), 255)) for v in x.ravel().tolist()
    ]
    assert got.ravel().tolist() == want


@pytest.mark.parametrize("accumulate", ["int16", "uint16"])
@pytest.mark.parametrize("bias", [0, 1, -1, 32767, -32767, 32768, -32768])
@pytest.mark.parametrize("absolute", [False, True])
def test_sums_are_finished_in_16_bits_only_where_nothing_overflows(accumulate, bias, absolute):
    info = np.iinfo(accumulate)
    edges = {info.min, info.min + 1, 0, 1, info.max - 1, info.max}
    tried = 0
    for low, high in itertools.combinations(sorted(edges), 2):
        for offset in (0.0, 1.0, 128.0):
            draft = Requantize("none", 1.0, float(bias), absolute, offset, 1.0, "uint16")
            requantize = make_requantize(draft, [Bounds(low, high)], accumulate, exact=True)
            if requantize.work != "integer":
                continue
            tried += 1
            out = np.empty((1, 2), np.uint16)
            Requantizer(requantize).apply([np.array([[low, high]], accumulate)], out)
            exact = [low + bias, high + bias]
            exact = [(abs(v) if absolute else v) + int(offset) for v in exact]
            assert out.tolist() == [[min(max(v, 0), 65535) for v in exact]], (low, high, offset)
    assert tried or abs(bias) > 32767


@pytest.mark.parametrize("taps", [63, 65, 109, 117, 119, 121, 125])
def test_an_odd_divisor_rounds_sums_next_to_a_half_as_fractions_do(filtered, taps):
    """109 is the first whose sums of 16 bits float32 may take for halves, 63 the last proved safe."""
    samples = np.arange(30_000, 65_000, 7)
    sums = np.concatenate([taps * samples + (taps - 1) // 2, taps * samples + (taps + 1) // 2])
    x = np.repeat(sums[:, None] // taps, taps, axis=1)
    x[np.arange(taps) < (sums % taps)[:, None]] += 1
    x = x.astype(np.uint16)[..., None]
    assert (x.sum((1, 2)) == sums).all()
    got = filtered(x, Kernel(np.ones((1, taps)), scale=1 / taps))
    np.testing.assert_array_equal(got.ravel(), (2 * sums + taps) // (2 * taps))


@both_loops
@pytest.mark.parametrize("root", [2049, 4097, 9001, 46339])
def test_magnitudes_of_16_bits_next_to_a_half_are_rounded_as_integers_do(filtered, loops, root):
    """The root of n (n + 1) is just below n + 1/2, too near for float32 to see."""
    pairs = []
    for a in range(int((root * (root + 1)) ** 0.5), 0, -1):
        rest = root * (root + 1) - a * a
        if rest <= 65535**2 and int(rest**0.5 + 0.5) ** 2 == rest:
            pairs.append((a, int(rest**0.5 + 0.5)))
    if not pairs:  # the nearest sum of two squares below
        a = int((root * (root + 1)) ** 0.5)
        pairs = [(a, int((root * (root + 1) - a * a) ** 0.5))]
    x = np.array(pairs, np.uint16)[..., None]
    kernel = Kernel(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), combine="magnitude")
    for (a, b), got in zip(pairs, filtered(x, kernel, loops).ravel().tolist(), strict=True):
        n = a * a + b * b
        assert (2 * got - 1) ** 2 < 4 * n < (2 * got + 1) ** 2  # the nearest whole number


@both_loops
@pytest.mark.parametrize("height, width", [(201, 201), (181, 181), (4, 8192), (33, 993)])
def test_the_largest_boxes_keep_white_white(filtered, loops, height, width):
    """32,768 samples of 65,535 are the most that 31 bits hold."""
    x = np.full((height, width + 2, 1), 65535, np.uint16)
    kernel = Kernel(np.ones((height, width)), scale=1 / (height * width))
    assert filtered(x, kernel, loops, algorithm="box").tolist() == [[[65535]] * 3]


def test_factors_stay_within_the_tolerance():
    column, row = np.array([1.0, 2.0, 1.0]), np.array([0.25, 0.5, 0.125])
    weights = np.outer(column, row)
    assert len(rank_factors(weights, 0.0, 1) or ()) == 1  # without any error
    weights[0, 0] += 2.0**-10
    assert rank_factors(weights, 2.0**-10 * 0.999, 1) is None
    assert len(rank_factors(weights, 2.0**-10, 1) or ()) == 1


@pytest.mark.parametrize("tolerance", [1e-12, 1e-3, 0.05, 0.2, 1.0, 5.0])
def test_no_more_terms_than_the_tolerance_asks_for(tolerance):
    weights = np.random.default_rng(7).normal(size=(5, 6)) * 0.1 + np.outer(range(5), range(6))
    found = rank_factors(weights, tolerance, 5)
    assert found is not None
    left = weights - sum(np.outer(*term) for term in found)
    assert np.abs(left).sum() <= tolerance
    one_less = rank_factors(weights, tolerance, len(found) - 1) if len(found) > 1 else None
    assert one_less is None
