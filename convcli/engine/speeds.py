"""How fast this machine is, for ``auto``: measured once by ``convcli bench --calibrate``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

__all__ = ["Speeds", "cache_folder", "load_speeds", "save_speeds", "speeds_path"]


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds to start, and bytes or operations per second after that.

    The numbers given here stand for a common desktop GPU, and err on the side of the CPU.

    Parameters
    ----------
    cpu
        Time the CPU takes, relative to what the engine's cost table predicts.
    start
        To import CuPy and to make the driver's context, in seconds.
    compile
        Of one kernel that is in CuPy's cache on disk nearly always, in seconds.
    upload, download
        Over the bus, copies to pinned memory included.
    memory
        Read plus written.
    multiply_adds
        In float32.
    device
        The GPU's name, or empty where nothing was measured.
    """

    cpu: float = 1.0
    start: float = 0.8
    compile: float = 0.1
    upload: float = 6e9
    download: float = 6e9
    memory: float = 3e11
    multiply_adds: float = 4e12
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
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return Speeds()
    numbers = [value for name, value in known.items() if name != "device"]
    if not all(isinstance(value, int | float) and 0 < value < 1e18 for value in numbers):
        return Speeds()
    return Speeds(**known)


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
