"""Whole processes side by side: what a user waits for, from the shell to the finished file.

    python benchmarks/process.py [--rounds 7] [--cpus N] [--threads N] [--huge] [--growth]
                                 [--start] [--write docs/performance.md] [--json FILE] [ROW ...]

Run it with the Python of an environment into which convcli was installed as users do (``pip
install .``): an editable install looks for every module in a way that costs 9 ms at each start.
Every tool runs once per round, in turn, so that all see the same moods of the machine; beside the
time stand peak memory, processor seconds and bytes written. A tool's output is compared with
convcli's before it is timed. Beside PNGs runs the floor (floor.py): reading, inflating, copying,
deflating and writing the file by the same library on all cores, without any filter.

``--cpus`` holds all to so many processors, as ``taskset`` does; ``--threads`` is told to those that
take it. Each makes a column of a table of its own. ``--huge`` runs the row of 1,000 megapixels
instead of the others: its picture is made once and kept in ``--cache``, peers run once. ``--start``
measures what Python and NumPy take to start. Rows that are not run stay as they were.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pictures
import tifffile
from process_peers import Tool, thread_variables
from process_rows import Asked, Row, all_rows, available, floors, ours, program, theirs
from process_run import Run, hold_to, run, summed
from process_tables import page
from report import add_outputs, facts, kept, leave

SLOW = 3.0
"""Seconds after which a tool has shown what it has to show in two rounds."""
ALIKE = 0.9
"""Of the samples, so many have to agree; JPEG's own losses take some."""
CACHE = Path("~/.cache/convcli-benchmarks").expanduser()


def pixels(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    data = path.read_bytes()
    decode = imagecodecs.jpeg8_decode if path.suffix == ".jpg" else imagecodecs.png_decode
    return np.asarray(decode(data))


def agreement(tool: Tool, ours: Path, theirs: Path) -> tuple[float, str]:
    """The share of samples that are near enough, and this in words; away from the borders, which
    tools treat as they like."""
    mine, other = pixels(ours), pixels(theirs)
    if other.shape != mine.shape or other.dtype != mine.dtype:
        return 0.0, f"gives {other.dtype} {other.shape}"
    within, off, count = 0, 0, 0
    allowed = max(tool.tolerance, 8 if ours.suffix == ".jpg" else 0)
    for top in range(16, len(mine) - 16, 256):
        rows = slice(top, min(top + 256, len(mine) - 16))
        difference = np.abs(mine[rows, 16:-16].astype(np.int32) - other[rows, 16:-16])
        within += int((difference <= allowed).sum())
        off += int(difference.sum())
        count += difference.size
    return (
        within / count,
        f"{within / count:.2%} within {allowed:g}, mean difference {off / count:.2f}",
    )


def checked(row: Row, folder: Path, options: Any) -> dict[str, list[Run]]:
    """Compare all tools with ours; of a huge picture that is the peers' only run."""
    env = thread_variables(options.threads) if options.threads else {}
    mine, other = (folder / f"{who}{row.suffix}" for who in ("ours", "theirs"))
    first: dict[str, list[Run]] = {"convcli": []}
    before = None
    for tool in filter(available, row.tools):
        if tool.range != before:
            run(ours(row, mine.name, tool.range, options.threads), folder, env)
            before = tool.range
        try:
            got = run(theirs(tool, row, other.name, options.threads), folder, env)
        except SystemExit as failed:
            print(f"  {tool.name} is left out: {failed}", file=sys.stderr, flush=True)
            continue
        share, said = agreement(tool, mine, other)
        print(f"  {tool.name}: {got.seconds:.2f} s, {said}", file=sys.stderr, flush=True)
        if share < ALIKE:
            print("  does something else: left out", file=sys.stderr, flush=True)
            continue
        first[tool.name] = [got] if row.huge else []
        row.tools_found[tool.name] = {"agreement": said}
    row.tools_found["convcli"] = {}
    other.unlink(missing_ok=True)
    if row.suffix == ".png" and not row.huge:
        run(floors(row)["floor"], folder)
        if not np.array_equal(pixels(folder / "floor.png"), pixels(folder / row.file)):
            raise SystemExit("the floor does not copy the picture")
    return first


def measure(row: Row, folder: Path, options: Any) -> None:
    """Fill in what every tool took."""
    env = thread_variables(options.threads) if options.threads else {}
    times = checked(row, folder, options)
    done = {name for name, got in times.items() if got}
    commands = {"convcli": ours(row, f"ours{row.suffix}", threads=options.threads)} | {
        tool.name: theirs(tool, row, f"theirs{row.suffix}", options.threads)
        for tool in row.tools
        if tool.name in times and tool.name not in done
    }
    commands |= floors(row)
    for turn in range(options.rounds):
        for name, command in commands.items():
            got = times.setdefault(name, [])
            if turn < 2 or got[0].seconds < SLOW or name == "convcli":
                got.append(run(command, folder, env))
    for name, got in times.items():
        row.tools_found[name] = row.tools_found.get(name, {}) | summed(got)


def judged(row: Row, asked: Asked) -> dict[str, Any]:
    """The fastest peer that counts, and its time over ours."""
    found = row.tools_found
    plain = [n for n in found if n != "convcli" and not n.startswith("floor")]
    peers = {n: found[n]["seconds"] for n in plain if n in (asked.peers or plain)}
    best = min(peers, key=peers.__getitem__, default=None)
    said = {"bar": asked.bar, "goal": asked.goal, "label": asked.label, "peer": best}
    return said | ({"ratio": peers[best] / found["convcli"]["seconds"]} if best else {})


def as_data(row: Row) -> dict[str, Any]:
    """All of a row for the file beside the page."""
    found: dict[str, Any] = {
        "facts": facts(),
        "asked": [judged(row, asked) for asked in row.asked],
        "memory": row.memory,
        "floor": row.floor,
        "tools": row.tools_found,
    }
    for name in floors(row):
        seconds = row.tools_found[name]["seconds"]
        found[f"over {name}"] = row.tools_found["convcli"]["seconds"] / seconds
    return found


def growth(folder: Path, rounds: int) -> list[dict[str, float]]:
    """Seconds and memory from 1 to 100 megapixels."""
    out = []
    for megapixels in (1, 4, 16, 64, 100):
        width = int((megapixels * 1e6 * 1.5) ** 0.5)
        height = int(megapixels * 1e6 / width)
        name = f"grow{megapixels}.png"
        pictures.write(folder / name, width, height)
        row = Row("", name, (width, height), "sobel-x", [], [],
                  options=("--max-pixels", "200000000"))  # fmt: skip
        got = [run(ours(row, "ours.png"), folder) for _ in range(rounds)]
        out.append({"megapixels": width * height / 1e6} | summed(got))
        (folder / name).unlink()
    return out


def start(folder: Path, rounds: int) -> dict[str, Any]:
    """What passes before anything is done, in turn."""
    python = sys.executable
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import numpy'": [python, "-c", "import numpy"],
        "convcli shape": [program(), "shape", "--n", "32", "--k", "5"],
    }
    got: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            got[name].append(run(command, folder))
    return {name: summed(runs) for name, runs in got.items()}


