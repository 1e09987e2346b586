"""The page computes what the package computes: 500 random layers, set in the page."""

from __future__ import annotations

import json
import random
import re
import shlex
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

import convcli
from convcli.arithmetic.borders import BORDERS
from convcli.arithmetic.derivation import derive
from convcli.arithmetic.layer import Layer
from convcli.cli.app import run
from convcli.errors import ShapeError, TensorError
from convcli.ops.polynomial import Polynomial, parse_entry
from convcli.show.draw.axes import axis_view, single_axis
from convcli.show.draw.operation import MAX_LENGTH, MAX_SIDE, plan_operation
from convcli.show.page.layer_page import explore_page

pytestmark = pytest.mark.ci

COUNT = 500
NAMES = "a b c x1 x2 x10 x_3 x₂ 2b -c 0 1 -2 x[0] d' e1 2·_k a/2 1/3 -2b/3 x″".split()
SET = """states => states.map(state => {
  const refused = Explore.set(state);
  if (refused) return { refused };
  const { layer, results } = Explore;
  const cells = [...document.querySelectorAll('#boards .grid.output')]
    .filter(grid => grid.board.key.startsWith('y'))
    .map(grid => [...grid.querySelectorAll('.cell')].map(cell => cell.cell.text));
  return {
    refused, cells, output: layer.output, boards: layer.boards, at: layer.at,
    derived: layer.windows.map(Geometry.derive),
    reach: [...Array(layer.size[0] * layer.size[1]).keys()].map(input =>
      Layer.links(layer, { board: 'x', c: layer.in - 1, input }).y.map(t => [t.o, t.place, t.taps])),
    weight: layer.pool ? [] : Layer.links(layer, { board: 'w', o: layer.out - 1, c: layer.in - 1, tap: 0 })
      .y.map(t => [t.o, t.place]),
    values: results.outputs.map(plane => plane.map(v => v === null ? null : Arithmetic.exact(v))),
    shown: results.outputs.map(plane => plane.map(v => v === null ? '−∞' : Arithmetic.show(v))),
  };
})"""


