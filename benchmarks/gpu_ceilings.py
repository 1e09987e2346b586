"""From counts of instructions to the fastest that a filter could be on a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpu_kinds import KINDS, Kind, constants_of
from gpu_sass import LANES, Instruction, Loop, Reader, Tally, UnknownTurns, height_of


class Card(NamedTuple):
    """A device: multiprocessors, clock, and bytes read plus written per second by a copy."""

    arch: str
    processors: int
    hertz: float
    copy: float


CARDS = {
    "A100": Card("sm_80", 108, 1.41e9, 1.7e12),
    "H100": Card("sm_90", 132, 1.755e9, 3.0e12),
    "B200": Card("sm_100", 148, 1.85e9, 6.8e12),
}
"""Makers' figures; copies at 0.85 to 0.9 of the memory's nominal speed."""

NEAR_BYTES = 128
"""That the first-level cache and shared memory move for a multiprocessor each clock."""

SHARED_BYTES = {"sm_80": 164 << 10, "sm_90": 228 << 10, "sm_100": 228 << 10}
WARPS = 64


def occupancy(registers: int, shared: int, arch: str, threads: int = 128) -> float:
    """Share of the warps that a multiprocessor can hold, by registers and shared memory.

    >>> occupancy(72, 0, "sm_90"), occupancy(135, 0, "sm_90"), occupancy(32, 100_000, "sm_90")
    (0.4375, 0.1875, 0.125)
    """
    warps = threads // 32
    by_registers = 65536 // (math.ceil(registers * 32 / 256) * 256) // warps
    blocks = min(by_registers, 32, WARPS // warps)
    if shared:
        blocks = min(blocks, SHARED_BYTES[arch] // (shared + 1024))
    return blocks * warps / WARPS


@dataclass(frozen=True, slots=True)
class Count:
    """What one launch does for each sample that it makes, in the steady state.

    ``walked`` is the number of instructions with what each thread does before its first sample, in
    the launch that a 4096 x 4096 picture gets; ``limits`` are clocks of a multiprocessor, times
    lanes, by what would be busy all the time.
    """

    instructions: float
    adds: float
    converted: float
    walked: float
    bytes: float
    limits: dict[str, float]
    local: float


def count_of(code: Sequence[Instruction], text: str, function: str, rows: int) -> Count | None:
    """Counts of a kernel that makes ``rows`` rows in each thread; None if its loops are unknown."""
    constants, kind = constants_of(text), KINDS.get(function, Kind())
    reader = Reader(code, bool(constants["WHOLE_SUMS"]))
    loop, turning = reader.steady()
    if kind.stages or kind.jobs:
        turning = False
    try:
        if kind.stages:
            once = _staged(reader, constants, kind)
        elif kind.jobs:
            once = _by_jobs(reader, _walk_of(reader), kind.jobs(constants))
        else:
            once = _once(reader, loop, constants, kind)
        before = reader.cost(loop, _turns(kind, constants), "warm") if turning else Tally()
    except UnknownTurns:
        return None
    out = constants.get("OUT_BYTES", 0)
    samples = once.stored / out if out else 0
    if not samples:
        return None
    per = Tally().plus(once, 1 / samples)
    walked = per.instructions
    if turning:
        start = reader.cost(reader.flow.whole, lambda depth, height: 0.0).instructions
        turns = once.stored / (out * constants["NX"])  # rows of output that a turn makes
        warm = kind.warm(constants) * before.instructions / turns
        lead = kind.lead(constants)
        if lead and loop.inner:
            start += lead * reader.cost(loop.inner[0], _turns(kind, constants)).instructions
        if kind.ahead(constants):
            start += kind.ahead(constants) * _per_byte(reader, loop)
        walked += (start + warm) / (rows * kind.width(constants))
    lanes = LANES["sm_90"]
    limits = {name: getattr(per, name) for name in lanes if name != "issue"}
    limits |= {"issue": per.instructions, "near": (per.near + per.loaded) / NEAR_BYTES}
    channels = constants.get("CHANNELS", 1)
    seen = constants.get("STRIDE_H", 1) * constants.get("STRIDE_W", 1)
    if "C_OUT" in constants:
        seen *= channels / constants["C_OUT"]
    return Count(
        instructions=per.instructions,
        adds=per.adds,
        converted=per.xu,
        walked=walked,
        bytes=constants.get("IN_BYTES", 0) * seen + out,
        limits=limits,
        local=per.local,
    )


def _per_byte(reader: Reader, steady: Loop) -> float:
    """Instructions for each byte that is loaded ahead of the steady state."""
    loops = [loop for loop in reader.flow.whole.inner if loop is not steady]
    once = [reader.cost(loop, lambda depth, height: 0.0) for loop in loops]
    return min((each.instructions / each.loaded for each in once if each.loaded), default=0.0)


def _turns(kind: Kind, constants: dict[str, int]) -> Any:
    given = kind.turns(constants)
    return lambda depth, height: given[height] if height < len(given) else None


def _staged(reader: Reader, constants: dict[str, int], kind: Kind) -> Tally:
    """A thread's share of all loops of a block, one after another."""
    assert kind.stages
    total = reader.cost(reader.flow.whole, lambda depth, height: 0.0)
    for loop in reader.flow.whole.inner:
        once = reader.cost(loop, _turns(kind, constants))
        total = total.plus(once, kind.stages(constants)[once.stored > 0])
    return total


