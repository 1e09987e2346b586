"""Finished rows of a run, a line of JSON each, so that a run that was stopped goes on."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


class Journal:
    """Rows by key, in a file that only grows.

    A row is begun, then done or failed. One that was begun and nothing more took its process with
    it: it counts as failed, and is not tried again. Rows of another machine or revision, which
    ``facts`` tells, are put aside; the day is that of the first row.
    """

    def __init__(self, path: Path, facts: Figures) -> None:
        self.path = path
        self.done: dict[str, Figures] = {}
        self.failed: dict[str, str] = {}
        lines = self._lines()
        if lines and not _alike(lines[0].get("facts"), facts):
            path.replace(path.with_suffix(".old"))
            lines = []
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [{"facts": facts}]
            self._add(lines[0])
        self.facts: Figures = lines[0]["facts"]
        for line in lines[1:]:
            self._take(line)

    def _lines(self) -> list[Figures]:
        """What stands in the file; where a process ended, a line may be half of one."""
        found: list[Figures] = []
        if self.path.exists():
            for line in self.path.read_text("utf-8").splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return found

    def _take(self, line: Figures) -> None:
        key = line["key"]
        if "row" in line:
            self.done[key] = line["row"]
            self.failed.pop(key, None)
        elif key not in self.done:
            self.failed[key] = line.get("failed", "the process ended with it")

    def _add(self, line: Figures) -> None:
        text = json.dumps(line)
        whole = not self.path.exists() or self.path.read_bytes()[-1:] in (b"", b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n" if whole else "\n" + text + "\n")
            file.flush()
            os.fsync(file.fileno())

    def wants(self, key: str) -> bool:
        """Whether a row is neither done nor known to fail."""
        return key not in self.done and key not in self.failed

    def begin(self, key: str) -> None:
        """From here on the row is to blame for whatever happens."""
        self._note({"key": key})

    def finish(self, key: str, row: Figures) -> None:
        """The figures of a row."""
        self._note({"key": key, "row": row})

    def fail(self, key: str, why: str) -> None:
        """Why a row has none."""
        self._note({"key": key, "failed": why})

    def _note(self, line: Figures) -> None:
        self._add(line)
        self._take(line)

    def of(self, part: str) -> dict[str, Figures]:
        """The finished rows of a part, by the rest of their keys."""
        return {
            k.removeprefix(f"{part}/"): v for k, v in self.done.items() if k.startswith(f"{part}/")
        }


def _alike(one: Figures | None, other: Figures) -> bool:
    return {**(one or {}), "date": ""} == {**other, "date": ""}
