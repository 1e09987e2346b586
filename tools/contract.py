"""What users rely on, as one document: names, options, keys, exit codes, journals.

    python tools/contract.py          # writes tests/data/contract.json again

A test holds the package to that file.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).parent
sys.path.insert(0, str(TOOLS))
FILE = TOOLS.parent / "tests" / "data" / "contract.json"

JSON_LINES = (
    "info --json",
    "filter png-8-rgb.png -k sobel-x --json -o out.png",
    "filter png-8-rgb.png bad.png -k 'gaussian | sobel-x' --json -o out/ -j 1",
    "filter png-8-rgb.png -k box --json --dry-run",
    "compare png-8-rgb.png png-8-rgb.png --json",
    "compare png-8-rgb.png jpeg-8-rgb.jpg --json",
    "kernel list --json",
    "kernel show gaussian:1.5 --json",
    "kernel show sobel --json",
    "kernel show sobel-x box --json",
    "separate '1 2 1;2 4 2;1 2 1' --json",
    "impulse '1 2 3' --json",
    "impulse '1 2 3' '4 5' --json",
    "shape --n 32 --k 3 --json",
    "shape --n 32 --k 3 --s 2 --in 3 --out 8 --as torch --json",
    "shape --n 32 --k 3 --compare --json",
    "shape --n 32 --k 2 --pool max --json",
    "shape --n 5 --k 3 --s 2 --transpose --json",
    "shape --n 32 --solve 16 --json",
    "shape lenet5 --json",
    "conv '1 2 3' '1 2' --json",
    "conv-transpose '1 2 3' '1 2' --json",
    "grad '1 2 3' '1 2' --json",
    "pool max '1 2 3 4' --json",
    "pool max '1 2 3 4' --indices --json",
    "pool avg '1 2 3 4' --json",
    "matrix kernel '1 2' -n 3 --json",
    "matrix data '1 2 3' '1 2' --json",
    "matrix circulant '1 2 3' -n 4 --json",
    "check adjoint '1 2 3' '1 2' --json",
    "check gradient '1 2 3' '1 2' --json",
    "check equivariance '1 2 3 4 5' '1 2' --json",
    "bench --size 64x64 --gray --kernel box --json",
)
"""One line for each object that ``--json`` prints, as far as its keys differ."""


def snapshot() -> dict[str, Any]:
    """All of it."""
    with _in_a_folder(), contextlib.redirect_stderr(io.StringIO()):
        return {
            "python": python_names(),
            "exit codes": exit_codes(),
            "options": command_options(),
            "json": {text: json_keys(text) for text in JSON_LINES},
            "journal": journal_fields(),
        }


def python_names() -> dict[str, Any]:
    """Public names -> parameters and defaults; of a class also what it offers."""
    import convcli

    found: dict[str, Any] = {}
    for name in sorted(convcli.__all__):
        value = getattr(convcli, name)
        if inspect.isclass(value):
            found[name] = _members(value)
        else:
            found[name] = _signature(value) if callable(value) else type(value).__name__
    return found


def _members(cls: type) -> dict[str, str]:
    """Public attributes of a class; what an exception or a tuple has anyway is left out."""
    usual = set(dir(Exception)) | set(dir(tuple))
    found = {"()": _signature(cls)}
    for name in sorted(set(dir(cls)) - usual):
        if not name.startswith("_"):
            value = inspect.getattr_static(cls, name)
            value = getattr(value, "__func__", value)
            found[name] = _signature(value) if inspect.isfunction(value) else "attribute"
    found |= dict.fromkeys(getattr(cls, "_fields", ()), "attribute")
    return found


def _signature(value: Any) -> str:
    """Names, kinds and defaults of parameters. What types they take, tests of types say."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return "(...)"
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def exit_codes() -> dict[str, int]:
    """Errors by name -> the code that the command ends with."""
    from convcli import errors

    classes = {name: getattr(errors, name) for name in errors.__all__}
    return {name: cls.exit_code for name, cls in classes.items() if inspect.isclass(cls)}


