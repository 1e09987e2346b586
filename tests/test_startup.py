"""What a command imports on its way: nothing that it does not use."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convcli.extensions import extension

SAMPLES = Path(__file__).parents[1] / "samples"
LISTED = json.loads((Path(__file__).parent / "data" / "startup.json").read_text())
"""What a command may import, of our own modules and beyond them."""
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


@pytest.mark.skipif(extension("_png").module is None, reason="imagecodecs decodes without them")
@pytest.mark.parametrize("kernel", ["sobel-x", "gaussian:2", "1 0 -1"])
def test_filter_on_a_png_imports_only_what_it_uses(tmp_path: Path, kernel: str) -> None:
    shutil.copy(SAMPLES / "portrait.png", tmp_path / "img.png")
    names = imported_by("filter", "img.png", "-k", kernel, "-o", "o.png", cwd=tmp_path)
    assert "numpy" in names
    assert not {n for n in names for heavy in HEAVY if n == heavy or n.startswith(heavy + ".")}
    assert not {n for n in names if n.split(".")[0] == "rich"}
    formats = "convcli.imaging.formats."
    assert {n.split(".")[3] for n in names if n.startswith(formats)} == {"png"}


def loaded(code: str, cwd: Path) -> set[str]:
    """The modules that are there after some lines of Python."""
    lines = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


LINES = {
    "filter": "filter img.png -k gaussian:2 -o o.png",
    "shape": "shape --n 32 --k 3",
}


@pytest.mark.skipif(extension("_loops").module is None, reason="NumPy's loops are other modules")
@pytest.mark.parametrize("command", LINES)
def test_a_plain_line_imports_what_is_listed_and_nothing_else(tmp_path: Path, command: str) -> None:
    shutil.copy(SAMPLES / "portrait.png", tmp_path / "img.png")
    run = f"from convcli.cli.app import run\nassert run({LINES[command].split()}) == 0"
    names = loaded(run, tmp_path) - loaded("import numpy", tmp_path)  # and what Python brings
    ours = {name for name in names if re.match(r"convcli(\.[a-z]\w*)*$", name)}
    libraries = {name.split(".")[0] for name in names} - {"convcli", "numpy"}
    libraries = {name for name in libraries if name[0] != "_"} - set(sys.builtin_module_names)
    if sys.version_info[:2] != tuple(LISTED["python"]):  # others' own libraries import others
        libraries -= sys.stdlib_module_names
    listed = LISTED[command]
    new = sorted((ours - set(listed["ours"])) | (libraries - set(listed["others"])))
    gone = sorted(set(listed["ours"]) - ours)
    assert not new, (
        f"'{LINES[command]}' now imports {new}, which all who filter a picture wait for: import it "
        "in the function that needs it, or, if that is always, add it to tests/data/startup.json"
    )
    assert not gone, f"{gone} are imported no more: take them out of tests/data/startup.json"


def test_version_imports_neither_arrays_nor_pictures(tmp_path: Path) -> None:
    names = imported_by("--version", cwd=tmp_path)
    assert "typer" in names
    assert not names & {"numpy", "PIL", "PIL.Image", "rich", "pydantic"}


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import convcli; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "numpy" not in done.stdout
    assert "convcli._version" in done.stdout
