"""Running the command as on another system, and as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["macos.py", "played.py", "windows.py"]  # for other processes than this

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "convcli"
SAMPLES = HERE.parents[1] / "samples"


@dataclass
class Done:
    code: int
    out: bytes
    err: str


def _load(name: str) -> Any:
    """A module of this folder, which is no package."""
    found = spec_from_file_location(name, HERE / f"{name}.py")
    assert found is not None and found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Done]:
    """Run Python with arguments on a ``system``: ``windows``, ``macos`` or the one that we have."""

    def run(
        *args: object, system: str = "", cwd: Path, stdin: bytes = b"", package: Path = PACKAGE
    ) -> Done:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"}
        if system:
            site = tmp_path_factory.mktemp("site")
            text = _load("played").site(system, str(package))
            (site / "sitecustomize.py").write_text(text, encoding="utf-8")
            environment |= {"PYTHONPATH": str(site), "PYTHONWARNDEFAULTENCODING": "1"}
        done = subprocess.run(
            [sys.executable, *map(os.fspath, map(str, args))],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=environment,
            start_new_session=True,  # a group of its own, whose open files count
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode())

    return run
