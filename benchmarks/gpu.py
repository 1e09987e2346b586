"""Filters and tensors on the GPU, beside cupyx and PyTorch, against what the hardware allows.

    python benchmarks/gpu.py [--quick] [--write docs/performance.md] [--json results.json]

Needs a GPU and ``pip install 'convcli[cuda13]'``; PyTorch is compared if it is there. Checks come
first: every filter that is timed is compared with the CPU on a small picture. Then the speed of a
copy on the device is measured, and everything else is given as a share of it.

Kernels are timed with events after a warm-up, recorded into a graph so that launching costs
nothing, over buffers that together are several times larger than the L2 cache. The floor of a row
is the larger of reading and writing each sample once at copy speed, and its multiply-adds at the
nominal rate. A row that fails says so and the others go on. ``--write`` puts the table into a
document, between its ``gpu:begin`` and ``gpu:end`` marks.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from report import add_outputs, leave

import convcli
from convcli.engine.dispatch import execute
from convcli.engine.gpu.cupy_device import CupyDevice, device_of_thread
from convcli.engine.gpu.cupy_run import run_chain
from convcli.engine.gpu.device import require_device
from convcli.engine.gpu.slabs import run_resident
from convcli.engine.plan import plan_filter
from convcli.errors import BackendError, ConvcliError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

CORES = {70: 64, 75: 64, 80: 64}  # float32 lanes of a multiprocessor; 128 from 8.6 on
ROUNDS = 7
AT_ONCE = 3  # pictures under way: one comes, one is computed, one goes
SPREAD = 400 << 20  # bytes of all buffers of a row together
BARS = {  # row: (what, bar, goal)
    "u8 3x3": ("share of copy", 0.6, 0.9),
    "u8 separable": ("share of copy", 0.45, 0.8),
    "u8 5x5, 7x7": ("share of roofline", 0.4, 0.8),
    "ratio to cupyx.ndimage, every row": ("least ratio", 4, 15),
    "f32 31x31": ("ratio to the better of cupyx", 1.0, 2),
    "conv2d": ("geometric mean ratio to PyTorch", 0.6, 1.0),
    "depthwise": ("ratio to PyTorch", 1.5, 4),
    "200 pictures": ("share of transfers alone", 0.7, 0.95),
}


class Recorder(CupyDevice):
    """A device that remembers its launches, to repeat them."""

    launches: list[Callable[[], None]]

    def launch(self, source: Any, grid: Any, block: Any, args: Any) -> None:
        function = self.function(source)
        self.launches.append(lambda: function(grid, block, args))
        function(grid, block, args)


class Bench:
    """The device, its speed, and the tables so far."""

    def __init__(self, quick: bool) -> None:
        import cupy

        self.cp, self.quick = cupy, quick
        self.device = Recorder(0)
        self.lines: list[str] = []
        self.results: dict[str, Any] = {"rows": []}
        self.measured: dict[str, list[float]] = {}

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def meets(self, bar: str, value: float) -> None:
        """Keep a figure that a bar is about."""
        self.measured.setdefault(bar, []).append(value)

    def time(self, action: Callable[[], Any], *, repeat: int = 1) -> float:
        """Median seconds of one of ``repeat`` things that ``action`` starts."""
        stream = self.device.stream
        action()
        stream.synchronize()
        laps = []
        for _ in range(ROUNDS):
            events = [self.cp.cuda.Event() for _ in range(2)]
            events[0].record(stream)
            action()
            events[1].record(stream)
            events[1].synchronize()
            laps.append(self.cp.cuda.get_elapsed_time(*events) / 1e3 / repeat)
        return statistics.median(laps)

    def as_graph(self, launches: list[Callable[[], None]]) -> Callable[[], None]:
        """The launches in one graph, so that Python's share of each does not count."""
        stream = self.device.stream
        for launch in launches:
            launch()
        stream.synchronize()
        stream.begin_capture()
        for launch in launches:
            launch()
        graph = stream.end_capture()
        return lambda: graph.launch(stream)


def checks(bench: Bench) -> None:
    """Each filter of the tables on a small picture, against the CPU; ends the run if one fails."""
    done = 0
    for dtype in ("uint8", "uint16", "float32"):
        for channels in (1, 3):
            x = picture((257, 319, channels), dtype)
            for name, kernel, options in filters():
                gpu, cpu = (
                    execute(plan_filter(x.shape, dtype, [kernel], backend=b, **options), x).pixels
                    for b in ("cupy", "numpy")
                )
                off = float(np.abs(gpu.astype(np.float64) - cpu.astype(np.float64)).max())
                if off > (1 if dtype.startswith("u") else 2e-5):
                    sys.exit(f"check failed: {name}, {dtype}, {channels} channels: {off} off")
                done += 1
    print(f"checks: {done} filters agree with the CPU", flush=True)


