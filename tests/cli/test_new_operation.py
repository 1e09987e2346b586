"""An operation is added by one file and one line, and is then a kernel of the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

FILE = Path(__file__).parents[1] / "data" / "largest.py"
LINE = "OPERATIONS['largest'] = 'largest'"

RUN = f"""
import sys
from convcli.kernels.operation_names import OPERATIONS
{LINE}
from convcli.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def convcli(tmp_path):
    shutil.copy(FILE, tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    return run


def picture(folder: Path, mode: str) -> np.ndarray:
    shape = (37, 51, len(mode)) if len(mode) > 1 else (37, 51)
    pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels, mode).save(folder / "in.png")
    return pixels


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_command_runs_it(tmp_path, convcli, mode):
    pixels = picture(tmp_path, mode)
    done = convcli("filter", "in.png", "-k", "largest:5x3", "-o", "out.png")
    assert done.returncode == 0, done.stderr
    assert "largest:5x3, border" in done.stderr
    want = pixels.copy()
    colours = pixels[..., :3] if mode != "L" else pixels[..., None]
    if mode == "RGBA":
        colours = np.where(pixels[..., 3:] == 0, 0, colours)  # transparent pixels do not vote
        assert (pixels[..., 3] == 0).any()
    found = ndimage.maximum_filter(colours, (3, 5, 1), mode="mirror")
    if mode == "L":
        want = found[..., 0]
    else:
        want[..., :3] = found
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), want)


def test_in_a_chain_in_parts_and_explained(tmp_path, convcli):
    pixels = picture(tmp_path, "RGB")
    np.save(tmp_path / "in.npy", pixels)
    done = convcli(
        "filter", "in.npy", "-k", "largest | invert", "-o", "out.npy", "--explain", "--linear"
    )
    assert done.returncode == 0, done.stderr
    assert "shifted: 9 neighbours" in done.stderr
    done = convcli("filter", "in.npy", "-k", "largest | invert", "-o", "out.npy", "--overwrite")
    want = 255 - ndimage.maximum_filter(pixels, (3, 3, 1), mode="mirror")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), want)


@pytest.mark.parametrize("option", ["--normalize", "--scale=2", "--bias=3"])
def test_what_only_sums_can_is_refused(tmp_path, convcli, option):
    picture(tmp_path, "L")
    done = convcli("filter", "in.png", "-k", "largest", "-o", "out.png", option)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is no sum" in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_without_the_line_it_is_no_kernel(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "convcli", "filter", "in.png", "-k", "largest"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "largest" in done.stderr


def test_its_footprint_is_any_and_the_kernel_commands_know_it(tmp_path, convcli):
    pixels = picture(tmp_path, "L")
    done = convcli("filter", "in.png", "-k", "largest:0 1 0; 1 1 1; 0 1 0", "-o", "out.png")
    assert done.returncode == 0, done.stderr
    want = ndimage.maximum_filter(
        pixels, footprint=[[0, 1, 0], [1, 1, 1], [0, 1, 0]], mode="mirror"
    )
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), want)
    done = convcli("kernel", "show", "largest:cross:1")
    assert "  . # .\n  # @ #\n  . # .\n" in done.stdout, done.stderr
    done = convcli("kernel", "export", "largest:3", "-o", "out.csv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_missing_samples_do_not_vote(tmp_path, convcli):
    x = np.arange(20, dtype=np.int16).reshape(4, 5)
    x[1:3, 2:4] = -1
    np.save(tmp_path / "in.npy", x)
    done = convcli("filter", "in.npy", "-k", "largest", "-o", "out.npy", "--nodata", "-1")
    assert done.returncode == 0, done.stderr
    want = ndimage.maximum_filter(x, 3, mode="mirror")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.where(x == -1, -1, want))
