"""docs/rasters.md: its commands and Python run, its pictures come out the same, its table is true."""

from __future__ import annotations

import doctest
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.cli.app import run

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PAGE = (ROOT / "docs" / "rasters.md").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("rasters")
    import make_rasters

    return folder, make_rasters.make(folder)


def test_pictures_come_out_the_same(made: tuple[Path, dict[str, str]]) -> None:
    names = re.findall(r'src="images/([^"]+)"', PAGE)
    assert len(names) == 9
    for name in names:
        kept, new = (
            np.asarray(Image.open(folder / name).convert("RGB"), float)
            for folder in (IMAGES, made[0])
        )
        assert kept.shape == new.shape
        assert np.abs(kept - new).mean() < 1, f"{name}: run python docs/make_rasters.py"


def test_the_summary_is_what_the_command_says(
    made: tuple[Path, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(made[0])
    assert len(made[1]) == 5
    (said,) = re.findall(r"```text\n(.*), [\d.]+ s\n```", PAGE)
    assert run([*shlex.split(next(iter(made[1])))[1:], "--overwrite"]) == 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_the_page_says_of_the_naive_blur(made: tuple[Path, dict[str, str]]) -> None:
    import make_rasters as script

    terrain = made[0] / "samples" / "terrain.tif"
    (share,) = re.findall(r"NaN spreads: (\d+) % of the cells are lost", PAGE)
    lost = np.isnan(script.blurred(script.heights(terrain))).mean()
    assert round(lost * 100) == int(share)


def test_holes_are_closed_and_lakes_are_not(made: tuple[Path, dict[str, str]]) -> None:
    before = tifffile.imread(made[0] / "samples" / "terrain.tif") == -32768
    after = tifffile.imread(made[0] / "closed.tif") == -32768
    alone = before & (np.add.reduce([np.roll(before, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=int) == 1)  # fmt: skip
    assert alone.sum() > 100
    assert not (alone & after)[4:-4, 4:-4].any()
    assert 0.8 < after.sum() / (before & ~alone).sum() < 1.1


def test_the_corner_of_half_the_resolution_stays(made: tuple[Path, dict[str, str]]) -> None:
    with tifffile.TiffFile(made[0] / "half.tif") as file:
        tags = file.pages[0].tags
        assert tags[33550].value[:2] == (60, 60)
        i, j, _, x, y, _ = tags[33922].value
    assert (x - 60 * i, y + 60 * j) == (500_000, 5_200_000)


def test_the_python_of_the_page_is_true() -> None:
    source = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(source, {}, "rasters", "rasters.md", 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 15
    assert result.failed == 0


# ------------------------------------------------------------------ the table of meaning


def rows() -> list[tuple[str, str, str, str]]:
    """File, options, and type or refusal of each line."""
    table = PAGE.split("<!-- meaning:begin -->")[1].split("<!-- meaning:end -->")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return [(c[0], c[1].strip("`"), c[3], c[4]) for c in lines if c and c[0].count(".") == 1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meaning")
    rng = np.random.default_rng(0)
    heights = rng.integers(300, 900, (24, 30)).astype(np.int16)
    heights[5:9, 7:12] = -9999
    field = rng.normal(0, 9, (24, 30)).astype(np.float32)
    field[3:5, 3:5] = np.nan
    bands = rng.integers(0, 10_000, (24, 30, 5)).astype(np.uint16)
    plain: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
    declared = [(42113, "s", 0, "-9999", True)]
    tifffile.imwrite(folder / "heights.tif", heights, extratags=declared, **plain)
    tifffile.imwrite(folder / "field.tif", field, **plain)
    tifffile.imwrite(folder / "bands.tif", bands, planarconfig="contig", **plain)
    Image.fromarray(rng.integers(0, 256, (24, 30, 3), np.uint8)).save(folder / "photo.png")
    return folder


@pytest.mark.parametrize(("file", "options", "kind", "beside"), rows(), ids=str)
def test_the_table_of_meaning(
    file: str,
    options: str,
    kind: str,
    beside: str,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(files)
    code = run(["filter", file, *shlex.split(options), "-o", "out.tif", "--overwrite", "--json"])
    out, err = capsys.readouterr()
    if kind.startswith("refused: "):
        assert code in (1, 2)
        assert kind.removeprefix("refused: ") in " ".join(err.split())
        return
    assert code == 0, err
    report = json.loads(out)
    assert report["dtype_out"] == kind
    lost = {"missing": 42, "and in holes that the kernel reaches across": 0, "a pit": 0}
    here = {"heights.tif": 20, "field.tif": 4}
    assert report["missing"] == lost.get(beside, here.get(file, 0))


def test_the_table_has_every_kind_of_line() -> None:
    assert len(rows()) > 30
    assert sum(kind.startswith("refused") for _, _, kind, _ in rows()) > 8
