"""Whole processes side by side: what a user waits for, from the shell to the finished file.

    python benchmarks/process.py [--rounds 7] [--growth] [--write docs/performance.md] [ROW ...]

Run it with the Python of an environment into which convcli was installed as users do (``pip
install .``): an editable install looks for every module in a way that costs 9 ms at each start.
Every tool runs once per round, in turn, so that all see the same moods of the machine. A tool's
output is compared with convcli's before it is timed.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import imagecodecs
import numpy as np
import pictures
from process_peers import Tool, gauss_tools, median_tools, sobel_tools
from report import machine, write_section


@dataclass
class Row:
    name: str
    file: str
    size: tuple[int, int]
    kernel: str
    tools: list[Tool]
    bar: float
    goal: float
    dtype: str = "uint8"
    judged: tuple[str, ...] = ()
    """The peers that count for the bar; all by default."""
    results: dict[str, dict[str, Any]] = field(default_factory=dict)


def all_rows() -> list[Row]:
    large = (6000, 4000)
    return [
        Row("24-MP RGB PNG, sobel-x", "large.png", large, "sobel-x", sobel_tools(), 2, 4),
        Row("24-MP RGB JPEG, sobel-x", "large.jpg", large, "sobel-x", sobel_tools(), 0.6, 1),
        Row("1080p PNG, gaussian:2", "hd.png", (1920, 1080), "gaussian:2", gauss_tools(), 1, 1.5),
        Row("512x512 PNG, sobel-x, against Python", "small.png", (512, 512), "sobel-x",
            [t for t in sobel_tools() if t.python], 0.7, 1, judged=("OpenCV script", "Pillow script")),
        Row("24-MP 16-bit RGB PNG, gaussian:2", "deep.png", large, "gaussian:2",
            gauss_tools(deep=True), 1, 3, dtype="uint16"),
        Row("24-MP RGB PNG, median:7", "large.png", large, "median:7", median_tools(), 2, 4),
    ]  # fmt: skip


def available(tool: Tool) -> bool:
    if tool.command[0] != sys.executable:
        return shutil.which(tool.command[0]) is not None
    module = {"OpenCV": "cv2", "pyvips": "pyvips", "Pillow": "PIL"}[tool.name.split()[0]]
    return (
        subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode
        == 0
    )


LAUNCHER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    command, folder = json.loads(line)
    start = time.perf_counter()
    with open(os.devnull, "wb") as null:
        p = subprocess.Popen(command, cwd=folder, stdin=null, stdout=null, stderr=subprocess.PIPE)
    message = p.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(p.pid, 0)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, usage.ru_maxrss, os.waitstatus_to_exitcode(status), message]), flush=True)
"""


@functools.cache
def launcher() -> subprocess.Popen[str]:
    """A small process that starts the tools: a child's peak memory counts its parent's at the fork."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", LAUNCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(command: list[str], cwd: Path) -> tuple[float, int]:
    """Wall seconds, and the peak memory in bytes."""
    process = launcher()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([command, str(cwd)]) + "\n")
    process.stdin.flush()
    seconds, kilobytes, code, message = json.loads(process.stdout.readline())
    if code:
        raise SystemExit(f"{command} failed: {message}")
    return seconds, kilobytes * 1024


def pixels(path: Path) -> np.ndarray:
    data = path.read_bytes()
    decode = imagecodecs.jpeg8_decode if path.suffix == ".jpg" else imagecodecs.png_decode
    return np.asarray(decode(data))


def convcli(row: Row, out: str, range: str = "auto") -> list[str]:
    return [str(Path(sys.executable).with_name("convcli")), "filter", row.file, "-k", row.kernel, "-o", out,
            "--overwrite", "-q", "--range", range]  # fmt: skip


def filled(tool: Tool, row: Row, out: str) -> list[str]:
    names = {"{in}": row.file, "{out}": out, "{mat}": "sobel.mat"}
    return [names.get(word, word) for word in tool.command]


def agrees(tool: Tool, row: Row, folder: Path) -> str:
    """Compare with convcli, away from the borders, which tools treat as they like."""
    suffix = Path(row.file).suffix
    run(convcli(row, f"ours{suffix}", tool.range), folder)
    run(filled(tool, row, f"theirs{suffix}"), folder)
    ours, theirs = pixels(folder / f"ours{suffix}"), pixels(folder / f"theirs{suffix}")
    if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
        return f"gives {theirs.dtype} {theirs.shape}"
    inner = (slice(16, -16), slice(16, -16))
    difference = np.abs(ours[inner].astype(np.int32) - theirs[inner])
    share = float((difference <= max(tool.tolerance, 8 if suffix == ".jpg" else 0)).mean())
    return f"{share:.2%} within {tool.tolerance:g}, mean difference {difference.mean():.2f}"


def measure(row: Row, folder: Path, rounds: int) -> None:
    tools = [tool for tool in row.tools if available(tool)]
    suffix = Path(row.file).suffix
    commands: dict[str, list[str]] = {"convcli": convcli(row, f"ours{suffix}")}
    for tool in tools:
        row.results[tool.name] = {"agreement": agrees(tool, row, folder)}
        commands[tool.name] = filled(tool, row, f"theirs{suffix}")
    row.results["convcli"] = {"agreement": ""}
    times: dict[str, list[tuple[float, int]]] = {name: [] for name in commands}
    slow: set[str] = set()
    for turn in range(rounds):
        for name, command in commands.items():
            if name in slow and turn > 1:
                continue  # a tool that takes over three seconds has shown what it has to show
            times[name].append(run(command, folder))
            if times[name][0][0] > 3:
                slow.add(name)
    for name, got in times.items():
        seconds = [t for t, _ in got]
        row.results[name] |= {
            "seconds": median(seconds),
            "least": min(seconds),
            "most": max(seconds),
            "memory": median(m for _, m in got),
        }


def ratio(row: Row) -> tuple[float, str]:
    """The fastest peer's time over ours, and its name."""
    others = [n for n in row.results if n != "convcli" and n in (row.judged or row.results)]
    peers = {n: row.results[n]["seconds"] for n in others}
    best = min(peers, key=peers.__getitem__)
    return peers[best] / row.results["convcli"]["seconds"], best


