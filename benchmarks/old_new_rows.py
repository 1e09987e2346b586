"""The rows that benchmarks/old_new.py compares, by topic: those of the other benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import batch
import engine_peers
import pictures
import process_rows
import rank_peers
import raster_peers
import tensors
import terrain
import windows

BATCH, GROWTH = 60, (1, 4, 16, 64, 100)
"""Files of a batch, and megapixels."""
FRESH = 6


class Folder(NamedTuple):
    """Where pictures are made when they are first asked for."""

    path: Path

    def once(self, name: str, make: Callable[[Path], object]) -> str:
        if not (self.path / name).exists():
            make(self.path / name)
        return name


class Topic(NamedTuple):
    """Names of rows and, of those that are whole processes, words of the command and the result."""

    rows: Callable[[], list[str]]
    command: Callable[[str, Folder], tuple[list[str], str]] | None = None


def filter_words(name: str, kernel: str, *more: str) -> list[str]:
    """What comes between the program and its output."""
    return ["filter", name, "-k", kernel, "-q", "--overwrite", "--max-pixels", "500000000", *more]


def process(row: str, folder: Folder) -> tuple[list[str], str]:
    found = next(r for r in process_rows.all_rows() if r.name == row)

    def make(path: Path) -> None:
        pictures.write(path, *found.size, found.dtype)

    return filter_words(folder.once(found.file, make), found.kernel), f"out{found.suffix}"


def growth(row: str, folder: Folder) -> tuple[list[str], str]:
    width = int((float(row.split()[0]) * 1e6 * 1.5) ** 0.5)
    height = int(float(row.split()[0]) * 1e6 / width)
    name = folder.once(f"grow{width}.png", lambda path: pictures.write(path, width, height))
    return filter_words(name, "sobel-x"), "out.png"


def raster_files(row: str, folder: Folder) -> tuple[list[str], str]:
    dtype, side, kernel, *more = row.split()
    name = folder.once(f"{dtype}.tif", lambda path: terrain.tiff(path, int(side), dtype))
    return filter_words(name, kernel, *more), "out.tif"


def batches(row: str, folder: Folder) -> tuple[list[str], str]:
    name = folder.once(row, lambda path: batch.photographs(path, BATCH, (1920, 1080), row))
    return ["filter", "-r", name, "-k", "sobel-x", "-q", "-j", "2"], f"out-{row}"


TOPICS = {
    "process": Topic(lambda: [r.name for r in process_rows.all_rows() if not r.huge], process),
    "growth": Topic(lambda: [f"{n} megapixels" for n in GROWTH], growth),
    "batch": Topic(lambda: list(batch.BARS), batches),
    "engine": Topic(lambda: [f"{r.name} {r.picture}" for r in engine_peers.rows()]),
    "engine-fresh": Topic(lambda: [f"{r.name} {r.picture}" for r in engine_peers.rows()][:FRESH]),
    "engine-numpy": Topic(lambda: [f"{r.name} {r.picture}" for r in engine_peers.rows()]),
    "ranks": Topic(lambda: [f"{r.name} {r.picture}" for r in rank_peers.rows()]),
    "windows": Topic(lambda: [r.name for r in windows.rows()]),
    "rasters": Topic(lambda: list(raster_peers.ROWS)),
    "raster-files": Topic(
        lambda: ["float32 10000 gaussian:2", "int16 20000 gaussian:3 --memory 400M"], raster_files
    ),
    "tensors": Topic(lambda: [row[0] for row in tensors.ROWS]),
}


def rows_of(topic: str) -> list[str]:
    """Names, in the order of their table."""
    return TOPICS[topic].rows()
