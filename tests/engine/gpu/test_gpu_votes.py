"""Ranks and morphology where a sample has no vote: refused by name, done on the CPU under auto."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convcli.cli import app
from convcli.engine.backends import Backend, Choice

INSTEAD = "; leave out --backend cupy and --device"
BESIDE = "is done on the CPU only beside samples that do not vote (missing or transparent)"
IN_LIGHT = "is done on the CPU only in brightness or light"


@pytest.fixture
def inputs(tmp_path):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (20, 30, 4), dtype=np.uint8)
    Image.fromarray(pixels[..., :3]).save(tmp_path / "rgb.png")
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    pixels[4:8, 5:9, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "hidden.png")
    floats = rng.random((20, 30), dtype=np.float32)
    floats[3, 4] = np.nan
    Image.fromarray(floats).save(tmp_path / "nan.tif")
    return tmp_path


def filtered(inputs, source, spec, *words):
    """The exit code, and what stands in the folder of the result."""
    folder = inputs / "results"
    folder.mkdir()
    out = folder / f"out{source[-4:]}"
    code = app.run(["filter", str(inputs / source), "-k", spec, "-o", str(out), *words])
    return code, [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("spec", ["median:3", "open:3"])
@pytest.mark.parametrize(
    ("source", "more", "why"),
    [
        ("hidden.png", [], BESIDE),
        ("rgb.png", ["--nodata", "7"], BESIDE),
        ("rgb.png", ["--luma"], IN_LIGHT),
        ("rgb.png", ["--linear", "--dry-run"], IN_LIGHT),
    ],
)
def test_by_name_it_is_refused_in_one_line(stand_in, capfd, inputs, spec, source, more, why):
    made = filtered(inputs, source, spec, *more, "--backend", "cupy")
    said = capfd.readouterr()
    name = spec.partition(":")[0]
    assert said.err == f"convcli: backend cupy: {name} {why}{INSTEAD}\n"
    assert said.out == ""
    assert made == (2, [])


@pytest.mark.parametrize(("source", "spec"), [("opaque.png", "open:3"), ("rgb.png", "median:3")])
def test_where_all_vote_it_is_done(stand_in, capfd, inputs, source, spec):
    assert filtered(inputs, source, spec, "--backend", "cupy") == (0, ["out.png"])


@pytest.mark.parametrize(
    ("source", "more", "why"), [("hidden.png", [], BESIDE), ("rgb.png", ["--linear"], IN_LIGHT)]
)
def test_auto_leaves_it_to_the_cpu_and_says_so(
    stand_in, monkeypatch, capfd, inputs, source, more, why
):
    chosen = Choice(Backend("cupy"), "device 0, Stand-in")
    monkeypatch.setattr("convcli.engine.plan.weigh", lambda work, count=1: chosen)
    assert filtered(inputs, source, "median:3", *more) == (0, ["out.png"])
    said = capfd.readouterr().err
    assert said.count(f"median {why}\n") == 1
    assert INSTEAD not in said
