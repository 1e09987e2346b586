"""Large TIFFs that fit into memory are read where they are stored all the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.cli import app
from convcli.imaging.options import FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import Failure, attempt

RNG = np.random.default_rng(9)
PIXELS = RNG.integers(0, 256, (150, 111, 3), np.uint8)
WAYS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    {"tile": (32, 48), "compression": "lzw"},
    {"planarconfig": "separate", "rowsperstrip": 20},
]


def run(source: Path, target: Path, kernel: str = "gaussian:3", **options: Any) -> Report | Failure:
    request = Request(
        (str(source),),
        (load_kernel(kernel),),
        output=str(target),
        options=FilterOptions(threads=2, **options),
    )
    return attempt(request, Job(str(source), str(target)))


def decoded(report: Report | Failure) -> bool:
    assert isinstance(report, Report)
    return "decode" in report.seconds


@pytest.mark.parametrize(
    ("dtype", "target"),
    [
        *(("uint8", t) for t in (".tif", ".png", ".jpg", ".ppm")),
        ("uint16", ".tif"),
        ("uint16", ".png"),
    ],
)
@pytest.mark.parametrize("how", WAYS, ids=["plain", "strips", "tiles", "planes"])
def test_it_gives_the_file_of_the_whole_way(
    dtype: str, how: dict[str, Any], target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = PIXELS.astype(dtype) * (257 if dtype == "uint16" else 1)
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in how else pixels
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", **how)
    made = []
    for name, flows_from in (("whole", 1 << 40), ("parts", 0)):
        monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", flows_from)
        out = tmp_path / f"{name}{target}"
        made.append((decoded(run(tmp_path / "x.tif", out)), out.read_bytes()))
    assert [whole for whole, _ in made] == [True, False]
    assert made[0][1] == made[1][1]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is taken for large."""
    monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", 0)
    tifffile.imwrite(
        tmp_path / "x.tif", PIXELS, photometric="rgb", rowsperstrip=20, compression="zlib"
    )
    return tmp_path / "x.tif"


def test_it_may_take_its_own_place(large: Path) -> None:
    whole = large.with_name("whole.tif")
    assert not decoded(run(large, whole))
    request = Request((str(large),), (load_kernel("gaussian:3"),), output=str(large))
    report = attempt(request, Job(str(large), str(large), overwrite=True))
    assert not decoded(report)
    assert large.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("options", "dry"), [({"range": "stretch"}, False), ({}, True)], ids=["stretch", "dry_run"]
)
def test_what_looks_at_all_pixels_first_has_them_decoded(
    large: Path, options: dict[str, Any], dry: bool
) -> None:
    out = large.with_name("out.tif")
    request = Request(
        (str(large),),
        (load_kernel("box:3"),),
        output=str(out),
        options=FilterOptions(**options),
        dry_run=dry,
    )
    assert decoded(attempt(request, Job(str(large), str(out))))
    assert out.exists() is not dry


def test_pages_are_decoded(large: Path) -> None:
    tifffile.imwrite(large, np.stack([PIXELS, PIXELS[::-1]]), photometric="rgb")
    out = large.with_name("out.tif")
    assert decoded(run(large, out))
    assert tifffile.imread(out).shape == (2, *PIXELS.shape)


def test_damage_is_told_as_by_who_decodes_it(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tifffile.TiffFile(large) as file:
        at = file.pages[0].dataoffsets[5]
    with large.open("r+b") as damaged:
        damaged.seek(at + 40)
        damaged.write(b"damage")
    out = large.with_name("out.tif")
    told = []
    for flows_from in (1 << 40, 0):
        monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", flows_from)
        failure = run(large, out)
        assert isinstance(failure, Failure)
        told.append(str(failure.error))
    assert told[0] == told[1]
    assert "number 6 of the 8 strips" in told[0]
    assert [path.name for path in large.parent.iterdir()] == ["x.tif"]


def test_there_is_one_way_left_when_room_comes_and_goes(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much memory is free is asked once for each way."""
    from convcli.imaging import opening

    answers = iter([False, True, True, True])
    monkeypatch.setattr(opening, "fits", lambda *_: next(answers))
    with large.open("r+b") as cut:
        cut.truncate(large.stat().st_size // 2)
    failure = run(large, large.with_name("out.tif"))
    assert isinstance(failure, Failure)
    assert "cut short" in str(failure.error)


def test_a_file_that_changes_on_the_way_is_read_anew(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overwritten in its place with as many bytes: half of the result would be of the old pixels."""
    from convcli.imaging.formats.tiff.stored import TiffPage

    tifffile.imwrite(large, np.zeros_like(PIXELS), photometric="rgb", rowsperstrip=20)
    black = large.read_bytes()
    tifffile.imwrite(large, np.full_like(PIXELS, 255), photometric="rgb", rowsperstrip=20)
    white = large.read_bytes()
    large.write_bytes(black)
    plain, once = TiffPage.block, [white]

    def block(page: TiffPage, rows: Any, cols: Any, out: Any) -> None:
        plain(page, rows, cols, out)
        if once:
            status = large.stat()
            with large.open("r+b") as file:
                file.write(once.pop())
            os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))

    monkeypatch.setattr(TiffPage, "block", block)
    out = large.with_name("out.tif")
    assert decoded(run(large, out, "box:3"))
    assert (tifffile.imread(out) == 255).all()
    assert {path.name for path in large.parent.iterdir()} == {"x.tif", "out.tif"}


@pytest.mark.parametrize("left", [0.02, 0.6, 0.999])
@pytest.mark.parametrize("target", ["out.png", "out.npy"])
def test_one_that_is_cut_short_is_an_error_before_it_is_explained(
    large: Path, capfd: pytest.CaptureFixture[str], target: str, left: float
) -> None:
    """What is decoded as it is written is looked at before: where its strips are, and how long."""
    whole = large.read_bytes()
    large.write_bytes(whole[: int(len(whole) * left)])
    words = ["filter", str(large), "-k", "box:3", "--explain", "--json"]
    assert app.run([*words, "-o", str(large.with_name(target))]) == 1
    out, err = capfd.readouterr()
    assert [out, len(err.splitlines())] == ["", 1]
    assert err.startswith(f"convcli: {large}: ")
    assert [path.name for path in large.parent.iterdir()] == ["x.tif"]
