"""The page of ``mutants.py``: how many were tried, and why some survive."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

__all__ = ["NAMED", "page"]

NAMED = "named"
"""What asks for a mutant that the list names, where others are asked for by a folder."""

HEAD = """# Mutants

One small change to the code at a time, and whether a test notices: what `tools/mutants.py` found.
It flips signs and comparisons, changes numbers, swaps `and` and `or`, `min` and `max`, and leaves
out statements, in Python and in C; the sample is the same for a seed. Written by
`tools/mutants.py --json FILE --page docs/mutants.md`.

"Equivalent" gives the same results as the code, for the reason below; `tools/mutants.toml` lists
these. What nobody has judged yet stands at the end. All others were noticed by a test.

"""


def page(results: dict[str, Any]) -> str:
    """The page from verdicts by mutant."""
    tried: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for entry in results.values():
        if entry["asked"] != NAMED:
            tried[entry["asked"], entry["seed"]][entry["state"]] += 1
    lines = ["| in | seed | tried | killed | equivalent | survived |", "|---|---|---|---|---|---|"]
    total: Counter[str] = Counter()
    for (name, seed), counts in sorted(tried.items()):
        lines.append(_row(f"`{name}`", str(seed), counts))
        total += counts
    lines.append(_row("together", "", total))
    lines += [
        "",
        "## Changes that no test noticed once",
        "",
        "| file | change | now |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{e['file']}` | {_change(e)} | {_verdict(e)} |"
        for e in sorted(results.values(), key=_place)
        if e["asked"] == NAMED
    ]
    lines += ["", "## Equivalent", ""]
    lines += [
        f"- `{e['file']}`, `{e['function']}`: {_change(e)}. {e['why']}"
        for e in sorted(results.values(), key=_place)
        if e["state"] == "equivalent" and e["asked"] != NAMED
    ]
    open_ = [e for e in sorted(results.values(), key=_place) if e["state"] == "survived"]
    if open_:
        lines += ["", "## Survived, and not judged yet", ""]
        lines += [f"- `{e['file']}`, `{e['function']}`: {_change(e)}" for e in open_]
    return HEAD + "\n".join(lines) + "\n"


def _place(entry: dict[str, Any]) -> tuple[str, int, str]:
    return entry["file"], entry["number"], entry["becomes"]


def _row(name: str, seed: str, counts: Counter[str]) -> str:
    numbers = [counts[state] for state in ("killed", "equivalent", "survived")]
    return f"| {name} | {seed} | {sum(numbers)} | {' | '.join(map(str, numbers))} |"


def _change(entry: dict[str, Any]) -> str:
    """The part of the line that changed, with a few characters around it."""
    before, after = entry["line"], entry["becomes"]
    same = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    start, room = max(same - 24, 0), 24
    parts = [text[start : len(text) - tail + min(room, tail)] for text in (before, after)]
    return " → ".join(f"`{part.strip()}`" for part in parts).replace("|", "\\|")


def _verdict(entry: dict[str, Any]) -> str:
    if entry["state"] == "killed":
        return f"noticed by `{entry['why'].rpartition('::')[2].partition('[')[0]}`"
    return f"{entry['state']}: {entry['why']}".replace("|", "\\|")
