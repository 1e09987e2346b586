"""What a command imports on its way: nothing that it does not use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"
HEAVY = ("pydantic", "scipy", "cupy", "imagecodecs", "tifffile", "numpy.ma", "rich.table")


def imported_by(*args: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "convcli", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


@pytest.mark.parametrize("kernel", ["sobel-x", "gaussian:2", "1 0 -1"])
def test_filter_on_a_png_imports_only_what_it_uses(tmp_path: Path, kernel: str) -> None:
    shutil.copy(SAMPLES / "portrait.png", tmp_path / "img.png")
    names = imported_by("filter", "img.png", "-k", kernel, "-o", "o.png", cwd=tmp_path)
    assert "numpy" in names
    assert not {n for n in names for heavy in HEAVY if n == heavy or n.startswith(heavy + ".")}
    assert not {n for n in names if n.split(".")[0] == "rich"}
    formats = "convcli.imaging.formats."
    assert {n.split(".")[3] for n in names if n.startswith(formats)} == {"png"}


def test_version_imports_neither_arrays_nor_pictures(tmp_path: Path) -> None:
    names = imported_by("--version", cwd=tmp_path)
    assert "typer" in names
    assert not names & {"numpy", "PIL", "PIL.Image", "rich", "pydantic"}


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import convcli; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "numpy" not in done.stdout
    assert "convcli._version" in done.stdout