def filters() -> list[tuple[str, Kernel, dict[str, Any]]]:
    """Name, kernel and options of every row."""
    rng = np.random.default_rng(7)

    def dense(n: int) -> Kernel:
        return Kernel(rng.normal(size=(n, n)) / n**1.5, name=f"{n}x{n}")

    def taps(n: int) -> Kernel:
        line = rng.random(n) + 0.1
        return Kernel(np.outer(line, line) / line.sum() ** 2)

    return [
        ("sobel-x", load_kernel("sobel-x"), {}),
        ("gaussian-5x5", load_kernel("gaussian-5x5"), {}),
        ("box:15", load_kernel("box:15"), {}),
        ("3x3", dense(3), {"algorithm": "direct"}),
        ("5x5", dense(5), {"algorithm": "direct"}),
        ("7x7", dense(7), {"algorithm": "direct"}),
        ("15x15", dense(15), {}),
        ("31x31", dense(31), {}),
        ("separable 5x5", taps(5), {"algorithm": "separable"}),
        ("separable 7x7", taps(7), {"algorithm": "separable"}),
        ("gaussian 1", load_kernel("gaussian:1"), {}),
        ("gaussian 3", load_kernel("gaussian:3"), {}),
        ("gaussian 10", load_kernel("gaussian:10"), {}),
        ("3x3 stride 2", dense(3), {"stride": 2, "algorithm": "direct"}),
    ]


