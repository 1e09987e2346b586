"""What is published: wheels and sdists that are the same each time, complete, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from convcli.extensions import EXTENSIONS

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = {
    ".py",
    ".pyi",
    ".toml",
    ".cu",
    ".cuh",
    ".c",
    ".h",
    ".typed",
    ".png",
    ".js",
    ".css",
    ".html",
    ".ttf",
    ".txt",
}


def has_git() -> bool:
    return (ROOT / ".git").exists() and shutil.which("git") is not None


def tracked() -> list[str]:
    """Every file under version control; of an unpacked sdist, those that it lists."""
    if has_git():
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
        names = done.stdout.decode().split("\0")
    else:
        names = (ROOT / "convcli.egg-info" / "SOURCES.txt").read_text().splitlines()
        names = [name for name in names if not name.startswith("convcli.egg-info/")]
    return [name for name in names if name and (ROOT / name).is_file()]


def copied_to(folder: Path) -> Path:
    """A clean copy of what is under version control."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(folder: Path) -> dict[str, Path]:
    """Build both from a clean copy; by suffix."""
    copied_to(folder / "source")
    script = (
        "import sys; from setuptools import build_meta as b; out = sys.argv[1]; "
        "b.build_sdist(out); b.build_wheel(out)"
    )
    # What is in them does not depend on how fast the loops are, and that takes a minute to compile.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "CFLAGS": "-O0"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=folder / "source",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.suffix: path for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("built"))


def wanted_in_the_package() -> set[str]:
    names = [name for name in tracked() if name.startswith("convcli/")]
    return {name for name in names if PurePosixPath(name).suffix in SOURCES}


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built[".whl"]) as wheel:
        names = set(wheel.namelist())
    compiled = {name for name in names if name.endswith((".so", ".pyd"))}
    about = {name for name in names if ".dist-info/" in name}
    loops = {name for name in wanted_in_the_package() if name.endswith((".c", ".h"))}
    assert names - compiled - about - loops == wanted_in_the_package() - loops
    kinds = "|".join(EXTENSIONS)
    assert all(re.fullmatch(rf"convcli/({kinds})\.abi3\.\w+", name) for name in compiled)
    assert {PurePosixPath(n).name for n in about} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "LICENSE",
    }  # fmt: skip


@pytest.mark.skipif(not has_git(), reason="no git here to say which files there should be")
def test_the_sdist_holds_every_file(tmp_path: Path) -> None:
    """Tests, samples and documents too: whoever unpacks it can run them."""
    copied_to(tmp_path / "source")
    for junk in ("convcli/_loops.abi3.so", "tests/__pycache__/test_docs.cpython-311.pyc", ".x/y"):
        (tmp_path / "source" / junk).parent.mkdir(exist_ok=True)
        (tmp_path / "source" / junk).write_text("left by an earlier build")
    script = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path / "source",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        members = sdist.getmembers()
    names = {name.partition("/")[2] for name in (m.name for m in members if m.isfile())}
    made = {name for name in names if name.startswith("convcli.egg-info/")}
    assert names - made - {"PKG-INFO", "setup.cfg"} == set(tracked())


@pytest.mark.slow
def test_both_are_the_same_each_time(
    built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = build(tmp_path_factory.mktemp("again"))
    for suffix in (".whl", ".gz"):
        one, two = (hashlib.sha256(b[suffix].read_bytes()).hexdigest() for b in (built, again))
        assert one == two, f"{built[suffix].name} differs from one build to the next"


@pytest.mark.ci
def test_the_wheel_runs_in_an_empty_environment(built: dict[str, Path], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
    alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([*pip, built[".whl"]], capture_output=True, text=True, env=alone)
    if "No matching distribution" in done.stderr or "onnection" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    shutil.copy(ROOT / "samples/portrait.png", tmp_path / "portrait.png")
    done = subprocess.run(
        [tmp_path / "venv/bin/convcli", "filter", "portrait.png", "--kernel", "sobel-x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},  # nothing that points elsewhere
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "portrait-sobel-x.png").stat().st_size > 1000


# ---------------------------------------------------------------- what it depends on


def test_extras_that_exclude_each_other_say_so() -> None:
    """uv resolves all extras at once, unless told which never come together."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    conflicts = [
        {side["extra"] for side in sides} for sides in PYPROJECT["tool"]["uv"]["conflicts"]
    ]
    assert {name for name in extras if name.startswith("cuda")} in conflicts
    assert all(side in extras for sides in conflicts for side in sides)


def requirements(*extras: str) -> list[Requirement]:
    project = PYPROJECT["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def test_every_dependency_has_a_lower_bound() -> None:
    for requirement in requirements(*PYPROJECT["project"]["optional-dependencies"]):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators & {">=", "=="}, f"{requirement} may be any old release"


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def test_the_lock_file_is_within_the_ranges() -> None:
    versions = locked()
    for requirement in requirements("test"):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} does not admit {version}"


def test_nothing_of_the_project_itself_is_locked() -> None:
    assert "convcli" not in locked()
