"""How long pictures take on the CPU and on a GPU: what ``auto`` compares.

Everything that is shared is divided: the processor's cores by all who decode, filter, copy and
encode, the bus and the device by all pictures. What happens beside something longer costs nothing.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from convcli.engine.gpu.pipeline import (
    AT_ONCE,
    HANDS,
    STAGE_BYTES,
    best_strips,
    bus_seconds,
    strip_seconds,
)
from convcli.engine.gpu.workload import PassWork, Workload

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
    bytes_in: float
    bytes_out: float


def cpu_seconds(work: Workload, speeds: Speeds, count: int, workers: int, cores: int) -> float:
    """Predicted for ``count`` pictures on the CPU, ``workers`` at a time."""
    filtering = 0.0
    for row, fixed, units in work.loops:
        of_fixed, of_units = speeds.cpu_rows.get(row, (speeds.cpu, speeds.cpu))
        filtering += of_fixed * fixed + of_units * units
    codec = work.codec * speeds.cpu
    if workers == 1 or count == 1:
        threads = min(work.threads, cores)
        return count * (codec + filtering * (speeds.serial + (1 - speeds.serial) / threads))
    each = codec + filtering
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
    lane, codec = _lane(work, speeds), work.codec * speeds.cpu
    if workers == 1 or count == 1:
        return ready + count * (codec + _alone(lane, speeds, cores))
    at_once = min(workers, count)
    crowded = _crowded(at_once, cores, speeds)
    host = crowded * (codec + lane.fill + lane.empty)
    there = _alone(lane, speeds, 1)
    bus = bus_seconds(lane.up, lane.down, speeds.overlap)
    whole = crowded * codec + there
    shared = (  # seconds of a picture, and how many times after the first
        (host, count / min(at_once, cores) - 1),
        (bus, count - 1),
        (lane.kernels, count - 1),
        (there, count / min(at_once, AT_ONCE) - 1),
        (whole, ceil(count / at_once) - 1),
    )
    return ready + whole + max(seconds * max(times, 0.0) for seconds, times in shared)


def _alone(lane: _Lane, speeds: Speeds, cores: int) -> float:
    """A picture in strips: all of them through the slowest part, one through the others."""
    hands = min(cores, HANDS)
    up = _piece_by_piece(lane.up, lane.fill / hands, lane.bytes_in)
    down = _piece_by_piece(lane.down, lane.empty / hands, lane.bytes_out)
    total = up + lane.kernels + down
    bus = bus_seconds(lane.up, lane.down, speeds.overlap)
    slowest = max(bus, lane.kernels, (lane.fill + lane.empty) / hands)
    return strip_seconds(total, slowest, best_strips(total, slowest))


def _piece_by_piece(bus: float, copy: float, size: float) -> float:
    """While a piece is on the bus the next is copied."""
    pieces = max(ceil(size / STAGE_BYTES), 1)
    return max(bus, copy) + min(bus, copy) / pieces


def _lane(work: Workload, speeds: Speeds) -> _Lane:
    kernels = sum(
        max(each.traffic / speeds.memory, _operations(each, speeds) / speeds.multiply_adds)
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
        work.bytes_in,
        work.bytes_out,
    )


def _operations(each: PassWork, speeds: Speeds) -> float:
    """Of a pass, and of what takes its place on a device that does not multiply matrices."""
    return each.operations + (1.0 - speeds.matrices) * each.more_without


def _crowded(busy: int, cores: int, speeds: Speeds) -> float:
    """How many times longer a thread takes when others are at work; all cores: as measured."""
    share = min(busy, cores) / cores if cores > 1 else 0.0
    return 1.0 + (speeds.together - 1.0) * share if busy > 1 else 1.0
