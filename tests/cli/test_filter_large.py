"""``convcli filter`` on pictures that are read and written part by part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.opening import Limits, open_source

Cli = Callable[..., Any]
CONVCLI = [sys.executable, "-m", "convcli", "filter"]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A picture as TIFF, npy and raw; the memory for one piece is far above 162 MB."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(3).integers(0, 256, (2400, 1300, 3), dtype=np.uint8)
    tifffile.imwrite("x.tif", pixels, photometric="rgb")
    tifffile.imwrite("packed.tif", pixels, photometric="rgb", compression="lzw")
    np.save("x.npy", pixels)
    pixels.astype(">u2").tofile("x.raw")
    return pixels


SMALL = ["--memory", "162M"]


@pytest.mark.parametrize(
    ("memory", "options"),
    [
        ("150M", ["-k", "gaussian:3"]),
        ("150M", ["-k", "sobel", "--border", "wrap", "--stride", "2"]),
        ("190M", ["-k", "sharpen", "-k", "gaussian:8", "--range", "stretch", "--depth", "16"]),
        pytest.param("190M", ["-k", "emboss", "--luma", "--linear"], marks=pytest.mark.slow),
    ],
    ids=["blur", "strided", "chain", "luma"],
)
def test_a_tiff_in_parts_is_the_same_file(
    convcli: Cli, scene: np.ndarray, memory: str, options: list[str]
) -> None:
    whole = convcli("filter", "x.tif", *options, "-o", "whole.tif", "--memory", "9G", "--json")
    parts = convcli("filter", "x.tif", *options, "-o", "parts.tif", "--memory", memory, "--json")
    assert (whole.code, parts.code) == (0, 0), parts.err
    assert json.loads(whole.out)["parts"] == 1
    assert json.loads(parts.out)["parts"] > 1
    assert Path("whole.tif").read_bytes() == Path("parts.tif").read_bytes()
    for name, limit in (("p.tif", memory), ("q.tif", "9G")):
        packed = convcli("filter", "packed.tif", *options, "-o", name, "--memory", limit)
        assert packed.code == 0, packed.err
    assert Path("p.tif").read_bytes() == Path("q.tif").read_bytes()
    with tifffile.TiffFile("p.tif") as file:
        assert file.pages.first.compression.name == "LZW"
        np.testing.assert_array_equal(file.asarray(), tifffile.imread("whole.tif"))


def test_every_form_gives_the_same_samples(convcli: Cli, scene: np.ndarray) -> None:
    zarr = pytest.importorskip("zarr")
    raw = ["--shape", "2400,1300,3", "--dtype", ">u2"]
    assert convcli("filter", "x.tif", "-k", "gaussian:2", "-o", "t.tif").code == 0
    expected = tifffile.imread("t.tif")
    for source, target in (("x.npy", "a.npy"), ("x.npy", "a.tif"), ("x.npy", "a.zarr"),
                           ("x.tif", "b.npy"), ("a.zarr", "c.png")):  # fmt: skip
        kernel = "identity" if source == "a.zarr" else "gaussian:2"
        limit = SMALL if target != "c.png" else []  # which is encoded whole
        done = convcli("filter", source, "-k", kernel, "-o", target, *limit)
        assert done.code == 0, done.err
    np.testing.assert_array_equal(np.load("a.npy"), expected)
    np.testing.assert_array_equal(np.load("b.npy"), expected)
    np.testing.assert_array_equal(tifffile.imread("a.tif"), expected)
    np.testing.assert_array_equal(zarr.open_array("a.zarr", mode="r")[...], expected)
    with Image.open("c.png") as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    done = convcli("filter", "x.raw", "-k", "box:3", "-o", "r.raw", *raw, *SMALL)
    assert done.code == 0, done.err
    assert Path("r.raw").stat().st_size == 2400 * 1300 * 3 * 2


def test_an_array_is_filtered_where_little_memory_is_free(
    convcli: Cli, scene: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [convcli("filter", "x.npy", "-k", "gaussian:2", "-o", "plenty.npy", "--memory", "9G")]
    monkeypatch.setattr("convcli.imaging.opening.free_memory", lambda: 2**26)
    done.append(convcli("filter", "x.npy", "-k", "gaussian:2", "-o", "little.npy"))
    assert [d.code for d in done] == [0, 0], done[1].err
    np.testing.assert_array_equal(np.load("little.npy"), np.load("plenty.npy"))


def test_gray_arrays_stay_two_dimensional(convcli: Cli, scene: np.ndarray) -> None:
    np.save("g.npy", scene[..., 0].astype(np.float32))
    assert convcli("filter", "g.npy", "-k", "laplacian", "-o", "o.npy").code == 0
    assert np.load("o.npy").shape == (2400, 1300)
    assert np.load("o.npy").dtype == np.float32


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["x.raw"], 2, "needs --shape"),
        (["x.raw", "--shape", "2400,1300,3"], 2, "give both"),
        (["x.raw", "--shape", "2400,1300", "--dtype", "uint8"], 1, "is 3,120,000 bytes, and the file"),
        (["x.raw", "--shape", "0,700", "--dtype", "uint8"], 2, "1 or more"),
        (["x.raw", "--shape", "9,7", "--dtype", "int7"], 2, "'int7' is not known"),
        (["x.npy", "--memory", "lots"], 2, "'lots' is no size"),
        (["x.npy", "--memory", "300"], 2, "'300' would be 300 bytes, less than the program itself "
         "takes; did you mean 300M?"),
        (["packed.tif", "--memory", "1M", "-k", "gaussian:80"], 2, "raise --memory"),
        (["x.npy", "--backend", "numpy", "--padding", "valid", "-k", "box:1501"], 2, "empty"),
        (["x.npy", "-o", "o.jpg", "--depth", "16"], 2, "JPEG cannot hold"),
        (["x.npy", "-o", "there.npy"], 2, "exists; use --overwrite"),
        (["x.npy", "-o", "x.npy", "--overwrite"], 2, "is an input"),
    ],
    ids=[
        "no_shape", "no_type", "wrong_size", "zero", "type", "memory", "no_unit", "too_little", "too_big",
        "jpeg", "there", "itself",
    ],
)  # fmt: skip
def test_mistakes_are_said_before_anything_is_written(
    convcli: Cli, scene: np.ndarray, args: list[str], code: int, words: str
) -> None:
    np.save("there.npy", scene)
    before = {p.name: p.read_bytes() for p in Path().iterdir()}
    done = convcli("filter", "-k", "box:3", *args)
    assert done.code == code, done.err
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert {p.name: p.read_bytes() for p in Path().iterdir()} == before


def test_dry_run_and_explain_of_a_large_picture(convcli: Cli, scene: np.ndarray) -> None:
    done = convcli("filter", "x.npy", "-k", "box:3", "--explain", "--dry-run", *SMALL)
    assert done.code == 0
    assert "part by part" in done.err
    assert not list(Path().glob("x-*"))


def test_a_batch_of_arrays_is_resumed(convcli: Cli, scene: np.ndarray) -> None:
    for name in ("a", "b"):
        np.save(f"in-{name}.npy", scene)
    for _ in range(2):
        done = convcli("filter", "in-*.npy", "-k", "box:3", "-o", "out", "--resume")
        assert done.code == 0, done.err
    assert "2 done before" in done.err


ENDED_WHILE_WRITING = """
import glob, os, sys, threading, time
from convcli.__main__ import main
def watch(number):
    while not any(os.path.getsize(name) for name in glob.glob(".convcli-*.tmp")):
        time.sleep(0.001)
    os.kill(os.getpid(), number)
