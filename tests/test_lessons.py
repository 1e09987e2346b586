"""The lessons: every command prints what stands there, every picture comes out the same."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import make_lessons as SCRIPT
import numpy as np
import pytest
from make_gallery import IMAGES, embedded
from PIL import Image

from convcli import filter_image, load_kernel, max_pool

ROOT = Path(__file__).parents[1]
PAGES = SCRIPT.pages()
TEXTS = {page.name: page.read_text("utf-8") for page in PAGES}
LESSONS = [page for page in PAGES if page.parent.name == "lessons"]
WORKED = json.loads((ROOT / "tests" / "data" / "worked_examples.json").read_text())
Made = dict[str, tuple[Path, str]]

TOPICS = [
    *("correlation-and-convolution", "two-dimensions-and-channels", "valid-same-full", "stride"),
    *("dilation", "receptive-field", "backward-pass", "transposed-convolution", "matrices"),
    *("pooling", "equivariance", "separable-and-depthwise", "architectures"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Each page's folder with the files that its commands wrote, and the page with what they print."""
    found = {}
    for page in PAGES:
        with SCRIPT.workplace(tmp_path_factory.mktemp(page.stem)) as folder:
            found[page.name] = folder, SCRIPT.filled(TEXTS[page.name])
    return found


def words(text: str) -> str:
    """What a page says, without the room that versions of Rich leave in tables and the roundings
    that a BLAS makes of nothing."""
    return re.sub(r"\b\d[\d.]*e-1\d\b", "0", re.sub(r"[\s\u2500-\u257f-]+", " ", text))


@pytest.mark.parametrize("name", TEXTS)
def test_commands_print_what_the_page_says(name: str, made: Made) -> None:
    assert len(SCRIPT.commands(TEXTS[name])) > 2
    assert words(made[name][1]) == words(TEXTS[name]), "run: python docs/make_lessons.py"


@pytest.mark.ci
@pytest.mark.parametrize("name", TEXTS)
def test_pages_are_what_the_pinned_versions_print(name: str, made: Made) -> None:
    assert made[name][1] == TEXTS[name], "run: python docs/make_lessons.py"


@pytest.mark.parametrize(
    ("page", "picture"), [(n, p) for n, t in TEXTS.items() for p in embedded(t)]
)
def test_pictures_come_out_the_same(
    page: str, picture: str, made: Made, same_picture: Callable[[Path, Path], None]
) -> None:
    same_picture(made[page][0] / picture, IMAGES / picture)


@pytest.mark.parametrize("name", TEXTS)
def test_every_line_in_a_block_is_run(name: str) -> None:
    """Shell is only in console blocks, whose commands are run, and every picture has a text."""
    text = TEXTS[name]
    languages = re.findall(r"^```(\w*)$", text, re.MULTILINE)
    assert set(languages) <= {"console", "math", ""}
    assert text.count("$ convcli ") == len(SCRIPT.commands(text))
    assert "![](" not in text
    assert "<img" not in re.sub(r"<img [^>]*alt=\"[^\"]+\"[^>]*>", "", text)


def test_the_lessons_come_in_the_order_of_a_course() -> None:
    assert [page.stem for page in LESSONS] == [f"{i:02}-{t}" for i, t in enumerate(TOPICS, 1)]
    index = (ROOT / "docs" / "index.md").read_text()
    assert re.findall(r"\(lessons/([^)]+)\)", index) == [page.name for page in LESSONS]
    for number, page in enumerate(LESSONS, 1):
        text = TEXTS[page.name]
        assert text.startswith(f"# {number}. ")
        assert "## Try this" in text
        assert text.count("\n**") >= text.count("<summary>Answer</summary>") > 0
        assert re.search(
            r"^\$ convcli (?:explore|shape) .* -o (?!\d)[\w-]+\.html$", text, re.MULTILINE
        )
        if page != LESSONS[-1]:
            assert f"]({LESSONS[number].name})\n" in text.rpartition("Next: ")[2]


# The worked examples


def literal(text: str) -> Any:
    """A tensor as it is typed, as nested lists of numbers or letters."""
    if text.startswith("["):
        return json.loads(text)
    rows = [[number(word) for word in row.split()] for row in text.split(";")]
    return rows[0] if len(rows) == 1 else rows


def number(word: str) -> Any:
    top, slash, bottom = word.partition("/")
    try:
        return float(top) / float(bottom) if slash else float(top)
    except ValueError:
        return word


def typed() -> Iterator[tuple[str, list[str], str]]:
    """Each command of the pages, its words, and what it prints."""
    for text in TEXTS.values():
        for block in SCRIPT.BLOCK.findall(text):
            for part in block.split("$ ")[1:]:
                line, _, printed = part.partition("\n")
                yield line, shlex.split(line), printed


def option(words: list[str], name: str, default: str) -> str:
    return words[words.index(name) + 1] if name in words else default


def shows(case: dict[str, Any], words: list[str], printed: str) -> bool:
    """Whether a command is a worked example, and prints its result."""
    command = {"conv": "conv", "conv_transpose": "conv-transpose"}[case["op"]]
    if words[1] != command or literal(words[2]) != case["input"]:
        return False
    asked = {
        "weight": literal(words[3]),
        "flip": "--flip" in words,
        **{n: number(option(words, f"--{n}", "1")) for n in ("stride", "dilation")},
        "padding": number(option(words, "--padding", "0")),
    }
    default = {"flip": False, "stride": 1, "dilation": 1, "padding": 0}
    if any(asked[name] != {**default, **case}[name] for name in asked):
        return False
    result = printed.rpartition(": ")[2].partition("\n")[2]
    wanted = case.get("symbolic_output") or np.ravel(case["output"]).tolist()
    return re.sub(r"\[\d+\]", "", result).split() == [str(value) for value in wanted]


