"""Which kernels can be asked of a GPU: a list made from the registries of presets and options.

A case is a name, kernels and options; the steps that a GPU does by kernels of its own give the
sources. Cases that ask for the same source are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convcli.engine.gpu import device
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.plan import Plan, plan_filter
from convcli.errors import ConvcliError
from convcli.kernels.catalogue import PRESETS
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.ops.depthwise_gpu import launch_of
from convcli.ops.sliding_window import SlidingWindow

try:
    from convcli.engine.gpu.chain_steps import run_resident
except ImportError:  # a revision before it, of which the figures are put beside
    from convcli.engine.gpu.slabs import run_resident

try:
    from convcli.engine.gpu.step_passes import parts_of, step_passes
except ImportError:  # an older one
    from convcli.engine.gpu.passes import passes_of as step_passes

    def parts_of(step: Any) -> tuple[Any, ...]:
        """Steps had one part."""
        return (step,)


SIDE = 4096
TYPES = ("uint8", "uint16", "float32")
RNG = np.random.default_rng(3)
SHORT = {"uint8": "u8", "uint16": "u16", "float32": "f32", "float64": "f64"}


def dense(n: int) -> Kernel:
    """Weights of no structure."""
    return Kernel(np.random.default_rng(n).normal(size=(n, n)) / n**1.5, name=f"{n}x{n}")


def taps(n: int) -> Kernel:
    """A separable kernel of weights that no other has."""
    line = np.random.default_rng(n).random(n) + 0.1
    return Kernel(np.outer(line, line) / line.sum() ** 2)


class Case(NamedTuple):
    """A filter, and what it is asked for on."""

    name: str
    kernel: Any
    options: dict[str, Any]
    types: tuple[str, ...] = TYPES
    channels: tuple[int, ...] = (1, 3)


BENCHMARKED = [
    Case("sobel-x", load_kernel("sobel-x"), {}),
    Case("gaussian-5x5", load_kernel("gaussian-5x5"), {}),
    Case("box:15", load_kernel("box:15"), {}),
    *(Case(f"{n}x{n}", dense(n), {"algorithm": "direct"}) for n in (3, 5, 7)),
    *(Case(f"{n}x{n}", dense(n), {}) for n in (15, 31)),
    *(Case(f"separable {n}x{n}", taps(n), {"algorithm": "separable"}) for n in (5, 7)),
    *(Case(f"gaussian:{n}", load_kernel(f"gaussian:{n}"), {}) for n in (1, 3, 10)),
    Case("3x3 stride 2", dense(3), {"stride": 2, "algorithm": "direct"}),
]
"""What ``gpu.py`` times."""

PICKING = [
    Case(name, name, {})
    for name in ("median:3", "median:5", "median:7", "erode:3", "dilate:7", "erode:31")
]
"""Filters of ranks and ends, which ``gpu.py`` times."""

PRESET_CASES = [
    Case(preset.example or preset.name, preset.example or preset.name, {})
    for preset in PRESETS.values()
]

WAYS: list[dict[str, Any]] = [
    *({"stride": s} for s in (2, (1, 2), (2, 1), 3)),
    *({"dilation": d} for d in (2, (1, 3), (3, 1))),
    *({"padding": p} for p in ("valid", "full", 1)),
    *({"range": r} for r in ("auto", "abs", "offset")),
    *({"out_dtype": t} for t in ("uint8", "uint16", "float32")),
    {"flip": True},
]
"""Options, one at a time, with which presets are asked for."""

OPTION_CASES = [
    Case(
        " ".join([spec, *(f"{key} {value}" for key, value in way.items())]),
        spec, way, ("uint8",), (3,),
    )
    for spec in ("sobel-x", "sobel", "gaussian:2", "laplacian")
    for way in WAYS
]  # fmt: skip

WHOLE3 = Kernel(RNG.integers(-2, 3, (3, 3)).astype(float), scale=1 / 3)
REAL5 = Kernel(RNG.normal(size=(5, 5)) / 9, bias=2)
REAL7 = Kernel(RNG.normal(size=(7, 7)) / 9)
BLUR7 = Kernel(np.outer(RNG.random(7), RNG.random(7)) / 16)
PAIR = Kernel(RNG.integers(-1, 2, (2, 3, 3)).astype(float), combine="magnitude", absolute=True)
REAL15 = Kernel(RNG.normal(size=(15, 15)) / 20)
BLUR31 = Kernel(np.outer(RNG.random(31), RNG.random(29)) / 250)
REAL9 = Kernel(RNG.normal(size=(9, 9)) / 12)
REAL43 = Kernel(RNG.normal(size=(43, 43)) / 99)
WHOLE31 = Kernel(RNG.integers(-99, 99, (31, 31)).astype(float), scale=1e-4)
HUGE = Kernel(RNG.normal(size=(130, 131)) / 200)
TALL = Kernel(np.outer(RNG.random(61), RNG.random(59)) / 900)
BANK = Kernel(RNG.normal(size=(3, 3, 3, 3)) / 9)

TESTED = {
    "u8_gray_3x3": (WHOLE3, "uint8", 1, {}),
    "u8_rgb_3x3_to_u16": (WHOLE3, "uint8", 3, {"out_dtype": "uint16"}),
    "u8_rgb_whole_pair": (PAIR, "uint8", 3, {}),
    "u8_rgb_5x5": (REAL5, "uint8", 3, {}),
    "u16_gray_7x7": (REAL7, "uint16", 1, {"algorithm": "direct"}),
    "u8_gray_separable_7x7": (BLUR7, "uint8", 1, {"algorithm": "separable"}),
    "f32_rgb_magnitude": (PAIR, "float32", 3, {"range": "float"}),
    "u8_gray_15x15": (REAL15, "uint8", 1, {"algorithm": "direct"}),
    "u16_gray_15x15": (REAL15, "uint16", 1, {"algorithm": "direct"}),
    "u8_rgba_9x9_to_u16": (REAL9, "uint8", 4, {"algorithm": "direct", "out_dtype": "uint16"}),
    "u8_gray_43x43": (REAL43, "uint8", 1, {"algorithm": "direct"}),
    "u8_rgb_whole_31x31": (WHOLE31, "uint8", 3, {"algorithm": "direct"}),
    "f32_rgb_15x15": (REAL15, "float32", 3, {"algorithm": "direct"}),
    "u8_weights_in_memory": (HUGE, "uint8", 1, {"algorithm": "direct"}),
    "u8_rgb_separable": (BLUR31, "uint8", 3, {"algorithm": "separable"}),
    "u8_rgb_two_passes": (TALL, "uint8", 3, {"algorithm": "separable", "stride": (2, 1)}),
    "f64_gray_5x5": (REAL5, "float64", 1, {"algorithm": "direct"}),
    "u16_int32_sums": (Kernel(REAL7.weights.round(2) * 1e5), "uint16", 1, {"algorithm": "direct"}),
    "u8_rgb_strided_dilated": (REAL5, "uint8", 3, {"stride": (2, 2), "dilation": (1, 3)}),
    "u8_rgb_box": (load_kernel("box:9"), "uint8", 3, {}),
    "u16_gray_box": (load_kernel("box:101"), "uint16", 1, {}),
    "u8_bank": (BANK, "uint8", 3, {}),
}
"""Of ``tests/engine/gpu/test_gpu_compile.py``: every kernel, type of sums and place of weights."""

TEST_CASES = [
    Case(name, kernel, options, (dtype,), (channels,))
    for name, (kernel, dtype, channels, options) in TESTED.items()
]

CASES = [*BENCHMARKED, *PICKING, *PRESET_CASES, *OPTION_CASES, *TEST_CASES]


class Launch(NamedTuple):
    """A kernel that is started, and the rows of output that one of its threads makes."""

    source: Any
    rows: int


class Asked(NamedTuple):
    """A filter on a picture, or a convolution of tensors, with the launches that it takes."""

    name: str
    dtype: str
    channels: int
    """Of a picture; 0 for tensors, which have no plan."""
    plan: Plan | None
    launches: tuple[Launch, ...]

    @property
    def label(self) -> str:
        """Such as ``sobel-x u8 RGB``."""
        colours = {0: "tensor", 1: "gray", 3: "RGB", 4: "RGBA"}
        return f"{self.name} {SHORT[self.dtype]} {colours[self.channels]}"


class Recorder:
    """A device that runs nothing and remembers what it was to start."""

    xp = np
    out_of_memory = MemoryError

    def __init__(self, matrices: bool) -> None:
        self.multiplies_matrices = matrices
        self.started: list[tuple[Any, int]] = []

    def launch(self, source: Any, grid: Any, block: Any, args: Any) -> None:
        """Remember the source and how many threads stand below each other."""
        self.started.append((source, grid[1] * block[1]))

    def kept(self, array: Any) -> Any:
        """The array."""
        return array

    host = kept

    def address(self, array: Any) -> int:
        """Where NumPy put it."""
        return int(array.ctypes.data)

    def free_bytes(self) -> int:
        """Enough for one tile."""
        return 1 << 40


def plan_on_gpu(kernel: Any, dtype: str, channels: int, options: dict[str, Any]) -> Plan:
    """The plan that a machine with a GPU would make."""
    kept, device.require_device = device.require_device, lambda number=0: "assumed"
    try:
        one = load_kernel(kernel) if isinstance(kernel, str) else kernel
        return plan_filter((SIDE, SIDE, channels), dtype, [one], backend="cupy", **options)
    finally:
        device.require_device = kept


def launches_of(plan: Plan, matrices: bool = True) -> tuple[Launch, ...]:
    """What a picture in the device's memory is filtered by; ``matrices``: if it multiplies them."""
    recorder = Recorder(matrices)
    run_resident(recorder, plan, np.zeros(plan.shape_in, plan.dtype))
    return tuple(Launch(s, -(-plan.shape_out[0] // down)) for s, down in recorder.started)


def asked(cases: list[Case]) -> Iterator[Asked]:
    """The filters of a list that a GPU does by kernels of ours."""
    for case in cases:
        for dtype in case.types:
            for channels in case.channels:
                try:
                    plan = plan_on_gpu(case.kernel, dtype, channels, case.options)
                except ConvcliError:
                    continue  # not for this type or number of channels, or on the CPU only
                if all(step_passes(part, dtype) for part in parts_of(plan.steps[0])):
                    yield Asked(case.name, dtype, channels, plan, launches_of(plan))


def depthwise() -> Iterator[Asked]:
    """Depthwise convolutions of tensors, with and without a stride down."""
    for dtype in ("float32", "float64"):
        for stride in (1, 2):
            x, out = np.zeros((2, 3, 9, 9), dtype), np.zeros((2, 3, 7 // stride + 1, 7), dtype)
            sliding = SlidingWindow(
                np, x, 3, (3, 3), out.shape[2:], (stride, 1), (1, 2), (-1, -1), np.dtype(dtype)
            )
            text, _, _ = launch_of(sliding, np.zeros((3, 1, 3, 3), dtype), None, out)
            launch = Launch(KernelSource("depthwise", text), 1)
            yield Asked(f"depthwise 3x3 stride {stride}", dtype, 0, None, (launch,))
