"""The rows of benchmarks/process.py: picture, command, peers, and what is asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from process_peers import Tool, gauss_tools, huge_tools, median_tools, small_tools, sobel_tools


class Asked(NamedTuple):
    """A ratio that is asked for: the fastest peer's time over ours, of these peers or of all."""

    bar: float
    goal: float
    peers: tuple[str, ...] = ()
    label: str = ""


@dataclass
class Row:
    name: str
    file: str
    size: tuple[int, int]
    kernel: str
    tools: list[Tool]
    asked: list[Asked]
    dtype: str = "uint8"
    memory: tuple[float, float] | None = None
    """Bar and goal of the peak, in MB."""
    options: tuple[str, ...] = ()
    floor: tuple[float, float] | None = None
    """Bar and goal of our time over that of the floor."""
    huge: bool = False
    """Takes minutes: only asked for by ``--huge``; its peers run once."""
    tools_found: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return Path(self.file).suffix


LARGE, HUGE = (6000, 4000), (40000, 25000)


def all_rows() -> list[Row]:
    numpy = ("OpenCV script", "NumPy script")
    return [
        Row("24-MP RGB PNG, sobel-x", "large.png", LARGE, "sobel-x", sobel_tools(),
            [Asked(3, 5)], memory=(90, 60), floor=(1.5, 1.15)),
        Row("24-MP RGB PNG, median:7", "large.png", LARGE, "median:7", median_tools(),
            [Asked(2, 4)]),
        Row("24-MP 16-bit RGB PNG, gaussian:2", "deep.png", LARGE, "gaussian:2",
            gauss_tools(deep=True), [Asked(3, 4)], dtype="uint16"),
        Row("1,000-MP RGB PNG, gaussian:3, --memory 200M", "huge.png", HUGE, "gaussian:3",
            huge_tools(), [Asked(1.3, 3)], memory=(200, 200), huge=True,
            options=("--memory", "200M", "--max-pixels", "2000000000")),
        Row("24-MP RGB JPEG, sobel-x", "large.jpg", LARGE, "sobel-x", sobel_tools(),
            [Asked(0.9, 1.2)], memory=(130, 90)),
        Row("24-MP 16-bit RGB TIFF, gaussian:2", "deep.tif", LARGE, "gaussian:2",
            gauss_tools(deep=True), [Asked(1, 2)], dtype="uint16"),
        Row("1080p PNG, gaussian:2", "hd.png", (1920, 1080), "gaussian:2", gauss_tools(),
            [Asked(1.2, 1.5)]),
        Row("512x512 PNG, sobel-x", "small.png", (512, 512), "sobel-x", small_tools(),
            [Asked(1.1, 1.3, numpy, "Python with NumPy"),
             Asked(0.5, 0.7, ("pyvips script",), "pyvips")]),
    ]  # fmt: skip


def program() -> str:
    """convcli as it was installed beside this Python."""
    return str(Path(sys.executable).with_name("convcli"))


def ours(row: Row, out: str, range: str = "auto", threads: int | None = None) -> list[str]:
    """Our command line."""
    more = ["--threads", str(threads)] if threads else []
    return [program(), "filter", row.file, "-k", row.kernel, "-o", out, "--overwrite", "-q",
            "--range", range, *row.options, *more]  # fmt: skip


def theirs(tool: Tool, row: Row, out: str, threads: int | None = None) -> list[str]:
    """A peer's command line."""
    command = tool.with_threads(threads) if threads else tool.command
    for mark, name in (("{in}", row.file), ("{out}", out), ("{mat}", "sobel.mat")):
        command = [word.replace(mark, name) if mark in word else word for word in command]
    return command


def floors(row: Row) -> dict[str, list[str]]:
    """What no filter of that picture can do without, of PNG."""
    if row.suffix != ".png":
        return {}
    copy = [sys.executable, str(Path(__file__).with_name("floor.py")), row.file, "floor.png"]
    return {"floor": copy, "floor, no sync": [*copy, "--no-sync"]}


def available(tool: Tool) -> bool:
    """Whether it is installed."""
    if tool.command[0] != sys.executable:
        return shutil.which(tool.command[0]) is not None
    modules = {"OpenCV": "cv2", "pyvips": "pyvips", "Pillow": "PIL", "NumPy": "numpy"}
    command = [sys.executable, "-c", f"import {modules[tool.name.split()[0]]}"]
    return subprocess.run(command, capture_output=True).returncode == 0
