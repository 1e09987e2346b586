"""One revision's rows in memory: a process of its own, asked by benchmarks/old_new.py.

    PYTHONPATH=CHECKOUT python benchmarks/old_new_worker.py PICTURES.npz-FOLDER

Rows and pictures are those of the benchmarks beside this file, whatever the revision. Each line on
standard input prepares a row, ``{"topic": ..., "row": ..., "threads": N}``, and is answered with a
digest of its result, or runs it for a while, ``{"run": SECONDS}``, answered with seconds and
processor seconds of the fastest call.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]
LEAST, SLOW = 3, 0.3
"""Calls of a visit; one is enough of what takes so many seconds."""


def engine(row: str, threads: int, folder: Path, fresh: bool = False) -> Call:
    """A row of engine.py or ranks.py, into an output that it was given before or a fresh one."""
    import engine_peers
    import rank_peers

    found = {f"{r.name} {r.picture}": r for r in [*engine_peers.rows(), *rank_peers.rows()]}[row]
    made = engine_peers.ours(found, np.load(folder / f"{found.picture}.npy"), threads)
    return lambda: made.call(None if fresh else made.out)


def windows(row: str, threads: int, folder: Path) -> Call:
    """A row of windows.py."""
    import windows

    found = next(r for r in windows.rows() if r.name == row)
    x = np.load(folder / ("rgb8.npy" if row.endswith("rgb") else "gray8.npy"))
    white = {"uint8": 1, "uint16": 257, "float32": np.float32(1 / 255)}[found.dtype]
    return windows.ours(found, (x.astype(found.dtype) * white).astype(found.dtype), threads)


def rasters(row: str, threads: int, folder: Path) -> Call:
    """A row of rasters.py."""
    import raster_peers

    x = np.load(folder / "terrain.npy")
    call = raster_peers.convcli(raster_peers.ROWS[row], threads)
    return lambda: call(x)


def tensors(row: str, threads: int, folder: Path) -> Call:
    """A row of tensors.py; numbers of threads stand in the environment."""
    import tensors

    found = next(r for r in tensors.ROWS if r[0] == row)
    return tensors.ours(found)


TOPICS = {
    "engine": engine,
    "engine-numpy": engine,
    "engine-fresh": lambda *given: engine(*given, fresh=True),
    "ranks": engine,
    "windows": windows,
    "rasters": rasters,
    "tensors": tensors,
}


def digest(value: Any) -> str:
    """Of all arrays of a result."""
    arrays = value if isinstance(value, tuple | list) else [value]
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()


def visit(call: Call, seconds: float) -> dict[str, float]:
    """The fastest of a few calls."""
    best, cpu, begun, calls = float("inf"), float("inf"), time.perf_counter(), 0
    while True:
        start, used = time.perf_counter(), time.process_time()
        call()
        best = min(best, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - used)
        calls += 1
        enough = calls >= LEAST or best > SLOW
        if enough and time.perf_counter() - begun >= seconds:
            return {"seconds": best, "cpu": cpu, "calls": calls}


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    call: Call | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "run" in asked:
                assert call is not None
                reply: dict[str, Any] = visit(call, asked["run"])
            else:
                call = None
                topic = TOPICS[asked["topic"]]
                call = topic(asked["row"], asked["threads"], Path(sys.argv[1]))
                reply = {"digest": digest(call())}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
