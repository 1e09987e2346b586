"""Receptive fields of whole networks against a tracer that follows every single cell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from convcli import Network
from convcli.arithmetic.network_graph import INPUT, Node
from convcli.arithmetic.transposed import TransposedWindow

Cells = list[frozenset[int]]
"""For each output, the input cells that it can see; padding sees none."""


def trace(network: Network, size: int) -> dict[str, Cells]:
    seen: dict[str, Cells] = {INPUT: [frozenset([i]) for i in range(size)]}
    for node in network.nodes:
        seen[node.name] = traced(node, [seen[name] for name in node.inputs])
    return seen


def traced(node: Node, inputs: Sequence[Cells]) -> Cells:
    given = inputs[0]
    nothing: frozenset[int] = frozenset()
    if node.layer is not None:
        window = node.layer.windows((len(given),))[0]
        k, s, d = window.kernel_size, window.stride, window.dilation
        made = [nothing] * window.output
        if isinstance(window, TransposedWindow):
            for i, cells in enumerate(given):
                for tap in range(k):
                    place = i * s + tap * d - window.before
                    if 0 <= place < len(made):
                        made[place] |= cells
            return made
        padded = [nothing] * window.before + given + [nothing] * (window.after + window.overhang)
        return [nothing.union(*(padded[o * s + t * d] for t in range(k))) for o in range(len(made))]
    if node.kind == "upsample":
        return [cells for cells in given for _ in range(node.options["factor"][0])]
    if node.kind == "pad":
        ((before, after),) = node.options["padding"]
        return [nothing] * before + given + [nothing] * after
    if node.kind in ("globalavgpool", "flatten"):
        return [nothing.union(*given)]
    if node.kind in ("adaptiveavgpool", "adaptivemaxpool"):
        n, out = len(given), node.options["size"][0]
        return [nothing.union(*given[i * n // out : -(-(i + 1) * n // out)]) for i in range(out)]
    if node.kind in ("add", "concat"):
        cut = [cells[(len(cells) - len(given)) // 2 :][: len(given)] for cells in inputs]
        return [nothing.union(*together) for together in zip(*cut, strict=True)]
    return given


@pytest.mark.parametrize(
    "chain",
    [
        "conv 2 k7 s2 p3 | maxpool k3 s2 p1 | conv 2 k3 d2 p2",
        "conv 2 k4 s3 | maxpool k2 ceil | avgpool k3 s1 p1",
        "conv 2 k3 p1 | upsample 3 | conv 2 k1",
        "pad 3,1 | conv 2 k5 | pad 0,2 | conv 2 k2 s2",
        "maxpool k3 s3 | adaptiveavgpool 4",
        "conv 2 k3 | gap",
        "conv 2 k5 p2 | add[ conv 2 k3 p1 | conv 2 k3 p1 ; identity ] | conv 2 k3 s2 p1",
        "concat[ conv 2 k1 ; conv 2 k3 p1 ; conv 2 k5 p2 ; maxpool k3 s1 p1 ] | conv 2 k3",
        "conv 2 k3 @skip | conv 2 k3 | conv 2 k3 | concat skip crop | conv 2 k3",
        "conv 2 k3 @skip | maxpool k2 | conv 2 k3 | tconv 2 k2 s2 | concat skip crop | conv 2 k1",
        "tconv 2 k4 s2 p1 | conv 2 k1",
        "tconv 2 k6 s3 p2 | conv 2 k1",
    ],
)
def test_the_field_is_what_tracing_sees(chain: str) -> None:
    size = 48
    network = Network.parse(f"input 2x{size} | {chain}")
    report = network.evaluate()
    assert report.failure is None
    seen = trace(network, size)
    enlarges = "up" in chain or "tconv" in chain
    for row in report.rows:
        field, cells = row.fields[0], seen[row.name]
        assert field.aligned
        widest = max(max(c) - min(c) + 1 for c in cells if c)
        assert widest <= field.size
        # Near both ends the border of the picture cuts the field off; elsewhere it is whole.
        full = [(o, c) for o, c in enumerate(cells) if c and max(c) - min(c) + 1 == field.size]
        assert full or field.size > size / 2
        centres = [(min(c) + max(c)) / 2 + 0.5 - place * field.jump for place, c in full]
        if enlarges:
            # Neighbours see the same cells, so centres are right on average.
            assert not full or abs(sum(centres) / len(centres) - field.start) < 0.3
        else:
            assert all(centre == field.start for centre in centres)


@pytest.mark.parametrize(
    "chain",
    [
        "conv 2 k3 | adaptiveavgpool 7 | flatten",
        "conv 2 k3 p1 | maxpool k3 s2 p1 | gap | conv 2 k3 p1",
        "conv 2 k7 p3 | adaptiveavgpool 1",
        "maxpool k2 s5 | flatten",
        "add[ conv 2 k3 p1 ; conv 2 k2 | pad 1,0 ] | adaptivemaxpool 5 | flatten",
    ],
)
def test_what_reads_everything_sees_the_input_and_no_more(chain: str) -> None:
    network = Network.parse(f"input 2x32 | {chain}")
    row = network.evaluate().rows[-1]
    cells = frozenset().union(*trace(network, 32)[row.name])
    assert row.fields[0].size == max(cells) - min(cells) + 1
    assert row.fields[0].start == (max(cells) + min(cells)) / 2 + 0.5
    assert row.fields[0].aligned


def test_branches_off_centre_see_what_any_of_them_sees() -> None:
    network = Network.parse(
        "input 2x32 | concat[ conv 2 k3 s2 p1 ; conv 2 k3 s2 p0,1 ] | conv 2 k3"
    )
    field = network.evaluate().rows[-1].fields[0]
    both, last = (trace(network, 32)[name] for name in ("concat1", "conv3"))
    assert max(both[5]) - min(both[5]) + 1 == 4
    assert field.size == max(last[5]) - min(last[5]) + 1
    assert not field.aligned


def test_what_is_not_aligned_really_is_not() -> None:
    network = Network.parse("input 2x30 | add[ conv 2 k3 p1 ; conv 2 k2 | pad 1,0 ]")
    left, right = (trace(network, 30)[name] for name in ("conv1", "pad1"))
    assert any(min(a) + max(a) != min(b) + max(b) for a, b in zip(left, right, strict=True) if b)
    assert not network.evaluate().rows[-1].fields[0].aligned