def picture(row: Row, folder: Path, cache: Path) -> None:
    """The picture of a row, in the folder."""
    if not row.huge:
        pictures.write(folder / row.file, *row.size, row.dtype)
        return
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / f"{row.size[0]}x{row.size[1]}.png"
    if not made.exists():
        pictures.write_in_bands(made, *row.size, row.dtype)
    (folder / row.file).symlink_to(made)


def label(options: Any) -> str:
    """The column that these runs belong to."""
    words = [f"{options.cpus} core{'s' * (options.cpus > 1)}"] if options.cpus else []
    words += [f"--threads {options.threads}"] if options.threads else []
    return ", ".join(words) or "all cores"


def parsed() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="words of the rows to run; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpus", type=int, help="hold everything to so many processors")
    parser.add_argument("--threads", type=int, help="tell everything to use so many")
    parser.add_argument("--huge", action="store_true", help="the 1,000 megapixels instead")
    parser.add_argument("--growth", action="store_true", help="also 1 to 100 megapixels")
    parser.add_argument("--start", action="store_true", help="also the start of Python and NumPy")
    parser.add_argument("--none", action="store_true", help="no rows, only what is also asked for")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the huge picture is kept")
    parser.add_argument("--tiny", action="store_true", help="small pictures, to try this out")
    add_outputs(parser)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if options.cpus:
        hold_to(options.cpus)
    words = options.rows or [""]
    rows = [row for row in all_rows() if any(word in row.name for word in words)]
    rows = [] if options.none else [row for row in rows if row.huge == options.huge]
    data = kept(options.write, "process")
    column = data.setdefault("settings", {}).setdefault(label(options), {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sobel.mat").write_text("3 3 1 0\n-1 0 1\n-2 0 2\n-1 0 1\n")
        for row in rows:
            if options.tiny:
                row.size = (601, 403)
            picture(row, folder, options.cache)
            measure(row, folder, options)
            column[row.name] = as_data(row)
            print(row.name, *column[row.name]["asked"], file=sys.stderr, flush=True)
        if options.growth:
            rounds = max(3, options.rounds // 2)
            data["growth"] = {"facts": facts(), "rows": growth(folder, rounds)}
        if options.start:
            data["start"] = {"facts": facts(), "rows": start(folder, 3 * options.rounds)}
    text = page(data, [row.name for row in all_rows()])
    print(text)
    leave(options, "process", text, data)


if __name__ == "__main__":
    main()
