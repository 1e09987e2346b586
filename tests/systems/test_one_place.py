"""Only ``convcli.system`` names what some systems lack, or asks which one it runs on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "convcli"
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE / "system")
WATCHED = {  # what Windows lacks of these, and what is everywhere and does not do the same
    "mmap": [],
    "os": "open write fsync link symlink kill name umask".split(),
    "select": [],
    "signal": [],
    "sys": ["platform"],
    "time": [],
}
MODULES = {"_winapi", "ctypes.wintypes", "mmap", "msvcrt", "select", "winreg"}
FOLDERS = ("/proc/", "/sys/")


def found(text: str, played: dict[str, Any]) -> Iterator[str]:
    """What a file names that it must not."""
    lacking = {m: {*played["LACKING"].get(m, ()), *names} for m, names in WATCHED.items()}
    missing = MODULES | set(played["NO_MODULES"])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = node.value.id, node.attr
            if name in lacking.get(module, ()) or (module == "os" and name.startswith("O_")):
                yield f"{module}.{name}"
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in missing)
        elif isinstance(node, ast.ImportFrom):
            kept = lacking.get(node.module or "", set())
            yield from (a.name for a in node.names if a.name in kept or node.module in missing)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            asked = ast.unparse(node.args[0])
            if node.func.id in ("hasattr", "getattr") and asked in WATCHED and asked != "sys":
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and str(node.value).startswith(FOLDERS):
            yield str(node.value)


@pytest.fixture(scope="module")
def windows() -> dict[str, Any]:
    """The lists of the played Windows; the file itself is for other processes than this."""
    tree = ast.parse((Path(__file__).parent / "windows.py").read_text(encoding="utf-8"))
    lists: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in (
            "LACKING",
            "NO_MODULES",
        ):
            exec(compile(ast.Module([node], []), "windows.py", "exec"), lists)
    return lists


def test_no_other_file_knows(windows: dict[str, Any]) -> None:
    known = {path: list(found(path.read_text(encoding="utf-8"), windows)) for path in FILES}
    assert {path: names for path, names in known.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "os.O_CLOEXEC",
        "os.pread(fd, 1, 0)",
        "os.open('a', 0)",
        "hasattr(os, 'sync')",
        "getattr(signal, 'SIGHUP')",
        "import fcntl",
        "import mmap",
        "from signal import SIGPIPE",
        "signal.SIGKILL",
        "sys.platform == 'linux'",
        "os.name",
        "Path('/proc/meminfo')",
    ],
)
def test_the_check_sees(line: str, windows: dict[str, Any]) -> None:
    assert list(found(line, windows))
