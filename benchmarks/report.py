"""Tables for docs/performance.md, each between its own marks, with the machine that gave it."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PEERS = ("opencv-python-headless", "pyvips", "pillow", "scipy", "torch")


def machine(libraries: tuple[str, ...] = PEERS) -> str:
    """One line: processor, cores, Python, NumPy, the libraries beside us, the day."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    found = [f"{name} {v}" for name in ("numpy", *libraries) if (v := _version(name))]
    day = datetime.now(UTC).date()
    return (
        f"Measured {day} on {os.cpu_count()} cores of {model}, {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join(found)}."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def write_section(path: Path, name: str, text: str) -> None:
    """Put a text between the marks of that name in a document."""
    document = path.read_text("utf-8")
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in document or end not in document:
        sys.exit(f"{path} has no {begin} and {end}")
    head, rest = document.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}", "utf-8")
