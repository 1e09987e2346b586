"""The tables of docs/performance.md about whole processes, from the figures beside it."""

from __future__ import annotations

from typing import Any

from report import machine_line, table


def page(data: dict[str, Any], order: list[str]) -> str:
    """The section: all rows on all cores, other numbers of cores, the start, the growth."""
    settings = {name: rows for name, rows in data["settings"].items() if rows}
    parts = []
    if column := settings.get("all cores"):
        known = [row["facts"] for row in column.values()]
        parts += [machine_line(max(known, key=lambda f: f["date"])), _main(column, order)]
    if len(settings) > 1:
        parts += ["By cores; ratio to the fastest peer, held to the same or told the same:",
                  _settings(settings, order)]  # fmt: skip
    if started := data.get("start"):
        said = [f"`{name}` {row['seconds'] * 1e3:.0f} ms" for name, row in started["rows"].items()]
        parts.append(f"The start alone: {', '.join(said)}.")
    if grown := data.get("growth"):
        parts += ["Growth, sobel-x on RGB PNG:", _growth(grown["rows"])]
    return "\n\n".join(part.strip() for part in parts)


def _main(column: dict[str, Any], order: list[str]) -> str:
    head = "row, s, fastest peer, its s, ratio, bar; goal, MB, bar; goal, its MB, MB written, times the floor"
    lines = []
    for name in order:
        if name not in column:
            continue
        row = column[name]
        for asked in row["asked"]:
            lines.append(_line(name, row, asked))
    return table(head, lines)


def _line(name: str, row: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    tools = row["tools"]
    mine = tools["convcli"]
    peer = tools.get(asked["peer"])
    against = f", against {asked['label']}" if asked["label"] else ""
    cells = [name + against, f"{mine['seconds']:.2f} ({mine['least']:.2f} to {mine['most']:.2f})"]
    if peer:
        under = " (under)" if asked["ratio"] < asked["bar"] else ""
        cells += [asked["peer"], f"{peer['seconds']:.2f}", f"**{asked['ratio']:.2f}**{under}"]
    else:
        cells += ["none", "", ""]
    cells += [f"{asked['bar']:g}; {asked['goal']:g}"]
    memory = row["memory"]
    over = " (over)" if memory and mine["memory"] / 1e6 > memory[0] else ""
    cells += [f"{mine['memory'] / 1e6:.0f}{over}", "; ".join(f"{m:g}" for m in memory or ())]
    cells += [f"{peer['memory'] / 1e6:.0f}" if peer else ""]
    cells += [f"{mine['written'] / 1e6:.1f}" if "written" in mine else ""]
    return [*cells, _floor(row)]


def _floor(row: dict[str, Any]) -> str:
    """Our time over that of the floor, with the same syncing and, in brackets, without any."""
    if "over floor" not in row:
        return ""
    asked = f", bar {row['floor'][0]:g}, goal {row['floor'][1]:g}" if row["floor"] else ""
    return f"{row['over floor']:.2f} ({row['over floor, no sync']:.2f}){asked}"


def _settings(settings: dict[str, Any], order: list[str]) -> str:
    names = list(settings)
    lines = []
    for row in order:
        cells = [_setting(settings[name].get(row)) for name in names]
        if sum(bool(cell) for cell in cells) > 1:
            lines.append([row, *cells])
    return table("row, " + ", ".join(f"{name}: s; ratio" for name in _no_commas(names)), lines)


def _no_commas(names: list[str]) -> list[str]:
    return [name.replace(",", " and") for name in names]


def _setting(row: dict[str, Any] | None) -> str:
    if not row:
        return ""
    asked = row["asked"][0]
    ratio = f"; {asked['ratio']:.2f}" if asked["peer"] else ""
    return f"{row['tools']['convcli']['seconds']:.2f}{ratio}"


def _growth(rows: list[dict[str, float]]) -> str:
    lines = [
        [f"{g['megapixels']:.0f}", f"{g['seconds']:.2f}",
         f"{g['seconds'] / g['megapixels'] * 1e3:.1f}", f"{g['memory'] / 1e6:.0f}"]
        for g in rows
    ]  # fmt: skip
    return table("megapixels, seconds, ms per megapixel, MB", lines)
