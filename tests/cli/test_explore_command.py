"""``convcli explore``, and ``convcli draw`` into an interactive page."""

from __future__ import annotations

import json
import re
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image

LARGEST = 200_000
"""Bytes of a page beside its picture: little enough to be sent by mail, or put on a stick."""


def state(page: Path) -> Any:
    found = re.search(
        r'<script type="application/json" id="state">(.*?)</script>', page.read_text()
    )
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("command", ["draw", "explore"])
def test_both_write_the_page_of_the_same_layer(
    convcli: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    target = tmp_path / "page.html"
    done = convcli(
        command, "--x", "1 1/3 3; 4 5 6", "--w", "1 0", "--s", "1x2", "--p", "1,0x0,2", "--d", "1x2",
        "--flip", "-o", target,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert target.stat().st_size < LARGEST
    layer = state(target)["layer"]
    assert (layer["kind"], layer["axes"], layer["n"], layer["k"]) == ("conv", 2, [2, 3], [1, 2])
    assert (layer["s"], layer["p"], layer["d"]) == ([1, 2], [[1, 0], [0, 2]], [1, 2])
    assert (
        layer["flip"]
        and layer["x"] == ["1", "1/3", "3", "4", "5", "6"]
        and layer["w"] == ["1", "0"]
    )
    assert convcli(command, "--n", "3", "--k", "2", "-o", target).code == 2  # it is there


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("padding-strides", {"kind": "conv", "n": [5, 5], "s": [2, 2]}),
        ("", {"kind": "conv", "n": [5, 5], "s": [2, 2], "bias": []}),
        ("--n 3 --k 2 --s 2 --transpose --op 1", {"kind": "conv_transpose", "op": [1, 1]}),
        ("--n 9 --k 3 --pool avg --1d --ceil", {"axes": 1, "n": [9, 9], "s": [3, 3], "ceil": True}),
        ("--n 4 --k 3 --in 4 --out 2 --groups 2", {"in": 4, "out": 2, "groups": 2}),
    ],
)
def test_what_is_explored(
    convcli: Callable[..., Any], tmp_path: Path, words: str, expected: dict[str, Any]
) -> None:
    done = convcli("explore", *words.split(), "-o", tmp_path / "page.html")
    assert done.code == 0, done.err
    layer = state(tmp_path / "page.html")["layer"]
    assert {key: layer[key] for key in expected} == expected


def test_a_picture_is_made_small_and_lies_in_the_page(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (300, 800, 3), np.uint8)).save(tmp_path / "a b.png")
    done = convcli("explore", tmp_path / "a b.png", "--kernel", "box:7", "-o", tmp_path / "p.html")
    assert done.code == 0, done.err
    found = state(tmp_path / "p.html")
    assert found["picture"]["name"] == "a b.png" and found["kernel"]["scale"] == "1/49"
    assert (tmp_path / "p.html").stat().st_size - len(found["picture"]["data"]) < LARGEST
    # As filter has taught: the picture, then a kernel by its name.
    done = convcli("explore", tmp_path / "a b.png", "box:7", "-o", tmp_path / "q.html")
    assert done.code == 0, done.err
    assert state(tmp_path / "q.html") == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--kernel sobel-x", "--kernel is for a picture"),
        ("missing.png", "missing.png"),
        ("padding_stride", "did you mean 'padding_strides'?"),
        ("padding_strides --n 4", "--n: padding_strides says its sizes itself"),
        ("--n 5 --k 9", "does not fit into 5 cells"),
        ("--n 5 --k 2 --p 2 --pool max", "lies on padding alone"),
        ("--n 5 --k 3 -o page.gif", "a page is written as .html"),
    ],
)
def test_mistakes_are_answered_in_one_line(
    convcli: Callable[..., Any], tmp_path: Path, words: str, said: str
) -> None:
    target = [] if "-o" in words else ["-o", tmp_path / "page.html"]
    done = convcli("explore", *words.split(), *target)
    assert done.code == 2
    assert said in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--view matrix", "--view matrix"),
        ("--size 300", "--size is 300"),
        ("--frame 10", "steps 1 to 9"),
    ],
)
def test_what_a_page_has_not_is_refused_by_draw(
    convcli: Callable[..., Any], tmp_path: Path, words: str, said: str
) -> None:
    done = convcli("draw", "--n", "5", "--k", "3", *words.split(), "-o", tmp_path / "page.html")
    assert done.code == 2 and said in done.err
    assert not (tmp_path / "page.html").exists()


class Browser:
    """Takes addresses, as the browser of a desk does."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, address: str) -> bool:
        self.opened.append(address)
        return True


def test_without_a_file_it_opens_the_browser(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    done = convcli("explore", "dilation")
    assert done.code == 0
    (page,) = tmp_path.glob("*.html")
    assert str(page) in done.err
    (address,) = browser.opened
    assert address.startswith("file:") and url2pathname(address.partition("//")[2]) == str(page)


def test_where_no_browser_is_the_path_is_said(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "get", none)
    done = convcli("explore", "dilation")
    assert done.code == 0 and "no browser could be opened" in done.err
    (page,) = tmp_path.glob("*.html")
    assert str(page) in done.err
