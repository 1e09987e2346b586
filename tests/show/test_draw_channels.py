"""Drawings of several channels: every number in the SVG is the one that plain loops compute."""

from __future__ import annotations

import io
import itertools
import json
import math
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legible import texts_in_cells
from PIL import Image

from convcli.arithmetic.layer import Layer
from convcli.errors import ConvcliError
from convcli.ops.polynomial import symbols
from convcli.show.draw.channel_planes import MAX_ACROSS, MAX_DOWN
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.operation import Operation, plan_operation
from convcli.show.draw.scene import MARKS, Scene
from convcli.show.draw.terminal import step_lines
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

THEME = theme_of("light")
SVG = "{http://www.w3.org/2000/svg}"
CASES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())

Place = tuple[int, int]


@dataclass
class Sample:
    """A layer with random whole numbers; a sequence has one row."""

    kind: str
    rank: int
    channels: tuple[int, int]
    groups: int
    size: Place
    kernel: Place
    stride: Place
    pads: tuple[Place, Place]
    dilation: Place
    extra: Place
    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray | None

    def operation(self) -> Operation:
        transposed = self.kind == "conv_transpose"
        layer = Layer(
            self.kind,  # type: ignore[arg-type]
            self.kernel[-self.rank :],
            self.stride[-self.rank :],
            self.pads[-self.rank :],
            self.dilation[-self.rank :],
            self.extra[-self.rank :] if transposed else None,
            out_channels=self.channels[1],
            groups=self.groups,
        )
        pool = "pool" in self.kind
        return plan_operation(
            layer,
            self.size[-self.rank :],
            x=self.x,
            w=None if pool else self.w,
            bias=self.bias,
            in_channels=self.channels[0],
        )

    def weight(self, out: int, into: int) -> np.ndarray | None:
        """The kernel between two channels, None if they are in two groups."""
        c_in, c_out = (n // self.groups for n in self.channels)
        if out // c_out != into // c_in:
            return None
        if self.kind == "conv_transpose":
            return self.w[into, out % c_out]
        return self.w[out, into % c_in]

    def output_size(self) -> Place:
        """From the formulas of PyTorch's documentation."""
        sizes = []
        for n, k, s, (a, b), d, e in zip(
            self.size, self.kernel, self.stride, self.pads, self.dilation, self.extra, strict=True
        ):
            if self.kind == "conv_transpose":
                sizes.append((n - 1) * s - a - b + d * (k - 1) + 1 + e)
            else:
                sizes.append((n + a + b - d * (k - 1) - 1) // s + 1)
        return sizes[0], sizes[1]

    def meetings(self, out: int, into: int) -> Iterator[tuple[Place, Place, Place]]:
        """Output, input and tap of all that meet between two channels."""
        w = self.weight(out, into)
        if w is None:
            return
        big, small = (self.output_size(), self.size)
        if self.kind != "conv_transpose":
            big, small = self.size, self.output_size()
        for s in np.ndindex(*small):
            for t in np.ndindex(*self.kernel):
                b = tuple(
                    s[a] * self.stride[a] + t[a] * self.dilation[a] - self.pads[a][0]
                    for a in (0, 1)
                )
                if all(0 <= b[a] < big[a] for a in (0, 1)):
                    to, of = (b, s) if self.kind == "conv_transpose" else (s, b)
                    yield to, of, t  # type: ignore[misc]

    def products(self, out: int, into: int) -> Iterator[tuple[Place, Place, int]]:
        """Output, input and product of all that meet between two channels."""
        w = self.weight(out, into)
        for to, of, tap in self.meetings(out, into):
            yield to, of, int(self.x[(into, *of)] * w[tap])  # type: ignore[index]

    def partial(self, out: int, into: int) -> dict[Place, int]:
        """What one input channel gives one output channel."""
        sums = dict.fromkeys(np.ndindex(*self.output_size()), 0)
        for to, _, product in self.products(out, into):
            sums[to] += product
        return sums  # type: ignore[return-value]

    def reads(self, out: int) -> list[int]:
        return [i for i in range(self.channels[0]) if self.weight(out, i) is not None]

    def result(self, out: int) -> dict[Place, int]:
        """An output channel with its bias."""
        total = dict.fromkeys(np.ndindex(*self.output_size()), 0)
        for into in self.reads(out):
            for place, value in self.partial(out, into).items():
                total[place] += value
        shift = 0 if self.bias is None else int(self.bias[out])
        return {place: value + shift for place, value in total.items()}  # type: ignore[misc]


def sample(kind: str, rank: int, seed: int, form: str = "") -> Sample:
    """A random layer; ``form`` is depthwise, pointwise, grouped, or anything."""
    r = random.Random(f"{kind} {rank} {seed} {form}")
    while True:
        groups = {"depthwise": r.choice([2, 3]), "grouped": 2}.get(form, 1)
        per_in = 1 if form == "depthwise" else r.choice([1, 2] if groups > 1 else [1, 2, 3])
        per_out = r.choice([1, 2] if groups > 1 else [1, 2, 3])
        if max(per_in, per_out) * groups > 4 or per_in * per_out * groups == 1:
            continue
        small = form == "pointwise"

        def pair(low: int, high: int, fixed: int) -> Place:
            values = [r.randint(low, high), r.randint(low, high)]
            return (fixed, values[1]) if rank == 1 else (values[0], values[1])

        size, kernel = pair(2, 4, 1), (1, 1) if small else pair(1, 3, 1)
        stride, dilation = (1, 1) if small else pair(1, 2, 1), pair(1, 2, 1)
        pads = [(0, 0) if small else (r.randint(0, 2), r.randint(0, 1)) for _ in "rc"]
        pads = [(0, 0), pads[1]] if rank == 1 else pads
        extra = (0, 0)
        if kind == "conv_transpose":
            most = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
            extra = (r.randint(0, most[0]), r.randint(0, most[1]))
        numbers = np.random.default_rng(seed)
        c_in, c_out = per_in * groups, per_out * groups
        lead = (c_in, per_out) if kind == "conv_transpose" else (c_out, per_in)
        made = Sample(
            kind, rank, (c_in, c_out), groups, size, kernel, stride, (pads[0], pads[1]), dilation,
            extra, numbers.integers(-3, 4, (c_in, *size)), numbers.integers(-2, 3, (*lead, *kernel)),
            numbers.integers(-9, 10, c_out) if r.random() < 0.5 else None,
        )  # fmt: skip
        if min(made.output_size()) > 0 and math.prod(made.output_size()) * c_out <= 16:
            try:
                made.operation()
            except ConvcliError:
                continue
            return made


SAMPLES = [
    sample(kind, rank, seed, form)
    for kind in ("conv", "conv_transpose")
    for rank in (1, 2)
    for form in ("", "depthwise", "grouped", "pointwise")
    for seed in range(2)
    if not (kind == "conv_transpose" and form == "pointwise")
]


def named(made: Sample) -> str:
    return f"{made.kind}{made.rank}d-{made.channels[0]}to{made.channels[1]}g{made.groups}"


@dataclass
class Seen:
    """A board as it is in the file: texts, corners and lit cells by row and column."""

    texts: dict[Place, str] = field(default_factory=dict)
    corners: dict[Place, str] = field(default_factory=dict)
    lit: set[Place] = field(default_factory=set)

    def numbers(self) -> dict[Place, int]:
        return {place: int(text) for place, text in self.texts.items()}


LIT = {ink.lit_stroke for ink in THEME.roles.values()}
STROKES = LIT | {ink.stroke for ink in THEME.roles.values()} | {THEME.faint}

SIGNS = {*MARKS.values(), "never read"}


def read_svg(data: bytes, names: set[str]) -> dict[str, Seen]:
    """Boards by their names: cells that touch are one board, its name stands above it."""
    root = ET.fromstring(data)
    css = dict(
        rule.split("{", 1)
        for rule in (root.findtext(f"{SVG}style") or "").split("}")
        if "{" in rule
    )
    looks = {name[1:]: dict(r.split(":", 1) for r in body.split(";")) for name, body in css.items() if name[1:2] != "e"}  # fmt: skip
    texts = []
    for text in root.iter(f"{SVG}text"):
        look = looks[text.get("class", "")]
        font = float(look["font-size"].removesuffix("px"))
        x, y = float(text.get("x", "")), float(text.get("y", "")) - 0.35 * font
        texts.append((x, y, text.text or "", look.get("text-anchor", "start")))
    legend = min((y for _, y, text, _ in texts if text in SIGNS), default=math.inf) - 20
    cells = []
    for rect in root.iter(f"{SVG}rect"):
        look = looks.get(rect.get("class", ""), {})
        if look.get("stroke") in STROKES and float(rect.get("y", "0")) < legend:
            x, y, width = (float(rect.get(key, "0")) for key in ("x", "y", "width"))
            inset = 0.5 if width > 13 else 0.0
            cells.append((x - inset, y - inset, width + 2 * inset, look["stroke"] in LIT))
    labels = [(x, y, text) for x, y, text, anchor in texts if anchor == "start" and text in names]
    boards: dict[str, list[Any]] = {}
    for group in touching(cells):
        left, top = min(c[0] for c in group), min(c[1] for c in group)
        right = max(c[0] + c[2] for c in group)
        middle = (left + right) / 2
        above = [label for label in labels if 0 < top - label[1] < 30]
        # A kernel that slides may be far from its name, but never to the left of the next.
        name = min(
            [label for label in above if label[0] < right] or above,
            key=lambda label: abs(label[0] - middle),
        )[2]
        boards.setdefault(name, []).extend(group)
    seen = {name: Seen() for name in names}
    side = cells[0][2]
    for name, group in boards.items():
        left, top = min(c[0] for c in group), min(c[1] for c in group)
        places = {
            (round((y - top) / side), round((x - left) / side)): lit for x, y, _, lit in group
        }
        seen[name].lit = {place for place, lit in places.items() if lit}
        for x, y, text, anchor in texts:
            place = int((y - top) // side), int((x - left) // side)
            if place in places:
                (seen[name].corners if anchor == "end" else seen[name].texts)[place] = text
    return seen


def touching(cells: list[Any]) -> list[list[Any]]:
    """Cells in groups whose members lie side by side."""
    at = {(round(c[0]), round(c[1])): c for c in cells}
    groups = []
    while at:
        group = [at.popitem()[1]]
        for x, y, side, _ in group:  # grows while it is walked
            for dx, dy in ((side, 0), (-side, 0), (0, side), (0, -side)):
                for e in (-1, 0, 1):
                    near = at.pop(
                        (round(x + dx) + e * bool(dx), round(y + dy) + e * bool(dy)), None
                    )
                    group += [near] if near else []
        groups.append(group)
    return groups


def boards_of(scene: Scene, every: int = 1) -> Iterator[dict[str, Seen]]:
    """What the SVG of each step shows, or of one in so many."""
    drawing = lay_out(scene, THEME)
    names = {board.name for board in scene.steps[0].boards}
    for number in range(0, len(scene.steps), every):
        yield read_svg(drawing_bytes(drawing, ".svg", frame=number), names)


def kernel_name(made: Sample, out: int, into: int) -> str:
    """The kernel between two channels by its place in the weight."""
    local = out % (made.channels[1] // made.groups), into % (made.channels[0] // made.groups)
    first, second = (into, local[0]) if made.kind == "conv_transpose" else (out, local[1])
    return f"w[{first},{second}]"


def kernel_shown(made: Sample, seen: dict[str, Seen], out: int, into: int) -> dict[Place, int]:
    """The kernel between two channels, as the drawing has it, in rows and columns."""
    if made.rank == 1:
        return seen[f"Kernel {into}"].numbers()
    return seen[kernel_name(made, out, into)].numbers()


@pytest.mark.parametrize("made", [s for s in SAMPLES if s.kernel != (1, 1)], ids=named)
def test_every_number_of_every_step_is_the_computed_one(made: Sample) -> None:
    scene = build_scene(made.operation())
    places = list(np.ndindex(*made.output_size()))
    order = list(itertools.product(range(made.channels[1]), places))
    assert len(scene.steps) == len(order)
    alone = made.groups == made.channels[0] > 1
    partials = {(o, i): made.partial(o, i) for o in range(made.channels[1]) for i in made.reads(o)}
    results = [made.result(out) for out in range(made.channels[1])]
    for (out, place), seen in zip(order, boards_of(scene), strict=True):
        done = places[: places.index(place) + 1]
        for channel in range(made.channels[1]):
            known = places if channel < out else done if channel == out else []
            assert seen[f"Output {channel}"].numbers() == {p: results[channel][p] for p in known}
            assert seen[f"Output {channel}"].lit == ({place} if channel == out else set())
        if made.bias is not None:
            assert seen["Bias"].numbers() == {(i, 0): b for i, b in enumerate(made.bias)}
            assert seen["Bias"].lit == {(out, 0)}
        total = 0 if made.bias is None else int(made.bias[out])
        for into in range(made.channels[0]):
            total += check_input(made, seen, out, into, place)
            if not alone:
                part = partials.get((out, into))
                shown = seen[f"Channel {into}"].numbers()
                assert shown == ({p: part[p] for p in done} if part else {})
        assert total == results[out][place]


def check_input(made: Sample, seen: dict[str, Seen], out: int, into: int, place: Place) -> int:
    """The plane, its lit cells and their weights; what they add up to."""
    board = seen[f"Input {into}"]
    w = made.weight(out, into)
    if w is None:
        assert not board.lit
        return 0
    values = sorted(int(text) for text in board.texts.values())
    padded = [0] * (len(values) - made.x[into].size)
    assert values == sorted([*made.x[into].flat, *padded])
    used = w[::-1, ::-1] if made.kind == "conv_transpose" else w
    kernel = kernel_shown(made, seen, out, into)
    assert kernel == {place: used[place] for place in np.ndindex(*made.kernel)} or (
        # A dilated kernel of a sequence lies under the cells that it meets.
        made.rank == 1 and list(kernel.values()) == list(used.flat)
    )
    if made.kind == "conv":
        taps = [
            tuple(place[a] * made.stride[a] + t[a] * made.dilation[a] for a in (0, 1))
            for t in np.ndindex(*made.kernel)
        ]
        assert board.lit == set(taps)
    assert len(board.lit) == w.size
    cells = sorted(board.lit)
    weights = list(used.flat)
    if made.rank == 2:
        assert [int(board.corners[cell]) for cell in cells] == weights
    return sum(int(board.texts[c]) * int(v) for c, v in zip(cells, weights, strict=True))


POINTWISE = [s for s in SAMPLES if s.kind == "conv" and s.kernel == s.stride == (1, 1)]


@pytest.mark.parametrize("made", [s for s in POINTWISE if s.pads == ((0, 0), (0, 0))], ids=named)
def test_a_1x1_layer_is_a_matrix_times_the_channels_of_a_pixel(made: Sample) -> None:
    scene = build_scene(made.operation())
    order = list(itertools.product(np.ndindex(*made.size), range(made.channels[1])))
    matrix = np.zeros(made.channels[::-1], int)
    for out, into in np.ndindex(*matrix.shape):
        w = made.weight(out, into)
        matrix[out, into] = 0 if w is None else w[0, 0]
    for (place, out), seen in zip(order, boards_of(scene), strict=True):
        pixel = made.x[(slice(None), *place)]
        assert seen["w"].numbers() == {
            (o, i): matrix[o, i] for o in range(len(matrix)) for i in made.reads(o)
        }
        assert seen["w"].lit == {(out, i) for i in made.reads(out)}
        assert seen["x"].numbers() == {(i, 0): v for i, v in enumerate(pixel)}
        y = matrix @ pixel + (0 if made.bias is None else made.bias)
        assert seen["y"].numbers() == {(i, 0): v for i, v in enumerate(y[: out + 1])}
        for channel in range(len(matrix)):
            shown = seen[f"Output {channel}"]
            before = (place, out) >= (place, channel)
            known = [p for p, _ in order[:: len(matrix)] if p < place or (p == place and before)]
            result = made.result(channel)
            assert shown.numbers() == {p: result[p] for p in known}
            assert shown.lit == ({place} if channel == out else set())
        for into, plane in enumerate(made.x):
            assert seen[f"Input {into}"].numbers() == {p: plane[p] for p in np.ndindex(*made.size)}
            lit = {place} if into in made.reads(out) else set()
            assert seen[f"Input {into}"].lit == lit


@pytest.mark.parametrize("made", [s for s in SAMPLES if s.kind == "conv_transpose"], ids=named)
def test_stamps_add_up(made: Sample) -> None:
    scene = build_scene(made.operation(), "scatter")
    order = list(itertools.product(range(made.channels[0]), np.ndindex(*made.size)))
    assert len(order) == len(scene.steps)
    sums = [
        dict.fromkeys(np.ndindex(*made.output_size()), 0 if made.bias is None else made.bias[o])
        for o in range(made.channels[1])
    ]
    up, left = made.pads[0][0], made.pads[1][0]
    for (into, place), seen in zip(order, boards_of(scene), strict=True):
        for out, total in enumerate(sums):
            for to, of, product in made.products(out, into):
                if of == place:
                    total[to] += product
            shown = seen[f"Output {out}"]
            kept = {(r - up, c - left): v for (r, c), v in shown.numbers().items()}
            reached = {p: v for p, v in total.items() if p in kept}
            assert {p: v for p, v in kept.items() if p in total} == reached
            assert all(v == 0 for p, v in total.items() if p not in kept)
            stamp = {
                tuple(place[a] * made.stride[a] + t[a] * made.dilation[a] for a in (0, 1))
                for t in np.ndindex(*made.kernel)
            }
            assert shown.lit == (stamp if into in made.reads(out) else set())
        assert seen[f"Input {into}"].lit == {place}
    for out, total in enumerate(sums):
        assert total == made.result(out)


@pytest.mark.parametrize("made", SAMPLES, ids=named)
def test_every_step_of_the_backward_pass_adds_what_it_hands_back(made: Sample) -> None:
    scene = build_scene(made.operation(), "gradient")
    transposed = made.kind == "conv_transpose"
    size = made.size if transposed else made.output_size()
    order = itertools.product(range(made.channels[transposed ^ 1]), np.ndindex(*size))
    grad_x, grad_b = np.zeros_like(made.x), np.zeros(made.channels[1], int)
    pairs = [(o, i) for o in range(made.channels[1]) for i in made.reads(o)]
    grad_w = {pair: np.zeros(made.kernel, int) for pair in pairs}
    meetings = {pair: list(made.meetings(*pair)) for pair in pairs}
    frames = list(boards_of(scene))
    up, left = (0, 0) if transposed else (made.pads[0][0], made.pads[1][0])
    for (channel, place), seen in zip(order, frames, strict=True):
        grad_b[channel if not transposed else 0] += 1
        for (out, into), meet in meetings.items():
            for to, of, tap in meet:
                if (into, of) == (channel, place) if transposed else (out, to) == (channel, place):
                    grad_x[(into, *of)] += made.weight(out, into)[tap]  # type: ignore[index]
                    grad_w[out, into][tap] += made.x[(into, *of)]
        for into, total in enumerate(grad_x):
            shown = seen[f"dL/dx[{into}]"].numbers()
            assert {(r - up, c - left): v for (r, c), v in shown.items()} == dict(
                np.ndenumerate(total)
            )
        for (out, into), total in grad_w.items():
            name = kernel_name(made, out, into)
            w = made.weight(out, into)
            assert w is not None
            assert seen[name].numbers() == dict(np.ndenumerate(w))
            assert seen[f"dL/d{name}"].numbers() == dict(np.ndenumerate(total))
            lit = channel == (into if transposed else out)
            assert bool(seen[name].lit) == bool(seen[f"dL/d{name}"].lit) == lit
        if made.bias is not None and not transposed:
            assert seen["dL/db"].numbers() == {(0, o): n for o, n in enumerate(grad_b)}
    if made.bias is not None:
        assert set(frames[-1]["dL/db"].numbers().values()) == {math.prod(made.output_size())}


@pytest.mark.parametrize("made", [s for s in SAMPLES if s.kind == "conv"], ids=named)
def test_the_matrix_has_a_block_for_every_two_channels(made: Sample) -> None:
    size, (high, wide) = made.size, made.output_size()
    count, cells = high * wide, size[0] * size[1]
    matrix: dict[Place, int] = {}
    for out, into in itertools.product(range(made.channels[1]), range(made.channels[0])):
        for (r, c), (i, j), tap in made.meetings(out, into):
            row, column = out * count + r * wide + c, into * cells + i * size[1] + j
            matrix[row, column] = int(made.weight(out, into)[tap])  # type: ignore[index]
    if count * made.channels[1] > 36 or cells * made.channels[0] > 64:
        pytest.skip("such a large matrix is not drawn")
    scene = build_scene(made.operation(), "matrix")
    result = [value for out in range(made.channels[1]) for value in made.result(out).values()]
    assert len(scene.steps) == len(result)
    for row, seen in zip(range(0, len(result), 5), boards_of(scene, 5), strict=True):
        assert seen["Matrix"].numbers() == matrix
        assert seen["Matrix"].lit == {place for place in matrix if place[0] == row}
        assert seen["x"].numbers() == {(0, i): v for i, v in enumerate(made.x.flat)}
        assert seen["x"].lit == {(0, c) for r, c in matrix if r == row}
        assert seen["y"].numbers() == {(i, 0): v for i, v in enumerate(result[: row + 1])}
        if made.bias is not None:
            shifts = np.repeat(made.bias, count)
            assert seen["b"].numbers() == {(i, 0): v for i, v in enumerate(shifts)}


@pytest.mark.parametrize("kind", ["maxpool", "avgpool"])
def test_pooling_hands_back_to_its_own_channel(kind: str) -> None:
    operation = pooled(kind)
    x = operation.x
    assert x is not None
    total = np.zeros(x.shape)
    order = itertools.product(range(3), np.ndindex(2, 2))
    for (channel, (r, c)), seen in zip(
        order, boards_of(build_scene(operation, "gradient")), strict=True
    ):
        window = (channel, slice(2 * r, 2 * r + 2), slice(c, c + 3))
        if kind == "avgpool":
            total[window] += 1 / 6
        else:
            i, j = divmod(int(x[window].argmax()), 3)
            total[channel, 2 * r + i, c + j] += 1
        for other in range(3):
            shown = {p: float(t) for p, t in seen[f"dL/dx[{other}]"].texts.items()}
            assert shown == pytest.approx(dict(np.ndenumerate(total[other])), rel=5e-3)
            assert bool(seen[f"dL/dy[{other}]"].lit) == (other == channel)


def test_the_partial_sums_of_the_worked_example() -> None:
    case = next(c for c in CASES["cases"] if c["id"] == "conv2d_two_channels_three_filters")
    x, w = np.array(case["input"]), np.array(case["weight"])
    layer = Layer("conv", (2, 2), out_channels=3)
    scene = build_scene(plan_operation(layer, (4, 4), x=x, w=w, in_channels=2))
    ends = list(boards_of(scene))[8::9]
    assert len(ends) == 3
    for out, seen in enumerate(ends):
        for into, sums in enumerate(case["partial_sums"][f"output_channel_{out}"]):
            assert seen[f"Channel {into}"].numbers() == dict(np.ndenumerate(np.array(sums)))
        result = dict(np.ndenumerate(np.array(case["output"][out])))
        assert seen[f"Output {out}"].numbers() == result
    assert scene.steps[13].formula == (
        "channel 0: 6·0 + 10·1 + 7·1 + 11·0 = 17",
        "channel 1: 2·0 + 2·0 + 3·0 + 3·1 = 3",
        "17 + 3 = 20",
    )


def pooled(kind: str) -> Operation:
    x = np.arange(48).reshape(3, 4, 4) * 7 % 11
    return plan_operation(Layer(kind, (2, 3), (2, 1)), (4, 4), x=x, in_channels=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("rank", [1, 2])
def test_a_flipped_kernel_is_shown_turned_and_its_gradient_as_given(rank: int) -> None:
    made = sample("conv", rank, 3)
    layer = Layer("conv", made.kernel[-rank:], made.stride[-rank:], out_channels=made.channels[1])
    size = tuple(4 + n for n in made.size[-rank:])
    x = np.arange(made.channels[0] * math.prod(size)).reshape(-1, *size) % 7 - 3
    axes = (-1,) if rank == 1 else (-2, -1)
    turned = np.flip(made.w, axes)
    assert (turned != made.w).any()
    numbers: dict[str, Any] = {"x": x, "bias": made.bias, "in_channels": made.channels[0]}
    flipped = plan_operation(layer, size, w=made.w, flip=True, **numbers)
    plain = plan_operation(layer, size, w=turned, **numbers)
    for ours, theirs in zip(
        boards_of(build_scene(flipped)), boards_of(build_scene(plain)), strict=True
    ):
        assert ours == theirs
    ours, theirs = (list(boards_of(build_scene(op, "gradient"), 3))[-1] for op in (flipped, plain))
    for out, into in itertools.product(range(made.channels[1]), range(made.channels[0])):
        name = kernel_name(made, out, into)
        for board in (name, f"dL/d{name}"):
            grid = np.zeros(made.kernel, int)
            for place, value in theirs[board].numbers().items():
                grid[place] = value
            assert ours[board].numbers() == dict(np.ndenumerate(np.flip(grid, axes)))
        assert ours[f"dL/dx[{into}]"] == theirs[f"dL/dx[{into}]"]


@pytest.mark.parametrize("kind", ["maxpool", "avgpool"])
def test_pooling_keeps_channels_apart(kind: str) -> None:
    operation = pooled(kind)
    scene = build_scene(operation)
    order = list(itertools.product(range(3), np.ndindex(2, 2)))
    for (channel, (r, c)), seen in zip(order, boards_of(scene), strict=True):
        assert operation.x is not None
        window = operation.x[channel, 2 * r : 2 * r + 2, c : c + 3]
        value = window.max() if kind == "maxpool" else window.mean()
        shown = seen[f"Output {channel}"]
        assert float(shown.texts[r, c]) == pytest.approx(value, rel=5e-3)
        assert shown.lit == {(r, c)}
        lit = {(2 * r + i, c + j) for i in range(2) for j in range(3)}
        for other in range(3):
            assert seen[f"Input {other}"].lit == (lit if other == channel else set())
            assert other == channel or not seen[f"Output {other}"].lit


def drawings() -> dict[str, Drawing]:
    made = {}
    for kind, rank, form, view in [
        ("conv", 2, "", "window"),
        ("conv", 1, "grouped", "window"),
        ("conv", 2, "pointwise", "window"),
        ("conv_transpose", 2, "", "gather"),
        ("conv_transpose", 2, "", "scatter"),
        ("conv_transpose", 1, "depthwise", "gather"),
        ("conv", 2, "grouped", "gradient"),
        ("conv", 1, "grouped", "matrix"),
    ]:
        layer = sample(kind, rank, 5, form)
        layer.x = layer.x * -123.456
        layer.w = layer.w / 7
        made[f"{kind}{rank}d-{form}-{view}"] = lay_out(build_scene(layer.operation(), view), THEME)
    return made


DRAWINGS = drawings()


@pytest.mark.parametrize(("name", "drawing"), DRAWINGS.items())
def test_long_numbers_stay_in_their_cells(name: str, drawing: Drawing) -> None:
    frames = drawing.frames[:: max(len(drawing.frames) // 5, 1)]
    assert sum(len(texts_in_cells(frame)) for frame in frames) > 20


def test_sums_of_letters_that_are_too_long_for_their_cells_say_so() -> None:
    x = symbols("a b c d e f g h").reshape(2, 4)
    w = symbols("p q r s").reshape(1, 2, 2)
    layer = Layer("conv", (2,), out_channels=1)
    scene = build_scene(plan_operation(layer, (4,), x=x, w=w, in_channels=2))
    last = list(boards_of(scene))[-1]
    assert last["Channel 1"].texts == {(0, 0): "er+fs", (0, 1): "fr+gs", (0, 2): "gr+hs"}
    long = plan_operation(
        layer, (4,), x=symbols("alpha beta gamma delta " * 2).reshape(2, 4), w=w, in_channels=2
    )
    last = list(boards_of(build_scene(long)))[-1]
    assert set(last["Output 0"].texts.values()) == {"…"}


def test_every_view_is_a_picture() -> None:
    for drawing in DRAWINGS.values():
        data = drawing_bytes(drawing, ".png", width=300, frame=0)
        with Image.open(io.BytesIO(data)) as image:
            assert image.width == 300
            assert len(image.convert("RGB").getcolors(90_000) or []) > 5


def test_every_step_is_printed_in_a_terminal() -> None:
    for made in SAMPLES[::5]:
        scene = build_scene(made.operation())
        for number in range(0, len(scene.steps), 3):
            for columns in (30, 80):
                lines = step_lines(scene, number, columns, 24)
                assert len(lines) <= 24
                assert all(line.cell_len <= columns for line in lines)
            text = "\n".join(line.plain for line in step_lines(scene, number, 200))
            assert all(board.name in text for board in scene.steps[number].boards)


@pytest.mark.parametrize(
    ("layer", "size", "channels", "message"),
    [
        (Layer("conv", (3,), out_channels=1), (5, 5), 5, "5 channels are too many"),
        (Layer("conv", (3,), out_channels=6), (5, 5), 1, "6 channels are too many"),
        (Layer("conv", (3,), out_channels=4, groups=3), (5, 5), 4, "groups is 3; it must divide"),
        (Layer("conv", (3,), out_channels=4), (16, 16), 4, f"at most {MAX_ACROSS} and {MAX_DOWN}"),
        (Layer("conv", (3,), out_channels=2), (40,), 2, f"at most {MAX_ACROSS} and {MAX_DOWN}"),
    ],
)
def test_what_could_not_be_read_is_refused(
    layer: Layer, size: tuple[int, ...], channels: int, message: str
) -> None:
    with pytest.raises(ConvcliError, match=message):
        build_scene(plan_operation(layer, size, in_channels=channels))
