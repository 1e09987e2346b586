"""The tests that need a GPU, file by file."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from typing import Any

from gpu_bench import ROOT, Bench, Row

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu"]


def rows(bench: Bench) -> list[Row]:
    """A row for each file that holds such tests."""
    listed = subprocess.run(
        [*PYTEST, "--collect-only", "tests"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    files = dict.fromkeys(re.findall(r"^(tests/[\w/]+\.py)", listed.stdout, re.M))
    if not files:
        raise RuntimeError(
            f"no tests are marked gpu: {listed.stdout[-300:]} {listed.stderr[-300:]}"
        )
    return [Row(name, partial(row, name)) for name in files]


def row(name: str) -> dict[str, Any]:
    """How many passed and failed, and which failed."""
    done = subprocess.run(
        [*PYTEST, name], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
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