def growth(folder: Path, rounds: int) -> list[dict[str, float]]:
    """Seconds and memory per megapixel from 1 to 100 megapixels."""
    out = []
    for megapixels in (1, 4, 16, 64, 100):
        width = int((megapixels * 1e6 * 1.5) ** 0.5)
        height = int(megapixels * 1e6 / width)
        name = f"grow{megapixels}.png"
        pictures.write(folder / name, width, height)
        row = Row("", name, (width, height), "sobel-x", [], 0, 0)
        got = [run([*convcli(row, "ours.png"), "--max-pixels", "200000000"], folder)
               for _ in range(rounds)]  # fmt: skip
        out.append(
            {
                "megapixels": width * height / 1e6,
                "seconds": median(t for t, _ in got),
                "memory": median(m for _, m in got),
            }
        )
        (folder / name).unlink()
    return out


def table(rows: list[Row], grown: list[dict[str, float]]) -> str:
    lines = [
        "| row | convcli s | fastest peer | its s | ratio | bar | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        value, best = ratio(row)
        ours, theirs = row.results["convcli"], row.results[best]
        verdict = "" if value >= row.bar else " (under)"
        lines.append(
            f"| {row.name} | {ours['seconds']:.2f} ({ours['least']:.2f} to {ours['most']:.2f}) | "
            f"{best} | {theirs['seconds']:.2f} | **{value:.2f}**{verdict} | {row.bar:g} | {row.goal:g} |"
        )
    lines += ["", "Every tool of every row, seconds (median) and peak memory:", ""]
    lines += [
        "| row | tool | seconds | memory MB | output beside convcli's |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        for name, r in sorted(row.results.items(), key=lambda item: item[1]["seconds"]):
            lines.append(
                f"| {row.name} | {name} | {r['seconds']:.2f} | {r['memory'] / 1e6:.0f} | {r['agreement']} |"
            )
    if grown:
        lines += [
            "",
            "Growth, sobel-x on RGB PNG:",
            "",
            "| megapixels | seconds | ms per megapixel | memory, times the picture |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {g['megapixels']:.0f} | {g['seconds']:.2f} | {g['seconds'] / g['megapixels'] * 1e3:.1f} | "
            f"{g['memory'] / (g['megapixels'] * 3e6):.2f} |"
            for g in grown
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="words of the rows to run; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="also 1 to 100 megapixels")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, help="the document to put the tables into")
    options = parser.parse_args()
    words = options.rows or [""]
    rows = [row for row in all_rows() if any(word in row.name for word in words)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sobel.mat").write_text("3 3 1 0\n-1 0 1\n-2 0 2\n-1 0 1\n")
        for row in rows:
            pictures.write(folder / row.file, *row.size, row.dtype)
            measure(row, folder, options.rounds)
            value, best = ratio(row)
            print(f"{row.name}: {value:.2f} against {best}", file=sys.stderr, flush=True)
        grown = growth(folder, max(3, options.rounds // 2)) if options.growth else []
    text = table(rows, grown)
    print(text)
    if options.write:
        write_section(options.write, "process", f"{machine()}\n\n{text}")
    if options.json:
        options.json.write_text(
            json.dumps({"rows": {r.name: r.results for r in rows}, "growth": grown}, indent=1)
        )


if __name__ == "__main__":
    main()
