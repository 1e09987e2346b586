"""Without a compiler the installation succeeds and the NumPy loops serve."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

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
print(*loops(), execute(plan, x).pixels.ravel().tolist(), sep="|")
"""


def test_install_without_compiler(tmp_path):
    shutil.copytree(ROOT / "convcli", tmp_path / "convcli", ignore=shutil.ignore_patterns("*.so"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    # -S below: without it an editable installation would lend its own extension.
    libraries = str(Path(np.__file__).parents[1])
    environment = os.environ | {"CC": "false", "CONVCLI_LOOPS": "", "PYTHONPATH": libraries}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("setup.py", "-q", "build_ext", "--inplace")
    assert not list(tmp_path.glob("convcli/_loops*"))
    name, reason, pixels = run("-S", "-c", SCRIPT).strip().split("|")
    assert name == "numpy"
    assert "was not built" in reason
    assert pixels == "[0, 3, 6, 0]"
