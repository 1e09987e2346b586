"""Long runs against real faults: kills, writers that race, a batch of thousands.

    python tools/soak.py kill --rounds 200
    python tools/soak.py writers --rounds 200
    python tools/soak.py batch --files 10000

Each prints its figures as one line of JSON and exits with 1 if a promise was broken. Files are
made below the system's folder for temporary files and removed at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CONVCLI = [sys.executable, "-m", "convcli"]


def small_picture(path: Path, seed: int, side: int = 64) -> None:
    """Noise, which no format makes smaller."""
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(path)


def temporaries(folder: Path) -> list[str]:
    """What a writer has left, or is writing."""
    return [p.name for p in folder.iterdir() if p.name.startswith(".convcli-")]


# ---------------------------------------------------------------- kill -9

HELD_UP = """
import os, sys, time
from convcli.imaging import atomic
real, pieces = os.write, int(os.environ["PIECES"])
def write(fd, data):
    global pieces
    pieces -= 1
    if pieces < 0:
        time.sleep(3600)
    return real(fd, data[:20_000])
atomic.os.write = write
from convcli.cli.app import run
sys.exit(run(sys.argv[1:]))
"""
"""Writes so many pieces of a file, and then waits to be killed."""


def kill_often(folder: Path, rounds: int) -> dict[str, Any]:
    """Kill ``filter`` over one target, again and again.

    Every second kill comes at a random moment of the run, the others while the temporary is
    there, whole or in part. After each the target is the old file or the new; every fifth stray is left for the
    next run to sweep.
    """
    target, moments = folder / "out.png", random.Random(8)
    small_picture(folder / "in.png", 1, 900)
    small_picture(folder / "old.png", 2)
    words = "filter in.png -k identity -o out.png --overwrite -q".split()
    began = time.monotonic()
    subprocess.run([*CONVCLI, *words], cwd=folder, check=True)
    whole = time.monotonic() - began
    new, old = target.read_bytes(), (folder / "old.png").read_bytes()
    replaced = strays = swept = 0
    for turn in range(rounds):
        target.write_bytes(old)
        argv = [*CONVCLI, *words] if turn % 2 else [sys.executable, "-c", HELD_UP, *words]
        env = {**os.environ, "PIECES": str(moments.randrange(40))}
        with subprocess.Popen(argv, cwd=folder, stderr=subprocess.DEVNULL, env=env) as process:
            if turn % 2:
                time.sleep(moments.uniform(0.3, 1.1) * whole)
            else:
                while not temporaries(folder) and process.poll() is None:
                    time.sleep(0.001)
                time.sleep(moments.uniform(0, 0.02))
            process.kill()
        left = temporaries(folder)
        assert len(left) <= 1, f"round {turn}: {left}"
        now = target.read_bytes()
        assert now in (old, new), f"round {turn}: {len(now)} bytes that are neither file"
        strays, replaced = strays + len(left), replaced + (now == new)
        if left and strays % 5 == 1:
            subprocess.run([*CONVCLI, *words], cwd=folder, check=True)
            assert temporaries(folder) == [], f"round {turn}: the stray was not swept"
            swept += 1
        for name in temporaries(folder):
            (folder / name).unlink()
    return {
        "kills": rounds,
        "old_file": rounds - replaced,
        "new_file": replaced,
        "torn_files": 0,
        "strays": strays,
        "sweeps_checked": swept,
    }


# ---------------------------------------------------------------- many writers

WRITER = """
import itertools, os, sys
from convcli.cli.app import run
from convcli.imaging import atomic
number, rounds = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for turn in itertools.count():
    if turn >= rounds and os.path.exists("enough"):
        break
    atomic._swept.clear()  # a new process would sweep each time
    code = run(["filter", f"{number}.png", "-k", "identity", "-o", "target.png", "--overwrite", "-q"])
    if code:
        sys.exit(code)
