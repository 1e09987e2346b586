"""Any operation that there is can be drawn, in any view, and its last step is the result."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from convcli.arithmetic.borders import FILLING, Border
from convcli.arithmetic.layer import Layer
from convcli.errors import ConvcliError
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.layout import lay_out
from convcli.show.draw.operation import plan_operation
from convcli.show.draw.terminal import step_lines
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

VIEWS = {
    "conv": ["window", "gradient", "matrix"],
    "conv_transpose": ["gather", "scatter", "gradient"],
    "maxpool": ["window", "gradient"],
    "avgpool": ["window", "gradient"],
}
SMALL = st.integers(1, 3)


@st.composite
def requests(draw: Any) -> tuple[Layer, tuple[int, ...], str, bool, bool, Border]:
    kind = draw(st.sampled_from(sorted(VIEWS)))
    rank = draw(st.integers(1, 2))

    def each(one: Any) -> tuple[Any, ...]:
        return tuple(draw(st.lists(one, min_size=rank, max_size=rank)))

    extra = each(st.integers(0, 2)) if kind == "conv_transpose" else None
    layer = Layer(
        kind,
        each(SMALL),
        each(SMALL),
        each(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        each(SMALL),
        extra,
        "pool" in kind and draw(st.booleans()),
    )
    flip = kind == "conv" and draw(st.booleans())
    view = draw(st.sampled_from(VIEWS[kind]))
    border = draw(st.sampled_from(FILLING)) if kind == "conv" else "constant"
    return layer, each(st.integers(1, 6)), view, flip, draw(st.booleans()), Border(border)


@settings(max_examples=50, deadline=None)
@given(requests())
def test_every_operation_has_a_drawing(
    request: tuple[Layer, tuple[int, ...], str, bool, bool, Border],
) -> None:
    layer, sizes, view, flip, numbers, border = request
    x = np.arange(np.prod(sizes)).reshape(sizes) - 4 if numbers else None
    w = np.arange(np.prod(layer.kernel_size)).reshape(layer.kernel_size) - 1
    weight = w if numbers and not layer.is_pool else None
    try:
        operation = plan_operation(layer, sizes, x=x, w=weight, flip=flip, border=border)
        scene = build_scene(operation, view)
    except ConvcliError:
        reject()
    shapes = {tuple(board.shape for board in step.boards) for step in scene.steps}
    assert len(shapes) == 1
    if numbers and view in ("window", "gather", "matrix"):
        found = [float(cell.text) for cell in scene.steps[-1].board("Output").all()]
        assert found == pytest.approx(operation.y.reshape(-1), rel=6e-3)  # type: ignore[union-attr]
    drawing = lay_out(scene, theme_of("light"))
    ET.fromstring(drawing_bytes(drawing, ".svg"))
    for width in (30, 80):
        for number in range(len(scene.steps)):
            lines = step_lines(scene, number, width, 24)
            assert len(lines) <= 24
            assert all(line.cell_len <= width for line in lines)
