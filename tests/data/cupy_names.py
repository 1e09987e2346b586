"""Names and signatures of CuPy, as text: of the one that is installed, and of what stands for it.

``python tests/data/cupy_names.py < names.json`` says what the installed CuPy has under a list of
names: its version, and a description of each, or null.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

NUMBERS = (int, float, str)


def names_of(home: Any, prefix: str = "") -> Iterator[str]:
    """Public names in a module or a class, and in the modules and classes there, with dots."""
    for name, value in vars(home).items():
        special = name.startswith("__") and isinstance(home, type) and callable(value)
        if (name.startswith("_") and not special) or name in GIVEN_BY_PYTHON:
            continue
        yield prefix + name
        inner = isinstance(value, ModuleType) or (
            isinstance(value, type) and value.__module__.partition(".")[0] == "cupy"
        )
        if inner:
            yield from names_of(value, f"{prefix}{name}.")


GIVEN_BY_PYTHON = {
    "__init__",
    "__del__",
    "__hash__",
    "__module__",
    "__dict__",
    "__weakref__",
    "__doc__",
}


def looked_up(home: Any, name: str) -> Any:
    """What has that name below a module; modules that nobody has imported yet are."""
    found = home
    for part in name.split("."):
        if not hasattr(found, part) and isinstance(found, ModuleType):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


def described(value: Any) -> str:
    """What something is, and how it is called.

    >>> described(lambda a, dtype=None, *, blocking=False: a)
    '(a, dtype=None, *, blocking=False)'
    """
    if isinstance(value, ModuleType):
        return "module"
    if type(value).__name__ in ("ufunc", "_GUFunc"):
        return "function of cells"
    if isinstance(value, NUMBERS):
        return repr(value)
    if not callable(value):
        return "attribute"
    try:
        parameters = [p for p in inspect.signature(value).parameters.values() if p.name != "self"]
        said = [_parameter(p) for p in parameters if not p.name.startswith("_")]
        stars = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        if stars and "*" not in "".join(said).replace("**", ""):
            said.insert(len(parameters) - len(stars), "*")
    except (TypeError, ValueError):
        said = []
    if not said or any(word.startswith("*args") for word in said):
        # Compiled with Cython: the first line of its documentation says it.
        said = _of_documentation(value.__doc__ or "") or said
    return f"({', '.join(said)})"


def serves(ours: str, real: str) -> bool:
    """Whether each call that ours takes means the same to the real one.

    >>> serves("(a, dtype=None)", "(a, dtype=None, order='C')")
    True
    >>> serves("(a, dtype=float)", "(a, dtype=None)")
    False
    """
    if ours == real or real in ("attribute", "(*args, **kwargs)"):
        return ours == real or not ours.startswith("(") or real.startswith("(")
    if not (ours.startswith("(") and real.startswith("(")):
        return False
    (placed, named), (all_placed, all_named) = _words(ours), _words(real)
    rest = all_placed[len(placed) :] + [word for word in all_named if word not in named]
    return (
        placed == all_placed[: len(placed)]
        and set(named) <= {*all_placed, *all_named}
        and all("=" in word or word.startswith("*") for word in rest)
    )


def _words(signature: str) -> tuple[list[str], list[str]]:
    """Parameters that may be given by place, and those that must be given by name."""
    words = re.split(r",\s*(?![^()]*\))", signature[1:-1]) if signature != "()" else []
    words = [word for word in words if word != "/"]
    star = words.index("*") if "*" in words else len(words)
    return words[:star], words[star + 1 :]


def _parameter(p: inspect.Parameter) -> str:
    if p.kind is p.VAR_POSITIONAL:
        return f"*{p.name}"
    if p.kind is p.VAR_KEYWORD:
        return f"**{p.name}"
    if p.default is p.empty:
        return p.name
    default = p.default.__name__ if isinstance(p.default, type) else repr(p.default)
    return f"{p.name}={default}"


def _of_documentation(text: str) -> list[str]:
    line = re.match(r"[\w.]+\((.*)\)", text.strip().replace("\\", "").partition("\n")[0])
    if not line:
        return []
    words = re.split(r",\s*(?![^()]*\))", line[1])
    # "size_t size" is a size; so is "intptr_t stream=None" a stream.
    names = [re.sub(r"^[\w ]+\s(?=\w+(=|$))", "", word.strip()) for word in words]
    return [name.replace('"', "'") for name in names if name and name != "self"]


def main() -> None:
    import cupy

    found: dict[str, str | None] = {}
    for name in json.load(sys.stdin):
        try:
            found[name] = described(looked_up(cupy, name))
        except (AttributeError, ImportError):
            found[name] = None
    json.dump({"version": cupy.__version__, "names": found}, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