threading.Thread(target=watch, args=[int(sys.argv.pop(1))], daemon=True).start()
main()
"""
"""Sends itself a signal once it writes: on a busy machine another process may come too late."""


@pytest.mark.slow
def test_killed_while_writing_leaves_nothing(scene: np.ndarray) -> None:
    with Path("big.raw").open("wb") as file:
        file.truncate(12000 * 12000)
    words = [*"filter big.raw -k gaussian:4 -o o.raw --dtype uint8".split(), *SMALL]
    words += ["--shape", "12000,12000"]

    def ended_by(number: int) -> int:
        command = [sys.executable, "-c", ENDED_WHILE_WRITING, str(number), *words]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode

    assert ended_by(signal.SIGTERM) == -signal.SIGTERM
    assert not list(Path().glob(".convcli-*"))
    assert not Path("o.raw").exists()
    assert ended_by(signal.SIGKILL) == -signal.SIGKILL
    assert len(list(Path().glob(".convcli-*.tmp"))) == 1
    command = [sys.executable, "-m", "convcli", *words]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    assert not list(Path().glob(".convcli-*"))
    assert Path("o.raw").stat().st_size == 12000 * 12000


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.ci
@pytest.mark.parametrize("kernel", ["1 2 3 2 1; 0 1 5 1 0; 2 -1 7 -1 2; 1 0 3 0 1; 1 2 1 2 2",
                                    "gaussian:10"], ids=["5x5", "gaussian"])  # fmt: skip
def test_memory_stays_below_what_was_given(scene: np.ndarray, kernel: str) -> None:
    # 1.2 GB, a hole for the most part: the file system does not store it.
    with tifffile.TiffWriter("big.tif", bigtiff=True) as writer:
        writer.write(shape=(30000, 40000), dtype="uint8", photometric="minisblack", metadata=None)
    command = [*CONVCLI, "big.tif", "-k", kernel, "--normalize", "-o", "o.tif", "--memory", "512M"]
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], capture_output=True, text=True)
    code, peak = (int(word) for word in done.stdout.split())
    assert code == 0, done.stderr
    assert peak < 512 * 2**20
    assert Path("o.tif").stat().st_size > 30000 * 40000


def test_a_log_hears_of_the_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from convcli.show import progress

    now = iter([0.0, 1.0, 6.0, 20.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    with progress.part_progress(True) as tell:
        for done in (10, 20, 80):
            tell(done, 80)
    assert capsys.readouterr().err == "convcli: part 20 of 80, 0:18 left\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["small.npy", "-o", "-"], "NPY is not written to standard output; name a format with -f"),
        (["small.npy", "-o", os.devnull], "has no suffix, which names no format"),
        (["small.png", "-o", "memory://x.npy"], "the suffix '.npy' of 'memory://x.npy' names no"),
    ],
    ids=["pipe", "device", "url"],
)
def test_an_array_has_to_be_a_file_with_a_name(
    convcli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.arange(60, dtype=np.uint8).reshape(6, 10)
    np.save("small.npy", pixels)
    Image.fromarray(pixels).save("small.png")
    done = convcli("filter", *words, "-k", "box:3")
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_an_array_that_is_refused_is_closed(tmp_path: Path) -> None:
    """A batch of thousands of them would run out of descriptors."""
    np.save(tmp_path / "in.npy", np.zeros((40, 50), np.uint8))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (the names alone)
    for _ in range(3):
        with pytest.raises(InputError, match="at most 100 are allowed"):
            open_source(str(tmp_path / "in.npy"), Limits(max_pixels=100))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  (the names alone)


STORED = {
    "in.tif": lambda pixels: tifffile.imwrite("in.tif", pixels),
    "pages.tif": lambda pixels: tifffile.imwrite(
        "pages.tif", np.stack([pixels] * 3), photometric="minisblack"
    ),
    "in.bmp": lambda pixels: Image.fromarray(pixels).save("in.bmp"),
    "in.pgm": lambda pixels: Image.fromarray(pixels).save("in.pgm"),
    "in.pfm": lambda pixels: Path("in.pfm").write_bytes(b"Pf\n50 40\n-1\n" + bytes(4 * 2000)),
    "in.npy": lambda pixels: np.save("in.npy", pixels),
    "stack.npy": lambda pixels: np.save("stack.npy", np.stack([pixels] * 20)),
    "in.raw": lambda pixels: pixels.tofile("in.raw"),
}
HOW = {"in.raw": "--shape 40,50 --dtype u1", "stack.npy": "--axes tyx"}


@pytest.mark.parametrize("name", STORED)
def test_a_limit_that_is_named_holds_for_what_is_read_part_by_part(
    tmp_path: Path, convcli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without one it may be as large as its file: memory does not grow with it."""
    monkeypatch.chdir(tmp_path)
    STORED[name](np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8))
    least = 20 * 2000 // 16 if name == "stack.npy" else 2000
    words = (
        "filter",
        name,
        "-k",
        "box:3",
        "-o",
        f"out{Path(name).suffix}",
        *HOW.get(name, "").split(),
    )
    done = convcli(*words, "--max-pixels", str(least - 1))
    assert done.code == 1
    assert "are allowed; raise the limit with --max-pixels" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    assert convcli(*words, "--max-pixels", str(least)).code == 0