def random_state(rng: random.Random) -> dict[str, Any]:
    """A layer in the page's words; one in four cannot be."""
    kind = rng.choice(
        ["conv", "conv", "conv", "conv_transpose", "conv_transpose", "maxpool", "avgpool"]
    )
    pool = kind.endswith("pool")
    axes = rng.choice([1, 2, 2])
    groups = rng.choice([1, 1, 2, 3])
    into, out = (rng.randint(1, 4) for _ in "io")
    if rng.random() < 0.85:
        into, out = max(into // groups, 1) * groups, max(out // groups, 1) * groups
    state: dict[str, Any] = {
        "kind": kind,
        "axes": axes,
        "n": [rng.randint(1, 7 if axes == 2 else 9) for _ in range(2)],
        "k": [rng.randint(1, 4) for _ in range(2)],
        "s": [rng.randint(1, 3) for _ in range(2)],
        "p": [[rng.choice([0, 0, 1, 2, 3]) for _ in range(2)] for _ in range(2)],
        "d": [rng.choice([1, 1, 2, 3]) for _ in range(2)],
        "op": [rng.choice([0, 0, 1, 2]) if kind == "conv_transpose" else 0 for _ in range(2)],
        "in": min(into, 4),
        "out": min(out, 4),
        "groups": 1 if pool else groups,
        "ceil": pool and rng.random() < 0.5,
        "flip": kind == "conv" and rng.random() < 0.3,
        "border": rng.choice(["constant", *(b for b in BORDERS if b != "missing")])
        if kind == "conv"
        else "constant",
    }
    letters = kind != "maxpool" and rng.random() < 0.25
    fractions = not letters and rng.random() < 0.25

    def text() -> str:
        if letters:
            return rng.choice(NAMES)
        if fractions:
            return f"{rng.randint(-9, 9)}/{rng.randint(1, 12)}"
        return str(rng.randint(-99, 99))

    n, k = (state[key] if axes == 2 else state[key][1:] for key in "nk")
    state["x"] = [text() for _ in range(state["in"] * prod(n))]
    weights = state["in"] * state["out"] * prod(k) // state["groups"]
    state["w"] = [] if pool else [text() for _ in range(weights)]
    state["bias"] = [] if pool or rng.random() < 0.5 else [text() for _ in range(state["out"])]
    return state


def layer_of(state: dict[str, Any]) -> tuple[Layer, tuple[int, ...]]:
    axes = slice(0, 2) if state["axes"] == 2 else slice(1, 2)
    layer = Layer(
        state["kind"],
        tuple(state["k"][axes]),
        tuple(state["s"][axes]),
        tuple(map(tuple, state["p"][axes])),
        tuple(state["d"][axes]),
        tuple(state["op"][axes]) if state["kind"] == "conv_transpose" else None,
        state["ceil"],
        None if state["kind"].endswith("pool") else state["out"],
        state["groups"],
    )
    return layer, tuple(state["n"][axes])


def entries(texts: list[str]) -> np.ndarray[Any, Any]:
    """Whole numbers as int64; fractions and polynomials as they are."""
    values = values_of(texts)
    if all(isinstance(value, Fraction) and value.denominator == 1 for value in values):
        return np.array([int(value) for value in values])
    array = np.empty(len(values), object)
    array[:] = values
    return array


def values_of(texts: list[str]) -> list[Any]:
    """What is written in cells: fractions, polynomials."""
    return [
        Fraction(text) if re.fullmatch("[-0-9/]+", text) else parse_entry(text) for text in texts
    ]


def package_output(state: dict[str, Any], layer: Layer, spatial: tuple[int, ...]) -> Any:
    """What :mod:`convcli.ops` computes, (C_out, *spatial)."""
    rank = len(spatial)
    x = entries(state["x"]).reshape(state["in"], *spatial)
    options: dict[str, Any] = {"stride": layer.stride, "dilation": layer.dilation, "dims": rank}
    padding = list(layer.padding)
    if layer.is_pool:
        pool = convcli.max_pool if state["kind"] == "maxpool" else convcli.avg_pool
        return pool(x, layer.kernel_size, padding=padding, ceil_mode=layer.ceil_mode, **options)
    lead = (state["out"], state["in"] // state["groups"])
    bias = entries(state["bias"]) if state["bias"] else None
    if state["kind"] == "conv":
        w = entries(state["w"]).reshape(*lead, *layer.kernel_size)
        options["border"] = state["border"]
        options.update(groups=state["groups"], flip=state["flip"])
        return convcli.conv(x, w, bias, padding=padding, **options)
    lead = (state["in"], state["out"] // state["groups"])
    w = entries(state["w"]).reshape(*lead, *layer.kernel_size)
    options.update(groups=state["groups"], output_padding=layer.output_padding)
    return convcli.conv_transpose(x, w, bias, padding=padding, **options)


def expected_reads(state: dict[str, Any], windows: Any) -> list[list[list[int | None]]]:
    """For every output the (tap, input) that it reads, row by row; None for zeros."""
    views = [single_axis()] * (2 - len(windows)) + [axis_view(w) for w in windows]
    sizes = [1] * (2 - len(windows)) + [w.size for w in windows]
    kernel = [1] * (2 - len(windows)) + [w.kernel_size for w in windows]
    cell = BORDERS[state["border"]].cell
    turned = state["flip"] or state["kind"] == "conv_transpose"

    def along(axis: int, output: int) -> list[tuple[int, int | None]]:
        view, found = views[axis], []
        first = next(at for at, source in enumerate(view.sources) if source == 0)
        for place, at in enumerate(view.taps[output]):
            source = view.sources[at]
            if source is None and view.marks[at] == "padding" and cell is not None:
                source = cell(at - first, sizes[axis])
            found.append((kernel[axis] - 1 - place if turned else place, source))
        return found

    return [
        [
            [t * kernel[1] + u, None if i is None or j is None else i * sizes[1] + j]
            for (t, i), (u, j) in product(along(0, row), along(1, column))
        ]
        for row in range(len(views[0].taps))
        for column in range(len(views[1].taps))
    ]


def check_reach(state: dict[str, Any], found: dict[str, Any], reads: list[Any]) -> None:
    """What the last channel's inputs and its first weight reach: the reads, read backwards."""
    pool = state["kind"].endswith("pool")
    last, group = state["in"] - 1, state["out"] // state["groups"]
    outs = [last] if pool else list(range(state["out"] - group, state["out"]))
    for index, reached in enumerate(found["reach"]):
        expected = [
            [o, place, taps]
            for o in outs
            for place, pairs in enumerate(reads)
            if (taps := [tap for tap, at in pairs if at == index])
        ]
        assert reached == expected, index
    if not pool:
        expected = [
            [state["out"] - 1, place]
            for place, pairs in enumerate(reads)
            if any(tap == 0 and at is not None for tap, at in pairs)
        ]
        assert found["weight"] == expected


def compare(state: dict[str, Any], found: dict[str, Any]) -> str:
    """Hold one layer against the package; what kind of case it was."""
    layer, spatial = layer_of(state)
    groups = state["groups"]
    try:
        windows = layer.windows(spatial)
        possible = state["in"] % groups == 0 == state["out"] % groups
        if layer.is_pool:  # numbers are pooled where every window has some
            possible = all(w.divisor(at) for w in windows for at in range(w.output))
    except ShapeError:
        possible = False
    assert bool(found["refused"]) != possible, found["refused"]
    if not possible:
        return "refused"
    outputs = [w.output for w in windows]
    assert found["output"] == [1] * (2 - len(outputs)) + outputs
    for w, board, derived in zip(
        windows, found["boards"][-len(windows) :], found["derived"][-len(windows) :], strict=True
    ):
        view, working = axis_view(w), derive(w)
        assert board["sources"] == list(view.sources)
        assert board["marks"] == list(view.marks)
        assert board["taps"] == [list(taps) for taps in view.taps]
        assert derived == {"formula": working.formula, "numbers": working.numbers}
    reads = [[[t["tap"], t["input"]] for t in taps] for taps in found["at"]]
    assert reads == expected_reads(state, windows)
    check_reach(state, found, reads)
    assert found["cells"] == found["shown"]  # what is computed is what stands on the boards
    y = package_output(state, layer, spatial)
    assert y.shape == (len(found["values"]), *outputs)
    for ours, value in zip(
        (v for plane in found["values"] for v in plane), y.ravel().tolist(), strict=True
    ):
        if isinstance(value, Polynomial) and value.names():
            assert ours == str(value)
        else:  # whole numbers and fractions exactly; means of whole numbers come as floats
            number = Fraction(str(value)) if isinstance(value, Polynomial) else value
            assert Fraction(ours) == number or float(Fraction(ours)) == number
    return "letters" if y.dtype == object and not isinstance(y.flat[0], Fraction) else state["kind"]


def test_500_random_layers_are_those_of_the_package(opened: Any) -> None:
    rng = random.Random(19)
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (5, 5))))
    assert page.evaluate("State.MOST") == {"1": MAX_LENGTH, "2": MAX_SIDE}
    states = [random_state(rng) for _ in range(COUNT)]
    seen: dict[str, int] = {}
    for start in range(0, COUNT, 50):
        part = states[start : start + 50]
        for state, found in zip(part, page.evaluate(SET, part), strict=True):
            kind = compare(state, found)
            seen[kind] = seen.get(kind, 0) + 1
    least = {"refused": 50, "letters": 40, "conv": 60, "conv_transpose": 40, "maxpool": 20}
    assert all(seen.get(kind, 0) >= count for kind, count in least.items()), seen


