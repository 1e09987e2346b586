"""Tensor convolutions and their gradients beside PyTorch on the CPU, two threads each.

    python benchmarks/tensors.py [--rounds 9] [--json FILE] [--write docs/performance.md]

PyTorch is optional; without it only convcli is timed. Both run in this process in turns (call after
call of one for a tenth of a second, a pause, the other), and the median of all rounds counts, so a
busy machine slows both, and neither meets threads of the other that have not gone to sleep. A ratio above 1 means that convcli is faster. Gradients are those for the input, the
weights and the bias together, by PyTorch's ``convolution_backward`` without a graph.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("CONVCLI_THREADS", "2")

import numpy as np
from report import Line, add_outputs, compared, facts, leave, machine_line

import convcli

TURN = 100.0
"""Milliseconds of a turn, and of warming up before it a fifth of that."""
LEAST = 3
"""Calls of a turn, however long they take."""
PAUSE = 0.02


class Row(NamedTuple):
    """A convolution of random numbers."""

    name: str
    x: tuple[int, ...]
    weight: tuple[int, ...]
    options: dict[str, int]
    transposed: bool = False
    gradients: bool = False


CONV = [
    Row("(1,64,56,56)->64 k3", (1, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    Row("(1,128,28,28)->128 k3", (1, 128, 28, 28), (128, 128, 3, 3), {"padding": 1}),
    Row("(8,3,224,224)->64 k7", (8, 3, 224, 224), (64, 3, 7, 7), {"padding": 3}),
    Row("(4,16,128,128)->32 k3", (4, 16, 128, 128), (32, 16, 3, 3), {"padding": 1}),
    Row("(1,64,112,112)->128 k1", (1, 64, 112, 112), (128, 64, 1, 1), {}),
    Row("(1,128,56,56) depthwise k3", (1, 128, 56, 56), (128, 1, 3, 3), {"padding": 1, "groups": 128}),
]  # fmt: skip
STRIDED = Row(
    "(2,64,56,56)->128 k3 s2", (2, 64, 56, 56), (128, 64, 3, 3), {"padding": 1, "stride": 2}
)
TRANSPOSED = [
    Row("(4,64,32,32)->32 k4 s2 transposed", (4, 64, 32, 32), (64, 32, 4, 4), {"padding": 1, "stride": 2}, True),
    Row("(2,32,40,40)->48 k3 s1 transposed", (2, 32, 40, 40), (32, 48, 3, 3), {"padding": 1}, True),
    Row("(2,32,40,40)->16 k6 s3 transposed", (2, 32, 40, 40), (32, 16, 6, 6), {"padding": 2, "stride": 3}, True),
]  # fmt: skip
GRADIENTS = [
    row._replace(name=f"{row.name} gradients", gradients=True)
    for row in (*CONV, STRIDED, TRANSPOSED[0])
]
ROWS = [*CONV, *TRANSPOSED, *GRADIENTS]
BARS = {False: 0.8, True: 0.7}
"""Of each ratio, without and with gradients."""


def timed(call: Callable[[], Any]) -> list[float]:
    """Milliseconds of the calls of a turn."""
    _calls(call, TURN / 5, 1)
    times = _calls(call, TURN, LEAST)
    time.sleep(PAUSE)
    return times


def _calls(call: Callable[[], Any], milliseconds: float, least: int) -> list[float]:
    times: list[float] = []
    while len(times) < least or sum(times) < milliseconds:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
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
    x = rng.standard_normal(row.x, dtype=np.float32)
    return x, rng.standard_normal(row.weight, dtype=np.float32)


def upstream(row: Row) -> np.ndarray:
    """A gradient for the output."""
    x, w = arrays(row)
    shape = (convcli.conv_transpose if row.transposed else convcli.conv)(x, w, **row.options).shape
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def ours(row: Row) -> Callable[[], Any]:
    """convcli's call of a row."""
    x, w = arrays(row)
    if row.gradients:
        grad, back = (
            upstream(row),
            convcli.conv_transpose_grad if row.transposed else convcli.conv_grad,
        )
        return lambda: back(grad, x, w, **row.options)
    call = convcli.conv_transpose if row.transposed else convcli.conv
    return lambda: call(x, w, **row.options)