def _walk_of(reader: Reader) -> Loop:
    """The loop in which a block walks down: the largest."""
    return max(reader.flow.whole.inner, key=lambda loop: len(loop.blocks))


def _by_jobs(reader: Reader, loop: Loop, turns: dict[str, float]) -> Tally:
    """A turn of a loop, with all loops inside it."""
    total = reader.cost(loop, lambda depth, height: 0.0)
    for inner in loop.inner:
        once = _by_jobs(reader, inner, turns)
        if inner.inner:
            job = "around"
        elif once.matrix:
            job = "multiply"
        else:
            job = "store" if once.stored else "load"
        total = total.plus(once, turns[job])
    return total


def _once(reader: Reader, loop: Loop, constants: dict[str, int], kind: Kind) -> Tally:
    if kind.adds is not None and loop.inner:
        return _by_adds(reader, loop, kind.adds(constants))
    busy = reader.cost(loop, _turns(kind, constants))
    share = kind.share(constants)
    if share == 1:
        return busy
    least = reader.cost(loop, _turns(kind, constants), "idle")
    blended = least.plus(busy.plus(least, -1), share)
    return blended._replace(stored=busy.stored)


def _by_adds(reader: Reader, loop: Loop, needed: float) -> Tally:
    """The innermost loops turn as often as the sums need; those around them once."""
    if height_of(loop) > 1 or len(loop.inner) > 1:
        raise UnknownTurns
    none, one = (reader.cost(loop, lambda depth, height, n=n: float(n)) for n in (0, 1))
    turns = (needed - none.adds) / (one.adds - none.adds)
    return none.plus(one.plus(none, -1), turns)


class Ceiling(NamedTuple):
    """The most that a filter can reach on a device, as a share of a copy, and what binds it.

    ``computing`` is the share if memory were no limit: what there is to spare.
    """

    share: float
    computing: float
    bound: str


def ceiling(counts: Sequence[Count], ideal: float, card: Card, launched: bool = False) -> Ceiling:
    """Of launches one after another, each as fast as its busiest part.

    Parameters
    ----------
    ideal
        Bytes that a copy would move for each sample.
    launched
        With what threads do before their first sample, in the launch that a picture gets.
    """
    lanes = LANES[card.arch] | {"near": 1}
    seconds, alone, slowest, bound = 0.0, 0.0, 0.0, ""
    for count in counts:
        clocks = {name: used / lanes[name] for name, used in count.limits.items()}
        busiest = max(clocks, key=lambda name: clocks[name])
        working = clocks[busiest] / (card.processors * card.hertz)
        if launched:
            working *= count.walked / count.instructions
        moving = count.bytes / card.copy
        took = max(working, moving)
        seconds += took
        alone += working
        if took > slowest:
            slowest, bound = took, "memory" if moving >= working else busiest
    copied = ideal / card.copy
    return Ceiling(copied / seconds, copied / alone, bound)
