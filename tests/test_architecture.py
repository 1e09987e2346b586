"""The layers of docs/architecture.md: a folder imports only from folders to its left."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from convcli.cli.commands import COMMANDS
from convcli.engine.algorithms import ALGORITHMS
from convcli.engine.backends import BACKENDS
from convcli.imaging.formats import ARRAYS, PICTURES, every_format

PACKAGE = Path(__file__).parents[1] / "convcli"
LAYERS = [
    "errors system displays records",
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
    if p.parent != PACKAGE or p.name in ("displays.py", "errors.py", "extensions.py", "records.py")
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


KNOWN_CYCLES: set[frozenset[str]] = set()
"""Files that import each other in a ring. The list may only shrink: one that is gone fails."""


def runtime_imports(tree: ast.AST) -> Iterator[str]:
    """What a file imports when it is loaded or one of its functions runs: not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from runtime_imports(other)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # ``from package import module`` imports the module, any other name its home.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module or ""
        else:
            yield from runtime_imports(node)


def import_cycles(sources: dict[str, str]) -> set[frozenset[str]]:
    """Groups of modules each of which reaches the others by imports.

    ``sources`` are texts by module, its name without the package's.
    """
    imports = {
        module: {
            name.removeprefix("convcli.")
            for name in runtime_imports(ast.parse(text))
            if name.removeprefix("convcli.") in sources
        }
        for module, text in sources.items()
    }

    def reached(module: str) -> set[str]:
        found: set[str] = set()
        waiting = [module]
        while waiting:
            new = imports[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    reach = {module: reached(module) for module in imports}
    return {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in reach
        if module in reach[module]
    }


def module_sources() -> dict[str, str]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text()
        for path in FILES
        if path.name != "__init__.py"
    }


def test_no_files_import_each_other_in_a_ring() -> None:
    assert import_cycles(module_sources()) == KNOWN_CYCLES


def test_a_ring_is_seen() -> None:
    sources = {
        "a.one": "import convcli.a.two",
        "a.two": "def f():\n    from convcli.b import three",
        "b.three": "from convcli.a.one import g",
        "b.four": "if TYPE_CHECKING:\n    import convcli.b.five",
        "b.five": "import convcli.b.four",
    }
    assert import_cycles(sources) == {frozenset({"a.one", "a.two", "b.three"})}


KNOWN_NAMESAKES = {"files", "options"}
"""Names of several files, and of several public classes. The list may only shrink."""


def namesakes(sources: dict[str, str], commands: Collection[str]) -> set[str]:
    """Names that stand for two files or two public classes.

    The file of a command in ``cli`` has the command's name, whatever that is elsewhere, and so has
    that of a format; each format has its own ``read`` and ``write``.
    """
    files = []
    for module in sources:
        folder, _, name = module.rpartition(".")
        of_format = module.startswith("imaging.formats.") and module.split(".")[2] in {
            **PICTURES,
            **ARRAYS,
        }
        if not (folder == "cli" and name in commands):
            files.append(module if of_format else name)
    classes = [
        node.name
        for text in sources.values()
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    return {name for names in (files, classes) for name, n in Counter(names).items() if n > 1}


def test_one_name_is_one_thing() -> None:
    commands = [name.replace("-", "_") for name in COMMANDS]
    assert namesakes(module_sources(), commands) == KNOWN_NAMESAKES


def test_namesakes_are_seen() -> None:
    sources = {"ops.conv": "class Step: ...", "show.step": "class Step: ...", "cli.conv": ""}
    sources |= {"imaging.formats.gif.read": "", "imaging.formats.png.read": ""}
    assert namesakes(sources, ["conv"]) == {"Step"}
    assert namesakes(sources, []) == {"Step", "conv"}


NAME_HOMES = {
    "engine.backends": "what the names of backends mean",
    "extensions": "what CONVCLI_LOOPS may be",
    "engine.gpu.device": "the module that an import failed of",
    "ops.operands": "the module that an array is of",
}
"""Where the name of a backend or an algorithm may be compared, and what it is there."""


OF_ENGINE = {*ALGORITHMS, *BACKENDS, "compiled"} - {"auto"}
OF_FORMATS = {name for f in every_format() for name in (f.name, f.name.lower(), *f.suffixes)}


def compared_names(source: str, names: Collection[str] = OF_ENGINE) -> set[str]:
    """Names, by default of backends, loops and algorithms, that a file compares with something."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.match_case):
            asked = [node.pattern]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = [*node.args] if node.func.attr in ("startswith", "endswith") else []
        for part in asked:
            values = [n.value for n in ast.walk(part) if isinstance(n, ast.Constant)]
            found |= {value for value in values if value in names}
    return found


def test_no_name_of_a_backend_or_an_algorithm_is_compared_outside_its_home() -> None:
    compared = {module: compared_names(text) for module, text in module_sources().items()}
    assert {module for module, names in compared.items() if names} == set(NAME_HOMES)


FORMAT_HOMES = {
    "imaging.drawing_files": "files of drawings, which Pillow writes",
    "cli.kernel": "files of figures",
    "cli.tensor_io": "files of tensors",
    "kernels.kernel_files": "files of kernels",
    "ops.read_tensor": "files of tensors",
}
"""Where the name or the ending of a format is compared outside ``imaging/formats``, and of what."""


def test_no_name_of_a_format_is_compared_outside_its_home() -> None:
    compared = {
        module
        for module, text in module_sources().items()
        if compared_names(text, OF_FORMATS) and not module.startswith("imaging.formats.")
    }
    assert compared == set(FORMAT_HOMES)
    assert compared_names('if fmt.name == "TIFF" or suffix in {".png"}: ...', OF_FORMATS)


@pytest.mark.parametrize(
    "source",
    [
        'if step.algorithm == "fft": ...',
        'if plan.backend not in ("auto", "cupy"): ...',
        'if options.backend.startswith("cupy"): ...',
        'match name:\n    case "box": ...',
    ],
)
def test_a_compared_name_is_seen(source: str) -> None:
    assert compared_names(source)
