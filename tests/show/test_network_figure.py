"""Diagrams of networks: boxes that tell the sizes, and fields that tell the truth."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from convcli.arithmetic.network import Network
from convcli.cli.app import run
from convcli.imaging.shapes import Rect, Text
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.theme import theme_of
from convcli.show.network_figure import FIELD, MOST, layer_boxes, network_figure

NAMES = ["lenet5", "alexnet", "vgg16", "resnet18", "resnet50", "googlenet", "mobilenet-v1", "unet"]


@pytest.mark.parametrize("name", NAMES)
def test_boxes_hold_the_whole_network(name: str) -> None:
    report = Network.load(name).evaluate()
    boxes = layer_boxes(report)
    assert len(boxes) <= MOST
    assert sum(box.params for box in boxes) == report.totals.params
    assert sum(box.macs for box in boxes) == report.totals.macs
    assert boxes[-1].output == report.output


@pytest.mark.parametrize("name", NAMES)
def test_the_diagram_is_valid_and_says_every_size(name: str) -> None:
    report = Network.load(name).evaluate()
    drawing = network_figure(report, theme_of("light"))
    ET.fromstring(drawing_bytes(drawing, ".svg"))
    words = [s.text for s in drawing.frames[0][0] if isinstance(s, Text)]
    for box in layer_boxes(report):
        assert "x".join(map(str, box.output)) in words
        assert box.label in words
    boxes = [s for s in drawing.frames[0][0] if isinstance(s, Rect)]
    assert all(s.x >= 0 and s.x + s.width <= drawing.canvas.width for s in boxes)


def test_fields_are_drawn_to_scale() -> None:
    """LeNet-5 on 32 cells sees 5, 6, 14, 16 and at last all 32 of them."""
    drawing = network_figure(Network.load("lenet5").evaluate(), theme_of("light"))
    fill = theme_of("light").roles["input"].lit
    sides = [
        s.width for s in drawing.frames[0][0]
        if isinstance(s, Rect) and s.fill == fill and s.width == s.height
    ]  # fmt: skip
    assert sides == pytest.approx([FIELD * field / 32 for field in (5, 6, 14, 16, 32)], abs=0.06)


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "net.svg"
    assert run(["shape", "--network", "vgg16", "-o", str(target)]) == 0
    assert ET.parse(target).getroot().get("role") == "img"
    assert "VGG-16" in capfd.readouterr().err
    assert run(["shape", "--network", "vgg16", "-o", str(target)]) == 2
    assert run(["shape", "--n", "5", "--k", "3", "-o", str(tmp_path / "x.svg")]) == 2
    assert "convcli draw" in capfd.readouterr().err
    broken = tmp_path / "broken.png"
    assert run(["shape", "conv 8 k3 | conv 8 k9", "--n", "6", "-o", str(broken)]) == 2
    assert "empty" in capfd.readouterr().err
    assert broken.exists()
