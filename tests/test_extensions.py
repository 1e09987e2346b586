"""Which compiled extensions are used, and what is said of those that are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from convcli import extensions
from convcli.errors import UsageError
from convcli.extensions import EXTENSIONS, extension, unasked


@pytest.fixture(autouse=True)
def found_anew() -> Iterator[None]:
    extensions._find.cache_clear()
    yield
    extensions._find.cache_clear()


def convcli(loops: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "convcli", *command],
        env=os.environ | {"CONVCLI_LOOPS": loops},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", EXTENSIONS)
def test_the_best_instruction_set_is_the_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVCLI_LOOPS", "")
    module = pytest.importorskip(f"convcli.{name}", reason="was not built")
    sets = module.isas()
    assert sets[-1] == "base"
    assert list(sets) == [isa for isa in ("avx512", "avx2", "base") if isa in sets]
    usual = module.isa()
    assert extension(name) == (module, usual)
    assert module.isa("base") == module.isa() == "base"
    module.isa(usual)
    with pytest.raises(ValueError, match="no sse9"):
        module.isa("sse9")
    assert module.isa() == usual


def test_the_variable_holds_all_of_them_to_one_set() -> None:
    if unasked():
        pytest.skip(f"not built: {', '.join(unasked())}")
    told = json.loads(convcli("compiled:base", "info", "--json").stdout)
    for name in EXTENSIONS:
        assert told[f"convcli.{name}"].startswith("base of ")


@pytest.mark.parametrize("loops", ["compiled:sse9", "fortran", ":avx2", "numpy:avx2"])
@pytest.mark.parametrize("command", ["info", "filter"])
def test_a_wrong_variable_is_refused_in_one_line(command: str, loops: str, tmp_path: Path) -> None:
    portrait = Path(__file__).parents[1] / "samples" / "portrait.png"
    picture = [str(portrait), "-k", "box:3", "-o", str(tmp_path / "out.png")]
    done = convcli(loops, command, *(picture if command == "filter" else []))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"CONVCLI_LOOPS is {loops!r}; " in done.stderr


def test_numpy_is_no_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    assert unasked() == {}
    for name in EXTENSIONS:
        assert extension(name) == (None, "CONVCLI_LOOPS=numpy")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ModuleNotFoundError("No module"), "was not built when convcli was installed"),
        (ImportError("undefined symbol: x"), "does not load: undefined symbol: x"),
    ],
)
def test_what_is_missing_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, why: str
) -> None:
    def without_png(name: str) -> Any:
        if name == "convcli._png":
            raise error
        return import_module(name)

    monkeypatch.setattr(extensions, "import_module", without_png)
    monkeypatch.setenv("CONVCLI_LOOPS", "")
    assert f"convcli._png {why}" in unasked()["_png"]
    monkeypatch.setenv("CONVCLI_LOOPS", "compiled")
    with pytest.raises(UsageError, match="CONVCLI_LOOPS=compiled, but the extension"):
        extension("_png")
