"""Figures of kernels: the response is the Fourier transform of the weights, drawn as it is."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import UsageError
from convcli.imaging.shapes import Image, Line, Rect, Text
from convcli.kernels.frequency_response import frequencies, frequency_response
from convcli.kernels.load import load_kernel
from convcli.show.colours import diverging, sequential
from convcli.show.console import make_console
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.theme import theme_of
from convcli.show.kernel_figure import COUNT, SIDE, kernel_figure, weight_planes
from convcli.show.kernel_plots import show_plots

KERNELS = ["gaussian:2", "sobel-x", "gabor:8,45", "motion:9,30", "1 2 3 4", "box:2x5"]


@pytest.mark.parametrize("name", KERNELS)
def test_the_response_is_that_of_numpy_fft(name: str) -> None:
    kernel = load_kernel(name)
    weights = kernel.weights * kernel.scale
    size = 64
    expected = np.abs(np.fft.fftshift(np.fft.fft2(weights, (size, size))))
    found = frequency_response(weights, size + 1)
    assert found[:-1, :-1] == pytest.approx(expected, abs=1e-12 * np.abs(weights).sum())
    # 1/2 and -1/2 are the same wave.
    assert found[-1] == pytest.approx(found[0], abs=1e-9)
    assert frequencies(size + 1)[:-1] == pytest.approx(np.fft.fftshift(np.fft.fftfreq(size)))


@pytest.mark.parametrize("name", ["gaussian:2", "sobel-x", "gabor:8,45"])
def test_the_figure_draws_that_response(name: str) -> None:
    kernel = load_kernel(name)
    weights = kernel.weights * kernel.scale
    padded = np.fft.fftshift(np.fft.fft2(weights, (COUNT - 1, COUNT - 1)))
    response = np.abs(padded) / frequency_response(weights, COUNT).max()
    shapes = kernel_figure([kernel], theme_of("light")).frames[0][0]
    drawn = next(s for s in shapes if isinstance(s, Image) and s.rows == COUNT)
    pixels = np.frombuffer(drawn.rgb, np.uint8).reshape(COUNT, COUNT, 3)[:-1, :-1]
    assert np.abs(pixels.astype(int) - sequential(response)).max() <= 1


def test_the_profile_is_a_cut_through_the_response() -> None:
    kernel = load_kernel("sobel-x")
    response = frequency_response(kernel.weights, COUNT)
    theme = theme_of("light")
    shapes = kernel_figure([kernel], theme).frames[0][0]
    colour = theme.roles["input"].lit_stroke
    lines = [s for s in shapes if isinstance(s, Line) and s.stroke == colour and s.thickness == 2]
    curve = lines[: COUNT // 2]
    base = max(line.y1 for line in curve)
    heights = [(base - line.y1) / SIDE * response.max() for line in curve]
    assert heights == pytest.approx(response[COUNT // 2, COUNT // 2 : -1], abs=0.01)


def test_weights_are_written_and_coloured_by_their_sign() -> None:
    shapes = kernel_figure([load_kernel("sobel-x")], theme_of("light")).frames[0][0]
    words = [s.text for s in shapes if isinstance(s, Text)]
    assert [w for w in words if w in ("-2", "-1", "0", "1", "2")][
        :9
    ] == "-1 0 1 -2 0 2 -1 0 1".split()
    cells = [s for s in shapes if isinstance(s, Rect) and s.fill][:9]
    negative, zero, positive = (tuple(bytes.fromhex(cells[i].fill[1:])) for i in (3, 4, 5))
    assert negative[2] > negative[0]
    assert positive[0] > positive[2]
    assert len({*zero}) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*KERNELS, "sobel", "sepia", "box:17"])
def test_every_kind_of_kernel_has_a_figure(name: str, theme: str) -> None:
    drawing = kernel_figure([load_kernel(name)], theme_of(theme))
    root = ET.fromstring(drawing_bytes(drawing, ".svg"))
    assert "weights" in (root.findtext("{http://www.w3.org/2000/svg}desc") or "")
    with Pillow.open(io.BytesIO(drawing_bytes(drawing, ".png"))) as image:
        assert image.size == (drawing.canvas.width, drawing.canvas.height)
    for shape in drawing.frames[0][0]:
        if isinstance(shape, Rect | Image):
            assert 0 <= shape.x <= shape.x + shape.width <= drawing.canvas.width
            assert 0 <= shape.y <= shape.y + shape.height <= drawing.canvas.height


MANY = [*KERNELS, "laplacian", "log:2", "sharpen", "sobel", "sepia", "disk:5", "dog:1,1.6"]


def drawn(name: str) -> bytes:
    return drawing_bytes(kernel_figure([load_kernel(name)], theme_of("light")), ".svg")


@pytest.mark.parametrize("name", MANY)
def test_the_last_bit_of_a_processor_decides_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, rng = drawn(name), np.random.default_rng(len(name))

    def nudged(values: np.ndarray) -> np.ndarray:
        """As sums in another order give them: off by a few times the rounding of the largest."""
        return values + np.abs(values).max() * rng.integers(-4, 5, values.shape) * 2.0**-52

    def elsewhere(weights: np.ndarray, count: int) -> np.ndarray:
        return np.abs(nudged(frequency_response(weights, count)))

    kernel = load_kernel(name)
    monkeypatch.setattr("convcli.show.kernel_figure.frequency_response", elsewhere)
    for _ in range(5):
        weights = np.where(kernel.weights == 0, 0.0, nudged(kernel.weights))
        figure = kernel_figure([kernel.replace(weights=weights)], theme_of("light"))
        assert drawing_bytes(figure, ".svg") == usual


def test_a_lesser_processor_draws_the_same_bytes() -> None:
    from numpy._core import _multiarray_umath as core

    has = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    code = """
