"""Two revisions in turn, for every row of the other benchmarks: which became slower?

    python benchmarks/old_new.py OLD NEW --json FILE [--topic TOPIC ...] [--turns 7] [ROW ...]
    python benchmarks/old_new.py --summary --json FILE [--write docs/performance.md]

OLD and NEW are checkouts whose extensions are built in place; both run with this Python and the
rows and pictures of the benchmarks beside this file. They take turns, old new, new old, and so on,
each as long as ``--visit`` seconds, of which the fastest call counts; a turn's ratio is old over
new, so above 1 the new one is faster. Memory goes beside times for whole processes. A row whose
median is below 0.97 and whose turns agree (a sign test) is measured again, twice as often and in
new processes, and is called slower when it comes out the same. Results that are not the same bytes
are named.

It runs in pieces: by topic, by words of rows, by ``--part 2/3`` of the rows. ``--json`` gathers all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
import pictures
from old_new_rows import TOPICS, Folder, rows_of
from process_run import run
from report import add_outputs, facts, leave, machine_line, table, write_json

HERE = Path(__file__).parent
BELOW, CHANCE = 0.97, 0.02
"""A median ratio below, and the chance that turns agree as much by accident: then it is slower."""


class Side(Protocol):
    """One revision of one row."""

    def prepare(self) -> str: ...
    def visit(self, seconds: float) -> dict[str, float]: ...


class Worker:
    """A revision's process for rows in memory."""

    def __init__(self, checkout: Path, folder: Path, topic: str, threads: int) -> None:
        self.topic, self.threads, self.row = topic, threads, ""
        numbers = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CONVCLI_THREADS"), str(threads)
        )
        loops = {"CONVCLI_LOOPS": "numpy"} if topic == "engine-numpy" else {}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "old_new_worker.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(checkout)} | numbers | loops,
        )

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline() or '{"error": "it ended"}')
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply

    def prepare(self) -> str:
        asked = {"topic": self.topic, "row": self.row, "threads": self.threads}
        return str(self.ask(asked)["digest"])

    def visit(self, seconds: float) -> dict[str, float]:
        return self.ask({"run": seconds})

    def close(self) -> None:
        self.process.communicate()


class Command:
    """A revision's command from file to file, as a whole process; one visit is one run."""

    def __init__(self, checkout: Path, folder: Path, words: list[str], out: str) -> None:
        self.folder, self.out = folder, folder / out
        self.command = [sys.executable, "-m", "convcli", *words, "-o", out]
        self.variables = {"PYTHONPATH": str(checkout)}

    def prepare(self) -> str:
        self.visit(0)
        if self.out.is_dir():
            return str(sorted((p.name, hash(p.read_bytes())) for p in self.out.iterdir()))
        return str(hash(self.out.read_bytes()))

    def visit(self, seconds: float) -> dict[str, float]:
        if self.out.is_dir():
            shutil.rmtree(self.out)
            (self.folder / f".{self.out.name}.convcli-journal").unlink(missing_ok=True)
        return run(self.command, self.folder, self.variables)._asdict()


def chance(ratios: list[float]) -> float:
    """That of so many turns no fewer are below 1, were both the same: the one-sided sign test."""
    below, n = sum(r < 1 for r in ratios), len(ratios)
    return sum(math.comb(n, k) for k in range(below, n + 1)) / 2**n


def turns(old: Side, new: Side, count: int, seconds: float) -> dict[str, Any]:
    """Both in turn, whoever was second first in the next."""
    got: list[tuple[dict[str, float], dict[str, float]]] = []
    for turn in range(count):
        if turn % 2:
            second, first = new.visit(seconds), old.visit(seconds)
            got.append((first, second))
        else:
            got.append((old.visit(seconds), new.visit(seconds)))
    ratios = [a["seconds"] / b["seconds"] for a, b in got]
    found: dict[str, Any] = {
        "ratio": median(ratios),
        "least": min(ratios),
        "most": max(ratios),
        "turns": count,
        "chance": chance(ratios),
        "old s": median(a["seconds"] for a, _ in got),
        "new s": median(b["seconds"] for _, b in got),
        "cpu ratio": median(a["cpu"] for a, _ in got) / max(median(b["cpu"] for _, b in got), 1e-9),
    }
    for key in ("memory", "written"):
        if key in got[0][0]:
            found[f"old {key}"], found[f"new {key}"] = (
                median(side[i][key] for side in got) for i in (0, 1)
            )
    found["slower"] = found["ratio"] < BELOW and found["chance"] < CHANCE
    return found


def sides(topic: str, row: str, options: Any, folder: Path) -> tuple[Side, Side]:
    """Both revisions of a row in memory, each in a new process; or their commands."""
    checkouts = options.old, options.new
    if make := TOPICS[topic].command:
        words, result = make(row, Folder(folder))
        return tuple(
            Command(c, folder, words, f"{who}-{result}")
            for c, who in zip(checkouts, ("old", "new"), strict=True)
        )
    made = [Worker(c, folder, topic, options.threads) for c in checkouts]
    for worker in made:
        worker.row = row
    return made[0], made[1]