def peers(row: Row, torch: Any) -> Callable[[], Any]:
    """PyTorch's call of a row."""
    x, w = map(torch.from_numpy, arrays(row))
    if not row.gradients:
        functional = torch.nn.functional
        call = functional.conv_transpose2d if row.transposed else functional.conv2d
        return lambda: call(x, w, **row.options)
    grad, groups = torch.from_numpy(upstream(row)), row.options.get("groups", 1)
    stride, padding = (
        [row.options.get(n, usual)] * 2 for n, usual in (("stride", 1), ("padding", 0))
    )
    bias = [row.weight[1] * groups if row.transposed else row.weight[0]]
    back = torch.ops.aten.convolution_backward
    every = [True, True, True]
    return lambda: back(
        grad, x, w, bias, stride, padding, [1, 1], row.transposed, [0, 0], groups, every
    )


def agree(row: Row, mine: Any, theirs: Any) -> None:
    """Stop if the results are not the same, up to the rounding of sums."""
    pairs = zip(mine, theirs, strict=True) if row.gradients else [(mine, theirs)]
    for y, other in pairs:
        ty = other.numpy()
        assert y.shape == ty.shape, f"{row.name}: {y.shape} and {ty.shape}"
        difference = float(np.abs(y - ty).max())
        assert difference < 1e-4 * np.abs(ty).max(), f"{row.name}: results differ by {difference}"


def spread(times: list[float]) -> list[float]:
    """The quartiles."""
    return statistics.quantiles(times, n=4)


def measure(row: Row, torch: Any, rounds: int) -> dict[str, Any]:
    """Medians and quartiles of both."""
    calls = {"convcli": ours(row)}
    if torch is not None:
        calls["torch"] = peers(row, torch)
        agree(row, calls["convcli"](), calls["torch"]())
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name] += timed(call)
    found: dict[str, Any] = {"case": row.name}
    for name, values in times.items():
        low, found[f"{name}_ms"], high = spread(values)
        found[f"{name}_quartiles_ms"] = [low, high]
    if torch is not None:
        found["ratio"] = found["torch_ms"] / found["convcli_ms"]
    return found


def mean(results: list[dict[str, Any]]) -> float:
    """The geometric mean of the ratios."""
    return math.exp(sum(math.log(found["ratio"]) for found in results) / len(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    add_outputs(parser)
    arguments = parser.parse_args()
    torch = load_torch()
    version = f"PyTorch {torch.__version__}" if torch is not None else "PyTorch is not installed"
    print(f"NumPy {np.__version__}, {version}, Python {sys.version.split()[0]}")
    print(f"{'case':44} {'convcli ms':>11} {'PyTorch ms':>11} {'ratio':>6}")
    results = []
    for row in ROWS:
        if arguments.only not in row.name:
            continue
        found = measure(row, torch, arguments.rounds)
        results.append(found)
        peer = f"{found['torch_ms']:11.2f} {found['ratio']:6.2f}" if "ratio" in found else ""
        print(f"{found['case']:44} {found['convcli_ms']:11.2f} {peer}")
    told = {}
    for name, rows in (("forward and transposed", [*CONV, *TRANSPOSED]), ("gradients", GRADIENTS)):
        some = [f for f in results if "ratio" in f and f["case"] in [row.name for row in rows]]
        if some:
            least = min(some, key=lambda found: found["ratio"])
            told[name] = {"mean": mean(some), "least": least["ratio"], "least_case": least["case"]}
            print(f"{name}: geometric mean of the ratios (PyTorch time / ours) {mean(some):.2f}, "
                  f"least {least['ratio']:.2f} ({least['case']})")  # fmt: skip
    data = {"facts": facts(("torch",)), "means": told, "rows": results}
    lines = [
        Line([f["case"], f"{f['convcli_ms']:.2f}", f"{f['torch_ms']:.2f}", f"**{f['ratio']:.2f}**"],
             f["ratio"], BARS["gradients" in f["case"]])
        for f in results if "ratio" in f
    ]  # fmt: skip
    shown = compared("case, convcli ms, PyTorch ms, ratio", lines, tuple(r.name for r in ROWS))
    leave(arguments, "tensors", f"{machine_line(data['facts'])}\n\n{shown}", data)


if __name__ == "__main__":
    main()
