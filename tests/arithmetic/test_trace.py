"""The cells that a trace finds against loops over every tap, and against ONNX's own run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import pytest

from convcli import Network
from convcli.arithmetic.reading import Reading, Runs
from convcli.arithmetic.trace import Region, Trace, along, cell_count, parse_cell, trace
from convcli.errors import UsageError

Cells = set[tuple[int, ...]]


def cells_of(region: Region) -> Cells:
    return {cell for box in region for cell in product(*map(places, box))}


def places(runs: Runs) -> list[int]:
    assert all(a[1] + 1 < b[0] for a, b in pairwise(runs)), runs
    return [i for first, last in runs for i in range(first, last + 1)]


def axis_reads(layer: dict[str, Any], axis: int, size: int) -> list[list[int]]:
    """For each output along an axis, the inputs it reads, padding as numbers beyond the ends."""
    kind = layer["kind"]
    if kind == "upsample":
        return [[o // layer["factor"][axis]] for o in range(size * layer["factor"][axis])]
    if kind == "adaptiveavgpool":
        m = layer["size"][axis]
        return [
            [i for i in range(size) if i * m < (o + 1) * size and (i + 1) * m > o * size]
            for o in range(m)
        ]
    if kind == "gap":
        return [list(range(size))]
    if kind == "pad":
        before, after = layer["p"][axis]
        return [[i] for i in range(-before, size + after)]
    k, s, d = (layer[key][axis] for key in "ksd")
    before, after = layer["p"][axis]
    if kind == "tconv":
        full = (size - 1) * s + d * (k - 1) + 1
        made: list[list[int]] = [[] for _ in range(full - before - after + layer["op"][axis])]
        for i, t in product(range(size), range(k)):
            if 0 <= i * s + t * d - before < len(made):
                made[i * s + t * d - before].append(i)
        return made
    reads, start, end = [], -before, size + after
    hang = s - 1 if layer["ceil"] else 0  # PyTorch's: it may hang over, not begin beyond the input
    while start + d * (k - 1) < end + hang and not (layer["ceil"] and start >= size):
        reads.append([start + d * t for t in range(k)])
        start += s
    return reads


def written(layer: dict[str, Any]) -> str:
    kind = layer["kind"]
    two = {
        key: "x".join(map(str, layer[key]))
        for key in ("k", "s", "d", "op", "factor", "size")
        if key in layer
    }
    pads = "x".join(f"{a},{b}" for a, b in layer.get("p", ()))
    if kind == "upsample":
        return f"upsample {two['factor']}"
    if kind == "adaptiveavgpool":
        return f"adaptiveavgpool {two['size']}"
    if kind in ("gap", "pad"):
        return f"pad {pads}" if kind == "pad" else kind
    channels = "" if kind == "maxpool" else " 2"
    text = f"{kind}{channels} k{two['k']} s{two['s']} d{two['d']} p{pads}"
    return (
        text + (" ceil" if layer["ceil"] else "") + (f" op{two['op']}" if kind == "tconv" else "")
    )


def random_layer(rng: random.Random, rank: int) -> dict[str, Any]:
    def each(low: int, high: int) -> list[int]:
        return [rng.randint(low, high) for _ in range(rank)]

    kind = rng.choice(
        ["conv"] * 4
        + ["maxpool"] * 3
        + ["tconv"] * 3
        + ["upsample", "pad"] * 2
        + ["adaptiveavgpool", "gap"]
    )
    layer = {"kind": kind, "k": each(1, 4), "s": each(1, 3), "d": each(1, 3), "ceil": False}
    if kind in ("upsample", "adaptiveavgpool"):
        return {"kind": kind, "factor": each(1, 3), "size": each(2, 5)}
    most = 3 if kind in ("conv", "pad") else 1
    layer["p"] = [(rng.randint(0, most), rng.randint(0, most)) for _ in range(rank)]
    layer["ceil"] = kind == "maxpool" and rng.random() < 0.5
    layer["op"] = [rng.randrange(max(s, d)) for s, d in zip(layer["s"], layer["d"], strict=True)]
    return layer


def backwards(
    layers: Sequence[dict[str, Any]], sizes: tuple[int, ...], cell: tuple[int, ...]
) -> list[tuple[Cells, list[tuple[int, int]]]]:
    """The cells of each layer's input, from the last layer back, and the padding it reads."""
    reads = []
    for layer in layers:
        reads.append((sizes, [axis_reads(layer, axis, n) for axis, n in enumerate(sizes)]))
        sizes = tuple(map(len, reads[-1][1]))
    found, lit = [], {cell}
    for layer, (sizes, axes) in zip(layers[::-1], reads[::-1], strict=True):
        beyond = [(0, 0)] * len(sizes)
        cells: Cells = set()
        for place in lit:
            taken = [axis[at] for axis, at in zip(axes, place, strict=True)]
            cells |= {
                c for c in product(*taken) if all(0 <= i < n for i, n in zip(c, sizes, strict=True))
            }
            if layer["kind"] != "tconv":
                beyond = [
                    (max(low, -min(t)), max(high, max(t) - n + 1))
                    for (low, high), t, n in zip(beyond, taken, sizes, strict=True)
                ]
        found.append((lit := cells, beyond))
    return found


