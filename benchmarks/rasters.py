"""Elevation models with missing cells, side by side: in memory, and from file to file.

    python benchmarks/rasters.py [--size 10000] [--rounds 5] [--limit 20] [--files] [--large]
                                 [--write docs/performance.md] [--json FILE] [ROW ...]

A terrain of float32 heights of which 5 % are missing, a lake and single cells. Every tool runs in
a process of its own (raster_peers.py) that holds the array and makes a new one; all run once per
round, in turn, and the medians count. Each result is compared with convcli's first, away from the
borders, which tools treat as they like: of those that leave missing cells out wherever a cell is
there, of the others on the same terrain without holes. A tool that would take longer than
``--limit`` seconds is measured on a crop, and convcli beside it on the same crop. Ratios are to the
fastest tool whose results are right beside missing cells; one that only sums, and lets NaN spread,
stands in the table for its time.

``--files`` adds whole processes from TIFF to TIFF; ``--large`` 20,000 x 20,000 cells of int16 under
``--memory 400M``. Peers that are not installed are left out: ``pip install '.[bench]'``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from raster_peers import PEERS, ROWS, Row, safe, shore
from report import add_outputs, facts, kept, leave, machine_line

HERE = Path(__file__).parent
CROP, PROBE, MARGIN = 1000, 500, 32
TOLERANCE = 2e-3
"""Of heights of up to 2,500 m in float32, whose last digit is 0.0002."""
ANGLE = 0.02
"""In degrees, of slopes: what two digits of such heights make of level ground."""
LIBRARIES = ("scipy", "astropy", "xarray-spatial", "rasterio", "opencv-python-headless")

SCIPY_SCRIPT = """
import sys, numpy as np, rasterio
from scipy.ndimage import gaussian_filter
with rasterio.open(sys.argv[1]) as source:
    x, profile = source.read(1), source.profile
there = ~np.isnan(x)
blur = lambda a: gaussian_filter(a, 2, mode="mirror", truncate=3.0)
out = blur(np.where(there, x, np.float32(0))) / blur(there.astype(np.float32))
out[~there] = np.nan
with rasterio.open(sys.argv[2], "w", **profile) as target:
    target.write(out, 1)
"""
GDAL_SCRIPT = """
import sys, numpy as np, rasterio, rasterio.shutil
t = np.arange(-6, 7); g = np.exp(-t * t / 8); w = np.outer(g, g) / g.sum() ** 2
with rasterio.open(sys.argv[1]) as source:
    height, width = source.shape
vrt = f'''<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><VRTRasterBand
dataType="Float32" band="1"><NoDataValue>nan</NoDataValue><KernelFilteredSource>
<SourceFilename relativeToVRT="0">{sys.argv[1]}</SourceFilename><SourceBand>1</SourceBand>
<Kernel normalized="1"><Size>13</Size><Coefs>{" ".join(map(repr, w.ravel().tolist()))}</Coefs>
</Kernel></KernelFilteredSource></VRTRasterBand></VRTDataset>'''
rasterio.shutil.copy(vrt, sys.argv[2], driver="GTiff")
"""


class Worker:
    """A tool in its own process."""

    def __init__(self, peer: str, array: Path) -> None:
        command = [sys.executable, str(HERE / "raster_peers.py"), peer, str(array)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=HERE)

    def ask(
        self, row: Row, size: int, save: Path | None = None, holes: bool = True
    ) -> dict[str, Any] | None:
        """One call; None if the tool has no such filter."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"row": row.name, "size": size, "save": save and str(save), "holes": holes}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended; its message stands above")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate()


