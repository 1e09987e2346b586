"""Small pictures of every kind through the whole command, against other programs; and the tool
that does so with anybody's pictures, which must see what is wrong and outlive what it checks."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def tools() -> Iterator[Any]:
    """Imports a tool by name; they import each other."""
    sys.path.insert(0, str(TOOLS))
    yield lambda name: __import__(name)
    sys.path.remove(str(TOOLS))


KINDS = "pngs apngs jpegs webps avifs gifs bmps netpbms tiffs odd_tiffs".split()
REFUSED = {"tiff-palette-u2.tif"}  # "a palette of 16 bits is not read"
STEP = 97
"""Every so many files are checked here; ``slow`` checks every fifth, `tools/corpus.py` all."""


def checked(tools: Any, files: Iterator[tuple[str, bytes]], folder: Path) -> int:
    count = 0
    for name, data in files:
        count += 1
        path = folder / name
        path.write_bytes(data)
        work = folder / "work"
        work.mkdir()
        answer = tools("corpus_check").check(path, work)
        wanted = ("refused",) if name in REFUSED else ("right", "disputed", "alone")
        assert answer["verdict"] in wanted, (name, answer["lines"])
        for made in work.iterdir():
            made.unlink()
        work.rmdir()
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_every_kind_is_filtered_and_written_back(
    kind: str, tools: Any, tmp_path: Path
) -> None:
    files = getattr(tools("corpus_make"), kind)()
    assert checked(tools, islice(files, 3, None, STEP), tmp_path) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_of_every_kind(kind: str, tools: Any, tmp_path: Path) -> None:
    files = getattr(tools("corpus_make"), kind)()
    assert checked(tools, islice(files, 0, None, 5), tmp_path) > 1


def moving(folder: Path) -> Path:
    """Two frames, with a text."""
    text = PngInfo()
    text.add_text("Title", "a title")
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    frames = [Image.fromarray(pixels), Image.fromarray(pixels[::-1].copy())]
    path = folder / "moving.png"
    more = {"append_images": frames[1:], "duration": [40, 80], "pnginfo": text}
    frames[0].save(path, save_all=True, **more)
    return path


def tampered(change: str, image: Image.Image) -> bytes:
    """What a program that loses something would have written."""
    frames, times = [], []
    for index in range(image.n_frames):
        image.seek(index)
        frames.append(np.array(image.convert("RGB")))
        times.append(image.info["duration"])
    text = PngInfo()
    text.add_text("Title", "another" if change == "text" else "a title")
    if change == "pixel":
        frames[1][2, 3, 1] ^= 1
    elif change == "turned":
        frames = [np.rot90(frame).copy() for frame in frames]
    elif change == "frame":
        del frames[1], times[1]
    elif change == "time":
        times[1] += 10
    elif change == "mode":
        frames = [np.insert(frame, 3, 255, -1) for frame in frames]
    out = io.BytesIO()
    stills = [Image.fromarray(frame) for frame in frames]
    more = {"append_images": stills[1:], "duration": times, "pnginfo": text}
    stills[0].save(out, "PNG", save_all=len(stills) > 1, **more)
    return out.getvalue()


@pytest.mark.parametrize("change", ["", "pixel", "turned", "frame", "time", "mode", "text"])
def test_the_tool_sees_what_is_lost(
    change: str, tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = tools("corpus_check")
    real = check.convcli

    def lossy(*words: str) -> dict[str, Any]:
        report = real(*words)
        path = Path(report["output"])
        if change and "identity" in words:
            path.write_bytes(tampered(change, Image.open(io.BytesIO(path.read_bytes()))))
        return dict(report)

    monkeypatch.setattr(check, "convcli", lossy)
    (tmp_path / "work").mkdir()
    answer = check.check(moving(tmp_path), tmp_path / "work")
    assert answer["verdict"] == ("wrong" if change else "right"), answer["lines"]
    assert bool(answer["lines"]) == bool(change)


def test_the_tool_sees_a_blur_that_is_a_little_off(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = tools("corpus_check")
    real = check.convcli
    monkeypatch.setattr(
        check, "convcli", lambda *words: real(*(w.replace(":1", ":1.1") for w in words))
    )
    (tmp_path / "work").mkdir()
    answer = check.check(moving(tmp_path), tmp_path / "work")
    assert answer["verdict"] == "wrong"
    assert "gaussian:1" in answer["lines"][0]


CRASHES = """
import json, os, sys, time
for line in sys.stdin:
    name = os.path.basename(json.loads(line))
    if name == "dies":
        os.abort()
    if name == "hangs":
        time.sleep(3600)
    print(json.dumps({"verdict": "right", "lines": [], "by": ["Pillow"]}), flush=True)
"""


@pytest.mark.slow
def test_a_crash_and_a_hang_cost_one_file_each(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus: ModuleType = tools("corpus")
    monkeypatch.setattr(corpus, "CHECK", [sys.executable, "-c", CRASHES])
    for name in ("a", "dies", "b", "hangs", "c"):
        (tmp_path / name).touch()
    files = corpus.files_in([str(tmp_path)])
    found = {path.name: answer for path, answer in corpus.answers(files, 1, 5)}
    assert [found[n]["verdict"] for n in "abc"] == ["right"] * 3
    assert "died" in found["dies"]["lines"][0]
    assert "no answer" in found["hangs"]["lines"][0]
    by_verdict: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for path in files:
        by_verdict.setdefault(found[path.name]["verdict"], []).append((path, found[path.name]))
    assert corpus.summary(by_verdict) == 1
    assert "3 right" in capsys.readouterr().out
    assert corpus.summary({"right": by_verdict["right"]}) == 0