import hashlib, sys
from convcli.kernels.load import load_kernel
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.theme import theme_of
from convcli.show.kernel_figure import kernel_figure
for name in sys.argv[1:]:
    figure = kernel_figure([load_kernel(name)], theme_of("light"))
    print(hashlib.sha256(drawing_bytes(figure, ".svg")).hexdigest())
"""
    lesser = {"NPY_DISABLE_CPU_FEATURES": " ".join(has), "OPENBLAS_CORETYPE": "Prescott"}
    command = [sys.executable, "-c", code, *MANY]
    done = subprocess.run(
        command, env={**os.environ, **lesser}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [hashlib.sha256(drawn(name)).hexdigest() for name in MANY]


def test_two_kernels_share_their_scales() -> None:
    one, two = load_kernel("gaussian:1"), load_kernel("box:5")
    shapes = kernel_figure([one, two], theme_of("light")).frames[0][0]
    headings = [s.text for s in shapes if isinstance(s, Text) and s.text.endswith("weights")]
    assert headings == ["gaussian:1: weights", "box:5: weights"]
    peak = f"{one.weights.max() * one.scale:.3g}".replace("0.", ".")
    assert sum(isinstance(s, Text) and s.text == peak for s in shapes) >= 2


def test_too_many_matrices_are_refused() -> None:
    kernels = [load_kernel("kirsch"), load_kernel("box:3")]
    with pytest.raises(UsageError, match="at most 8"):
        kernel_figure(kernels, theme_of("light"))


def test_colours_are_ordered() -> None:
    gray = sequential(np.linspace(0, 1, 50)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(gray) > 0).all()
    assert (diverging([-0.5, 0.5])[:, 0] - 128.0 != 0).all()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["gaussian:2", "sobel", "gabor:8,45", "sepia"])
def test_the_terminal_plots_fit(name: str, width: int) -> None:
    out = io.StringIO()
    show_plots(load_kernel(name), make_console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    planes = weight_planes(load_kernel(name))
    drawn = sum(plane.response is not None for plane in planes)
    assert sum("across" in line for line in lines) == drawn


def test_the_command_writes_a_figure_and_refuses_to_replace_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from convcli.cli.app import run

    target = tmp_path / "k.svg"

    def call(*more: str) -> int:
        return run(["kernel", "show", "sobel-x", "-o", str(target), *more])

    assert call() == 0
    first = target.read_bytes()
    assert call() == 2
    assert call("--overwrite") == 0
    assert target.read_bytes() == first
    assert "exists" in capfd.readouterr().err
