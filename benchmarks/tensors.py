"""Tensor convolutions beside PyTorch on the CPU, two threads each.

    python benchmarks/tensors.py [--rounds 9] [--json FILE] [--write docs/performance.md]

PyTorch is optional; without it only convcli is timed. Both run in this process in turns (a few
calls of one, a pause, a few of the other), and the median of all rounds counts, so a busy machine
slows both. A ratio above 1 means that convcli is faster.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("CONVCLI_THREADS", "2")

import numpy as np
from report import Line, compared, facts, machine_line, write_json, write_section

import convcli

CALLS = 12
PAUSE = 0.02

Row = tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]

CONV: list[Row] = [
    ("(1,64,56,56)->64 k3", (1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    ("(1,128,28,28)->128 k3", (1, 128, 28, 28), (128, 128, 3, 3), {"padding": 1}),
    ("(8,3,224,224)->64 k7", (8, 3, 224, 224), (64, 3, 7, 7), {"padding": 3}),
    ("(4,16,128,128)->32 k3", (4, 16, 128, 128), (32, 16, 3, 3), {"padding": 1}),
    ("(1,64,112,112)->128 k1", (1, 64, 112, 112), (128, 64, 1, 1), {}),
    ("(1,128,56,56) depthwise k3", (1, 128, 56, 56), (128, 1, 3, 3), {"padding": 1, "groups": 128}),
]
TRANSPOSED: list[Row] = [
    ("(4,64,32,32)->32 k4 s2 transposed", (4, 64, 32, 32), (64, 32, 4, 4), {"padding": 1, "stride": 2}),
]  # fmt: skip
ROWS = CONV + TRANSPOSED
BAR = 0.8
"""Of each ratio."""


def timed(call: Callable[[], Any]) -> list[float]:
    """Milliseconds of a few calls in a row; the first warms up."""
    call()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    time.sleep(PAUSE)
    return times


def load_torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    return torch


def arrays(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Input and weights, the same at every call."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(row[1], dtype=np.float32)
    return x, rng.standard_normal(row[2], dtype=np.float32)


def ours(row: Row) -> Callable[[], Any]:
    """convcli's call of a row."""
    x, w = arrays(row)
    call = convcli.conv_transpose if row in TRANSPOSED else convcli.conv
    return lambda: call(x, w, **row[3])


def measure(row: Row, transposed: bool, torch: Any, rounds: int) -> dict[str, Any]:
    name, _, _, options = row
    x, w = arrays(row)
    call = ours(row)
    mine: list[float] = []
    theirs: list[float] = []
    if torch is not None:
        functional = torch.nn.functional
        peer = functional.conv_transpose2d if transposed else functional.conv2d
        tx, tw = torch.from_numpy(x), torch.from_numpy(w)
        y, ty = call(), peer(tx, tw, **options).numpy()
        difference = float(np.abs(y - ty).max())
        assert y.shape == ty.shape, f"{name}: {y.shape} and {ty.shape}"
        assert difference < 1e-3 * np.abs(ty).max(), f"{name}: results differ by {difference}"
    for _ in range(rounds):
        mine += timed(call)
        if torch is not None:
            theirs += timed(lambda: peer(tx, tw, **options))
    found: dict[str, Any] = {"case": name, "convcli_ms": statistics.median(mine)}
    if theirs:
        found["torch_ms"] = statistics.median(theirs)
        found["ratio"] = found["torch_ms"] / found["convcli_ms"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    arguments = parser.parse_args()
    torch = load_torch()
    version = f"PyTorch {torch.__version__}" if torch is not None else "PyTorch is not installed"
    print(f"NumPy {np.__version__}, {version}, Python {sys.version.split()[0]}")
    print(f"{'case':36} {'convcli ms':>11} {'PyTorch ms':>11} {'ratio':>6}")
    results = []
    for row in ROWS:
        if arguments.only not in row[0]:
            continue
        found = measure(row, row in TRANSPOSED, torch, arguments.rounds)
        results.append(found)
        peer = f"{found['torch_ms']:11.2f} {found['ratio']:6.2f}" if "ratio" in found else ""
        print(f"{found['case']:36} {found['convcli_ms']:11.2f} {peer}")
    ratios = [found["ratio"] for found in results if "ratio" in found]
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of the ratios (PyTorch time / ours): {mean:.2f}")
    data = {"facts": facts(("torch",)), "rows": results}
    if arguments.json:
        write_json(arguments.json, data)
    if arguments.write:
        lines = [
            Line([f["case"], f"{f['convcli_ms']:.2f}", f"{f['torch_ms']:.2f}", f"**{f['ratio']:.2f}**"],
                 f["ratio"], BAR)
            for f in results if "ratio" in f
        ]  # fmt: skip
        shown = compared("case, convcli ms, PyTorch ms, ratio", lines, tuple(r[0] for r in ROWS))
        write_section(arguments.write, "tensors", f"{machine_line(data['facts'])}\n\n{shown}", data)


if __name__ == "__main__":
    main()
