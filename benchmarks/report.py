"""What a benchmark leaves: its section of docs/performance.md, between its own marks, and beside it
docs/performance/NAME.json with everything that was measured, the machine, the versions and the day.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

PEERS = ("opencv-python-headless", "pyvips", "pillow", "scipy", "torch")


def facts(libraries: tuple[str, ...] = PEERS) -> dict[str, Any]:
    """The day, processor, cores, Python, NumPy and the libraries beside us."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    found = {name: v for name in ("numpy", *libraries) if (v := _version(name))}
    return {
        "date": str(datetime.now(UTC).date()),
        "cores": os.cpu_count(),
        "processor": model,
        "system": platform.system(),
        "versions": {"python": platform.python_version(), **found},
    }


def machine_line(known: dict[str, Any]) -> str:
    """Facts as one line."""
    versions = dict(known["versions"])
    python = versions.pop("python")
    found = ", ".join(f"{name} {v}" for name, v in versions.items())
    return (
        f"Measured {known['date']} on {known['cores']} cores of {known['processor']}, "
        f"{known['system']}, Python {python}, {found}."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def table(head: str, lines: list[list[str]]) -> str:
    """A table of markdown, or nothing."""
    if not lines:
        return ""
    names = head.split(", ")
    made = [names, ["---"] * len(names), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in made) + "\n"


class Line(NamedTuple):
    """A line of a table that compares: its ratio, and the bar that it should reach."""

    cells: list[str]
    ratio: float
    bar: float


def compared(head: str, lines: list[Line], essential: tuple[str, ...]) -> str:
    """All ratios in a sentence, and a table of the essential rows and of those under their bar."""
    if not lines:
        return ""
    ratios = [line.ratio for line in lines]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    least = min(lines, key=lambda line: line.ratio)
    under = sum(line.ratio < line.bar for line in lines)
    rows = "row is" if under == 1 else "rows are"
    said = (
        f"Of {len(lines)} rows {under or 'none'} {rows} under the bar; the geometric mean of the "
        f"ratios is {mean:.2f}, the least {least.ratio:.2f} ({least.cells[0]})."
    ).replace("none rows are", "none is")
    show = [x.cells for x in lines if x.ratio < x.bar or x.cells[0] in essential]
    return f"{said}\n\n{table(head, show)}"


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """The options that say where a benchmark leaves what it found."""
    parser.add_argument("--json", type=Path, help="where to put all figures")
    parser.add_argument("--write", type=Path, help="the document to put the tables into")


def leave(options: Any, name: str, text: str, data: dict[str, Any]) -> None:
    """Put a text into its section of ``--write``, and the figures beside it and into ``--json``."""
    if options.write:
        write_section(options.write, name, text, data)
    if options.json:
        write_json(options.json, data)


def kept(document: Path | None, name: str) -> dict[str, Any]:
    """What stands beside the document, if there is one, from earlier runs."""
    path = beside(document, name) if document else None
    return json.loads(path.read_text("utf-8")) if path and path.exists() else {}


def beside(document: Path, name: str) -> Path:
    """The figures that belong to a section."""
    return document.with_suffix("") / f"{name}.json"


def write_section(document: Path, name: str, text: str, data: dict[str, Any]) -> None:
    """Put a text between the marks of that name in a document, and the figures beside it."""
    put_text(document, name, text)
    write_json(beside(document, name), data)


def put_text(document: Path, name: str, text: str) -> None:
    """Put a text between the marks of that name in a document."""
    before = document.read_text("utf-8")
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in before or end not in before:
        sys.exit(f"{document} has no {begin} and {end}")
    head, rest = before.split(begin, 1)
    tail = rest.split(end, 1)[1]
    document.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}", "utf-8")


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Figures, to five digits, a line for each row."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{_lines(_short(data))}\n", "utf-8")


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_short(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _lines(value: Any, indent: str = "") -> str:
    """JSON in which only what is longer than a line is broken up."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) < 160 or not isinstance(value, dict | list) or not value:
        return flat
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(k, ensure_ascii=False)}: {_lines(v, deeper)}" for k, v in value.items()
        ]
        return "{\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}}}"
    parts = [_lines(v, deeper) for v in value]
    return "[\n" + ",\n".join(deeper + part for part in parts) + f"\n{indent}]"