def measure(topic: str, row: str, options: Any, folder: Path) -> dict[str, Any]:
    """A row, and once more if it seems to be slower."""
    found: dict[str, Any] = {}
    for count in (options.turns, 2 * options.turns):
        old, new = sides(topic, row, options, folder)
        try:
            same = old.prepare() == new.prepare()
            again = turns(old, new, count, options.visit)
        except RuntimeError as error:
            return {"error": str(error)}
        finally:
            for side in (old, new):
                if isinstance(side, Worker):
                    side.close()
        found = again | {"same bytes": same} | ({"before": found} if found else {})
        if not found["slower"]:
            break
    return found


def make_pictures(folder: Path, topics: list[str], options: Any) -> None:
    """What the chosen rows in memory load."""
    if {"engine", "engine-fresh", "engine-numpy", "ranks", "windows"} & set(topics):
        width, height = options.size
        rgb = pictures.photograph(width, height)
        fine = pictures.photograph(width, height, "uint16")[..., 1]
        made = {
            "rgb8": rgb,
            "gray8": np.ascontiguousarray(rgb[..., 1]),
            "rgb16": rgb.astype(np.uint16) * 257,
            "rgbf": rgb.astype(np.float32) / 255,
            "gray16": np.ascontiguousarray(fine),
            "grayf": fine.astype(np.float32) / 65535,
        }
        for name, array in made.items():
            np.save(folder / f"{name}.npy", array)
    if "rasters" in topics:
        import terrain

        terrain.array(folder / "terrain.npy", options.size[0])


def said(topic: str, row: str, r: dict[str, Any]) -> str:
    """A line for whoever waits."""
    if "error" in r:
        return f"{topic:13s} {row:44s} {r['error']}"
    line = f"{topic:13s} {row:44s} {r['ratio']:6.3f} ({r['least']:.2f} to {r['most']:.2f})"
    line += f"  {r['old s'] * 1e3:9.2f} -> {r['new s'] * 1e3:9.2f} ms, cpu {r['cpu ratio']:.2f}"
    if "old memory" in r:
        line += f", {r['old memory'] / 1e6:.0f} -> {r['new memory'] / 1e6:.0f} MB"
    return line + "  SLOWER" * r["slower"] + "  other bytes" * (not r["same bytes"])


def page(data: dict[str, Any]) -> str:
    """A line for each topic, and the rows that are slower."""
    lines, slower = [], []
    for topic, rows in data["rows"].items():
        good = {name: r for name, r in rows.items() if "ratio" in r}
        if not good:
            continue
        mean = math.exp(sum(math.log(r["ratio"]) for r in good.values()) / len(good))
        least, most = (f(good, key=lambda name: good[name]["ratio"]) for f in (min, max))
        late = [
            f"{topic}, {name} ({good[name]['ratio']:.2f})" for name in good if good[name]["slower"]
        ]
        slower += late
        ends = [f"{good[name]['ratio']:.2f} ({name})" for name in (least, most)]
        lines.append([topic, str(len(good)), f"{mean:.2f}", *ends, str(len(late))])
    head = "topic, rows, geometric mean, least, most, slower beyond noise"
    what = f"Slower beyond noise: {'; '.join(slower) or 'none'}."
    known = f"{machine_line(data['facts'])} {data['old']} against {data['new']}, in turn."
    return f"{known}\n\n{table(head, lines)}\n{what}"


def revision(checkout: Path) -> str:
    """Its commit, or its name."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    got = subprocess.run(command, capture_output=True, text=True)
    return got.stdout.strip() or checkout.name


def parsed() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, nargs="?", help="a checkout, built")
    parser.add_argument("new", type=Path, nargs="?", help="another")
    parser.add_argument("rows", nargs="*", help="words of the rows; all by default")
    parser.add_argument("--topic", nargs="*", choices=list(TOPICS), default=list(TOPICS))
    parser.add_argument("--part", default="1/1", help="2/3: the second third of the rows")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--visit", type=float, default=0.15, help="seconds of each turn, at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, default=(6000, 4000), help="of pictures")
    parser.add_argument("--list", action="store_true", help="name the rows, and run none")
    parser.add_argument("--summary", action="store_true", help="of what was gathered, and run none")
    add_outputs(parser)
    return parser.parse_intermixed_args()


def main() -> None:
    options = parsed()
    gathered = options.json and options.json.exists()
    data: dict[str, Any] = json.loads(options.json.read_text()) if gathered else {}
    every = [(t, r) for t in options.topic for r in rows_of(t)]
    chosen = [(t, r) for t, r in every if not options.rows or any(w in r for w in options.rows)]
    part, parts = map(int, options.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    if options.list:
        print("\n".join(f"{topic}: {row}" for topic, row in chosen))
        return
    if not options.summary:
        if options.new is None:
            sys.exit("two checkouts are needed: OLD NEW")
        options.old, options.new = options.old.resolve(), options.new.resolve()
        data |= {"facts": facts(()), "old": revision(options.old), "new": revision(options.new)}
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_pictures(folder, [topic for topic, _ in chosen], options)
            for topic, row in chosen:
                found = measure(topic, row, options, folder)
                print(said(topic, row, found), flush=True)
                data.setdefault("rows", {}).setdefault(topic, {})[row] = found
                if options.json:
                    write_json(options.json, data)
        print(f"{time.perf_counter() - begun:.0f} s")
    text = page(data)
    print(text)
    leave(options, "old-new", text, data)


if __name__ == "__main__":
    main()
