"""Lines of kernels as pairs of taps with weights of 16 bits, and which are left to floating point."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.cpu.pairs import blurs, pairs_of
from convcli.engine.finish import Finish

PLAIN = Finish("none", 1.0, 0.0, False, 0.0, 1.0, "uint8", "float32", False)


def bell(sigma, radius):
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return taps / taps.sum()


@pytest.mark.parametrize(
    ("column", "row", "finish"),
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
def test_what_is_left_to_floating_point(column, row, finish):
    assert blurs(((column, row),), finish) == ()


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
