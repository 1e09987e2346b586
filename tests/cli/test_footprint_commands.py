"""The commands on kernels, of what is no weighted sum."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]


def test_what_a_footprint_is_shown_as(convcli: Cli) -> None:
    text = convcli("kernel", "show", "percentile:90,0 1 1; 1 0 1; 0 0 1").out.decode()
    for line in ("  . # #", "  # o #", "  . . #", "rank       90 percent", "5 of 9 cells count"):
        assert line in text
    assert "o is the centre, which does not" in text
    assert "convolution" not in text
    text = convcli("kernel", "show", "dilate:heights:0 5; 5 9").out.decode()
    for line in ("  0  5", "4 of 4 cells count", "range      -9 to 264 for samples of 0 to 255"):
        assert line in text
    found = json.loads(convcli("kernel", "show", "median", "--json").out)
    assert (found["operation"], found["numbers"], found["parts"]) == ("rank", [50.0], [])
    entry = json.loads(convcli("kernel", "list", "--json").out)
    assert {e["name"]: e["footprint"] for e in entry}.items() >= {
        "median": True,
        "box": False,
    }.items()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("kernel export median -o m.csv", "no weights to write"),
        ("kernel show median -o m.svg", "no frequency response to draw"),
        ("separate erode:5", "no factors"),
    ],
)
def test_what_only_sums_have_is_refused(
    convcli: Cli, tmp_path: Path, words: str, told: str
) -> None:
    done = convcli(*[str(tmp_path / w) if "." in w else w for w in words.split()])
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "is no weighted sum" in done.err
    assert told in done.err
    assert not list(tmp_path.iterdir())


def test_a_tensor_s_weights_are_no_footprint(convcli: Cli) -> None:
    done = convcli("conv", "1 2 3", "median:3")
    assert done.code == 2
    assert done.err.rstrip().endswith("median is no weighted sum, so it has no weights")


def test_bench_times_what_is_no_sum(convcli: Cli) -> None:
    done = convcli("bench", "-k", "erode:5", "-k", "box:3", "--size", "40x30", "--json")
    assert done.code == 0, done.err
    erode, box = json.loads(done.out)["kernels"]
    assert erode["taken"] in erode["ms"]
    assert not {"direct", "fft"} & erode["ms"].keys()
    assert "direct" in box["ms"]


def test_an_algorithm_is_forced_on_the_steps_that_know_it(convcli: Cli, tmp_path: Path) -> None:
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(tmp_path / "in.png")
    command = ("filter", str(tmp_path / "in.png"), "-o", str(tmp_path / "o.png"), "--dry-run")
    chain = ("-k", "median:5", "-k", "gaussian:2", "--explain")
    done = convcli(*command, *chain, "--algorithm", "fft")
    assert done.code == 0, done.err
    assert "transforms: asked for" in done.err
    assert done.err.count("asked for") == 1
    done = convcli(*command, "-k", "median:5", "--algorithm", "fft")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "algorithm 'fft' is not known; allowed: " in done.err
    done = convcli(*command, "-k", "median:5", "--algorithm", "fastest")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_the_plan_tells_footprints_from_weights(convcli: Cli, tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    command = ("filter", str(tmp_path / "in.png"), "-o", str(tmp_path / "o.png"), "--dry-run")
    done = convcli(*command, "-k", "median:5 | box:3", "--explain")
    assert "median:5: 5x5 footprint\n" in done.err
    assert "box: 3x3 weights\n" in done.err
    assert "pixels of which it is 0 do not vote" in done.err
    done = convcli(*command, "-k", "erode:5x3", "--explain", "--flip")
    assert "footprint flipped\n" in done.err
    assert "erode:5x3, border" in done.err
    assert "convolution" not in done.err
