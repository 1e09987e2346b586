"""Running the command line in this process, as a user would see it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"


@dataclass
class Done:
    code: int
    out: bytes
    err: str


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def convcli(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Done]:
    """Run ``convcli`` with arguments; give the exit code, standard output and standard error."""
    from convcli.cli.app import run

    def call(*args: object) -> Done:
        capfdbinary.readouterr()
        code = run([os.fsdecode(a) if isinstance(a, bytes | Path) else str(a) for a in args])
        out, err = capfdbinary.readouterr()
        return Done(code, out, err.decode())

    return call