"""


def write_at_once(folder: Path, writers: int, rounds: int) -> dict[str, Any]:
    """Writers of one target, and a reader in a loop that must always see one of theirs, whole.

    They write ``rounds`` times each, and go on until the reader has seen a few of them.
    """
    wanted = []
    for number in range(writers):
        small_picture(folder / f"{number}.png", number, 90 + number)
        with Image.open(folder / f"{number}.png") as image:
            wanted.append(np.asarray(image).tobytes())
    target = folder / "target.png"
    small_picture(target, 0, 90)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(number), str(rounds)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(writers)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    reads, seen, patience = 0, set(), time.monotonic() + 300
    while any(process.poll() is None for process in processes):
        with Image.open(io.BytesIO(target.read_bytes())) as image:
            seen.add(wanted.index(np.asarray(image).tobytes()))
        reads += 1
        if (reads > 20 and len(seen) > 4) or time.monotonic() > patience:
            (folder / "enough").touch()
    for process in processes:
        process.communicate()
        assert process.returncode == 0, f"a writer ended with {process.returncode}"
    assert temporaries(folder) == [], "a temporary was left"
    return {
        "writers": writers,
        "rounds": rounds,
        "reads": reads,
        "torn_reads": 0,
        "seen": len(seen),
    }


# ---------------------------------------------------------------- a large batch


def make_files(folder: Path, count: int, side: int) -> list[str]:
    """Pictures of five formats; the names of the 2 % that are damaged."""
    rng = np.random.default_rng(1)
    smooth = np.add.outer(np.arange(side), 2 * np.arange(side))[..., None] + np.array([0, 60, 120])
    pool = []
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        for _ in range(4):
            noisy = smooth + rng.integers(0, 24, (side, side, 3))
            out = io.BytesIO()
            Image.fromarray((noisy % 256).astype(np.uint8)).save(out, kind)
            pool.append((f".{kind.lower()[:4]}", out.getvalue()))
    damaged = []
    for index in range(count):
        suffix, data = pool[index % len(pool)]
        name = f"{index // 500:02}/{index:05}{suffix}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if index % 50 == 7:
            damaged.append(name)
            data = data[: len(data) // 3]
        (folder / name).write_bytes(data)
    return damaged


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def measure(pid: int) -> tuple[int, int]:
    """Proportional memory in KB and open files, of a process and its children."""
    memory = files = 0
    for one in family(pid):
        text = Path(f"/proc/{one}/smaps_rollup").read_text()
        memory += int(text.partition("\nPss:")[2].split()[0])
        files += len(os.listdir(f"/proc/{one}/fd"))  # noqa: PTH208
    return memory, files


def batch(folder: Path, count: int, side: int = 512, jobs: int = 2) -> dict[str, Any]:
    """Filter a tree of pictures while memory and open files are watched."""
    damaged = make_files(folder / "in", count, side)
    command = [*CONVCLI, "filter", "-r", "in", "-k", "gaussian:1", "-o", "out", "--json"]
    began, lines, samples = time.monotonic(), [], []
    with (
        (folder / "stderr").open("w") as err,
        subprocess.Popen(
            [*command, "-j", str(jobs)], cwd=folder, stdout=subprocess.PIPE, stderr=err, text=True
        ) as process,
    ):
        assert process.stdout is not None
        stdout = process.stdout
        reader = threading.Thread(target=lambda: lines.extend(stdout))
        reader.start()
        while process.poll() is None:
            try:
                samples.append((len(lines), *measure(process.pid)))
            except (OSError, IndexError):
                continue  # it ended just now
            time.sleep(0.05 if count < 2000 else 0.5)
        reader.join()
    seconds = time.monotonic() - began
    results = [json.loads(line) for line in lines]
    failed = sorted(r["input"].removeprefix("in/") for r in results if "error" in r)
    assert process.returncode == 1, f"exit {process.returncode}"
    assert failed == sorted(damaged), f"{len(failed)} reported, {len(damaged)} damaged"
    written = [p for p in (folder / "out").rglob("*") if p.is_file()]
    assert len(written) == count - len(damaged)
    assert not [p for p in written if p.name.startswith(".")]
    early = [s for s in samples if count // 20 <= s[0] <= count // 4]
    late = [s for s in samples if s[0] >= count * 3 // 4 and s[2] > 10]
    assert early and late, "too few samples"
    top = [max(s[i] for s in part) for i in (1, 2) for part in (early, late)]
    assert top[1] <= 1.15 * top[0] + 4096, f"memory grew from {top[0]} to {top[1]} KB"
    assert top[3] <= top[2] + 4, f"open files grew from {top[2]} to {top[3]}"
    return {
        "files": count,
        "damaged": len(damaged),
        "reported": len(failed),
        "seconds": round(seconds),
        "memory_mb_first_quarter": round(top[0] / 1024),
        "memory_mb_last_quarter": round(top[1] / 1024),
        "open_files_first_quarter": top[2],
        "open_files_last_quarter": top[3],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["kill", "writers", "batch"])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--files", type=int, default=10_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="convcli-soak-"))
    try:
        if given.what == "kill":
            figures = kill_often(folder, given.rounds)
        elif given.what == "writers":
            figures = write_at_once(folder, 16, given.rounds)
        else:
            figures = batch(folder, given.files)
    except AssertionError as error:
        print(f"{given.what}: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({given.what: figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
