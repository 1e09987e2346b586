"""``--region`` and ``--mask``: files, batches, parts, what is said, what is refused."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli import filter_image
from convcli.imaging.opening import read_picture

Cli = Callable[..., Any]
RNG = np.random.default_rng(4)
X = RNG.integers(0, 256, (60, 80, 3), np.uint8)
MASK = np.zeros((60, 80), np.uint8)
MASK[10:40, 20:70] = RNG.integers(0, 256, (30, 50), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in.png", "b.png", "in.bmp"):
        Image.fromarray(X).save(name)
    Image.fromarray(MASK).save("mask.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    return np.asarray(read_picture(path).first.pixels)


def test_a_region_and_a_mask_are_those_of_python(convcli: Cli, folder: Path) -> None:
    done = convcli(
        "filter", "in.png", *"-k median:5 --region 10%,5,50%x20 --explain -o a.png".split()
    )
    assert done.code == 0, done.err
    assert re.search(r"^region +8,5,40x20, of the upright picture; it sees", done.err, re.M)
    assert ", region 8,5,40x20, " in done.err
    want = filter_image(X, "median:5", region=(8, 5, 40, 20))
    np.testing.assert_array_equal(pixels("a.png"), want)
    told = convcli("filter", "in.bmp", *"-k sharpen --mask mask.png --json -o a.tif".split())
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert (report["region"], report["mask"]) == (None, "mask.png")
    np.testing.assert_array_equal(pixels("a.tif"), filter_image(X, "sharpen", mask=MASK))
    both = "--region 20,10,9x9 --mask mask.png --json --explain -o b.bmp".split()
    told = convcli("filter", "in.png", "-k", "sharpen", *both)
    assert json.loads(told.out)["region"] == [20, 10, 9, 9]
    assert re.search(r"^mask +mask.png: black shows nothing", told.err, re.M)
    want = filter_image(X, "sharpen", mask=MASK, region="20,10,9x9")
    np.testing.assert_array_equal(pixels("b.bmp"), want)


def test_advice_is_none_that_would_be_refused(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "in.png", *"-k sharpen --region 0,0,9x9 -o a.png".split())
    assert "fell outside the range and were clipped" in done.err
    assert "--range" not in done.err


def test_one_mask_serves_a_batch_on_all_workers(convcli: Cli, folder: Path) -> None:
    for number in range(4):
        Image.fromarray(X[::-1] // (number + 1)).save(f"p{number}.png")
    Image.fromarray(X[:50]).save("p9.png")
    done = convcli("filter", "p?.png", *"-k box:5 --mask mask.png -o out/ -j 2".split())
    assert done.code == 1
    assert "p9.png: the picture has 80x50 pixels, upright, and the mask mask.png has 80x60" in (
        done.err
    )
    for number in range(4):
        want = filter_image(X[::-1] // (number + 1), "box:5", mask=MASK)
        np.testing.assert_array_equal(pixels(f"out/p{number}.png"), want)


def test_pages_and_frames_have_the_same_region(convcli: Cli, folder: Path) -> None:
    stack = RNG.integers(0, 65536, (3, 30, 40), np.uint16)
    tifffile.imwrite("stack.tif", stack, photometric="minisblack")
    frames = [Image.fromarray(X // (n + 1)) for n in range(3)]
    frames[0].save("run.png", save_all=True, append_images=frames[1:], duration=70)
    region = "--region 3,4,20x10".split()
    assert convcli("filter", "stack.tif", "-k", "median:3", *region, "-o", "s.tif").code == 0
    for was, now in zip(stack, tifffile.imread("s.tif"), strict=True):
        np.testing.assert_array_equal(now, filter_image(was, "median:3", region="3,4,20x10"))
    done = convcli("filter", "run.png", *"-k box:3 --mask mask.png -o r.png".split())
    assert done.code == 0, done.err
    for number, frame in enumerate(read_picture("r.png").frames):
        want = filter_image(X // (number + 1), "box:3", mask=MASK)
        np.testing.assert_array_equal(frame.pixels[..., :3], want)


@pytest.mark.parametrize("mask", ["m.tif", "m.npy", "m.png"])
def test_part_by_part_the_mask_too(convcli: Cli, folder: Path, mask: str) -> None:
    tall = RNG.integers(0, 256, (1500, 900, 3), np.uint8)
    cover = np.zeros((1500, 900), np.uint16)
    cover[200:1100, 100:700] = RNG.integers(0, 65536, (900, 600))
    tifffile.imwrite("tall.tif", tall, photometric="rgb")
    if mask.endswith("npy"):
        np.save(mask, cover)
    elif mask.endswith("tif"):
        tifffile.imwrite(mask, cover)
    else:
        Image.fromarray(cover).save(mask)
    how = ["-k", "gaussian:2", "--mask", mask, "--region", "5%,5%,80%x90%", "--json"]
    whole = convcli("filter", "tall.tif", *how, "-o", "whole.tif", "--memory", "9G")
    parts = convcli("filter", "tall.tif", *how, "-o", "parts.tif", "--memory", "155M")
    assert (whole.code, parts.code) == (0, 0), parts.err
    one, two = json.loads(whole.out), json.loads(parts.out)
    assert one["parts"] == 1
    assert two["parts"] > 1
    assert one["clipped_fraction"] == two["clipped_fraction"]
    assert Path("whole.tif").read_bytes() == Path("parts.tif").read_bytes()
    want = filter_image(tall, "gaussian:2", mask=cover, region="5%,5%,80%x90%")
    np.testing.assert_array_equal(tifffile.imread("whole.tif"), want)


def test_a_cluster_finds_the_mask(convcli: Cli, folder: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `scale` is not installed")
    zarr = pytest.importorskip("zarr", reason="the extra `scale` is not installed")
    store = zarr.create_array("x.zarr", shape=(300, 200, 3), chunks=(64, 64, 3), dtype="u1")
    store[...] = x = RNG.integers(0, 256, (300, 200, 3), np.uint8)
    cover = RNG.integers(0, 256, (300, 200), np.uint8)
    np.save("m.npy", cover)
    how = "-k box:5 --cluster local:1".split()
    done = convcli("filter", "x.zarr", *how, "--mask", "m.npy", "-o", "y.zarr")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(
        zarr.open_array("y.zarr")[...], filter_image(x, "box:5", mask=cover)
    )


def test_what_the_mask_holds_decides_what_is_left_to_do(convcli: Cli, folder: Path) -> None:
    how = ["filter", "in.png", "b.png", *"-k box:5 -o out/ --resume -j 1".split()]
    assert convcli(*how, "--mask", "mask.png").code == 0
    Path("other.png").write_bytes(Path("mask.png").read_bytes())
    done = convcli(*how, "--mask", "other.png")  # the same samples
    assert "2 done before" in done.err
    Image.fromarray(255 - MASK).save("mask.png")
    done = convcli(*how, "--mask", "mask.png")
    assert done.err.count(" -> ") == 2
    np.testing.assert_array_equal(pixels("out/b.png"), filter_image(X, "box:5", mask=255 - MASK))
    done = convcli(*how, "--mask", "mask.png", "--region", "0,0,9x9")
    assert done.err.count(" -> ") == 2


# ---------------------------------------------------------------- what the file says

GEO = [
    (33550, 12, 3, (2.0, 2.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True),
    (34735, 3, 4, (1, 1, 0, 0), True),
]
GDAL = (
    '<GDALMetadata>\n  <Item name="STATISTICS_MEAN" sample="0">7</Item>\n'
    '  <Item name="OFFSET" sample="0" role="offset">3</Item>\n'
    '  <Item name="note">kept</Item>\n</GDALMetadata>'
)


@pytest.mark.parametrize("memory", ["9G", "1K"], ids=["whole", "parts"])
@pytest.mark.parametrize("kernel", ["box:4", "sum:3"])
def test_no_statement_becomes_false(convcli: Cli, folder: Path, memory: str, kernel: str) -> None:
    text = GDAL.encode() + b"\0"
    tags = [*GEO, (42112, 2, len(text), text, True), (315, 2, 4, b"Ann\0", True)]
    levels = RNG.integers(0, 99, (20, 30)).astype(np.int16)
    tifffile.imwrite("map.tif", levels, extratags=tags, metadata=None)
    how = ["-k", kernel, "--region", "3,3,9x9", "--memory", memory]
    done = convcli("filter", "map.tif", *how, "-o", "out.tif")
    assert done.code == 0, done.err
    with tifffile.TiffFile("map.tif") as was, tifffile.TiffFile("out.tif") as now:
        before, after = was.pages[0].tags, now.pages[0].tags
        for code in (33550, 33922, 34735, 315):  # an even kernel moves no pixel that stays
            assert after[code].value == before[code].value
        said = after[42112].value
    assert "STATISTICS" not in said
    assert "kept" in said
    # Of values that are sums and values that are none, no offset is true.
    assert ("OFFSET" in said) == (kernel == "box:4")


# ---------------------------------------------------------------- refusals


def refused(convcli: Cli, *command: str, code: int = 2) -> str:
    before = sorted(Path().rglob("*"))
    done = convcli("filter", *command)
    assert done.code == code, done.err
    assert done.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return str(done.err)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("30x20+4+5", "4,5,30x20"),  # ImageMagick
        ("4,5,30,20", "4,5,30x20"),  # vips
        ("4 5 30 20", "4,5,30x20"),  # GDAL
        ("(4, 5, 30, 20)", "4,5,30x20"),
        ("crop=30:20:4:5", "4,5,30x20"),  # FFmpeg
        ("30x20", "0,0,30x20"),
        ("50%x50%", "0,0,50%x50%"),
        ("10%,10%,50%,50%", "10%,10%,50%x50%"),
    ],
)
def test_a_region_as_elsewhere_is_answered_with_ours(
    convcli: Cli, folder: Path, typed: str, meant: str
) -> None:
    said = refused(convcli, "in.png", "-k", "box:3", "--region", typed)
    assert f"did you mean '{meant}'" in said
    assert "allowed: X,Y,WxH" in said
    assert convcli("filter", "in.png", *"-k box:3 --dry-run --region".split(), meant).code == 0


def test_two_corners_are_seen(convcli: Cli, folder: Path) -> None:
    said = refused(convcli, "in.png", "-k", "box:3", "--region", "4,5,30,20")
    assert "did you mean '4,5,30x20' or '4,5,26x15'?" in said


@pytest.mark.parametrize(
    "typed", ["", "x", "1,2,3x", "1,2,-3x4", "1,2,3x4x5", "1.5,2,3x4", "9" * 50]
)
def test_no_region_is_guessed_from_less(convcli: Cli, folder: Path, typed: str) -> None:
    said = refused(convcli, "in.png", "-k", "box:3", f"--region={typed}")
    assert "did you mean" not in said
    assert "is not understood" in said


@pytest.mark.parametrize("output", ["a.jpg", "a.webp", "a.gif", "a.avif"])
def test_formats_that_change_samples_are_refused(convcli: Cli, folder: Path, output: str) -> None:
    said = refused(convcli, "in.png", *"-k box:3 --region 1,1,9x9 -o".split(), output)
    assert "changes them; write .png or .tif or .bmp or .ppm" in said
    Image.fromarray(X).save("own" + output[1:])
    said = refused(convcli, "own" + output[1:], *"-k box:3 --mask mask.png".split())
    assert "changes them" in said


def test_a_webp_without_loss_stays_so(convcli: Cli, folder: Path) -> None:
    Image.fromarray(X).save("in.webp", lossless=True)
    how = "-k box:3 --region 1,1,9x9".split()
    assert convcli("filter", "in.webp", *how, "-o", "o.webp").code == 0
    np.testing.assert_array_equal(pixels("o.webp"), filter_image(X, "box:3", region="1,1,9x9"))
    assert "changes them" in refused(convcli, "in.webp", *how, "-o", "p.webp", "--quality", "90")


def test_what_is_no_mask_comes_with_the_line_that_makes_one(convcli: Cli, folder: Path) -> None:
    Image.fromarray(X).save("rgb.png")
    tifffile.imwrite("deep.tif", np.zeros((60, 80), np.int32))
    np.save("bands.npy", np.zeros((60, 80, 5), np.uint8))
    for name in ("rgb.png", "deep.tif", "bands.npy"):
        said = refused(convcli, "in.png", *"-k box:3 -o o.png --mask".split(), name)
        found = re.search(r"; convcli (filter .* -o mask\.png) ", said)
        assert found is not None, said
        done = convcli(*shlex.split(found[1]), "--overwrite")
        assert done.code == 0, done.err
        done = convcli(
            "filter", "in.png", *"-k box:3 -o ok.png --overwrite --mask mask.png".split()
        )
        assert done.code == 0, done.err
    Image.fromarray(np.dstack([MASK, MASK])).save("la.png")
    assert "magick la.png -alpha off" in refused(
        convcli, "in.png", *"-k box:3 -o o.png --mask la.png".split()
    )


@pytest.mark.parametrize("link", [False, True])
def test_a_mask_is_no_output(convcli: Cli, folder: Path, link: bool) -> None:
    """Of several files, those after it would see another mask."""
    before = Path("mask.png").read_bytes()
    target = "link.png" if link else "mask.png"
    if link:
        Path(target).symlink_to("mask.png")
    chain = "-k box:3 --mask mask.png --overwrite -o".split()
    assert f"{target} is the mask" in refused(convcli, "in.png", *chain, target)
    if not link:
        Path("out").mkdir()
        Path("out/b.png").write_bytes(before)
        chain[chain.index("mask.png")] = "out/b.png"
        assert "b.png is the mask" in refused(convcli, "in.png", "b.png", *chain, "out/")
        assert Path("out/b.png").read_bytes() == before
        in_place = "-k box:3 --mask mask.png --in-place".split()
        assert "mask.png is the mask" in refused(convcli, "in.png", "mask.png", *in_place)
    assert Path("mask.png").read_bytes() == before


def test_floats_are_refused_by_the_option_that_asked_for_them(convcli: Cli, folder: Path) -> None:
    how = "-k box:3 --region 0,0,9x9 -o out.tif".split()
    assert "--range float would" in refused(convcli, "in.png", *how, "--range", "float")
    assert "drop --depth" in refused(convcli, "in.png", *how, "--depth", "float")


@pytest.mark.parametrize("name", ["none.png", "-", "folder", "bad.png", "run.gif"])
def test_masks_that_cannot_be_read(convcli: Cli, folder: Path, name: str) -> None:
    Path("folder").mkdir()
    Path("bad.png").write_bytes(b"nothing")
    frames = [Image.fromarray(MASK // (n + 1)) for n in range(2)]
    frames[0].save("run.gif", save_all=True, append_images=frames[1:])
    before = sorted(Path().rglob("*"))
    for inputs in (["in.png"], ["in.png", "b.png"]):
        done = convcli("filter", *inputs, *"-k box:3 -o out/ --mask".split(), name)
        assert done.code in (1, 2), done.err
        assert done.err.count("\n") <= len(inputs) + (len(inputs) > 1)
        assert name if name != "-" else "standard input" in done.err
        assert "internal error" not in done.err
    assert [path for path in sorted(Path().rglob("*")) if path.suffix == ".png"] == [
        path for path in before if path.suffix == ".png"
    ]


def test_nothing_of_it_is_imported_where_it_is_not_asked_for(convcli: Cli, folder: Path) -> None:
    for name in [name for name in sys.modules if name.endswith(("part_shown", "imaging.mask"))]:
        del sys.modules[name]
    assert convcli("filter", "in.png", *"-k box:3 -o o.png".split()).code == 0
    assert not [name for name in sys.modules if name.endswith(("part_shown", "imaging.mask"))]