def agreement(x: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference where ``x`` is there, in metres; NaN counts as infinite."""
    inner = (slice(MARGIN, -MARGIN),) * 2
    there = ~np.isnan(x[inner])
    off = np.abs(ours[inner][there].astype(np.float64) - theirs[inner][there])
    return float(np.where(np.isnan(off), np.inf, off).max())


def as_degrees(gradient: np.ndarray) -> np.ndarray:
    """Sobel's gradient, which is 8 times the slope, as an angle."""
    return np.degrees(np.arctan(gradient / 8))


def checked(row: Row, x: np.ndarray, workers: dict[str, Worker], folder: Path) -> dict[str, Any]:
    """Compare all tools on a small crop; what each took for it, and how far it is off."""
    found: dict[str, Any] = {}
    ours: dict[bool, np.ndarray] = {}
    path = folder / "result.npy"
    for holes in (True, False):
        workers["convcli"].ask(row, PROBE, path, holes)
        ours[holes] = np.load(path)
    for peer, worker in workers.items():
        holes = safe(peer, row)
        if worker.ask(row, PROBE, path, holes) is None:
            continue
        seen = x if holes else np.zeros_like(x)
        angle = peer == "xarray-spatial slope"
        want = as_degrees(ours[holes]) if angle else ours[holes]
        off = agreement(seen, want, np.load(path))
        if off > (ANGLE if angle else TOLERANCE):
            print(f"  {row.name}, {peer}: differs by {off:.3g}, left out", file=sys.stderr)
            continue
        again = [worker.ask(row, PROBE) for _ in range(3)]
        found[peer] = {"off": off, "probe": min(run["seconds"] for run in again if run)}
    return found


def measure(
    row: Row, x: np.ndarray, size: int, workers: dict[str, Worker], folder: Path, options: Any
) -> dict[str, Any]:
    """Times of the row: of each tool by the size that it was measured on."""
    found = checked(row, shore(x, PROBE), workers, folder)
    for peer, result in found.items():
        whole = result["probe"] * (size / PROBE) ** 2
        fast = whole < options.limit or peer.startswith("convcli")
        result["size"] = size if fast else min(CROP, size)
        result["runs"] = []
    cropped = any(result["size"] < size for result in found.values())
    beside = {"runs": [], "size": min(CROP, size), "off": 0.0}
    for _ in range(options.rounds):
        for peer, result in found.items():
            result["runs"].append(workers[peer].ask(row, result["size"]))
        if cropped:
            beside["runs"].append(workers["convcli"].ask(row, beside["size"]))
    if cropped:
        found["convcli, on the crop"] = beside
    for result in found.values():
        runs = result.pop("runs")
        seconds = [run["seconds"] for run in runs]
        array = result["size"] ** 2 * 4
        result |= {
            "seconds": median(seconds),
            "least": min(seconds),
            "most": max(seconds),
            "memory": median(run["memory"] for run in runs) / array,
        }
    for result in found.values():
        ours = found["convcli" if result["size"] == size else "convcli, on the crop"]
        result["ratio"] = result["seconds"] / ours["seconds"]
    return found


def judged(name: str, found: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest tool that is right beside missing cells, and its time over ours."""
    row = ROWS[name]
    right = [p for p in found if p in PEERS and not p.startswith("convcli") and safe(p, row)]
    best = min(right, key=lambda peer: found[peer]["ratio"], default=None)
    return None if best is None else (best, found[best]["ratio"])


def table(results: dict[str, dict[str, Any]], size: int) -> str:
    """The table of docs/performance.md; every tool stands in the file beside it."""
    lines = [
        f"{size:,} x {size:,} cells:",
        "",
        "| filter | convcli s | one thread s | memory, times the array | fastest that is right | its ratio |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        ours, best = found["convcli"], judged(name, found)
        one = found.get("convcli, one thread")
        lines.append(
            f"| {name} | {spread(ours)} | {one['seconds']:.2f} | {ours['memory']:.1f} | "
            + (f"{best[0]} | **{best[1]:.1f}** |" if best else " | |")
        )
    return "\n".join(lines)


def spread(result: dict[str, Any]) -> str:
    return f"{result['seconds']:.2f} ({result['least']:.2f} to {result['most']:.2f})"


def convcli_command(path: str, kernel: str, *more: str) -> list[str]:
    program = str(Path(sys.executable).with_name("convcli"))
    return [program, "filter", path, "-k", kernel, "-o", "ours.tif", "--overwrite", "-q",
            "--max-pixels", "500000000", *more]  # fmt: skip


def from_files(folder: Path, size: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Whole processes, TIFF to TIFF, ``gaussian:2``."""
    import terrain
    import tifffile
    from process_run import Run, run, summed

    terrain.tiff(folder / "in.tif", size, "float32")
    script = [sys.executable, "-c"]
    commands = {
        "convcli": convcli_command("in.tif", "gaussian:2"),
        "SciPy, two passes, rasterio": [*script, SCIPY_SCRIPT, "in.tif", "theirs.tif"],
        "GDAL through rasterio": [*script, GDAL_SCRIPT, str(folder / "in.tif"), "theirs.tif"],
    }
    times: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(rounds):
        for name, command in commands.items():
            if turn > 1 and times[name][0].seconds > 30:
                continue
            times[name].append(run(command, folder))
            if turn or name == "convcli":
                continue
            ours, theirs = (tifffile.memmap(folder / f) for f in ("ours.tif", "theirs.tif"))
            shown = slice(MARGIN, min(1000, size - MARGIN))
            parts = [a[shown, shown] for a in (ours, theirs)]
            there = ~np.isnan(parts[0])
            off = np.abs(parts[0] - parts[1])[there].max()
            if not off < TOLERANCE:
                raise SystemExit(f"{name} differs by {off}")
    return {name: summed(got) for name, got in times.items()}


def files_table(found: dict[str, dict[str, Any]]) -> str:
    """The same as a table."""
    lines = [
        "From TIFF to TIFF, `gaussian:2`, start-up included:",
        "",
        "| tool | seconds | ratio | peak MB |",
        "|---|---|---|---|",
    ]
    for name, r in found.items():
        ratio = r["seconds"] / found["convcli"]["seconds"]
        lines.append(f"| {name} | {spread(r)} | {ratio:.1f} | {r['memory'] / 1e6:.0f} |")
    return "\n".join(lines)


def large(folder: Path, size: int, rounds: int) -> dict[str, Any]:
    """``gaussian:3`` on whole numbers with a no-data value, within 400 MB."""
    import terrain
    from process_run import run, summed

    terrain.tiff(folder / "large.tif", size, "int16")
    command = convcli_command("large.tif", "gaussian:3", "--memory", "400M")
    return summed([run(command, folder) for _ in range(rounds)]) | {"side": size}


def large_line(r: dict[str, Any]) -> str:
    """The same in words."""
    return (
        f"int16, {r['side']:,} x {r['side']:,} with a no-data value, `gaussian:3` under "
        f"`--memory 400M`, TIFF to TIFF: {r['seconds']:.1f} s ({r['least']:.1f} to "
        f"{r['most']:.1f}), peak {r['memory'] / 2**20:.0f} MiB."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="names of the rows to run; all by default")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=20, help="seconds of one call on the whole")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help="all by default")
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--large", action="store_true")
    add_outputs(parser)
    options = parser.parse_args()
    data: dict[str, Any] = kept(options.write, "rasters")
    data |= {"facts": facts(LIBRARIES), "size": options.size}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data["rows"] = data.get("rows", {}) | in_memory(folder, options)
        if options.files:
            data["files"] = from_files(folder, options.size, options.rounds)
        if options.large:
            data["large"] = large(folder, 2 * options.size, min(options.rounds, 3))
    data["does"] = {peer: PEERS[peer].does for peer in PEERS}
    parts = [table(data["rows"], options.size)]
    parts += [files_table(data["files"])] if "files" in data else []
    parts += [large_line(data["large"])] if "large" in data else []
    text = "\n\n".join(parts)
    print(text)
    leave(options, "rasters", f"{machine_line(data['facts'])}\n\n{text}", data)


def in_memory(folder: Path, options: Any) -> dict[str, dict[str, Any]]:
    """All rows, array to array."""
    import terrain

    path = folder / "terrain.npy"
    terrain.array(path, options.size)
    x = np.load(path, mmap_mode="r")
    peers = ["convcli", *(p for p in options.peers if p != "convcli")]
    workers = {peer: Worker(peer, path) for peer in peers}
    results = {}
    for name in options.rows or ROWS:
        found = measure(ROWS[name], x, options.size, workers, folder, options)
        results[name] = found
        best = judged(name, found)
        print(f"{name}: {best}", file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.close()
    return results


if __name__ == "__main__":
    main()
