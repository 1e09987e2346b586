"""Machines with a GPU that are not at hand, as queues: when a batch of pictures would end.

An event simulation, which shares no line with the formulas of ``auto``. Tasks wait for tasks before
them, then in line for a resource: the cores, each way of the bus, the device. It is deterministic:
who has waited longest is first, among those the earlier task. Cores are shared as a system shares
them: who has had one for a while goes to the end of the line.

What stands behind a picture on the GPU, as ``engine/gpu/host_strips.py`` and ``transfers.py`` do it:
a thread decodes it; a core fills pinned memory piece by piece, each piece goes up the bus while the
next is filled; kernels run strip by strip once their rows are there; each result comes down while
the next is computed, and a core empties it; the thread encodes. At most four pictures are between
the first fill and the last emptying.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

PIECE = 8 << 20
"""Bytes of a pinned buffer."""
MOST_PIECES = 6
"""Pieces that are told apart in a picture of a batch."""
ON_DEVICE = 4
STRIP = 0.4e-3
"""What a strip costs the processor."""
SLICES, SLICE = 6, 5e-3
"""Turns that a task on a core takes where others wait, and the least seconds of one."""
LAUNCH_GAP = 8e-6
"""Between two kernels of a stream."""
LATENCY = 40e-6
"""Of a filter: Python, launches, the first and last event."""
ISSUED = 0.6
"""Share of the issue slots that a kernel really fills."""


class Device(NamedTuple):
    """A GPU, its host and its driver; where figures come from stands beside ``DEVICES``."""

    name: str
    start: float
    """Seconds to import CuPy and make a context."""
    compiler: float
    """Time of the compiler, relative to the machine where it was timed."""
    load: float
    """Seconds to load a cubin."""
    up: float
    down: float
    """Bytes per second, pinned."""
    duplex: bool
    """Whether both go at once."""
    host_copy: float
    """Bytes per second of one core to pinned memory."""
    memory: float
    """Bytes per second, read plus written, of a copy."""
    slots: float
    """Instructions of threads issued per second: lanes times clock."""
    doubles: float
    """Multiply-adds in float64 per second."""
    cores: int
    core: float
    """Time of one core, relative to the machine where the CPU was timed."""
    serial: float
    """Share of a filter that more threads do not make shorter."""
    together: float
    """Time of a core when all are busy, relative to one alone."""
    matrices: bool = True
    """Whether it multiplies matrices of bytes."""


DEVICES = [
    # GeForce RTX 3060: 28 multiprocessors of 128 lanes, 1.78 GHz, 360 GB/s, fp64 1/64 of fp32,
    # PCIe 4.0 x16; a copy at 0.85 of the nominal speed. Eight cores as fast as the measured ones.
    Device("desktop", 0.9, 1.0, 2e-3, 22e9, 22e9, True, 10e9, 306e9, 6.4e12, 1.0e11,
           8, 1.0, 0.10, 1.15),
    # GeForce RTX 3050 Laptop: 16 multiprocessors at 1.4 GHz, 192 GB/s, PCIe 4.0 x8, slow start.
    Device("laptop", 1.6, 1.5, 3e-3, 11e9, 11e9, True, 7e9, 160e9, 2.9e12, 4.5e10,
           4, 1.4, 0.12, 1.35),
    # H100 SXM: 132 multiprocessors at 1.755 GHz, 3.0 TB/s by copy, fp64 1/2, PCIe 5.0 x16; one
    # processor of a server, whose cores are slower alone and less in each other's way.
    Device("H100", 1.2, 1.2, 2e-3, 50e9, 50e9, True, 9e9, 3.0e12, 29.7e12, 1.5e13,
           32, 1.2, 0.10, 1.20),
    # GeForce GTX 1060: 10 multiprocessors at 1.7 GHz, 192 GB/s, PCIe 3.0 x16, one copy at a time,
    # fp64 1/32, in a desktop of its age.
    Device("old card", 1.3, 2.0, 3e-3, 11e9, 11e9, False, 5e9, 150e9, 2.2e12, 6.0e10,
           4, 1.8, 0.15, 1.40, False),
]  # fmt: skip
"""Assumed: makers' figures, and round numbers where they give none (start, load, copies, cores)."""

