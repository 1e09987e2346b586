"""Everything that has to be measured on a GPU, by one command, in under 20 minutes.

    python benchmarks/gpu.py --all [--write docs/performance.md] [--journal FILE]
    python benchmarks/gpu.py --part filters copies

Needs a GPU and ``pip install -e '.[test,cuda13]'``; peers (cuCIM, OpenCV with CUDA, PyTorch) are
compared if they are there, and say why if not. Parts run in the order of ``PARTS``, each in a
process of its own and for no longer than its budget, its most important rows first; what it has
not reached by then is left for another call. Finished rows are kept in a journal, so that a run
that was stopped, or that the device failed, goes on where it was and loses a row at most.
``--write`` (the default with ``--all``) puts the tables between the marks ``gpu`` of the document
and all rows into ``performance/gpu.json`` beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import gpu_auto
import gpu_batches
import gpu_copies
import gpu_filters
import gpu_tables
import gpu_tensors
import gpu_tested
from gpu_bench import ROOT, TINY, Amount, Bench, Row
from gpu_journal import Journal
from gpu_static import PAGE, unpacked
from report import kept, write_section

from convcli.engine.gpu.device import require_device
from convcli.errors import BackendError

STARTING = 30.0
"""Seconds that a part may take beyond its budget: its start, and the row that it is at."""

TRIES = 3
"""Processes for a part, where a row takes its process with it."""


class Part(NamedTuple):
    """Rows that belong together, and the seconds that they may take."""

    rows: Callable[[Bench], list[Row]]
    budget: float


PARTS = {
    "copies": Part(gpu_copies.rows, 20),
    "tests": Part(gpu_tested.rows, 250),
    "filters": Part(gpu_filters.rows, 310),
    "batches": Part(gpu_batches.rows, 150),
    "auto": Part(gpu_auto.rows, 190),
    "tensors": Part(gpu_tensors.rows, 60),
}
"""Together 980 s; with starts and rows that overrun, under 20 minutes."""


def run_part(name: str, bench: Bench, journal: Journal, budget: float) -> int:
    """Measure rows of a part until it is done or its time is over; returns how many are left."""
    rows = PARTS[name].rows(bench)
    few = min(bench.amount.rows, len(rows))
    rows = [rows[n * len(rows) // few] for n in range(few)]
    rows = [row for row in rows if journal.wants(f"{name}/{row.key}")]
    begin = time.monotonic()
    for number, row in enumerate(rows):
        if time.monotonic() - begin > budget:
            return len(rows) - number
        key = f"{name}/{row.key}"
        journal.begin(key)
        try:
            made = row.measure()
            for figures in [made] if isinstance(made, dict) else made:
                journal.finish(key, figures)
        except Exception as error:  # whatever it is: the others go on
            journal.fail(key, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        if not answers(bench):
            sys.exit(f"{key}: the device failed")  # another process goes on
        print(f"{key}: {journal.failed.get(key) or journal.done[key]}", flush=True)
    return 0


def answers(bench: Bench) -> bool:
    """Whether the device still does what this process asks of it."""
    try:
        bench.cp.cuda.runtime.deviceSynchronize()
    except Exception:  # of CuPy, whatever it is now
        return False
    return True


def facts() -> dict[str, Any]:
    """Day, device, versions, revision.

    Raises
    ------
    BackendError
        If there is no GPU.
    """
    name = require_device()
    import cupy

    driver = cupy.cuda.runtime.driverGetVersion()
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": str(datetime.now(UTC).date()),
        "gpu": name.split(", ", 1)[-1],
        "driver": f"{driver // 1000}.{driver % 1000 // 10}",
        "cupy": cupy.__version__,
        "cores": os.cpu_count(),
        "revision": revision.stdout.strip(),
    }


def in_processes(names: list[str], journal: Path, tiny: bool) -> None:
    """Each part in a process of its own, again where a row took it along."""
    for name in names:
        end = time.monotonic() + PARTS[name].budget
        for _ in range(TRIES):
            left = end - time.monotonic()
            command = [sys.executable, __file__, "--child", name, "--journal", str(journal)]
            command += ["--tiny"] if tiny else []
            try:
                done = subprocess.run(
                    [*command, "--budget", str(max(left, 0))],
                    timeout=max(left, 0) + STARTING,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                print(f"{name}: out of time", flush=True)
                break
            if done.returncode == 0 or left <= 0:
                break


def write(document: Path, journal: Journal) -> None:
    """The tables and all rows."""
    found = kept(PAGE, "gpu-static")
    static = unpacked(found) if found else {}
    text = gpu_tables.section(journal, static)
    data = {"facts": journal.facts, "journal": journal.done, "failed": journal.failed}
    write_section(document, "gpu", text, data)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="every part, and the document")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[], help="some parts")
    parser.add_argument("--write", type=Path, help="the document to put the tables into")
    parser.add_argument(
        "--journal", type=Path, default=Path(tempfile.gettempdir(), "convcli-gpu.jsonl"),
        help="where finished rows are kept",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="small and few, where nothing is fast")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--budget", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        known = facts()
    except BackendError as error:
        sys.exit(f"no GPU to measure: {error}")
    journal = Journal(options.journal, known)
    if options.child:
        left = run_part(
            options.child, Bench(TINY if options.tiny else Amount()), journal, options.budget
        )
        print(f"{options.child}: {left or 'no'} rows left", flush=True)
        return
    in_processes(list(PARTS) if options.all else options.part, options.journal, options.tiny)
    document = options.write or (PAGE if options.all else None)
    if document:
        write(document, Journal(options.journal, known))


if __name__ == "__main__":
    main()
