"""What ``auto`` chooses on machines that are simulated, beside what would end sooner there.

    python benchmarks/auto_judged.py [--uncalibrated] [--held-out]

CPU times were measured (``auto.py``), GPU times are simulated (``auto_simulation.py``): computed,
not measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from auto_cases import CALIBRATION, FILTERS, SIZES, Filter
from auto_simulation import (
    DEVICES,
    HELD_OUT,
    LATENCY,
    LAUNCH_GAP,
    Device,
    Kernel,
    Picture,
    crowding,
    on_cpu,
    on_gpu,
)
from gpu_cases import plan_on_gpu
from report import table

from convcli.engine.gpu import device as gpu_device
from convcli.engine.gpu.predicted import cpu_seconds, gpu_seconds
from convcli.engine.gpu.workload import Workload, compile_seconds, workload_of
from convcli.engine.plan import plan_filter
from convcli.engine.speeds import Speeds

MEASURED = Path(__file__).resolve().parents[1] / "docs" / "performance" / "auto.json"
COUNTS = (1, 3, 10, 100, 1000)
WORKERS = (1, 2, 4, 8, 16)
OTHER_WORKERS = (1, 3, 6, 12, 16)
BOUND = 1.2
SIDE = 4096
PNG_NS = 2.6, 1.6
"""What ``auto`` takes a byte of PNG to cost."""


Formula = Callable[[Workload, Speeds, int, int, int], float]
"""Seconds for so many pictures, workers and cores."""


class Found(NamedTuple):
    """One situation: seconds on either side, and the side that was chosen."""

    device: str
    filter: str
    size: str
    count: int
    workers: int
    cold: bool
    coded: bool
    cpu: float
    gpu: float
    takes_gpu: bool

    @property
    def loss(self) -> float:
        """How many times longer the choice takes than the other; below 1 it was right."""
        return self.gpu / self.cpu if self.takes_gpu else self.cpu / self.gpu


@cache
def measured() -> Any:
    """The times that ``auto.py`` left."""
    return json.loads(MEASURED.read_text("utf-8"))


def kernels_of(name: str) -> tuple[Kernel, ...]:
    """Those that make samples, by their disassembly."""
    launches = measured()["gpu"][name]
    return tuple(
        Kernel(each["instructions"], each["fp64"], each["bytes"], each.get("without matrices", 0.0))
        for each in launches
        if "instructions" in each
    )


def compiling(name: str) -> float:
    """Seconds of the compiler for all kernels of a filter, where it was timed."""
    return float(sum(each["compile"] for each in measured()["gpu"][name]))


def picture_of(one: Filter, width: int, height: int, *, cold: bool, coded: bool) -> Picture | None:
    """A picture as it was timed; None where it was not."""
    key = f"{width}x{height}"
    seconds = measured()["cpu"]["seconds of one thread"][one.name].get(key)
    if seconds is None:
        return None
    decode, encode = _codec(width, height) if coded else (0.0, 0.0)
    plan = one.plan(height, width, 1)
    size = width * height * one.channels * {"uint8": 1, "float64": 8}[one.dtype]
    return Picture(
        seconds,
        decode,
        encode,
        size,
        size,
        float(width * height * one.channels),
        kernels_of(one.name),
        compiling(one.name) if cold else 0.0,
        len(measured()["gpu"][one.name]) * len(plan.steps),
    )


def _codec(width: int, height: int) -> tuple[float, float]:
    known = measured()["cpu"]["seconds to decode and encode a PNG"]
    found = known.get(f"{width}x{height}")
    if found is None:
        largest = max(known, key=lambda key: _pixels(key))
        more = width * height / _pixels(largest)
        found = [seconds * more for seconds in known[largest]]
    return found[0], found[1]


def _pixels(key: str) -> int:
    width, height = key.split("x")
    return int(width) * int(height)


def calibrated(device: Device) -> Speeds:
    """What ``convcli bench --calibrate`` would find on a simulated machine."""
    known = measured()["cpu"]["calibrated"]
    (of_float,), (of_double,) = (kernels_of(one.name) for one in CALIBRATION[:2])
    plan = plan_on_gpu(CALIBRATION[2].kernel, "uint8", 1, {"algorithm": "direct"})
    slower = crowding(device, device.cores)
    at_once = max(device.serial + (1 - device.serial) / device.cores, slower / device.cores)
    return Speeds(
        cpu=known["cpu"] * device.core,
        cpu_rows={
            row: (fixed * device.core, unit * device.core)
            for row, (fixed, unit) in known["cpu_rows"].items()
        },
        serial=(device.cores * at_once - 1) / (device.cores - 1),
        together=device.together,
        start=device.start,
        compile=device.compiler * compiling(CALIBRATION[2].name) / compile_seconds(plan),
        load=device.load,
        launch=LATENCY / 2 + LAUNCH_GAP,
        upload=device.up,
        download=device.down,
        overlap=1.0 if device.duplex else 0.0,
        host_copy=device.host_copy,
        memory=device.memory,
        multiply_adds=15**2 * SIDE**2 / of_float.seconds(device, SIDE**2),
        doubles=15**2 * SIDE**2 / of_double.seconds(device, SIDE**2),
        matrices=float(device.matrices),
        device=device.name,
    )


def work_of(one: Filter, width: int, height: int, threads: int) -> Workload:
    """What ``auto`` weighs, by the real plans; nothing is in the cache."""
    kept = gpu_device.require_device
    gpu_device.require_device = lambda number=0: "assumed"
    try:
        shape = (height, width, one.channels)
        on_device = plan_filter(shape, one.dtype, [one.kernel], backend="cupy")
    finally:
        gpu_device.require_device = kept
    return workload_of(one.plan(height, width, threads), on_device)


@cache
def _times(device: Device, picture: Picture, workers: int) -> tuple[tuple[int, float, float], ...]:
    """Seconds of either side for each count; from some rounds of all workers on, each round adds as
    much as the one before."""
    few = max(12, 3 * workers)

    @cache
    def both(count: int) -> tuple[float, ...]:
        return tuple(side(device, picture, count, workers) for side in (on_cpu, on_gpu))

    steady = [after - before for before, after in zip(both(few), both(2 * few), strict=True)]
    found = []
    for count in COUNTS:
        # What is left over is simulated, whole rounds of all workers are added.
        begun = count if count <= few else few + (count - few) % few
        rounds = (count - begun) // few
        cpu, gpu = (t + rounds * more for t, more in zip(both(begun), steady, strict=True))
        found.append((count, cpu, gpu))
    return tuple(found)


def judged(
    devices: Sequence[Device] = tuple(DEVICES),
    sizes: Sequence[tuple[int, int]] = tuple(SIZES),
    workers: Sequence[int] = WORKERS,
    speeds: dict[str, Speeds] | None = None,
    formulas: tuple[Formula, Formula] = (cpu_seconds, gpu_seconds),
) -> Iterator[Found]:
    """Every situation, with what was chosen in it.

    Parameters
    ----------
    speeds
        What ``auto`` knows of each device, by its name; calibrated by default.
    formulas
        Predictions for the CPU and for a GPU; those of ``auto`` by default.
    """
    for device in devices:
        knows = (speeds or {}).get(device.name) or calibrated(device)
        for one in FILTERS:
            for width, height in sizes:
                for coded in (False, True):
                    if coded and one.dtype != "uint8":
                        continue
                    warm = picture_of(one, width, height, cold=False, coded=coded)
                    if warm is None:
                        continue
                    for at_once in workers:
                        yield from _situations(
                            device, knows, one, (width, height), warm, at_once, formulas
                        )


def _situations(
    device: Device,
    knows: Speeds,
    one: Filter,
    size: tuple[int, int],
    warm: Picture,
    workers: int,
    formulas: tuple[Formula, Formula],
) -> Iterator[Found]:
    coded = warm.decode > 0
    extra = device.compiler * compiling(one.name)
    for count, cpu, gpu in _times(device, warm, workers):
        at_once = min(workers, count)
        work = _work(one, size, device.cores if at_once == 1 else 1)
        if coded:
            decode, encode = (ns * 1e-9 for ns in PNG_NS)
            work = work._replace(codec=decode * work.bytes_in + encode * work.bytes_out)
        for cold in (False, True):
            asked = work if cold else work._replace(compile=0.0)
            situation = knows, count, at_once, device.cores
            takes_gpu = formulas[0](asked, *situation) > formulas[1](asked, *situation)
            yield Found(
                device.name, one.name, f"{size[0]}x{size[1]}", count, workers, cold, coded,
                cpu, gpu + cold * extra, takes_gpu,
            )  # fmt: skip


@cache
def _work(one: Filter, size: tuple[int, int], threads: int) -> Workload:
    return work_of(one, *size, threads)


def main() -> None:
    """Print how often ``auto`` is wrong, and by how much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uncalibrated", action="store_true", help="auto knows no figures")
    parser.add_argument("--held-out", action="store_true", help="machines of which it was not made")
    options = parser.parse_args()
    devices, workers = (HELD_OUT, OTHER_WORKERS) if options.held_out else (DEVICES, WORKERS)
    speeds = {device.name: Speeds() for device in devices} if options.uncalibrated else None
    lines = []
    for device in devices:
        found = list(judged([device], workers=workers, speeds=speeds))
        wrong = [each for each in found if each.loss > BOUND]
        worst = max(found, key=lambda each: each.loss)
        gpu = sum(each.takes_gpu for each in found)
        lines.append([device.name, str(len(found)), f"{gpu / len(found):.0%}", str(len(wrong)),
                      f"{worst.loss:.2f}"])  # fmt: skip
        for each in sorted(wrong, key=lambda each: -each.loss)[:4]:
            print(f"{each.loss:.2f}", each)
    print(table("machine, situations, GPU taken, wrong by more than 1.2, worst", lines))


if __name__ == "__main__":
    main()