HELD_OUT = [
    Device("RTX 4090, 16 cores", 0.7, 0.8, 1.5e-3, 24e9, 24e9, True, 12e9, 850e9, 3.7e13, 6.4e11,
           16, 0.8, 0.08, 1.25),
    Device("T4, 4 cores", 1.5, 1.6, 3e-3, 12e9, 12e9, True, 6e9, 240e9, 4.0e12, 1.25e11,
           4, 1.5, 0.12, 1.50, False),
    Device("A10G, 8 cores", 1.4, 1.3, 2.5e-3, 22e9, 22e9, True, 8e9, 500e9, 1.56e13, 2.4e11,
           8, 1.3, 0.10, 1.40),
    Device("A100, 2 cores", 1.3, 1.4, 2e-3, 24e9, 24e9, True, 9e9, 1.7e12, 9.7e12, 4.8e12,
           2, 1.3, 0.10, 1.10),
    Device("GTX 1650, 6 cores", 1.8, 1.4, 3e-3, 6e9, 6e9, True, 8e9, 110e9, 1.4e12, 4e10,
           6, 1.2, 0.15, 1.60, False),
    Device("RTX 5090, 24 cores", 0.6, 0.7, 1.2e-3, 50e9, 50e9, True, 15e9, 1.5e12, 5.2e13, 8e11,
           24, 0.7, 0.06, 1.30),
]  # fmt: skip
"""Machines that the prediction was not fitted to, in the same way."""


class Kernel(NamedTuple):
    """A launch, by its disassembly: of one sample of the output."""

    instructions: float
    fp64: float
    bytes: float
    without: float = 0.0
    """Instructions, if any others, on a device that does not multiply matrices."""

    def seconds(self, device: Device, samples: float) -> float:
        """On a picture of so many samples: the slowest of three things that go on at once."""
        return max(
            samples * self.bytes / device.memory,
            samples * self._issued(device) / (ISSUED * device.slots),
            samples * self.fp64 / device.doubles,
        )

    def _issued(self, device: Device) -> float:
        return self.instructions if device.matrices else self.without or self.instructions


class Picture(NamedTuple):
    """One of a batch: seconds of one core as timed, and what a GPU has to do."""

    filter: float
    decode: float
    encode: float
    bytes_in: float
    bytes_out: float
    samples: float
    kernels: tuple[Kernel, ...]
    compile: float
    """Seconds of the compiler as timed; 0 where all are in the cache."""
    launches: int
    """With those that fill frames."""


@dataclass(slots=True)
class Task:
    """So many seconds of a resource; ``before`` are tasks that have to be done, by number."""

    resource: str
    seconds: float
    before: tuple[int, ...] = ()


class Queues:
    """Resources of several servers each, in front of which tasks wait in line."""

    def __init__(self, servers: dict[str, int]) -> None:
        self.servers = servers

    def run(self, tasks: Sequence[Task]) -> list[float]:
        """When each task ends."""
        ends = [0.0] * len(tasks)
        waits = [len(task.before) for task in tasks]
        after: list[list[int]] = [[] for _ in tasks]
        for number, task in enumerate(tasks):
            for earlier in task.before:
                after[earlier].append(number)
        free, left = dict(self.servers), [task.seconds for task in tasks]
        slices = [
            max(task.seconds / SLICES, SLICE) if task.resource == "cores" else task.seconds
            for task in tasks
        ]
        lines: dict[str, deque[int]] = {name: deque() for name in free}
        events: list[tuple[float, int, int]] = []  # when, in which order begun, which task
        begun = 0
        ready = deque(number for number, most in enumerate(waits) if not most)
        now, done = 0.0, 0
        while done < len(tasks):
            for number in ready:
                lines[tasks[number].resource].append(number)
            ready.clear()
            for name, line in lines.items():
                while line and free[name]:
                    free[name] -= 1
                    number = line.popleft()
                    until = now + min(left[number], slices[number])
                    heapq.heappush(events, (until, begun, number))
                    begun += 1
            now, _, number = heapq.heappop(events)  # there is one, unless tasks wait for each other
            free[tasks[number].resource] += 1
            left[number] -= slices[number]
            if left[number] > 1e-12:
                ready.append(number)
                continue
            ends[number] = now
            done += 1
            for later in after[number]:
                waits[later] -= 1
                if not waits[later]:
                    ready.append(later)
        return ends