@pytest.mark.parametrize("name", ["in.npy", "in.tif"])
def test_a_device_takes_what_is_encoded_whole(tmp_path: Path, convcli: Cli, name: str) -> None:
    pixels = np.arange(2000, dtype=np.uint8).reshape(40, 50)
    if name == "in.npy":
        np.save(tmp_path / name, pixels)
    else:
        tifffile.imwrite(tmp_path / name, pixels)
    words = ("-k", "box:3", "-f", "tiff", "-o", "/dev/null", "--memory", "300M")
    assert convcli("filter", str(tmp_path / name), *words).code == 0


def test_a_picture_has_no_byte_for_what_is_missing(tmp_path: Path, convcli: Cli) -> None:
    pixels = np.zeros((20, 30, 3), np.float32)
    pixels[3, 4, 1] = np.nan
    np.save(tmp_path / "in.npy", pixels)
    words = (str(tmp_path / "in.npy"), "-k", "box", "--depth", "8")
    done = convcli("filter", *words, "-o", str(tmp_path / "out.png"))
    assert done.code == 2
    assert "1 samples of the result are missing" in done.err and "--nodata" in done.err


def test_an_array_keeps_the_format_of_its_name(tmp_path: Path, convcli: Cli) -> None:
    np.save(tmp_path / "in.npy", np.zeros((20, 30, 3), np.uint8))
    done = convcli("filter", str(tmp_path / "in.npy"), "-k", "box", "-f", "png", "--in-place")
    assert done.code == 0
    assert np.load(tmp_path / "in.npy").shape == (20, 30, 3)
