"""Every kind of command gives the same files and texts on a played Windows and macOS as here."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

Run = Callable[..., Any]

pytestmark = pytest.mark.slow

COMMANDS = {
    "png": "filter in.png -k gaussian:2 -o out.png",
    "png-16-bits": "filter deep.png -k sobel -o out.png",
    "overwritten": "filter in.png -k sharpen -o old.png --overwrite",
    "in-place": "filter in.png -k box:5 --in-place",
    "not-overwritten": "filter in.png -k box:5 -o old.png",
    "jpeg": "filter in.jpg -k emboss -o out.jpg",
    "large-jpeg": "filter large.jpg -k box:3 -o out.jpg --threads 2",
    "gif": "filter in.gif -k invert -o out.gif",
    "tiff": "filter in.tif -k gaussian:1 -o out.tif",
    "npy": "filter in.npy -k laplacian -o out.npy",
    "to-standard-output": "filter in.png -k invert -o -",
    "from-standard-input": "filter - -k invert -o out.png",
    "through": "filter - -k gaussian:1.5 -k sobel-x",
    "large-tiff": "filter wide.tif -k gaussian:2 -o out.tif --memory 141M",
    "large-tiff-in-place": "filter wide.tif -k gaussian:2 --in-place --memory 141M",
    "large-packed-tiff": "filter packed.tif -k box:3 -o out.tif --memory 141M",
    "large-npy": "filter in.npy -k box:3 --in-place --memory 141M",
    "zarr": "filter in.tif -k box:3 -o out.zarr",
    "zarr-overwritten": "filter in.tif -k box:3 -o old.zarr --overwrite",
    "kernel-show": "kernel show gaussian:2",
    "kernel-list": "kernel list",
    "kernel-export": "kernel export sobel-x -o sobel.npy",
    "kernel-figure": "kernel show laplacian -o figure.svg",
    "kernel-file": "filter in.png -k ./kernel.json -o out.png",
    "draw-svg": "draw no_padding_no_strides -o out.svg",
    "draw-gif": "draw padding_strides -o out.gif",
    "draw-png": "draw no_padding_strides -o out.png",
    "draw-here": "draw no_padding_no_strides",
    "conv": ["conv", "1 2 3 4", "1 0 -1", "--steps"],
    "matrix": ["matrix", "kernel", "x y z", "--n", "4"],
    "compare": "compare in.png old.png -o differences.png",
    "shape": "shape --n 224 --k 7 --s 2 --p 3 --compare",
    "network": "shape --network resnet50 --json",
    "missing-file": "filter missing.png -k sobel-x -o out.png",
    "missing-folder": "filter in.png -k sobel-x -o missing/out.png",
    "pictures": "filter a.png b.png c.png -k box:3 -o out/ -j 2",
    "one-of-them-damaged": "filter a.png damaged.png c.png -k box:3 -o out/ -j 2",
    "in-their-place": "filter a.png b.png c.png -k box:3 --in-place -j 2",
}


ON_MACOS = [
    "overwritten",
    "not-overwritten",
    "large-jpeg",
    "large-tiff-in-place",
    "zarr-overwritten",
    "through",
    "kernel-figure",
    "in-their-place",
]
"""What could differ there."""

CODES = {"not-overwritten": 2, "missing-file": 2, "missing-folder": 2, "one-of-them-damaged": 1}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    """A folder with a picture of each kind."""
    home = tmp_path_factory.mktemp("pictures")
    portrait = np.asarray(Image.open(samples / "portrait.png").convert("RGB"))[:200, :160]
    for name in ("in.png", "old.png", "a.png", "b.png", "c.png"):
        Image.fromarray(np.roll(portrait, len(name) + ord(name[0]), 1)).save(home / name)
    (home / "damaged.png").write_bytes((home / "a.png").read_bytes()[:900])
    Image.fromarray(portrait[..., 0].astype(np.uint16) * 257).save(home / "deep.png")
    Image.fromarray(portrait).save(home / "in.jpg", quality=90)
    Image.fromarray(np.tile(portrait, (6, 7, 1))).save(home / "large.jpg", quality=90)
    frames = [Image.fromarray(np.roll(portrait, 9 * i, 0)).quantize(64) for i in range(3)]
    frames[0].save(home / "in.gif", save_all=True, append_images=frames[1:], duration=80)
    # With every byte that a text would change: line ends, ctrl-Z, zeros.
    noise = np.random.default_rng(7).integers(0, 256, (800, 700, 3), dtype=np.uint8)
    np.save(home / "in.npy", noise)
    tifffile.imwrite(home / "in.tif", noise[:300, :200], photometric="rgb")
    tifffile.imwrite(home / "wide.tif", noise, photometric="rgb", rowsperstrip=64)
    packed = {"compression": "zlib", "tile": (64, 64)}
    tifffile.imwrite(home / "packed.tif", noise, photometric="rgb", **packed)
    (home / "old.zarr").mkdir()
    (home / "old.zarr" / "old").write_bytes(b"old")
    (home / "kernel.json").write_text("[[0, 1, 0], [1, -4, 1], [0, 1, 0]]", encoding="utf-8")
    return home


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a folder; a journal, which tells of paths and times, by what was done."""
    found = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {
        name: outcome(path) if path.name.endswith("journal") else path.read_bytes()
        for name, path in found.items()
    }


