"""How much memory a run may take."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convcli.errors import UsageError

__all__ = ["available", "parse_size"]

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """A number of bytes, as in ``512M`` or ``1.5G``.

    Raises
    ------
    UsageError
        If it is no size.

    >>> parse_size("512M"), parse_size("1.5GiB")
    (536870912, 1610612736)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--memory {text!r} is no size; allowed: a number with K, M, G or T")
    return int(float(match[1]) * UNITS[match[2].upper()])


def available() -> int:
    """Bytes that are free or can be freed at once, within the limit of a container."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = min(free, int(limit) - used) if limit != "max" else free
    except (OSError, ValueError):
        pass
    return max(free, 2**26)
