"""The section on GPUs of docs/performance.md, from the rows of a journal."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from gpu_doubts import doubts, measured_shares, told
from gpu_filters import FIRST
from gpu_journal import Journal
from gpu_peers import best, ratio
from report import table

Rows = Mapping[str, Mapping[str, Any]]
BARS = {  # row: (what, bar, goal)
    "u8 3x3": ("share of copy", 0.6, 0.9),
    "u8 separable": ("share of copy", 0.45, 0.8),
    "u8 5x5, 7x7": ("share of roofline", 0.4, 0.8),
    "ratio to the best peer, every row": ("least ratio", 1.0, 2.0),
    "ratio to cupyx, every row": ("least ratio", 4, 15),
    "f32 31x31": ("ratio to cupyx", 1.0, 2),
    "conv2d": ("geometric mean ratio to PyTorch", 0.6, 1.0),
    "depthwise": ("ratio to PyTorch", 1.5, 4),
    "pictures in memory": ("share of transfers alone", 0.7, 0.95),
    "auto, every size": ("most times as slow as the better one", 1.2, 1.05),
}
LOWER = ("auto, every size",)
"""Bars that are better the lower they are."""


def section(journal: Journal, static: Mapping[str, Any]) -> str:
    """All tables, with what is missing said."""
    copies = journal.of("copies").get("device", {})
    texts = [
        title(journal.facts, copies, journal.of("tests")),
        table("row, what, measured, bar, goal", verdicts(journal)),
        filter_table(journal.of("filters"), copies),
        table("tensor float32, ms, T multiply-adds/s, times PyTorch", tensors(journal.of("tensors"))),
        table("24 MP RGB in memory, ms for one, ms each of many, of transfers alone, times the CPU", memory(journal.of("batches"))),
        table("whole command, s on the GPU, s on the CPU", commands(journal.of("batches"))),
        auto(journal.of("auto")),
        wrong(journal, static),
        failures(journal),
    ]  # fmt: skip
    return "\n\n".join(text.strip() for text in texts if text.strip())


def title(facts: Mapping[str, Any], copies: Mapping[str, Any], tests: Rows) -> str:
    """The machine, and whether the tests passed on it."""
    said = [
        f"Measured {facts['date']} on {facts['gpu']} (driver for CUDA {facts['driver']}, CuPy "
        f"{facts['cupy']}) beside {facts['cores']} cores, at revision {facts['revision']}."
    ]
    if copies:
        said.append(
            f"A copy moves {copies['copy'] / 1e12:.2f} TB/s, read plus written; nominal "
            f"{copies['multiply_adds'] / 1e12:.1f} T float32 multiply-adds per second."
        )
    if tests:
        counts = {
            w: sum(r.get(w, 0) for r in tests.values()) for w in ("passed", "failed", "error")
        }
        said.append(
            "Tests marked gpu: " + ", ".join(f"{n} {w}" for w, n in counts.items() if n) + "."
        )
    return " ".join(said)


def share(row: Mapping[str, Any], copies: Mapping[str, Any]) -> float:
    """Of the speed of a copy."""
    return float(row["bytes"] / row["s"] / copies["copy"])


def verdicts(journal: Journal) -> list[list[str]]:
    """The bars, with the worst figure of those that count for each."""
    lines, found = [], figures(journal)
    for name, (what, bar, goal) in BARS.items():
        values = found.get(name)
        worst = max if name in LOWER else min
        shown = "not measured" if not values else f"{worst(values):.2f}"
        lines.append([name, what, shown, f"{bar:g}", f"{goal:g}"])
    return lines


def figures(journal: Journal) -> dict[str, list[float]]:
    """What each bar is about."""
    found: dict[str, list[float]] = {}

    def add(bar: str, values: Iterable[Any]) -> None:
        found.setdefault(bar, []).extend(v for v in values if isinstance(v, float))

    copies = journal.of("copies").get("device")
    for key, row in journal.of("filters").items():
        dtype, name = key.split(" ")[1], key.split(" ", 3)[3]
        if copies and dtype == "u8":
            reached = share(row, copies)
            add("u8 3x3", [reached] if name == "3x3" else [])
            add("u8 separable", [reached] if name.startswith("separable") else [])
            floor = max(row["bytes"] / copies["copy"], row.get("taps", 0) / copies["multiply_adds"])
            add("u8 5x5, 7x7", [floor / row["s"]] if name in ("5x5", "7x7") else [])
        top, cupyx = best(dict(row)), row["peers"].get("cupyx")
        add("ratio to the best peer, every row", [top[1] / row["s"]] if top else [])
        if isinstance(cupyx, float):
            add("ratio to cupyx, every row", [cupyx / row["s"]])
            add("f32 31x31", [cupyx / row["s"]] if (dtype, name) == ("f32", "31x31") else [])
    forward = {k: r["torch"] / r["s"] for k, r in journal.of("tensors").items()
               if k.endswith("forward") and isinstance(r["torch"], float)}  # fmt: skip
    add("depthwise", [v for k, v in forward.items() if k.startswith("depthwise")])
    others = [v for k, v in forward.items() if not k.startswith("depthwise")]
    add("conv2d", [statistics.geometric_mean(others)] if others else [])
    for key, row in journal.of("batches").items():
        if key.startswith("memory"):
            add("pictures in memory", [row["each of many, transfers alone"] / row["each of many"]])
    add("auto, every size", [r["regret"] for r in journal.of("auto").values() if "regret" in r])
    return found


def filter_table(rows: Rows, copies: Mapping[str, Any]) -> str:
    """8 bits at the smaller size, the filters that matter most; the file has the others."""
    lines = []
    for key, row in rows.items():
        side, dtype, colours, name = key.split(" ", 3)
        if dtype != "u8" or name not in FIRST or side != next(iter(rows)).split(" ")[0]:
            continue
        top = best(dict(row))
        lines.append([
            f"{name} {colours}", f"{row['s'] * 1e6:.0f}",
            f"{share(row, copies):.2f}" if copies else "-",
            ratio(row["peers"].get("cupyx"), row["s"]),
            f"{top[1] / row['s']:.1f} ({top[0]})" if top else "-",
        ])  # fmt: skip
    return table("4096x4096 8 bits, us, of copy, times cupyx, times the best peer", lines)


def tensors(rows: Rows) -> list[list[str]]:
    """Forward; the file has the gradients and the transposed."""
    return [
        [key.removesuffix(", forward"), f"{r['s'] * 1e3:.3f}", f"{r['multiply_adds'] / r['s'] / 1e12:.2f}", ratio(r["torch"], r["s"])]
        for key, r in rows.items() if key.endswith("forward")
    ]  # fmt: skip


def memory(rows: Rows) -> list[list[str]]:
    """From memory to memory."""
    return [
        [
            key.removeprefix("memory "), f"{r['one'] * 1e3:.1f}", f"{r['each of many'] * 1e3:.1f}",
            f"{r['each of many, transfers alone'] / r['each of many']:.2f}", f"{r['cpu'] / r['each of many']:.1f}",
        ]
        for key, r in rows.items() if key.startswith("memory")
    ]  # fmt: skip


def commands(rows: Rows) -> list[list[str]]:
    """From files to files."""
    return [
        [f"{key} ({r['files']} files)" if "files" in r else key, f"{r['cupy']:.2f}", f"{r['numpy']:.2f}"]
        for key, r in rows.items() if "numpy" in r
    ]  # fmt: skip


def auto(rows: Rows) -> str:
    """How often auto chose the better one, and what the worst choice cost."""
    rows = {key: row for key, row in rows.items() if "regret" in row}
    if not rows:
        return ""
    worst = max(rows, key=lambda key: rows[key]["regret"])
    good = sum(row["regret"] <= 1.05 for row in rows.values())
    chosen = sum(row["auto"] == "cupy" for row in rows.values())
    return (
        f"`auto` on {len(rows)} pictures: the GPU for {chosen}, the better backend (or within 5 %) for "
        f"{good}; its worst choice took {rows[worst]['regret']:.2f} times as long ({worst})."
    )


def wrong(journal: Journal, static: Mapping[str, Any]) -> str:
    """What the static model got most wrong."""
    if "copies/device" not in journal.done:
        return ""
    shares, copy = measured_shares({"journal": journal.done})
    found = doubts(static, shares, copy)
    return told(found) if found else ""


def failures(journal: Journal) -> str:
    """Rows that have no figures, and why."""
    if not journal.failed:
        return ""
    lines = [f"- {key}: {why}" for key, why in journal.failed.items()]
    return "Rows that failed:\n\n" + "\n".join(lines)