@lru_cache(maxsize=1)
def picture(shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(1)
    if dtype == "float32":
        return rng.random(shape, np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def copy_speed(bench: Bench) -> float:
    """Bytes read plus written per second by a copy on the device."""
    size = 1 << 30
    one, other = (bench.cp.zeros(size, np.uint8) for _ in range(2))
    return 2 * size / bench.time(lambda: bench.cp.copyto(other, one))


def multiply_adds(bench: Bench) -> float:
    """Nominal float32 multiply-adds per second."""
    facts = bench.cp.cuda.runtime.getDeviceProperties(0)
    generation = facts["major"] * 10 + facts["minor"]
    clock = facts.get("clockRate") or bench.cp.cuda.Device(0).attributes["ClockRate"]
    return float(facts["multiProcessorCount"] * CORES.get(generation, 128) * clock * 1e3)


def filter_rows(bench: Bench) -> None:
    copy, peak = bench.results["copy"], bench.results["multiply_adds"]
    bench.say(
        "| picture | filter | ms | GB/s | of copy | of roofline | x ndimage.convolve | x signal.fftconvolve | x PyTorch |"
    )
    bench.say("|---|---|---|---|---|---|---|---|---|")
    for side in (4096,) if bench.quick else (4096, 10_000):
        for dtype in ("uint8",) if bench.quick else ("uint8", "uint16", "float32"):
            for channels in (1, 3):
                for name, kernel, options in filters():
                    label = f"{side**2 / 1e6:.0f} MP {dtype}{' RGB' * (channels == 3)}"
                    try:
                        row = filter_row(bench, (side, side, channels), dtype, kernel, options)
                    except (ConvcliError, MemoryError, RuntimeError, ImportError) as error:
                        bench.say(f"| {label} | {name} | failed: {type(error).__name__} {error} |")
                        continue
                    floor = max(row["bytes"] / copy, row["taps"] / peak)
                    row |= {"name": name, "picture": label, "roofline": floor / row["s"]}
                    row["copy"] = row["bytes"] / row["s"] / copy
                    bench.results["rows"].append(row)
                    judge(bench, row, dtype)
                    others = " | ".join(
                        ratio(row[k], row["s"]) for k in ("ndimage", "signal", "torch")
                    )
                    bench.say(
                        f"| {label} | {name} | {row['s'] * 1e3:.3f} | {row['bytes'] / row['s'] / 1e9:.0f} "
                        f"| {row['copy']:.2f} | {row['roofline']:.2f} | {others} |"
                    )
                    bench.cp.get_default_memory_pool().free_all_blocks()


def judge(bench: Bench, row: dict[str, Any], dtype: str) -> None:
    """Hand the row's figures to the bars they belong to."""
    name = row["name"]
    if dtype == "uint8" and name == "3x3":
        bench.meets("u8 3x3", row["copy"])
    if dtype == "uint8" and name.startswith("separable"):
        bench.meets("u8 separable", row["copy"])
    if dtype == "uint8" and name in ("5x5", "7x7"):
        bench.meets("u8 5x5, 7x7", row["roofline"])
    if row["ndimage"]:
        bench.meets("ratio to cupyx.ndimage, every row", row["ndimage"] / row["s"])
    if dtype == "float32" and name == "31x31":
        theirs = [row[k] for k in ("ndimage", "signal") if row[k]]
        if theirs:
            bench.meets("f32 31x31", min(theirs) / row["s"])


def ratio(theirs: float | None, ours: float) -> str:
    return "-" if not theirs else f"{theirs / ours:.1f}"


def filter_row(
    bench: Bench, shape: tuple[int, int, int], dtype: str, kernel: Kernel, options: dict[str, Any]
) -> dict[str, Any]:
    """Seconds of ours and of the others, with the work that there is to do."""
    plan = plan_filter(shape, dtype, [kernel], backend="cupy", **options)
    step = plan.steps[0]
    size = math.prod(shape) * np.dtype(dtype).itemsize
    bytes_out = math.prod(plan.shape_out) * np.dtype(plan.out_dtype).itemsize
    copies = max(2, min(8, SPREAD // (size + bytes_out)))
    x = bench.cp.asarray(picture(shape, dtype))
    inputs = [x, *(x.copy() for _ in range(copies - 1))]
    device = bench.device
    if step.algorithm == "fft":
        seconds = bench.time(
            lambda: [run_resident(device, plan, one) for one in inputs], repeat=copies
        )
    else:
        device.launches = []
        kept = [run_resident(device, plan, one) for one in inputs]
        launches, device.launches = device.launches, []
        seconds = bench.time(bench.as_graph(launches), repeat=copies)
        del kept, launches
    taps = float(np.count_nonzero(step.weights))
    if step.algorithm == "separable":
        taps = float(sum(len(a) + len(b) for member in step.factors for a, b in member))
    row = {"s": seconds, "bytes": size + bytes_out, "taps": taps * math.prod(plan.shape_out)}
    return row | peers(bench, inputs, kernel, options)


def peers(
    bench: Bench, inputs: list[Any], kernel: Kernel, options: dict[str, Any]
) -> dict[str, Any]:
    """Seconds of cupyx and PyTorch for the same filter; None where there is no such thing."""
    found: dict[str, float | None] = {"ndimage": None, "signal": None, "torch": None}
    x, weights = inputs[0], bench.cp.asarray(kernel.weights * kernel.scale, np.float32)
    cube = weights[:, :, None]
    stride = options.get("stride", 1)
    huge = x.size * weights.size > 3e11  # seconds of a library that is not meant for this

    def timed(action: Callable[[Any], Any]) -> float | None:
        try:
            return bench.time(lambda: [action(one) for one in inputs], repeat=len(inputs))
        except Exception as error:  # theirs, whatever it is: the row has no figure then
            print(f"  (peer: {type(error).__name__} {str(error)[:80]})", file=sys.stderr)
            return None

    ndimage, signal = peer("cupyx.scipy.ndimage"), peer("cupyx.scipy.signal")
    if stride == 1:
        if ndimage and not huge:
            found["ndimage"] = timed(lambda one: ndimage.correlate(one, cube, mode="mirror"))
        lines = rank_one(bench, weights)
        if ndimage and lines is not None:
            seconds = timed(lambda one: by_lines(ndimage, one, *lines))
            found["ndimage"] = min(seconds or math.inf, found["ndimage"] or math.inf)
        if signal and weights.size >= 225 and x.dtype == np.float32:
            flipped = cube[::-1, ::-1]
            found["signal"] = timed(
                lambda one: signal.fftconvolve(one, flipped, mode="same", axes=(0, 1))
            )
    torch = load_torch()
    if torch is not None and x.dtype == np.float32:
        apart = [bench.cp.ascontiguousarray(one.transpose(2, 0, 1)[:, None]) for one in inputs]
        bench.device.stream.synchronize()  # PyTorch works on a stream of its own
        planes = [torch.as_tensor(one, device="cuda") for one in apart]
        window = torch.as_tensor(weights[None, None], device="cuda")
        pad = (weights.shape[0] // 2, weights.shape[1] // 2)
        found["torch"] = torch_time(
            torch,
            lambda: [
                torch.nn.functional.conv2d(p, window, padding=pad, stride=stride) for p in planes
            ],
            len(planes),
        )
    return found


def rank_one(bench: Bench, weights: Any) -> tuple[Any, Any] | None:
    """Column and row of a separable kernel, as a user of cupyx would write it."""
    u, s, v = np.linalg.svd(bench.cp.asnumpy(weights).astype(np.float64))
    if s[1] > 1e-6 * s[0]:
        return None
    return bench.cp.asarray(u[:, 0] * s[0]), bench.cp.asarray(v[0])


def by_lines(ndimage: Any, x: Any, column: Any, row: Any) -> Any:
    down = ndimage.correlate1d(x, column, axis=0, output=np.float32, mode="mirror")
    return ndimage.correlate1d(down, row, axis=1, output=x.dtype, mode="mirror")


@cache
def peer(name: str) -> Any:
    """Another library's module, or None and its reason on standard error."""
    try:
        return import_module(name)
    except ImportError as error:
        print(f"  (peer: {error})", file=sys.stderr)
        return None


def load_torch() -> Any:
    torch = peer("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch


def torch_time(torch: Any, action: Callable[[], Any], repeat: int = 1) -> float:
    for _ in range(3):
        action()
    torch.cuda.synchronize()
    laps = []
    for _ in range(ROUNDS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        action()
        end.record()
        end.synchronize()
        laps.append(begin.elapsed_time(end) / 1e3 / repeat)
    return statistics.median(laps)


TENSORS = [
    ("conv 64->64 k3", (32, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    ("conv 3->64 k7 s2", (32, 3, 224, 224), (64, 3, 7, 7), {"padding": 3, "stride": 2}),
    ("conv 128->256 k1", (32, 128, 28, 28), (256, 128, 1, 1), {}),
    ("conv 16->32 k3", (8, 16, 256, 256), (32, 16, 3, 3), {"padding": 1}),
    ("depthwise 128 k3", (32, 128, 56, 56), (128, 1, 3, 3), {"padding": 1, "groups": 128}),
]


def tensor_rows(bench: Bench) -> None:
    """Forward, both gradients and transposed; float32 without TF32."""
    cp, torch = bench.cp, load_torch()
    bench.say("| tensor, float32 | ms | T multiply-adds/s | x PyTorch |")
    bench.say("|---|---|---|---|")
    ratios = []
    for name, shape, weight, options in TENSORS:
        rng = np.random.default_rng(2)
        x, w = (cp.asarray(rng.standard_normal(s, np.float32)) for s in (shape, weight))
        y = convcli.conv(x, w, **options)
        macs = y.size * math.prod(weight[1:])
        ways = {
            "forward": (lambda x=x, w=w, o=options: convcli.conv(x, w, **o), 1),
            "gradients": (lambda x=x, w=w, y=y, o=options: convcli.conv_grad(y, x, w, **o), 2),
            "transposed": (lambda w=w, y=y, o=options: convcli.conv_transpose(y, w, **o), 1),
        }
        for way, (ours, times) in ways.items():
            try:
                seconds = bench.time(ours)
            except Exception as error:
                bench.say(f"| {name}, {way} | failed: {type(error).__name__} {error} |")
                continue
            theirs = None if torch is None else torch_tensor(torch, way, x, w, y, options)
            bench.say(
                f"| {name}, {way} | {seconds * 1e3:.3f} | {times * macs / seconds / 1e12:.2f} "
                f"| {ratio(theirs, seconds)} |"
            )
            if theirs and name.startswith("depthwise") and way == "forward":
                bench.meets("depthwise", theirs / seconds)
            elif theirs and way == "forward":
                ratios.append(theirs / seconds)
    if ratios:
        bench.meets("conv2d", statistics.geometric_mean(ratios))


def torch_tensor(torch: Any, way: str, x: Any, w: Any, y: Any, options: dict[str, Any]) -> float:
    device_of_thread(0).xp.cuda.runtime.deviceSynchronize()
    tx, tw, ty = (torch.as_tensor(a, device="cuda") for a in (x, w, y))
    conv, grad = torch.nn.functional.conv2d, torch.nn.grad
    if way == "forward":
        return torch_time(torch, lambda: conv(tx, tw, **options))
    if way == "gradients":
        return torch_time(
            torch,
            lambda: (
                grad.conv2d_input(tx.shape, tw, ty, **options),
                grad.conv2d_weight(tx, tw.shape, ty, **options),
            ),
        )
    return torch_time(torch, lambda: torch.nn.functional.conv_transpose2d(ty, tw, **options))


def end_to_end(bench: Bench) -> None:
    """Pictures in host memory, transfers included, against the transfers alone and the CPU."""
    shape, count = (4000, 6000, 3), 20 if bench.quick else 200
    x = picture(shape, "uint8")
    bench.say("| 24 MP RGB, from memory to memory | ms each | of transfers alone | x CPU |")
    bench.say("|---|---|---|---|")
    for name in ("sobel-x", "gaussian:3"):
        plan = plan_filter(shape, "uint8", [load_kernel(name)], backend="cupy", range="auto")
        on_cpu = plan_filter(shape, "uint8", [load_kernel(name)], backend="numpy", range="auto")
        cpu = wall(lambda p=on_cpu: execute(p, x), 5)
        one = wall(lambda p=plan: run_chain(p, x), 9)
        alone = wall(lambda: transfers_alone(x), 9)
        bench.say(f"| {name}, one | {one * 1e3:.1f} | {alone / one:.2f} | {cpu / one:.1f} |")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            each = []
            for work in (partial(run_chain, plan), transfers_alone):
                deque(pool.map(work, [x] * 4), 0)
                begin = time.perf_counter()
                deque(pool.map(work, [x] * count), 0)
                each.append((time.perf_counter() - begin) / count)
        many, apart = each
        bench.say(f"| {name}, {count} | {many * 1e3:.1f} | {apart / many:.2f} | {cpu / many:.1f} |")
        bench.meets("200 pictures", apart / many)


def transfers_alone(x: Any) -> Any:
    """To the device and back, the way a filter does it, without the filter."""
    device = device_of_thread(0)
    flat = x.reshape(x.shape[0], -1)
    out = np.empty_like(flat)
    with device:
        slab = device.xp.empty(flat.shape, flat.dtype)
        device.upload([flat], slab)
        device.download(slab, out)
    return out


def wall(action: Callable[[], Any], rounds: int) -> float:
    laps = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        laps.append(time.perf_counter() - begin)
    return statistics.median(laps[1:] or laps)


def whole_process(bench: Bench) -> None:
    """The command on one photo: what auto has to beat."""
    bench.say("| convcli filter, 24 MP RGB PPM | seconds, GPU | seconds, CPU |")
    bench.say("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.ppm"), Path(folder, "out.ppm")
        x = picture((4000, 6000, 3), "uint8")
        source.write_bytes(b"P6\n6000 4000\n255\n" + x.tobytes())
        for kernel in ("sobel-x", "gaussian:10"):
            taken = []
            for backend in ("cupy", "numpy"):
                args = (
                    "filter",
                    source,
                    "-k",
                    kernel,
                    "-o",
                    target,
                    "--overwrite",
                    "-q",
                    "--backend",
                    backend,
                )
                command = [sys.executable, "-m", "convcli", *map(str, args)]
                taken.append(wall(lambda c=command: subprocess.run(c, check=True), 4))
            bench.say(f"| {kernel} | {taken[0]:.2f} | {taken[1]:.2f} |")


def verdicts(bench: Bench) -> None:
    """The bars, with the worst figure of those that count for each."""
    bench.say("| row | what | measured | bar | goal |")
    bench.say("|---|---|---|---|---|")
    for name, (what, bar, goal) in BARS.items():
        figures = bench.measured.get(name)
        worst = "not measured" if not figures else f"{min(figures):.2f}"
        bench.say(f"| {name} | {what} | {worst} | {bar} | {goal} |")


def title(bench: Bench, name: str) -> None:
    facts = bench.cp.cuda.runtime
    driver = facts.driverGetVersion()
    bench.say(
        f"{name}; driver for CUDA {driver // 1000}.{driver % 1000 // 10}, CuPy "
        f"{bench.cp.__version__}, convcli {convcli.__version__}, {os.cpu_count()} processors. "
        f"Copy: {bench.results['copy'] / 1e12:.2f} TB/s read plus written; nominal "
        f"{bench.results['multiply_adds'] / 1e12:.1f} T float32 multiply-adds per second."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="16 megapixels and 8 bits only")
    add_outputs(parser)
    options = parser.parse_args()
    try:
        name = require_device()
    except BackendError as error:
        sys.exit(f"no GPU to measure: {error}")
    bench = Bench(options.quick)
    checks(bench)
    with bench.device:
        bench.results |= {"copy": copy_speed(bench), "multiply_adds": multiply_adds(bench)}
        title(bench, name)
        for part in (filter_rows, tensor_rows):
            bench.say()
            part(bench)
    for part in (end_to_end, whole_process, verdicts):
        bench.say()
        part(bench)
    leave(options, "gpu", "\n".join(bench.lines), bench.results | {"bars": bench.measured})


if __name__ == "__main__":
    main()
