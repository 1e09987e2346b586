"""Lines of kernels as pairs of taps with weights of 16 bits, and which are left to floating point."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.cpu.pairs import _error, blurs, pairs_of
from convcli.engine.requantize import Requantize

PLAIN = Requantize("none", 1.0, 0.0, False, 0.0, 1.0, "uint8", "float32", False)


def bell(sigma, radius):
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return taps / taps.sum()


@pytest.mark.parametrize(
    ("column", "row", "requantize"),
    [
        (bell(1, 2), np.array([-0.1, 1.2, -0.1]), PLAIN),
        (bell(1, 2) * 1.1, bell(1, 2), PLAIN),
        (bell(1, 2), np.array([0.5, 0.5]), PLAIN),  # an average of weight 1
        (bell(30, 90), bell(30, 90), PLAIN),  # too many roundings
        (bell(1, 2) * 1e-6, bell(1, 2), PLAIN),  # all weights round to nothing
        (np.array([1, np.pi - 1]) / np.pi, np.full(434, 1 / 434), PLAIN),  # too many pairs
        (bell(1, 2), bell(1, 2), PLAIN._replace(bias=3.0)),
        (bell(1, 2), bell(1, 2), PLAIN._replace(offset=128.0)),
        (bell(1, 2), bell(1, 2), PLAIN._replace(out_dtype="uint16", ratio=257.0)),
        (bell(1, 2), bell(1, 2), PLAIN._replace(combine="magnitude")),
    ],
)
def test_what_is_left_to_floating_point(column, row, requantize):
    assert blurs(((column, row),), requantize, 126) == ()


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 9, 60])
@pytest.mark.parametrize("symmetric", [True, False])
def test_weights_come_to_what_the_line_comes_to(taps, symmetric):
    line = np.random.default_rng(taps).random(taps)
    line = (line + line[::-1] if symmetric else line) / line.sum() / 2
    pairs = pairs_of(line)
    assert len(pairs) == ((taps + 1) // 2 if symmetric else taps)
    assert sum(pair.weight for pair in pairs) == round(line.sum() * 65536)
    spread = np.zeros(len(line))
    for first, second, weight in pairs:
        spread[first] += weight / 2
        spread[second] += weight / 2
    assert np.abs(spread / 65536 - line).max() < 1 / 65536


def test_the_error_of_a_line_is_that_of_its_weights_and_of_cut_off_products():
    thirds = np.full(3, 1 / 3)
    (outer, middle) = pairs_of(thirds)
    # Of 65,536: 43,691 for two thirds and 21,845 for one, on white, which is 65,280; and half a
    # unit put back for each of two products.
    assert (outer.weight, middle.weight) == (43691, 21845)
    assert _error((outer, middle), thirds) == pytest.approx(2 / 3 * 65280 / 65536 + 1, rel=1e-9)
    assert _error(pairs_of(np.array([0.25, 0.5, 0.25])), np.array([0.25, 0.5, 0.25])) == 1


@pytest.mark.parametrize("sigma, radius, allowed", [(12.4, 38, True), (45, 113, False)])
def test_the_error_grows_with_the_pairs(sigma, radius, allowed):
    line = bell(sigma, radius)
    assert bool(blurs(((line, line),), PLAIN, 126)) == allowed
