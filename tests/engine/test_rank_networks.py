"""Networks of ranks by the zero-one principle: what sorts zeros and ones sorts everything."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from convcli.engine.cpu.rank_networks import Comparisons, merged, network, of_two, ranks_between
from convcli.engine.cpu.rank_programs import program

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import rank_medians


def evaluated(net, refs, cell):
    """Values of nodes; ``cell(row, column)`` gives the input's."""
    known = {}

    def value(number, shift):
        if (number, shift) not in known:
            node = net.nodes[number]
            if node.kind == "row":
                known[number, shift] = cell(node.a, shift)
            else:
                a, b = value(node.a, node.a_shift + shift), value(node.b, node.b_shift + shift)
                known[number, shift] = a & b if node.kind == "min" else a | b
        return known[number, shift]

    return [value(*ref) for ref in refs]


def sorted_bits(runs):
    """All zeros and ones that sorted runs of these lengths can hold, as bits of integers."""
    cases = list(product(*(range(n + 1) for n in runs)))
    cells = [
        [sum(1 << at for at, ones in enumerate(cases) if i >= n - ones[r]) for i in range(n)]
        for r, n in enumerate(runs)
    ]
    ones = [sum(case) for case in cases]
    total = sum(runs)
    # With so many ones, the value of a rank is one from a place on.
    want = [sum(1 << at for at, n in enumerate(ones) if k >= total - n) for k in range(total)]
    return cells, want


def runs_of(net, lengths):
    return [[net.row(r, i) for i in range(n)] for r, n in enumerate(lengths)]


@pytest.mark.parametrize("lengths", [*product(range(1, 16), repeat=2), (42, 13), (28, 64)])
def test_merges(lengths):
    cells, want = sorted_bits(lengths)
    net = Comparisons()
    refs = merged(net, *runs_of(net, lengths))
    refs += [of_two(net, *runs_of(net, lengths), rank) for rank in range(sum(lengths))]
    assert evaluated(net, refs, lambda r, i: cells[r][i]) == want * 2


@pytest.mark.parametrize("lengths", [(4,), (5, 3, 2), (1, 7, 4), (3, 3, 3, 3), (8, 4, 2, 1)])
def test_what_cannot_have_the_rank_is_forgotten(lengths):
    cells, want = sorted_bits(lengths)
    for first in range(sum(lengths)):
        for last in range(first, sum(lengths)):
            net = Comparisons()
            refs = ranks_between(net, runs_of(net, lengths), first, last)
            assert evaluated(net, refs, lambda r, i: cells[r][i]) == want[first : last + 1]


def some_bits(count, chunk, width=18):
    """Variables over ``2**width`` of the ``2**count`` inputs, as packed bits."""
    number = np.arange(1 << min(count, width), dtype=np.uint32) | (chunk << width)
    bits = [number >> i & 1 for i in range(count)]
    return [np.packbits(bit.astype(bool)) for bit in bits], sum(bits)


@pytest.mark.parametrize(
    ("height", "width", "ranks", "group"),
    [
        (3, 3, range(9), 1),
        (3, 3, range(9), 2),
        (4, 4, range(16), 4),
        (3, 5, (0, 3, 7, 14), 2),
        (5, 3, (7, 9), 2),
        (2, 9, (9, 1), 2),
        (9, 2, (9,), 4),
        (1, 15, (7,), 1),
        (15, 1, (7, 2), 8),
        (5, 5, (12,), 2),
    ],
)
def test_windows_over_all_zeros_and_ones(height, width, ranks, group):
    cells = height * width
    for chunk in range(max(1 << cells >> 18, 1)):
        bits, ones = some_bits(cells, chunk)
        for rank in ranks:
            net, outputs = network(height, width, rank, group)
            want = np.packbits(ones > cells - 1 - rank)
            for top, output in enumerate(outputs):
                # Cells of other windows are no part of it: there is none to be found.
                own = {
                    (top + i, j): bits[i * width + j] for i in range(height) for j in range(width)
                }
                (found,) = evaluated(net, [output], lambda r, c: own[r, c])  # noqa: B023
                assert np.array_equal(found, want)


@pytest.mark.parametrize(("size", "most"), [(3, 21), (5, 75), (7, 173), (15, 823)])
def test_neighbours_share(size, most):
    """Operations for each output, of which a network for one window alone takes many more."""
    group = {3: 2, 5: 2, 7: 4, 15: 8}[size]
    made = program(size, size, size * size // 2, group)
    assert len(made.code) <= most * group


def test_the_compiled_medians_are_those_of_the_generator():
    assert rank_medians.TO.read_text() == rank_medians.written(), "run tools/rank_medians.py"
