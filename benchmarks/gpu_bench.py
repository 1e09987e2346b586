"""What all parts of ``gpu.py`` share: the device, how long something takes on it, how much is done."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convcli.engine.gpu.cupy_device import CupyDevice

ROOT = Path(__file__).resolve().parents[1]


class Amount(NamedTuple):
    """How much is measured; tests take little."""

    sides: tuple[int, ...] = (4096, 10_000)
    checked: tuple[int, int] = (257, 319)
    copied: int = 1 << 30
    spread: int = 400 << 20
    """Bytes of all buffers of a row together, several times the L2 cache."""
    rounds: int = 7
    photo: tuple[int, int] = (4000, 6000)
    pictures: int = 40
    """Of a batch in memory."""
    files: int = 60
    file_size: tuple[int, int] = (1920, 1080)
    auto_sides: tuple[int, ...] = tuple(int(round(256 * 1.22**n / 16) * 16) for n in range(20))
    commands: int = 3
    """Times that a command is run, the first of which does not count."""
    rows: int = 1000
    """Of each part, evenly spread."""


TINY = Amount(
    sides=(40,), checked=(20, 30), copied=1 << 20, spread=1 << 14, rounds=1, photo=(40, 60),
    pictures=3, files=2, file_size=(30, 20), auto_sides=(16, 24), commands=1, rows=3,
)  # fmt: skip
"""For tests without a GPU: every line of host code, no speed."""


Figures = dict[str, Any]


class Row(NamedTuple):
    """A line of a part: its key, and what gives its figures: at once, or more and more of them."""

    key: str
    measure: Callable[[], Figures | Iterator[Figures]]


def run_command(arguments: Sequence[str], limit: float = 300) -> tuple[float, str]:
    """Seconds of a command of ours, from its start to its end, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "convcli", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False,
    )  # fmt: skip
    took = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(" ".join((done.stderr or done.stdout).split())[-300:])
    return took, done.stdout


class Recorder(CupyDevice):
    """A device that remembers its launches, to repeat them."""

    launches: list[Callable[[], None]]

    def launch(self, source: Any, grid: Any, block: Any, args: Any) -> None:
        function = self.function(source)
        self.launches.append(lambda: function(grid, block, args))
        function(grid, block, args)


class Bench:
    """The device and its clock."""

    def __init__(self, amount: Amount) -> None:
        import cupy

        self.cp, self.amount = cupy, amount
        self.device = Recorder(0)
        self.device.launches = []

    def time(self, action: Callable[[], Any], *, repeat: int = 1) -> float:
        """Median seconds, by the device's clock, of one of ``repeat`` things that an action starts."""
        laps = []
        with self.device as device:  # what CuPy does by itself goes to the stream that is timed
            action()
            device.stream.synchronize()
            for _ in range(self.amount.rounds):
                events = [self.cp.cuda.Event() for _ in range(2)]
                events[0].record(device.stream)
                action()
                events[1].record(device.stream)
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

    def command(self, arguments: Sequence[str]) -> float:
        """Seconds of a command."""
        return run_command(arguments)[0]

    def commands(self, arguments: Sequence[str]) -> float:
        """Median seconds of a command, the first run left out: it may compile kernels."""
        laps = [self.command(arguments) for _ in range(self.amount.commands)]
        return statistics.median(laps[1:] or laps)

    def report(self, arguments: Sequence[str]) -> dict[str, Any]:
        """What a command says of itself with ``--json``."""
        return dict(json.loads(run_command([*arguments, "--json"])[1]))

    def free(self) -> None:
        """Give back what a row took."""
        self.cp.get_default_memory_pool().free_all_blocks()


def wall(action: Callable[[], Any], rounds: int) -> float:
    """Median seconds by the wall's clock, the first left out."""
    laps = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        laps.append(time.perf_counter() - begin)
    return statistics.median(laps[1:] or laps)


@lru_cache(maxsize=2)
def picture(shape: tuple[int, ...], dtype: str) -> Any:
    """Random samples of the whole range."""
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        return rng.random(shape, np.float32).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype)
