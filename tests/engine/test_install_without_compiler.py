"""Without a compiler the installation succeeds, the NumPy loops serve, and convcli says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convcli.extensions import EXTENSIONS

LEFT_BY_BUILDS = shutil.ignore_patterns("*.so", "*.missing", "__pycache__")
ROOT = Path(__file__).parents[2]

SCRIPT = """
import os
import numpy as np
import convcli
assert convcli.__file__.startswith(os.getcwd()), convcli.__file__
from convcli.engine.dispatch import execute, loops
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel
x = np.array([[[1], [2], [4], [8]]], np.uint8)
plan = plan_filter(x.shape, x.dtype, [Kernel([[-1, 0, 1]])])
print(*loops()[:2], execute(plan, x).pixels.ravel().tolist(), sep="|")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project where every compiler fails."""
    tmp_path = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "convcli", tmp_path / "convcli", ignore=LEFT_BY_BUILDS)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run(project):
    """Run Python in it, after the extensions could not be built."""
    # -S below: without it an editable installation would lend its own extension.
    libraries = str(Path(np.__file__).parents[1])
    environment = os.environ | {"CC": "false", "CONVCLI_LOOPS": "", "PYTHONPATH": libraries}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run("setup.py", "-q", "build_ext", "--inplace")
    return run


def test_install_without_compiler(project, run):
    assert not list(project.glob("convcli/_loops*.so"))
    name, reason, pixels = run("-S", "-c", SCRIPT).strip().split("|")
    assert name == "numpy"
    assert "was not built" in reason
    assert pixels == "[0, 3, 6, 0]"


def test_each_missing_extension_is_named_with_its_reason(project, run):
    said = run("-S", "-c", "from convcli.__main__ import main; main()", "info")
    for name in EXTENSIONS:
        line = next(line for line in said.splitlines() if line.startswith(f"convcli.{name} "))
        assert "missing" in line
        assert "was not built when convcli was installed: false: " in line


def test_a_large_picture_is_told_once_why_it_is_slow(project, run):
    from PIL import Image

    for name, size in {"a.png": (1200, 900), "b.png": (1100, 1000), "c.png": (90, 80)}.items():
        Image.new("L", size, 7).save(project / name)
    start = ["-S", "-c", "from convcli.__main__ import main; main()", "filter", "-k", "box:3"]
    said = run(*start, "a.png", "b.png", "c.png", "-o", "out/")
    assert said.count("convcli: warning: slower than need be: the extension convcli._loops") == 1
    assert "slower" not in run(*start, "c.png")
    assert "slower" not in run(*start, "a.png", "--quiet")


def test_a_wheel_without_extensions_is_for_all_systems(project, run):
    run("setup.py", "-q", "bdist_wheel")
    assert [wheel.name[-17:] for wheel in project.glob("dist/*.whl")] == ["-py3-none-any.whl"]


@pytest.mark.slow
def test_a_compiler_that_works_leaves_no_note(project, run):
    assert len(list(project.glob("convcli/*.missing"))) == len(EXTENSIONS)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=project,
        env=os.environ | {"CFLAGS": "-O0"},  # not to wait a minute for loops that nobody runs
        check=True,
    )
    built = {path.name.split(".")[0] for path in project.glob("convcli/*.so")}
    noted = {path.name.split(".")[0] for path in project.glob("convcli/*.missing")}
    assert built | noted == set(EXTENSIONS)
    assert not built & noted
