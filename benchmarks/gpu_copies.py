"""How fast the device copies, multiplies, and is reached over the bus: what all shares are of."""

from __future__ import annotations

from typing import Any

import numpy as np
from gpu_bench import Bench, Row, wall

CORES = {70: 64, 75: 64, 80: 64}  # float32 lanes of a multiprocessor; 128 from 8.6 on


def rows(bench: Bench) -> list[Row]:
    """The device first, then the bus."""
    return [
        Row("device", lambda: {"copy": copy_speed(bench), "multiply_adds": multiply_adds(bench)}),
        Row("bus", lambda: bus(bench)),
    ]


def copy_speed(bench: Bench) -> float:
    """Bytes read plus written per second by a copy on the device."""
    size = bench.amount.copied
    one, other = (bench.cp.zeros(size, np.uint8) for _ in range(2))
    return 2 * size / bench.time(lambda: bench.cp.copyto(other, one))


def multiply_adds(bench: Bench) -> float:
    """Nominal float32 multiply-adds per second."""
    facts = bench.cp.cuda.runtime.getDeviceProperties(0)
    generation = facts["major"] * 10 + facts["minor"]
    clock = facts.get("clockRate") or bench.cp.cuda.Device(0).attributes["ClockRate"]
    return float(facts["multiProcessorCount"] * CORES.get(generation, 128) * clock * 1e3)


def bus(bench: Bench) -> dict[str, Any]:
    """Bytes per second up and down, through the pinned buffers that filters use."""
    size = bench.amount.copied >> 4
    host = np.ones((size >> 14 or 1, 1 << 14), np.uint8)
    slab = bench.cp.empty(host.shape, np.uint8)

    def up() -> None:
        bench.device.upload(host, slab)
        bench.device.stream.synchronize()

    def down() -> None:
        bench.device.download(slab, host)
        bench.device.finish()

    return {"up": host.nbytes / wall(up, 5), "down": host.nbytes / wall(down, 5)}
