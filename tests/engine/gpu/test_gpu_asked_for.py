"""A GPU that is asked for by its number is the GPU, or refused, as one asked for by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.cli import app

ASKED = [["--device", "1"], ["--backend", "cupy", "--device", "1"], ["--backend", "cupy"]]


@pytest.fixture
def inputs(tmp_path):
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    np.save(tmp_path / "a.npy", pixels)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    ("source", "target"), [("a.tif", "o.npy"), ("a.npy", "o.tif"), ("a.png", "o.npy")]
)
def test_what_goes_part_by_part_is_refused_by_either_name(
    pretend_cupy, capfd, inputs, asked, source, target
):
    pretend_cupy(count=2)
    words = ["filter", str(inputs / source), "-k", "box:3", "-o", str(inputs / target), "--explain"]
    assert app.run([*words, *asked]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "are filtered on the CPU; leave out --backend cupy and --device" in line
    assert not (inputs / target).exists()


@pytest.mark.parametrize(
    ("source", "target"), [("a.png", "o.png"), ("a.tif", "o.tif"), ("a.npy", "o.png")]
)
def test_what_is_filtered_whole_goes_to_the_device_of_that_number(
    pretend_cupy, capfd, inputs, source, target
):
    pretend_cupy(count=2)
    words = ["filter", str(inputs / source), "-k", "box:3", "-o", str(inputs / target)]
    assert app.run([*words, "--device", "1", "--dry-run", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["backend"] == "cupy"
    assert said["backend_reason"] == "asked for; device 1, Pretended Device"


@pytest.mark.parametrize("asked", ASKED)
def test_where_there_is_none_either_name_is_refused(pretend_cupy, capfd, inputs, asked):
    pretend_cupy(count=0)
    words = ["filter", str(inputs / "a.png"), "-k", "box:3", "-o", str(inputs / "o.png")]
    assert app.run([*words, *asked]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "no CUDA device" in line
    assert not (inputs / "o.png").exists()
