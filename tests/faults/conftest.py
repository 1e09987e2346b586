"""Running convcli as its users do, and looking at what it leaves behind."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

CONVCLI = [sys.executable, "-m", "convcli"]


TOOLS = Path(__file__).parents[2] / "tools"


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def soak() -> ModuleType:
    """The long runs, to be run shortly."""
    return tool("soak")


@pytest.fixture(scope="session")
def fuzz_targets() -> Iterator[ModuleType]:
    """The targets of the fuzzer."""
    module = tool("fuzz_targets")
    yield module
    shutil.rmtree(module.folder(), ignore_errors=True)


MEASURE = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], "w").write(str(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
sys.exit(os.waitstatus_to_exitcode(status) & 255)
"""
"""Runs a command and notes its peak memory; on Linux a process inherits the peak of the one that
starts it, so that must be a small one."""

HANGS = 300
"""Seconds after which a command that takes one hangs, on however slow a machine."""


@dataclass
class Ended:
    code: int
    err: str
    peak: int
    """The largest resident size of the process, in bytes."""


def run_measured(folder: Path, *command: str, **options: Any) -> Ended:
    """Run a command in ``folder``; what it says and measures is kept beside it."""
    peak = folder.parent / "peak"
    measured = [sys.executable, "-S", "-c", MEASURE, str(peak), *command]
    with (folder.parent / "stderr").open("w+") as err:
        process = subprocess.run(measured, cwd=folder, stderr=err, timeout=HANGS, **options)
        err.seek(0)
        said = err.read()
    return Ended(process.returncode, said, int(peak.read_text()))


@pytest.fixture
def convcli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run ``convcli`` as a process of its own in ``tmp_path``, measured."""
    monkeypatch.chdir(tmp_path)

    def call(*args: object, before: tuple[str, ...] = (), **options: Any) -> Ended:
        words = [os.fsdecode(a) if isinstance(a, bytes) else str(a) for a in args]
        return run_measured(tmp_path, *before, *CONVCLI, *words, **options)

    return call


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that no small picture may take on this machine.

    A harmless one takes what Python and the libraries do here (40 to 80 MB); 40 MB more are less
    than any bomb would fill.
    """
    folder = tmp_path_factory.mktemp("quiet") / "in"
    folder.mkdir()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(folder / "in.tif")
    done = run_measured(folder, *CONVCLI, *"filter in.tif -k box:3 -o out.png".split())
    assert done.code == 0, done.err
    return done.peak + 40 * 2**20


@pytest.fixture
def refused(convcli: Callable[..., Ended], tmp_path: Path) -> Callable[..., Ended]:
    """Run ``filter`` on a bad input over an old target, and hold it to the default of every row.

    One line that names the file, no traceback, exit 1 (or as given), the target as it was, no
    temporary left.
    """

    def call(name: str, *args: object, code: int = 1, says: str = "") -> Ended:
        target = tmp_path / "old-target.png"
        target.write_bytes(b"old")
        before = sorted(p.name for p in tmp_path.iterdir())
        done = convcli("filter", name, "-k", "box:3", "-o", target.name, "--overwrite", *args)
        assert done.code == code, done.err
        lines = done.err.splitlines()
        assert len(lines) == 1, done.err
        assert lines[0].startswith("convcli: ")
        assert name in lines[0]
        assert says in lines[0]
        assert "internal error" not in done.err
        assert target.read_bytes() == b"old"
        assert sorted(p.name for p in tmp_path.iterdir()) == before
        return done

    return call
