"""Filters in memory, side by side: 24 megapixels, the same array in, an array out.

    python benchmarks/engine.py [--rounds 7] [--threads 2] [--fresh] [--json FILE]
                                [--write docs/performance.md] [ROW ...]

Every tool writes into an output that it was given before (``execute(..., out)``, OpenCV's
``dst=``, SciPy's ``output=``, ``np.copyto`` for the copy), as a careful caller does in a loop;
that each peer really reuses it is checked. Pillow takes none and is timed from picture to picture
of its own, without the way from and to arrays. The first rows, all with ``--fresh``, are measured
once more with a fresh output at every call: then the system clears new pages, which for small
kernels outlasts the sums.

Peers that are not installed are left out. Each output is compared with convcli's first, away from
the edges; then all run once per round, in turn, and the medians count. A peer whose first run
takes more than 5 times ours is run twice more only, and not at all if it took over 3 seconds: then
the first run counts. A copy of the picture, on one thread, is the speed of memory.
``CONVCLI_LOOPS=numpy`` measures the fallback, whose bars are against Pillow and SciPy.

The whole table takes some minutes; ``--write`` puts it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import median
from typing import Any

import numpy as np
from engine_peers import Row, Run, copy, ours, peers, rows
from report import Line, add_outputs, compared, facts, leave, machine_line

from convcli.engine.dispatch import loops

SIZE = (6000, 4000)
SLOW, VERY_SLOW, FRESH_ROWS = 5.0, 3.0, 6
ESSENTIAL = (
    *("sobel-x rgb8", "box:3 rgb8", "box:101 rgb8", "gaussian:1 rgb8", "gaussian:3 rgb8"),
    *("gaussian:30 rgb8", "random 3x3 rgb8", "random 7x7 rgb8", "random 15x15 rgb8"),
    *("random 31x31 rgb8", "random 101x101 rgb8", "sobel-x rgb16", "gaussian:2 rgb16"),
    *("sobel-x rgbf", "gaussian:2 rgbf", "random 5x5, stride 2 rgb8"),
)
"""The rows that the page shows; all stand in the file beside it."""
PLAIN = ("Pillow", "SciPy")
PLAIN_BARS = {"compiled": (5.0, 20.0), "numpy": (1.5, 4.0)}


def pictures() -> dict[str, np.ndarray]:
    """The photograph in each type."""
    from pictures import photograph

    rgb = photograph(*SIZE)
    return {
        "rgb8": rgb,
        "gray8": np.ascontiguousarray(rgb[..., 1]),
        "rgb16": rgb.astype(np.uint16) * 257,
        "rgbf": rgb.astype(np.float32) / 255,
    }


def difference(row: Row, got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference in levels of 255, clipped to the range, away from the edges."""
    want = want.reshape(got.shape)
    white = {"uint8": 255.0, "uint16": 65535.0}.get(str(got.dtype))
    margin = max(row.kernel.shape) * row.dilation // row.stride
    inside = slice(margin, -margin)
    largest = 0.0
    for top in range(margin, got.shape[0] - margin, 128):
        lines = slice(top, min(top + 128, got.shape[0] - margin))
        off = want[lines, inside].astype(np.float32)
        if white:
            off = off.clip(0, white)
        largest = max(largest, float(np.abs(off - got[lines, inside]).max()))
    return largest * 255 / (white or 1.0)


def once(run: Run, fresh: bool = False) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run.call(None if fresh else run.out)
    return time.perf_counter() - start


def checked(row: Row, runs: dict[str, Run]) -> dict[str, list[float]]:
    """Run each tool for the first time, and drop those that do something else.

    Returns the times to start with: of the slow ones, the first run's.
    """
    once(runs["convcli"])
    limit = SLOW * once(runs["convcli"])
    reference = runs["convcli"].call(None)
    row.results["difference"] = {}
    begun: dict[str, list[float]] = {"convcli": [], "copy": []}
    for name in [name for name in runs if name not in begun]:
        run = runs[name]
        start = time.perf_counter()
        result = run.call(run.out)
        first = time.perf_counter() - start
        if run.out is not None and not np.shares_memory(run.array(result), run.out):
            raise AssertionError(f"{name} does not reuse its output")
        off = row.results["difference"][name] = difference(row, reference, run.array(result))
        if off > row.tolerance + 0.01:
            print(f"  {name}: differs by {off:.2f} levels, left out", file=sys.stderr)
            del runs[name]
        else:
            begun[name] = [first] if first > limit else []
    return begun