LINES = """states => states.map(state => {
  const refused = Explore.set(state);
  return refused ? null : { lines: Command.lines(Explore.state, Explore.layer),
    values: Explore.results.outputs.flat().map(Arithmetic.exact) };
})"""


def test_the_command_line_computes_what_the_page_shows(
    opened: Any, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """Typed into a shell, the first line prints the numbers, the second draws the same layer."""
    rng = random.Random(7)
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (5, 5))))
    states = [random_state(rng) for _ in range(60)]
    tried = 0
    for state, found in zip(states, page.evaluate(LINES, states), strict=True):
        if found is None:
            continue
        computing, drawing = (shlex.split(line)[1:] for line in found["lines"])
        assert run([*computing, "--json"]) == 0, found["lines"]
        document = json.loads(capsys.readouterr().out)
        values = np.array(document["data"], dtype=object).ravel().tolist()
        for ours, theirs in zip(found["values"], values, strict=True):
            same = ours == str(theirs) or Fraction(ours) == pytest.approx(
                Fraction(theirs), abs=1e-9
            )
            assert same, (ours, theirs, found["lines"])
        target = tmp_path / f"{tried}.html"
        assert run([*drawing, "-o", str(target)]) == 0, (found["lines"], capsys.readouterr().err)
        again = json.loads(target.read_text().partition('id="state">')[2].partition("<")[0])
        for key in ("kind", "axes", "in", "groups", "ceil", "flip", "border"):
            assert again["layer"][key] == state[key], (key, found["lines"])
        for key in ("x", "w", "bias"):
            assert values_of(again["layer"][key]) == values_of(state[key]), found["lines"]
        tried += 1
    assert tried > 25


READ = """texts => texts.map(text => {
  try { return Arithmetic.exact(Arithmetic.parse(text)); } catch { return null; }
})"""
TYPED = "½ -½ ½b ½·b ½0 1½ ½. a½ ² ²a ₁ ⅷ ٣ א x² x₁ −3 −1/2 2a/3 a/0 1/0 nan x[0] 2_a _a .5 1. 1e2".split()


def test_a_cell_reads_what_the_package_reads(opened: Any) -> None:
    page = opened(explore_page(plan_operation(Layer("conv", (3,)), (5, 5))))

    def read(text: str) -> str | None:
        try:
            value = parse_entry(text)
        except TensorError:
            return None
        return str(value if isinstance(value, Polynomial) else Fraction(str(value)))

    assert page.evaluate(READ, TYPED) == [read(text) for text in TYPED]
