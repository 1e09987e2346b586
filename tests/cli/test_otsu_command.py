"""A threshold that is found, from the command line: told, and the same part by part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

Cli = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    kinds = np.where(rng.random((2400, 1300, 3)) < 0.3, 190, 70)
    x = (kinds + rng.integers(-30, 31, kinds.shape)).astype(np.uint8)
    tifffile.imwrite("x.tif", x, photometric="rgb")
    np.save("x.npy", x)
    np.save("stack.npy", np.stack([x[..., 0], x[..., 0] // 2]))
    return tmp_path


def test_the_level_is_told(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "x.tif", "-k", "threshold:otsu", "-o", "y.tif", "--explain")
    assert done.code == 0, done.err
    assert "otsu (level" not in done.err
    assert ", level 100 found, " in done.err
    told = "found when the picture is read once before it is filtered, told with the result: Otsu"
    assert told in done.err
    told = convcli("filter", "x.tif", "-k", "otsu", "-o", "z.tif", "--json")
    assert json.loads(told.out)["levels"] == [[100.0]]
    plain = convcli("filter", "x.tif", "-k", "threshold:100", "-o", "t.tif", "--json")
    assert json.loads(plain.out)["levels"] == []
    found = [tifffile.imread(name) for name in ("y.tif", "z.tif", "t.tif")]
    assert (found[0] == found[2]).all()
    assert (found[1] == found[2]).all()


@pytest.mark.parametrize("chain", ["otsu | box:5", "box:3 | otsu | max:3 | otsu"])
def test_part_by_part_it_is_the_same(convcli: Cli, folder: Path, chain: str) -> None:
    levels = []
    for memory, name in (("9G", "whole"), ("162M", "parts")):
        for suffix in ("tif", "npy"):
            done = convcli(
                *("filter", f"x.{suffix}", "-k", chain, "-o", f"{name}.{suffix}"),
                *("--memory", memory, "--json"),
            )
            assert done.code == 0, done.err
            report = json.loads(done.out)
            if suffix == "tif" or name == "parts":  # an array is made in parts whatever there is
                assert (report["parts"] > 1) == (name == "parts")
            levels.append(report["levels"])
    assert levels[1:] == levels[:-1]
    assert (np.load("whole.npy") == tifffile.imread("whole.tif")).all()
    for suffix in ("tif", "npy"):
        assert Path(f"whole.{suffix}").read_bytes() == Path(f"parts.{suffix}").read_bytes()


def test_each_plane_of_a_stack_has_its_own(convcli: Cli, folder: Path) -> None:
    done = convcli(
        *("filter", "stack.npy", "--axes", "zyx", "-k", "otsu", "-o", "out.npy", "--json"),
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["levels"] == [[100.0], [50.0]]
    found = np.load("out.npy")
    assert (found[0] == found[1]).all()
