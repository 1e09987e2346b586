"""The tests that need a GPU, one after another, so that one that fails costs no other."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from typing import Any

from gpu_bench import ROOT, Bench, Row

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu"]
LIMIT = 120
"""Seconds of one test, with all its parameters."""


def rows(bench: Bench) -> list[Row]:
    """A row for each test that is marked so, with all its parameters."""
    marked = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.gpu" in path.read_text("utf-8")
    ]
    listed = subprocess.run(
        [*PYTEST, "--collect-only", *marked], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = dict.fromkeys(re.findall(r"^(tests/[\w/]+\.py::\w+)", listed.stdout, re.M))
    if not names:
        raise RuntimeError(
            f"no tests are marked gpu: {listed.stdout[-300:]} {listed.stderr[-300:]}"
        )
    return [Row(name, partial(row, name)) for name in names]


def row(name: str) -> dict[str, Any]:
    """How many passed and failed, and which failed."""
    done = subprocess.run(
        [*PYTEST, name], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    return counted(done.stdout) | {"code": done.returncode}


def counted(text: str) -> dict[str, Any]:
    """Figures of pytest's last line, and the names of failures.

    >>> counted("FAILED tests/a.py::test_b - assert 0\\n1 failed, 12 passed in 3.1s")
    {'failed': 1, 'passed': 12, 'names': ['tests/a.py::test_b']}
    """
    found: dict[str, Any] = {
        word: int(number)
        for number, word in re.findall(r"(\d+) (failed|passed|skipped|error)", text)
    }
    names = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.M)
    return found | ({"names": names} if names else {})