@pytest.mark.parametrize("case", WORKED["cases"], ids=lambda case: case["id"])
def test_every_worked_example_is_in_a_lesson(case: dict[str, Any]) -> None:
    if case["op"] == "toeplitz":
        rows = [" ".join(map(str, row)) for row in case["matrix"]]
        assert any(all(row in text for row in rows) for text in TEXTS.values())
        return
    if "input" in case:
        assert any(shows(case, words, printed) for _, words, printed in typed())
        return
    kernel = case.get("weight_shape", [case.get("kernel_size")])[-1]
    wanted = {"--k": str(kernel), "--p": str(case["padding"]), "--s": str(case["stride"])}
    wanted["--n"] = "x".join(map(str, case["input_shape"][-2:]))
    wanted["--op"] = str(case.get("output_padding", 0))
    defaults = {"--s": "1", "--op": "0"}
    size = "x".join(map(str, case["output_shape"]))
    assert any(
        words[1] == "shape"
        and all(
            option(words, name, defaults.get(name, "")) == value for name, value in wanted.items()
        )
        and re.search(rf"^output +{size}\b", printed, re.MULTILINE)
        for _, words, printed in typed()
    )


@pytest.mark.parametrize("name", WORKED["kernels"])
def test_every_worked_kernel_is_in_a_lesson(name: str) -> None:
    wanted = [[number(str(value)) for value in row] for row in WORKED["kernels"][name]]
    used = {w for _, words, _ in typed() for w in words if re.fullmatch(r"[-\d/ ;]+;[-\d/ ;]+", w)}
    used |= {word for _, words, _ in typed() for word in words if word.startswith("sobel-")}
    found = [np.asarray(load_kernel(word).weights) for word in used if "svg" not in word]
    assert any(w.shape == (3, 3) and np.allclose(w, wanted, atol=1e-15) for w in found)


def test_what_the_lesson_says_of_pooling_and_dilation(made: Made) -> None:
    folder = made["10-pooling.md"][0]
    pooled, dilated = (np.load(folder / f"{name}.npy") for name in ("pooled", "dilated"))
    np.testing.assert_array_equal(pooled, dilated)
    assert pooled.shape == (3, 3)
    before, after = (
        np.asarray(Image.open(folder / n)) for n in ("samples/portrait.png", "dilated.png")
    )
    height, width = after.shape[:2]
    blocks = before[: 4 * height, : 4 * width].reshape(height, 4, width, 4, 3)
    np.testing.assert_array_equal(after, blocks.max(axis=(1, 3)))

    def pool(x: np.ndarray, size: int, **how: Any) -> np.ndarray:
        return np.asarray(max_pool(x[None], size, **how))[0]

    x = np.random.default_rng(1).integers(-99, 99, (7, 9)).astype(float)
    same: dict[str, Any] = {"padding": "same", "border": "missing"}
    ceil = pool(x, 2, ceil_mode=True)
    np.testing.assert_array_equal(filter_image(x, "max:2", values=True, stride=2, **same), ceil)
    assert filter_image(x, "max:2", values=True, stride=2, padding="valid").shape != ceil.shape
    around = {"stride": 2, "padding": 1}
    pooled = pool(x, 3, **around)
    for border, equal in (("missing", True), ("wrap", False), ("constant:255", False)):
        got = filter_image(x, "dilate:3", values=True, border=border, **around)
        assert np.array_equal(got, pooled) == equal
    pooled = pool(x, 2, stride=1, padding="same")
    np.testing.assert_array_equal(filter_image(x, "max:2", values=True, **same), pooled)
    turned = pool(x[::-1, ::-1], 2, stride=1, padding="same")[::-1, ::-1]
    np.testing.assert_array_equal(filter_image(x, "dilate:2", values=True, **same), turned)
    x[2, 2] = np.nan
    assert np.isnan(pool(x, 2)).sum() == 1
    got = filter_image(x, "max:2", values=True, stride=2, padding="valid", fill=True)
    assert got[1, 1] == np.nanmax(x[2:4, 2:4])


# The lecture


def test_the_lecture_takes_45_minutes() -> None:
    text = TEXTS["lecture.md"]
    table = re.findall(r"^\| (\d+) \| \[(.+?)\]", text, re.MULTILINE)
    assert [f"{minute}: {title}" for minute, title in table] == re.findall(
        r"^## (\d.*)$", text, re.M
    )
    minutes = [int(minute) for minute, _ in table]
    assert minutes[0] == 0
    assert minutes == sorted(minutes)
    assert max(np.diff([*minutes, 45])) <= 7
    shown = set(re.findall(r"^\*On the wall: `([\w.]+)`", text, re.MULTILINE))
    assert shown == set(re.findall(r"^\$ convcli .* -o (\S+\.html)$", text, re.MULTILINE))


def test_what_the_lecturer_says_is_right(made: Made) -> None:
    """Numbers in a spoken line, which no command of the page prints."""
    text = TEXTS["lecture.md"]
    for said in (
        "for 31 by 31 it is 62 in place of 961",
        "1,728 weights and 64 biases",
        "has seen 212 of 224 pixels",
    ):
        assert said in text
    assert (31 + 31, 31 * 31) == (62, 961)
    assert re.search(r"^conv1 +conv 64 k3 p1 .* 1,792 ", made["lecture.md"][1], re.MULTILINE)
    assert 64 * 3 * 3 * 3 == 1792 - 64 == 1728
    last = re.search(
        r"^adaptiveavgpool1 .* kB +(\d+) ", made["13-architectures.md"][1], re.MULTILINE
    )
    assert last
    assert last[1] == "212"