def measure(row: Row, x: np.ndarray, rounds: int, threads: int, fresh: bool) -> None:
    """Fill in the results of a row."""
    runs = {"convcli": ours(row, x, threads), "copy": copy(x)} | peers(row, x, threads)
    times = checked(row, runs)
    most = {name: 1 if t and t[0] > VERY_SLOW else 3 if t else rounds for name, t in times.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            if len(times[name]) < most[name]:
                times[name].append(once(run))
    row.results |= {
        "median": {name: median(t) * 1e3 for name, t in times.items()},
        "least": {name: min(t) * 1e3 for name, t in times.items()},
        "most": {name: max(t) * 1e3 for name, t in times.items()},
    }
    if fresh:
        fast = {name: run for name, run in runs.items() if most[name] == rounds}
        new: dict[str, list[float]] = {name: [] for name in fast}
        for _ in range(rounds):
            for name, run in fast.items():
                new[name].append(once(run, fresh=True))
        row.results["fresh"] = {name: median(t) * 1e3 for name, t in new.items()}


def fastest(times: dict[str, float], among: Any = None) -> str | None:
    """The peer with the least time."""
    names = [n for n in times if n not in ("convcli", "copy") and (among is None or n in among)]
    return min(names, key=lambda name: times[name]) if names else None


def verdict(ratio: float, bar: float, goal: float) -> str:
    """Where a ratio stands."""
    return "goal" if ratio >= goal else "bar" if ratio >= bar else "BELOW"


def report(row: Row) -> str:
    """A line of the table."""
    times = row.results["median"]
    mine = times["convcli"]
    line = f"{row.name + ' ' + row.picture:30s} {row.results['algorithm']:10s} {mine:8.1f} "
    line += f"{times['copy'] / mine:5.2f}"
    if (best := fastest(times)) and loops().compiled:
        ratio = times[best] / mine
        line += f"  {ratio:6.2f} x {best} ({times[best]:.1f} ms), "
        line += f"bar {row.bar:g}: {verdict(ratio, row.bar, row.goal)}"
    if plain := fastest(times, PLAIN):
        ratio = times[plain] / mine
        line += f"; {ratio:.1f} x {plain}: {verdict(ratio, *PLAIN_BARS[loops().name])}"
    if fresh := row.results.get("fresh"):
        best = fastest(fresh)
        line += f"; fresh {fresh['convcli']:.1f} ms"
        line += f", {fresh[best] / fresh['convcli']:.2f} x {best}" if best else ""
    return line


def bold(ratio: float, bar: float) -> str:
    """A ratio as docs/performance.md writes it."""
    return f"**{ratio:.2f}**" + (" (under)" if ratio < bar else "")


def markdown(chosen: list[Row]) -> str:
    """The table of docs/performance.md: beside all peers, or the fallback beside Pillow and SciPy."""
    lines, plain_lines = [], []
    for row in chosen:
        times = row.results["median"]
        name, mine = f"{row.name} {row.picture}", times["convcli"]
        spread = f"{row.results['least']['convcli']:.1f} to {row.results['most']['convcli']:.1f}"
        start = [name, row.results["algorithm"], f"{mine:.1f} ({spread})"]
        if best := fastest(times):
            ratio = times[best] / mine
            cells = [f"{times['copy'] / mine:.2f}", best, f"{times[best]:.1f}"]
            cells += [bold(ratio, row.bar), f"{row.bar:g}", f"{row.goal:g}"]
            lines.append(Line(start + cells, ratio, row.bar))
        bar, goal = PLAIN_BARS[loops().name]
        if plain := fastest(times, PLAIN):
            ratio = times[plain] / mine
            cells = [plain, f"{times[plain]:.0f}", bold(ratio, bar), f"{bar:g}", f"{goal:g}"]
            plain_lines.append(Line(start + cells, ratio, bar))
    if loops().compiled:
        head = "row, algorithm, ms, copy, fastest peer, its ms, ratio, bar, goal"
        return compared(head, lines, ESSENTIAL)
    head = "row, algorithm, ms, the faster of Pillow and SciPy, its ms, ratio, bar, goal"
    return compared(head, plain_lines, ESSENTIAL[::3])


def main() -> None:
    """Measure the rows whose names are given, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    add_outputs(parser)
    options = parser.parse_args()
    have = pictures()
    every = rows()
    first = every[:FRESH_ROWS]
    chosen = [
        r
        for r in every
        if not options.rows or any(w in f"{r.name} {r.picture}" for w in options.rows)
    ]
    print("loops:", *loops())
    print(f"{'row':30s} {'algorithm':10s} {'ms':>8s}  copy  ratio to the fastest peer")
    for row in chosen:
        fresh = options.fresh or row in first
        measure(row, have[row.picture], options.rounds, options.threads, fresh)
        print(report(row), flush=True)
        if off := row.results["difference"]:
            print("   differs by", ", ".join(f"{n} {d:.2f}" for n, d in off.items()), flush=True)
    found = [
        {"row": r.name, "picture": r.picture, "bar": r.bar, "goal": r.goal} | r.results
        for r in chosen
    ]
    data = {"facts": facts(), "loops": loops(), "rows": found}
    section = {"compiled": "engine", "numpy": "engine-numpy"}[loops().name]
    leave(options, section, f"{machine_line(data['facts'])}\n\n{markdown(chosen)}", data)


if __name__ == "__main__":
    main()
