"""Rank filters in memory, side by side: 24 megapixels, the same array in, an array out.

    python benchmarks/ranks.py [--rounds 5] [--threads 2] [--json FILE]
                               [--write docs/performance.md] [ROW ...]

As benchmarks/engine.py, but outputs have to be equal to the last bit, away from the edges, and most
peers take seconds to minutes: each is first run on a part of the picture, a sixteenth, or less for
large windows. Where that says that the whole takes more than 4 s, as many times that time counts
(shown as ``about``), which flatters a peer whose windows leave the caches.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from statistics import median
from typing import Any

import numpy as np
from engine import fastest, once, verdict
from engine_peers import Row, copy, ours
from rank_peers import peers, rows
from report import Line, add_outputs, compared, facts, leave, machine_line

from convcli.engine.dispatch import loops

SIZE = (6000, 4000)
PARTS = {
    16: (slice(1500, 2500), slice(2000, 3500)),
    128: (slice(1500, 1875), slice(2000, 2500)),
}
"""By how often they go into the picture."""
SLOW = 4.0
NUMPY_BARS = (1.5, 5.0)


def pictures() -> dict[str, np.ndarray]:
    """The photograph in each type."""
    from pictures import photograph

    rgb = photograph(*SIZE)
    fine = photograph(*SIZE, dtype="uint16")[..., 1]
    return {
        "rgb8": rgb,
        "gray8": np.ascontiguousarray(rgb[..., 1]),
        "gray16": np.ascontiguousarray(fine),
        "grayf": fine.astype(np.float32) / 65535,
    }


def same(row: Row, got: np.ndarray, want: np.ndarray) -> bool:
    """Whether outputs are equal away from the edges."""
    margin = max(row.kernel.shape)
    inside = np.s_[margin:-margin, margin:-margin]
    return bool(np.array_equal(got[inside], want.reshape(got.shape)[inside]))


def estimated(row: Row, x: np.ndarray, threads: int) -> dict[str, float]:
    """What the part says of each peer on the whole; those that give something else are left out."""
    share = 16 if max(row.kernel.shape) < 15 else 128
    part = np.ascontiguousarray(x[PARTS[share]])
    mine = ours(row, part, threads)
    want = mine.call(mine.out)
    found = {}
    for name, run in peers(row, part, threads).items():
        start = time.perf_counter()
        result = run.call(run.out)
        first = time.perf_counter() - start
        if not same(row, want, run.array(result)):
            print(f"  {name}: gives something else, left out", file=sys.stderr)
            continue
        # The first call may load a library.
        found[name] = share * (first if first > 1 else min(first, once(run)))
    return found


def measure(row: Row, x: np.ndarray, rounds: int, threads: int) -> None:
    """Fill in the results of a row."""
    guess = estimated(row, x, threads)
    runs = {"convcli": ours(row, x, threads), "copy": copy(x)}
    runs |= {
        name: run for name, run in peers(row, x, threads).items() if guess.get(name, 9e9) < SLOW
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    once(runs["convcli"])
    for _ in range(rounds):
        for name, run in runs.items():
            if not times[name] or name in ("convcli", "copy") or times[name][0] < 1:
                times[name].append(once(run))
    about = {name: seconds * 1e3 for name, seconds in guess.items() if name not in runs}
    row.results["median"] = {name: median(t) * 1e3 for name, t in times.items()} | about
    row.results["about"] = sorted(about)
    row.results["spread"] = [min(times["convcli"]) * 1e3, max(times["convcli"]) * 1e3]


def line_of(row: Row) -> Line | None:
    """A line of the table; none without a peer."""
    times = row.results["median"]
    low, high = row.results["spread"]
    start = [f"{row.name} {row.picture}", row.results["algorithm"]]
    start += [f"{times['convcli']:.1f} ({low:.1f} to {high:.1f})"]
    bar, goal = (row.bar, row.goal) if loops().compiled else NUMPY_BARS
    best = fastest(times, None if loops().compiled else ("SciPy",))
    if best is None:
        return None
    ratio = times[best] / times["convcli"]
    about = "about " if best in row.results["about"] else ""
    said = verdict(ratio, bar, goal)
    cells = [best, f"{about}{times[best]:.1f}", f"{ratio:.2f}", f"{bar:g}", said]
    return Line(start + cells, ratio, bar)


HEAD = "row, algorithm, ms, fastest peer, its ms, ratio, bar, verdict"
ESSENTIAL = (
    *("median:3 rgb8", "median:5 rgb8", "median:7 gray8", "median:15 gray8", "median:101 gray8"),
    *("median:5 gray16", "median:15 gray16", "median:5 grayf", "median:31 grayf"),
    "percentile:90,31 gray8",
)
"""The rows that the page shows; all, and every peer, stand in the file beside it."""


def main() -> None:
    """Measure the rows whose names are given, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    add_outputs(parser)
    options = parser.parse_args()
    os.environ["VIPS_CONCURRENCY"] = str(options.threads)
    have = pictures()
    chosen = [
        row
        for row in rows()
        if not options.rows or any(w in f"{row.name} {row.picture}" for w in options.rows)
    ]
    begun = time.perf_counter()
    print("loops:", *loops())
    for row in chosen:
        measure(row, have[row.picture], options.rounds, options.threads)
        line = line_of(row)
        print(" | ".join(line.cells) if line else f"{row.name}: no peer", flush=True)
    print(f"{time.perf_counter() - begun:.0f} s")
    libraries = ("opencv-python-headless", "scipy", "scikit-image", "pillow", "pyvips")
    kept: list[dict[str, Any]] = [{"row": r.name, "picture": r.picture} | r.results for r in chosen]
    data = {"facts": facts(libraries), "loops": loops(), "rows": kept}
    section = {"compiled": "ranks", "numpy": "ranks-numpy"}[loops().name]
    shown = compared(HEAD, [line for row in chosen if (line := line_of(row))], ESSENTIAL)
    leave(options, section, f"{machine_line(data['facts'])}\n\n{shown}", data)


if __name__ == "__main__":
    main()