def crowding(device: Device, busy: int) -> float:
    """How much longer a core takes when so many are busy."""
    busy = min(busy, device.cores)
    return 1 + (device.together - 1) * (busy - 1) / max(device.cores - 1, 1)


def on_cpu(device: Device, picture: Picture, count: int, workers: int) -> float:
    """Seconds until the last of a batch is written; one worker has all threads for a picture."""
    if count == 1 or workers == 1:
        shared = device.serial + (1 - device.serial) / device.cores
        slower = crowding(device, device.cores)
        parallel = picture.filter * max(shared, slower / device.cores)
        return count * device.core * (picture.decode + picture.encode + parallel)
    at_once = min(workers, count)
    slower = device.core * crowding(device, at_once)
    work = slower * (picture.filter + picture.decode + picture.encode)
    tasks = [
        Task("cores", work, (number - at_once,) if number >= at_once else ())
        for number in range(count)
    ]
    return max(Queues({"cores": device.cores}).run(tasks))


def ready_seconds(device: Device, picture: Picture) -> float:
    """Until the first kernel can be launched."""
    loaded = device.load * picture.launches
    return device.start + device.compiler * picture.compile + loaded


def on_gpu(device: Device, picture: Picture, count: int, workers: int) -> float:
    """Seconds until the last of a batch is written, import and context included."""
    tasks: list[Task] = []
    last: list[int] = []  # of each picture: its encoding
    landed: list[int] = []  # of each picture: the last emptying
    at_once = min(workers, count)
    slower = device.core * crowding(device, at_once)
    for number in range(count):
        before = (last[number - at_once],) if number >= at_once else ()
        tasks.append(Task("cores", slower * picture.decode, before))
        place = (landed[number - ON_DEVICE],) if number >= ON_DEVICE else ()
        hands = min(device.cores, 4) if at_once == 1 else 1
        _there_and_back(tasks, device, picture, (len(tasks) - 1, *place), hands)
        landed.append(len(tasks) - 1)
        tasks.append(Task("cores", slower * picture.encode, (landed[-1],)))
        last.append(len(tasks) - 1)
    ways = {"up": 1, "down": 1} if device.duplex else {"up": 1}
    queues = Queues({"cores": device.cores, "device": 1, "free": count, **ways})
    return ready_seconds(device, picture) + max(queues.run(tasks))


def _there_and_back(
    tasks: list[Task], device: Device, picture: Picture, before: tuple[int, ...], hands: int
) -> None:
    """A picture's way over the bus; the last task is the last emptying."""
    most = MOST_PIECES if hands == 1 else 64
    ups = _pieces(picture.bytes_in, most)
    computing = sum(kernel.seconds(device, picture.samples) for kernel in picture.kernels)
    slow = min(picture.bytes_in / device.up, picture.bytes_out / device.down)
    strips = max(round(math.sqrt(slow / STRIP)), 1)
    tasks.append(Task("free", LATENCY, before))
    filled = came = len(tasks) - 1
    sent = []
    for _ in range(ups):
        fill = picture.bytes_in / ups / device.host_copy / hands
        tasks.append(Task("cores", fill, (filled,)))
        filled = len(tasks) - 1
        tasks.append(Task("up", picture.bytes_in / ups / device.up, (filled,)))
        sent.append(len(tasks) - 1)
    done = sent[0]
    down = "down" if device.duplex else "up"
    for strip in range(strips):
        needs = sent[min(math.ceil((strip + 1) * ups / strips), ups) - 1]
        tasks.append(Task("cores", STRIP if strips > 1 else 0.0, (needs,)))
        gaps = LAUNCH_GAP * picture.launches
        tasks.append(Task("device", computing / strips + gaps, (len(tasks) - 1, done)))
        done = len(tasks) - 1
        downs = max(_pieces(picture.bytes_out, most) // strips, 1)
        for _ in range(downs):
            part = picture.bytes_out / strips / downs
            tasks.append(Task(down, part / device.down, (done,)))
            came = max(came, filled)
            tasks.append(Task("cores", part / device.host_copy / hands, (len(tasks) - 1, came)))
            came = len(tasks) - 1


def _pieces(size: float, most: int) -> int:
    return min(max(math.ceil(size / PIECE), 1), most)
