"""How long pictures take on the CPU and on a GPU: what ``auto`` compares.

Everything that is shared is divided: the processor's cores by all who decode, filter, copy and
encode, the bus and the device by all pictures. What happens beside something longer costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from convcli.engine.gpu.pipeline import AT_ONCE, HANDS, best_strips, strip_seconds
from convcli.engine.gpu.workload import Workload

if TYPE_CHECKING:
    from convcli.engine.speeds import Speeds

__all__ = ["cpu_seconds", "gpu_seconds"]


class _Lane(NamedTuple):
    """Seconds that one picture keeps each part of the machine busy, each as if alone."""

    up: float
    kernels: float
    down: float
    fill: float
    """Of the processor, to fill pinned memory."""
    empty: float

    def bus(self, overlap: float) -> float:
        """Seconds of the bus, of whose two ways the shorter hides partly behind the longer."""
        return self.up + self.down - overlap * min(self.up, self.down)


def cpu_seconds(work: Workload, speeds: Speeds, count: int, workers: int, cores: int) -> float:
    """Predicted for ``count`` pictures on the CPU, ``workers`` at a time."""
    filtering = sum(seconds * speeds.cpu_rows.get(row, speeds.cpu) for row, seconds in work.loops)
    if workers == 1:
        threads = min(work.threads, cores)
        return count * (work.codec + filtering * (speeds.serial + (1 - speeds.serial) / threads))
    each = work.codec + filtering
    at_once = min(workers, count)
    whole, left = divmod(count, at_once)
    return each * sum(
        rounds * max(1.0, busy / cores) * _crowded(busy, cores, speeds)
        for rounds, busy in ((whole, at_once), (1, left))
        if busy
    )


def gpu_seconds(work: Workload, speeds: Speeds, count: int, workers: int, cores: int) -> float:
    """Predicted for ``count`` pictures on a GPU, from a cold start, ``workers`` under way at once."""
    ready = speeds.start + speeds.compile * work.compile + speeds.load * work.kernels
    lane = _lane(work, speeds)
    if count == 1 or workers == 1:
        return ready + count * (work.codec + _alone(lane, speeds, cores))
    at_once = min(workers, count)
    host = work.codec + lane.fill + lane.empty
    there = lane.fill + lane.up + lane.kernels + lane.down + lane.empty
    whole = work.codec + there
    crowded = _crowded(at_once, cores, speeds)
    shared = (  # seconds of a picture, and how many of its kind go on at once
        (host * crowded, min(at_once, cores)),
        (lane.bus(speeds.overlap), 1),
        (lane.kernels, 1),
        (there, min(at_once, AT_ONCE)),
        (whole, at_once),
    )
    return ready + whole + max(seconds * max(count / many - 1, 0.0) for seconds, many in shared)


def _alone(lane: _Lane, speeds: Speeds, cores: int) -> float:
    """A picture in strips: all of them through the slowest part, one through the others."""
    hands = min(cores, HANDS)
    lane = lane._replace(
        up=max(lane.up, lane.fill / hands), down=max(lane.down, lane.empty / hands)
    )
    total = lane.up + lane.kernels + lane.down
    slowest = max(lane.bus(speeds.overlap), lane.kernels)
    return strip_seconds(total, slowest, best_strips(total, slowest))


def _lane(work: Workload, speeds: Speeds) -> _Lane:
    kernels = sum(
        max(each.traffic / speeds.memory, each.operations / speeds.multiply_adds)
        + each.doubles / speeds.doubles
        + each.launches * speeds.launch
        for each in work.passes
    )
    return _Lane(
        work.bytes_in / speeds.upload,
        kernels,
        work.bytes_out / speeds.download,
        work.bytes_in / speeds.host_copy,
        work.bytes_out / speeds.host_copy,
    )


def _crowded(busy: int, cores: int, speeds: Speeds) -> float:
    """How many times longer a thread takes when others are at work; all cores: as measured."""
    share = min(busy, cores) / cores if cores > 1 else 0.0
    return 1.0 + (speeds.together - 1.0) * share if busy > 1 else 1.0
