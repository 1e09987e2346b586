"""What users rely on stays: public names, options, keys of ``--json``, exit codes, journals."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from contract import FILE, snapshot  # noqa: E402

MESSAGE = """{changes}

Users rely on this. If it is meant: a line in CHANGELOG.md says so, a name that goes stays for a
while as a deprecated alias, and `python tools/contract.py` writes the list again."""


def _differences(was: Any, now: Any, where: str = "") -> list[str]:
    """What is not the same, each in one line."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [] if was == now else [f"{where}: {was!r} became {now!r}"]
    found = []
    for key in [*was, *(key for key in now if key not in was)]:
        place = f"{where} / {key}".removeprefix(" / ")
        if key not in now:
            found.append(f"{place}: is not there any more")
        elif key not in was:
            found.append(f"{place}: is new")
        else:
            found += _differences(was[key], now[key], place)
    return found


def test_what_users_rely_on_is_as_it_was() -> None:
    changes = _differences(json.loads(FILE.read_text("utf-8")), snapshot())
    assert not changes, MESSAGE.format(changes="\n".join(changes))


def test_a_change_is_told_by_its_place() -> None:
    was = {"python": {"conv": "(x, weight)", "old": "(x)"}}
    now = {"python": {"conv": "(x, kernel)", "new": "(x)"}}
    assert _differences(was, now) == [
        "python / conv: '(x, weight)' became '(x, kernel)'",
        "python / old: is not there any more",
        "python / new: is new",
    ]