def outcome(journal: Path) -> bytes:
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    return repr(sorted((Path(e["output"]).name, e["state"]) for e in lines)).encode()


def settled(text: bytes | str) -> bytes:
    """A text without seconds, rates and shares; of several files in order, as they end in any."""
    raw = text.encode() if isinstance(text, str) else text
    raw = re.sub(rb"\d+(\.\d+)? (s\b|per second)|\d+% of", b"N", raw)
    return b"\n".join(sorted(raw.splitlines())) if b" per second" in raw or b"->" in raw else raw


def runs_alike(python: Run, pictures: Path, tmp_path: Path, name: str, system: str) -> None:
    command = COMMANDS[name]
    words = command if isinstance(command, list) else command.split()
    stdin = (pictures / "in.png").read_bytes() if "-" in words else b""
    done, found = [], []
    for played in ("", system):
        place = tmp_path / "here"  # at the same place, for messages name it
        shutil.copytree(pictures, place)
        done.append(python("-m", "convcli", *words, system=played, cwd=place, stdin=stdin))
        found.append(everything(place))
        place.rename(tmp_path / f"done{len(done)}")
    usual, elsewhere = done
    assert settled(elsewhere.err) == settled(usual.err)
    assert settled(elsewhere.out) == settled(usual.out)
    assert elsewhere.code == usual.code == CODES.get(name, 0)
    assert found[1].keys() == found[0].keys()
    assert [n for n in found[0] if found[0][n] != found[1][n]] == []
    if usual.code == 0:
        assert usual.out or found[0] != everything(pictures), "the command did nothing"


@pytest.mark.parametrize("name", COMMANDS)
def test_windows_gives_the_same(python: Run, pictures: Path, tmp_path: Path, name: str) -> None:
    if "zarr" in name:
        pytest.importorskip("zarr")
    runs_alike(python, pictures, tmp_path, name, "windows")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("large-t")])
def test_a_large_picture_goes_part_by_part(python: Run, pictures: Path, name: str) -> None:
    words = [*str(COMMANDS[name]).split(), "--dry-run", "--json"]
    done = python("-m", "convcli", *words, cwd=pictures)
    assert json.loads(done.out)["parts"] > 1


@pytest.mark.parametrize("name", ON_MACOS)
def test_macos_gives_the_same(python: Run, pictures: Path, tmp_path: Path, name: str) -> None:
    if "zarr" in name:
        pytest.importorskip("zarr")
    runs_alike(python, pictures, tmp_path, name, "macos")