@pytest.mark.parametrize("seed", range(200))
def test_a_trace_of_a_random_chain_is_what_loops_over_every_tap_find(seed: int) -> None:
    rng = random.Random(seed)
    rank = 1 + seed % 2
    while True:
        sizes = tuple(rng.sample(range(5, 15), rank))
        layers = [random_layer(rng, rank) for _ in range(rng.randint(1, 4))]
        text = " | ".join(map(written, layers))
        report = Network.parse(text).evaluate((2, *sizes), maps=True)
        if not report.failure and max(report.output[1:]) < 60:
            break
    cell = tuple(rng.randrange(n) for n in report.output[1:])
    found = trace(report, cell, report.rows[-1].name)
    names = [found_map.name for found_map in report.maps]
    for name, made, (cells, beyond) in zip(
        names[-2::-1], names[:0:-1], backwards(layers, sizes, cell), strict=True
    ):
        assert cells_of(found.regions.get(name, ())) == cells, f"{text} at {name}"
        assert cell_count(found.regions.get(name, ())) == len(cells)
        if cells and made in found.padding:
            assert list(found.padding[made]) == beyond, f"{text} at {made}"


def test_forwards_is_the_converse_of_backwards() -> None:
    report = Network.parse(
        "conv 2 k3x2 s2x1 d1x2 p1,0x2,1 | tconv 2 k3 s2 | concat[ maxpool k2 s1 p1,0 ; conv 1 k1x3 p0x1 ]"
    ).evaluate((1, 7, 6), maps=True)
    last = report.rows[-1].name
    rows, columns = report.output[1:]
    seen = {
        cell: cells_of(trace(report, cell, last).regions.get("input", ()))
        for cell in product(range(rows), range(columns))
    }
    for place in product(range(7), range(6)):
        reached = trace(report, place, "input").regions.get(last, ())
        assert cells_of(reached) == {cell for cell, cells in seen.items() if place in cells}


def test_branches_add_up_without_becoming_a_rectangle() -> None:
    found = traced("concat[ conv 1 k1x5 p0x2 ; conv 1 k5x1 p2x0 ; identity ]", (1, 9, 11), (4, 5))
    cross = {(4, c) for c in range(3, 8)} | {(r, 5) for r in range(2, 7)}
    assert cells_of(found.regions["input"]) == cross
    assert cell_count(found.regions["input"]) == len(cross) == 9


def test_a_skip_reads_its_own_place_and_what_went_round() -> None:
    text = "conv 1 k3 p1 @skip | maxpool k2 | conv 1 k3 p1 | tconv 1 k2 s2 | concat skip crop"
    found = traced(text, (1, 13, 13), (5, 6))
    assert along(found.regions["skip"], 0) == ((2, 7),)  # pool cells 1 to 3
    assert along(found.regions["input"], 1) == ((3, 10),)


def traced(text: str, shape: tuple[int, ...], cell: tuple[int, ...] | None = None) -> Trace:
    return trace(Network.parse(text).evaluate(shape, maps=True), cell)


@pytest.mark.parametrize(
    ("name", "n", "layer", "field", "jump"),
    [
        ("vgg16", 288, "pool5", 212, 32),
        ("resnet18", 517, "", 435, 32),
        ("resnet50", 517, "", 427, 32),
    ],
)
def test_published_receptive_fields(name: str, n: int, layer: str, field: int, jump: int) -> None:
    report = Network.load(name).evaluate((3, n, n), maps=True)
    middle = trace(report, None, layer)
    ((low, high),) = along(middle.regions["input"], 0)
    assert high - low + 1 == field
    if low >= jump:
        above = trace(report, [at - 1 for at in middle.cell], middle.start)
        assert along(above.regions["input"], 0) == ((low - jump, high - jump),)
    row = next(row for row in report.rows if row.name == middle.start)
    assert (row.fields[0].size, row.fields[0].jump) == (field, jump)


def test_inside_a_map_a_trace_has_the_size_and_the_place_of_the_field() -> None:
    rng = random.Random(0)
    for _ in range(60):
        text = " | ".join(
            f"conv 1 k{rng.randint(1, 5)} s{rng.randint(1, 2)} d{rng.randint(1, 3)} p{rng.randint(0, 3)},{rng.randint(0, 3)}"
            for _ in range(rng.randint(1, 4))
        )
        report = Network.parse(text).evaluate((1, 301), maps=True)
        found, field = trace(report), report.rows[-1].fields[0]
        runs = along(found.regions["input"], 0)
        centre = field.start + found.cell[0] * field.jump
        assert (runs[0][0], runs[-1][1] + 1) == (
            centre - field.size / 2,
            centre + field.size / 2,
        ), text


def test_what_is_typed_wrong_is_answered() -> None:
    report = Network.parse("conv 1 k3 | maxpool k2 | flatten | linear 3").evaluate(
        (1, 9, 12), maps=True
    )
    assert trace(report).start == "maxpool1" and trace(report).cell == (1, 2)
    assert trace(report, (-1, 0)).cell == (2, 0)
    with pytest.raises(
        UsageError, match=r"cell 3,0 is not in the 3x5 map of maxpool1; its last one is 2,4"
    ):
        trace(report, (3, 0))
    with pytest.raises(UsageError, match="did you mean 'conv1'"):
        trace(report, None, "conv2")
    for text in ("", "3,x", "3,4@", "1.5"):
        with pytest.raises(UsageError, match="write row,column"):
            parse_cell(text)


def test_too_many_gaps_end_in_a_message() -> None:
    reading = Reading(10**9, 10**9, stride=2)
    with pytest.raises(Exception, match="smaller --n"):
        reading.inputs_of(((0, 10**8),))
