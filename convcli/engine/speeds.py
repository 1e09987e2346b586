"""How fast this machine is, for ``auto``: measured once by ``convcli bench --calibrate``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path

__all__ = ["Speeds", "cache_folder", "load_speeds", "save_speeds", "speeds_path"]


SHARES = ("serial", "overlap", "matrices")
"""Between none and all."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds to start, and bytes or operations per second after that.

    The numbers given here stand for a common desktop GPU, and err on the side of the CPU.

    Parameters
    ----------
    cpu
        Time that one thread of the CPU takes, relative to what the engine's cost table predicts.
    cpu_rows
        The same by row of the table and type of the samples, for those that were measured: of what
        is fixed, and of what each unit of work takes.
    serial
        Share of a filter's work that more threads do not make shorter.
    together
        Time of a thread when every core has a picture of its own, relative to its time alone.
    start
        To import CuPy and to make the driver's context, in seconds.
    compile
        Time of the compiler, relative to the figures in ``gpu/workload.py``.
    load
        Of a compiled kernel from the cache, in seconds.
    launch
        Of a kernel, in seconds.
    upload, download
        Over the bus, from and to pinned memory.
    overlap
        Share of the shorter of the two that is hidden where both go at once.
    host_copy
        To pinned memory and back, by one thread.
    memory
        Read plus written.
    multiply_adds, doubles
        In float32, and in float64.
    matrices
        1 where the GPU multiplies matrices of bytes, as since compute capability 8.0; else 0.
    device
        The GPU's name, or empty where nothing was measured.
    """

    cpu: float = 1.0
    cpu_rows: dict[str, tuple[float, float]] = field(default_factory=dict)
    serial: float = 0.0
    together: float = 1.0
    start: float = 0.8
    compile: float = 1.5
    load: float = 0.002
    launch: float = 2e-5
    upload: float = 1e10
    download: float = 1e10
    overlap: float = 0.8
    host_copy: float = 7e9
    memory: float = 2.5e11
    multiply_adds: float = 3e12
    doubles: float = 8e10
    matrices: float = 1.0
    device: str = ""


def cache_folder() -> Path:
    """Where what can be made again is kept between runs."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(cache_home) / "convcli"


def speeds_path() -> Path:
    """Where the measured speeds are kept."""
    return cache_folder() / "speeds.json"


@cache
def load_speeds() -> Speeds:
    """The measured speeds, or the built-in ones where there are none that make sense."""
    try:
        found = json.loads(speeds_path().read_text("utf-8"))
        known = {field.name: found[field.name] for field in fields(Speeds)}
        rows = {row: (fixed, unit) for row, (fixed, unit) in known["cpu_rows"].items()}
    except (AttributeError, OSError, ValueError, KeyError, TypeError, RuntimeError):
        return Speeds()
    rates = [v for name, v in known.items() if name not in ("device", "cpu_rows", *SHARES)]
    known["cpu_rows"] = rows
    sane = all(map(_is_rate, [*rates, *(value for both in rows.values() for value in both)]))
    return Speeds(**known) if sane and all(map(_is_share, map(known.get, SHARES))) else Speeds()


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e18


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def save_speeds(speeds: Speeds) -> Path:
    """Keep measured speeds for later runs; returns where.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    path = speeds_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(speeds), indent=1) + "\n", "utf-8")
    load_speeds.cache_clear()
    return path
