"""Every worked example as a drawing: what the boards say, and what the SVG says."""

from __future__ import annotations

import re
from collections import Counter
from math import prod

import pytest
from worked import CASES, expected, layer

from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.given_operation import given_operation
from convcli.show.draw.layout import lay_out
from convcli.show.draw.scene import Scene
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

MINUS = str.maketrans("\N{MINUS SIGN}", "-")


def outputs(scene: Scene) -> list[list[str]]:
    """The texts of the output boards when all is computed."""
    names = {b.name for b in scene.steps[-1].boards}
    wanted = r"Output( \d+)?|y" if "Matrix" in names else r"Output( \d+)?"
    boards = [b for b in scene.steps[-1].boards if re.fullmatch(wanted, b.name)]
    kept = [
        [cell.text.translate(MINUS) for cell in b.all() if cell.mark not in ("cropped", "blank")]
        for b in boards
    ]
    assert kept, names
    return kept


VIEWS = {
    "conv": ["window", "matrix"],
    "toeplitz": ["window", "matrix"],
    "conv_transpose": ["gather", "scatter"],
}
DRAWN = [
    (name, view) for name, case in CASES.items() if "input" in case for view in VIEWS[case["op"]]
]


@pytest.mark.parametrize(("name", "view"), DRAWN)
def test_numbers_and_letters(name: str, view: str) -> None:
    case = CASES[name]
    (x, w), words = layer(case)
    operation = given_operation(x, w, None, words)
    scene = build_scene(operation, view)
    vector = [[text for plane in expected(case) for text in plane]] if view == "matrix" else []
    assert outputs(scene) == expected(case) + vector
    svg = drawing_bytes(lay_out(scene, theme_of("light")), ".svg", frame=len(scene.steps) - 1)
    written = Counter(re.findall(r">([^<>]+)</text>", svg.decode().translate(MINUS)))
    wanted = Counter(text for channel in expected(case) for text in channel)
    assert not wanted - written


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if "output_shape" in c])
def test_sizes(name: str) -> None:
    case = CASES[name]
    (x, w), words = layer(case)
    words |= {"in_channels": 1}  # three planes of 36x36 beside each other could not be read
    operation = given_operation(x, w, None, words)
    assert list(operation.outputs) == case["output_shape"][-2:]
    if prod(operation.outputs) < 100:  # a thousand steps take seconds
        assert len(build_scene(operation).steps) == prod(operation.outputs)
