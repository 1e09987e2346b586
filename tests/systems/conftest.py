"""Running the command as on another system, and as it is."""

from __future__ import annotations

import os
import subprocess
import sys
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


class Python:
    """Runs Python with arguments on a ``system``: ``windows``, ``macos``, or the one we have."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def popen(
        self, *args: object, system: str = "", cwd: Path, package: Path = PACKAGE
    ) -> subprocess.Popen[bytes]:
        """Begin."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"}
        if system:
            if sys.platform != "linux":
                pytest.skip("other systems are played on Linux")
            text = _load("played").site(system, str(package))
            (self.site / "sitecustomize.py").write_text(text, encoding="utf-8")
            environment |= {"PYTHONPATH": str(self.site), "PYTHONWARNDEFAULTENCODING": "1"}
        return subprocess.Popen(
            [sys.executable, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
        )

    def __call__(self, *args: object, stdin: bytes = b"", **how: Any) -> Done:
        """Run to the end."""
        with self.popen(*args, **how) as process:
            out, err = process.communicate(stdin)
        return Done(process.returncode, out, err.decode())


@pytest.fixture
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    return Python(tmp_path_factory.mktemp("site"))
