"""``--steps`` with channels: the map of every input channel, as text that is read back."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CASES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())


def maps(lines: list[str], name: str) -> dict[str, list[list[Any]]]:
    """The maps of an output channel by what stands over them."""
    start = lines.index(f"{name}, every channel and their sum")
    head = lines[start + 1]
    labels = [(m.start(), m.group()) for m in re.finditer(r"channel \d+|bias|y\[[\d,]+\]", head)]
    ends = [at - 2 for at, _ in labels[1:]] + [None]
    found: dict[str, list[list[Any]]] = {label: [] for _, label in labels}
    for line in itertools.takewhile(
        lambda line: line.startswith(("  ", "+", "=")), lines[start + 2 :]
    ):
        for (at, label), end in zip(labels, ends, strict=True):
            found[label].append([int(word) for word in line[at:end].split()])
    return found


def working(convcli: Callable[..., Any], *words: str) -> list[str]:
    done = convcli(*words)
    assert (done.code, done.err) == (0, "")
    lines: list[str] = done.out.decode().splitlines()
    return lines


def test_the_partial_sums_of_the_worked_example(convcli: Callable[..., Any]) -> None:
    case = next(c for c in CASES["cases"] if c["id"] == "conv2d_two_channels_three_filters")
    x, w = json.dumps(case["input"]), json.dumps(case["weight"])
    lines = working(convcli, "conv", x, w, "--all")
    for out in range(3):
        found = maps(lines, f"y[{out}]")
        sums = case["partial_sums"][f"output_channel_{out}"]
        assert found == {
            "channel 0": sums[0],
            "channel 1": sums[1],
            f"y[{out}]": case["output"][out],
        }
    first = working(convcli, "conv", x, w, "--steps")
    assert maps(first, "y[0]") == maps(lines, "y[0]")
    assert not any(line.startswith("y[1], every") for line in first)
    assert any(
        line.startswith("y[2], every") for line in working(convcli, "conv", x, w, "--at", "2,0,1")
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_maps_of_groups_strides_and_padding_are_those_of_plain_loops(
    convcli: Callable[..., Any], transposed: bool
) -> None:
    r = np.random.default_rng(3)
    x, bias = r.integers(-4, 5, (2, 4, 5, 3)), r.integers(-9, 9, 2)
    w = r.integers(-4, 5, (4, 1, 2, 3) if transposed else (2, 2, 2, 3))
    words = [json.dumps(x.tolist()), json.dumps(w.tolist()), "--bias", json.dumps(bias.tolist())]
    words += ["--groups", "2", "--stride", "2x1", "--padding", "1x2"]
    lines = working(convcli, "conv-transpose" if transposed else "conv", *words, "--all")
    small, big = (5, 3), ((5 - 1) * 2 - 2 + 2, 3 - 1 - 4 + 3)
    if not transposed:
        small, big = ((5 + 2 - 2) // 2 + 1, 3 + 4 - 3 + 1), (5, 3)
    shape = big if transposed else small
    for n, out in itertools.product(range(2), range(2)):
        expected = {i: np.zeros(shape, int) for i in (2 * out, 2 * out + 1)}
        for into, made in expected.items():
            for s in np.ndindex(*small):
                for t in np.ndindex(2, 3):
                    b = s[0] * 2 + t[0] - 1, s[1] + t[1] - 2
                    if 0 <= b[0] < big[0] and 0 <= b[1] < big[1]:
                        if transposed:
                            made[b] += x[n, into][s] * w[into, 0][t]
                        else:
                            made[s] += x[n, into][b] * w[out, into - 2 * out][t]
        found = maps(lines, f"y[{n},{out}]")
        assert [len(row) for row in found.pop("bias")].count(1) == 1
        total = sum(expected.values()) + bias[out]
        assert found.pop(f"y[{n},{out}]") == total.tolist()
        assert found == {f"channel {i}": made.tolist() for i, made in expected.items()}


def test_one_channel_has_no_maps_and_json_is_not_disturbed(convcli: Callable[..., Any]) -> None:
    assert "every channel" not in convcli("conv", "1 2 3", "1 1", "--steps").out.decode()
    done = convcli("conv", "[[1,2],[3,4]]", "[[[1,1],[1,1]]]", "--steps", "--json")
    assert json.loads(done.out)["data"] == [[10]]
    assert "y[0], every channel and their sum" in done.err


def test_many_channels_are_abbreviated_and_wide_maps_go_below() -> None:
    from convcli.show.channel_maps import map_lines

    made = [(f"channel {i}", [[str(100 * i)] * 4] * 3) for i in range(9)]
    for width in (40, 80):
        lines = [line.plain for line in map_lines("y[0]", made, "7", [["12345"] * 4] * 3, width)]
        assert max(map(len, lines)) <= width
        text = "\n".join(lines)
        assert all(name in text for name, _ in made)
        assert text.count("+") == 9
        assert text.count("=") == 1
