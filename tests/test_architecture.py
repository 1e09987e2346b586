"""The layers of docs/architecture.md: a folder imports only from folders to its left."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "convcli"
LAYERS = [
    "errors system",
    "extensions",
    "arithmetic",
    "kernels",
    "ops engine",
    "imaging",
    "runs",
    "show",
    "cli",
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
# Each of these is imported in one layer only, so that replacing it touches one folder.
OWNERS = {"rich": {"show"}, "typer": {"cli"}, "PIL": {"imaging"}, "cupy": {"engine", "ops"}}
ROOT_FILES = {"__init__.py", "__main__.py", "_version.py"}

FILES = sorted(
    p
    for p in PACKAGE.rglob("*.py")
    if p.parent != PACKAGE or p.name in ("errors.py", "extensions.py")
)


def imported(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import on line {node.lineno}"
            names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports() -> Iterator[tuple[Path, str]]:
    """Every file and what it imports."""
    for path in FILES:
        yield from ((path, name) for name in imported(path))


def test_imports_go_one_way() -> None:
    for path, name in imports():
        own = layer_of(path)
        parts = name.split(".")
        if parts[0] != "convcli" or len(parts) < 2:
            continue
        other = parts[1]
        if other in ("_version", "_loops", "_api") or other == own or other not in RANK:
            continue
        assert RANK[other] < RANK[own], f"{path}: {own} must not import {other}"


def test_each_library_has_one_home() -> None:
    for path, name in imports():
        top = name.split(".")[0]
        assert layer_of(path) in OWNERS.get(top, {layer_of(path)}), f"{top} in {path}"


def private_names(source: str) -> list[str]:
    """What a module takes of Typer, Click or Rich by a name with an underscore before it.

    Their objects are passed around, so in such a module no private attribute of anything but
    ``self`` is allowed; what named tuples and ``os`` offer under such names is public.
    """
    tree = ast.parse(source)
    found: list[str] = []
    uses_them = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        theirs = [name for name in names if name.split(".")[0] in ("typer", "click", "rich")]
        uses_them |= bool(theirs)
        found += [name for name in theirs if "._" in name]
    public = {"_replace", "_asdict", "_fields", "_make", "_exit"}
    for node in ast.walk(tree):
        if uses_them and isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (own or node.attr in public or node.attr.startswith("__")):
                found.append(ast.unparse(node))
    return found


def test_nothing_private_of_the_command_line_s_libraries_is_used() -> None:
    taken = {path: private_names(path.read_text()) for path in FILES}
    assert {path: names for path, names in taken.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from typer._click.exceptions import ClickException",
        "from rich import _spinners",
        "import typer._types",
        "import typer\napp = typer.Typer()\napp._add_completion = False",
    ],
)
def test_a_private_name_is_seen(source: str) -> None:
    assert private_names(source)


def test_every_folder_has_a_layer() -> None:
    assert {layer_of(path) for path in FILES} == set(RANK)


def test_the_check_sees_a_violation(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from convcli.cli.app import run\nimport rich.table\n")
    assert "convcli.cli.app" in imported(bad)
    assert "rich.table" in imported(bad)