def command_options() -> dict[str, list[str]]:
    """Commands -> options with their defaults, and arguments, as they are typed."""
    from convcli.cli.typed import build

    return dict(_walk(build(), "convcli"))


def _walk(command: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    kinds: dict[str, list[str]] = {"option": [], "argument": []}
    for parameter in command.params:
        kinds[parameter.param_type_name].append(_option(parameter))
    yield name, [*sorted(kinds["option"]), *kinds["argument"]]
    if hasattr(command, "list_commands"):
        for word in command.list_commands(None):
            yield from _walk(command.get_command(None, word), f"{name} {word}")


def _option(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.name.upper() + "..." * (parameter.nargs == -1)
    names = "/".join([*parameter.opts, *parameter.secondary_opts])
    takes = "" if parameter.is_flag else " " + parameter.type.name.upper().replace(" ", "-")
    default = parameter.default() if callable(parameter.default) else parameter.default
    shown = "" if default in (None, False, (), "") else f" = {default}"
    return names + takes + shown + ", repeated" * bool(parameter.multiple)


def json_keys(text: str) -> Any:
    """The keys of what a line prints, with their types."""
    left, values = _run(text).strip(), []
    while left:
        value, end = json.JSONDecoder().raw_decode(left)
        values.append(value)
        left = left[end:].strip()
        if "codecs" in value:  # which there are is the libraries' affair
            value["codecs"] = {}
    return keys(values)


def keys(value: Any) -> Any:
    """The shape of a JSON value: keys and names of types; of an array what its items may be.

    >>> keys({"a": [1, None], "b": True, "c": [{"d": "x"}, {"d": "y", "e": []}]})
    {'a': ['null or number'], 'b': 'boolean', 'c': [{'d': 'string', 'e?': []}]}
    """
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_merged([keys(inner) for inner in value])] if value else []
    names = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


def _merged(shapes: list[Any]) -> Any:
    """One shape for all: a key that not all have ends in a question mark."""
    if all(isinstance(shape, dict) for shape in shapes):
        found = sorted({key.rstrip("?") for shape in shapes for key in shape})
        merged = {}
        for key in found:
            values = [
                v
                for shape in shapes
                for v in (shape.get(key), shape.get(f"{key}?"))
                if v is not None
            ]
            everywhere = all(key in shape for shape in shapes)
            merged[key if everywhere else f"{key}?"] = _merged(values)
        return merged
    if all(isinstance(shape, list) for shape in shapes):
        inner = [item for shape in shapes for item in shape]
        return [_merged(inner)] if inner else []
    words = {word for shape in shapes for word in _words(shape)}
    return " or ".join(sorted(words))


def _words(shape: Any) -> list[str]:
    return shape.split(" or ") if isinstance(shape, str) else [json.dumps(shape)]


def journal_fields() -> dict[str, Any]:
    """States of a journal's lines -> their fields with their types."""
    _run("filter png-8-rgb.png bad.png -k box -o made/ -j 1")
    found: dict[str, Any] = {}
    journals = [path for path in Path().rglob("*") if "journal" in path.name]
    for row in journals[0].read_text().splitlines():
        entry = json.loads(row)
        found[entry["state"]] = keys(entry)
    return {"name": journals[0].name, **found}


def _run(text: str) -> str:
    """What a line prints, its errors left to be read from what is missing."""
    import shlex

    from convcli.cli.app import run

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        run(shlex.split(text))
    return out.getvalue()


@contextlib.contextmanager
def _in_a_folder() -> Iterator[None]:
    """In a folder of its own, with the pictures that the lines name."""
    import against_pictures

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("png-8-rgb.png", "jpeg-8-rgb.jpg", "bad.png"):
            against_pictures.make(Path(folder), name)
        os.chdir(folder)
        shown = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        try:
            yield
        finally:
            os.chdir(before)
            del os.environ["CUDA_VISIBLE_DEVICES"]
            if shown is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = shown


def text_of(found: dict[str, Any]) -> str:
    """The snapshot as it is kept."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text_of(snapshot()), encoding="utf-8")
