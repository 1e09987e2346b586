"""Many files side by side: files per second of convcli, vips and OpenCV on the same pictures.

    python benchmarks/batch.py [--count 500] [--rounds 3] [--json FILE]
                               [--write docs/performance.md]
    python benchmarks/batch.py --small 10000      # memory and descriptors over a long run

Every tool filters the same HD pictures with the same 3x3 kernel, two processes at a time. vips has
one process per file, as its command line wants it; OpenCV is a Python script that is given 50
files at a time, so that its import is paid once for all of them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from process_run import run
from report import add_outputs, facts, kept, leave, machine_line, table

CV2 = """
import cv2, numpy as np, os, sys
cv2.setNumThreads(1)
k = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
for path in sys.argv[2:]:
    image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    out = cv2.convertScaleAbs(cv2.filter2D(image, cv2.CV_16S, k, borderType=cv2.BORDER_REFLECT_101))
    cv2.imwrite(os.path.join(sys.argv[1], os.path.basename(path)), out)
"""
BARS = {"png": (2, 3), "jpg": (1, 1.2)}
"""Bar and goal of our rate beside the fastest peer's."""
MASK = "3 3 1 0\n-1 0 1\n-2 0 2\n-1 0 1\n"


def photographs(folder: Path, count: int, size: tuple[int, int], suffix: str, bad: int = 0) -> None:
    """Pictures with the noise and the slow shades of photographs, every one different."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    shade = np.stack([x * 200 / width, y * 200 / height, (x + y) * 90 / width], -1)
    noise = rng.normal(0, 4, (height, width, 3))
    for index in range(count):
        path = folder / f"{index:05}.{suffix}"
        if bad and index % bad == bad // 2:
            path.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
            continue
        pixels = shade + np.roll(noise, index * 31, axis=1) + index % 40
        options = {"quality": 90} if suffix == "jpg" else {"compress_level": 1}
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, **options)


def tools(work: Path, source: Path, suffix: str) -> dict[str, str]:
    """Shell command of each tool that is there; each writes to its own folder."""
    (work / "opencv.py").write_text(CV2)
    (work / "sobel.mat").write_text(MASK)
    python = sys.executable
    commands = {
        "convcli": f"{Path(python).with_name('convcli')} filter -r {source} -k sobel-x -o {work}/convcli -q -j 2"
    }
    listing = f"ls {source}/*.{suffix}"
    if shutil.which("vips"):
        script = f'vips conv "$0" {work}/vips/$(basename "$0") {work}/sobel.mat --precision integer'
        commands["vips"] = f"{listing} | VIPS_CONCURRENCY=1 xargs -P2 -n1 sh -c '{script}'"
    if subprocess.run([python, "-c", "import cv2"], capture_output=True).returncode == 0:
        commands["cv2"] = f"{listing} | xargs -P2 -n50 {python} {work}/opencv.py {work}/cv2"
    return commands


def compare(work: Path, suffix: str, count: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Files per second of every tool and its largest process, the tools in turn in every round."""
    source = work / f"in-{suffix}"
    photographs(source, count, (1920, 1080), suffix)
    commands = tools(work, source, suffix)
    rates: dict[str, list[float]] = {name: [] for name in commands}
    memory = dict.fromkeys(commands, 0)
    for _ in range(rounds):
        for name, command in commands.items():
            shutil.rmtree(work / name, ignore_errors=True)
            (work / f".{name}.convcli-journal").unlink(missing_ok=True)
            (work / name).mkdir()
            took = run(["sh", "-c", command], work)  # its peak is that of its largest process
            rates[name].append(count / took.seconds)
            memory[name] = max(memory[name], took.memory)
            assert len(list((work / name).iterdir())) == count, f"{name} did not write every file"
        print(suffix, {name: round(r[-1], 1) for name, r in rates.items()}, flush=True)
    return {
        name: {
            "files per second": median(r),
            "least": min(r),
            "most": max(r),
            "memory": memory[name],
        }
        for name, r in rates.items()
    }


def lines_of(suffix: str, found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Lines of the table, the ratio and what is asked for in ours."""
    best = max((r["files per second"] for n, r in found.items() if n != "convcli"), default=0.0)
    lines = []
    for name, r in found.items():
        ratio = r["files per second"] / best if best and name == "convcli" else None
        bar, goal = BARS[suffix]
        cells = ["", "", ""]
        if ratio is not None:
            cells = [f"**{ratio:.2f}**" + " (under)" * (ratio < bar), f"{bar:g}", f"{goal:g}"]
        rate = f"{r['files per second']:.1f} ({r['least']:.1f} to {r['most']:.1f})"
        lines.append([suffix, name, rate, *cells, f"{r['memory'] / 1e6:.0f}"])
    return lines


def long_run(work: Path, count: int) -> None:
    """Filter many small files, 2 % of them damaged; print memory and descriptors on the way."""
    source = work / "small"
    photographs(source, count, (512, 512), "png", bad=50)
    command = [sys.executable, "-m", "convcli", "filter", "-r", str(source), "-k", "sobel-x"]
    with subprocess.Popen(
        [*command, "-o", str(work / "out"), "-j", "2"], stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        lines: list[str] = []
        drain = threading.Thread(target=lambda: lines.extend(run.stderr or ()))
        drain.start()
        print("   files  memory MB  descriptors   (of all processes together)")
        said = -1
        while run.poll() is None:
            made = len(list((work / "out").iterdir())) if (work / "out").exists() else 0
            if made // 500 != said:
                said = made // 500
                memory, descriptors = usage(run.pid)
                print(f"{made:8} {memory / 2**20:10.1f} {descriptors:12}", flush=True)
            time.sleep(0.05)
        drain.join()
    failed = [line for line in lines if "cut short" in line or "broken" in line]
    print(lines[-1].strip()[:60], "...", lines[-1].strip()[-90:])
    print(f"{len(failed)} failures reported, {count // 50} files damaged")
    print(f"{len(list((work / 'out').iterdir()))} files written")


def usage(pid: int) -> tuple[int, int]:
    """Resident bytes and open descriptors of a process and its children."""
    pids, memory, descriptors = [pid], 0, 0
    tasks = Path(f"/proc/{pid}/task")
    for task in tasks.iterdir() if tasks.exists() else ():
        pids += [int(child) for child in (task / "children").read_text().split()]
    for each in pids:
        try:
            memory += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * 4096
            descriptors += len(list(Path(f"/proc/{each}/fd").iterdir()))
        except OSError:
            continue  # it has just ended
    return memory, descriptors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="*", default=list(BARS))
    add_outputs(parser)
    parser.add_argument("--small", type=int, default=0, metavar="FILES")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.small:
            long_run(Path(folder), options.small)
            return
        now = {
            suffix: compare(Path(folder), suffix, options.count, options.rounds)
            for suffix in options.formats
        }
    # Formats that are not asked for keep what was measured, on the same machine, another time.
    before = kept(options.write, "batch")
    same = before.get("facts") == facts() and before.get("count") == options.count
    rows = (before["rows"] if same else {}) | now
    found = {suffix: rows[suffix] for suffix in BARS if suffix in rows}
    head = f"{options.count} files, tool, files per second, ratio, bar, goal, MB of the largest process"
    shown = table(head, [line for suffix, r in found.items() for line in lines_of(suffix, r)])
    print(shown)
    data = {"facts": facts(), "count": options.count, "rows": found}
    leave(options, "batch", f"{machine_line(data['facts'])}\n\n{shown}", data)


if __name__ == "__main__":
    main()
