"""The compiled extensions: which were built, which instruction set they use, why one is missing.

Each exists a second time in Python and NumPy, so any of them may be missing. The environment
variable ``CONVCLI_LOOPS`` is read here and nowhere else: ``numpy`` uses none, ``compiled`` insists
on those that are asked for, ``compiled:avx2`` holds them to an instruction set.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

from convcli.errors import UsageError
from convcli.records import NamedTuple

__all__ = ["EXTENSIONS", "VARIABLE", "Found", "extension", "unasked"]

VARIABLE = "CONVCLI_LOOPS"
EXTENSIONS = {
    "_loops": "filters",
    "_ranks": "rank filters",
    "_windows": "morphology and statistics of windows",
    "_tensors": "tensors",
    "_png": "PNG and JPEG files",
}
"""Name in the package, and what it makes fast."""


class Found(NamedTuple):
    """An extension, or None, and its instruction set, or why there is none."""

    module: Any
    why: str


def extension(name: str) -> Found:
    """Look for an extension, as ``CONVCLI_LOOPS`` wants it.

    Raises
    ------
    UsageError
        If the variable says what it cannot, or asks for what is not there.
    """
    return _find(name, os.environ.get(VARIABLE, ""))


def unasked() -> dict[str, str]:
    """Extensions that are missing although nobody asked for that, and why."""
    if os.environ.get(VARIABLE) == "numpy":
        return {}
    return {name: found.why for name in EXTENSIONS if (found := extension(name)).module is None}


@cache
def _find(name: str, wanted: str) -> Found:
    kind, _, isa = wanted.partition(":")
    if wanted == "numpy":
        return Found(None, f"{VARIABLE}=numpy")
    if kind not in ("", "compiled") or (not kind and isa):
        raise UsageError(
            f"{VARIABLE} is {wanted!r}; allowed: numpy, compiled, compiled:SET, "
            "where SET is avx512, avx2 or base"
        )
    try:
        module = import_module(f"convcli.{name}")
    except ModuleNotFoundError:
        reason = f"the extension convcli.{name} was not built when convcli was installed"
        module, why = None, f"{reason}{_note(name)}"
    except ImportError as error:  # there, but broken: say so instead of being slow in silence
        module, why = None, f"the extension convcli.{name} does not load: {error}"
    if module is None:
        if wanted:
            raise UsageError(f"{VARIABLE}={wanted}, but {why}")
        return Found(None, why)
    if isa and isa not in module.isas():
        raise UsageError(
            f"{VARIABLE} is {wanted!r}; this processor and build have {', '.join(module.isas())}"
        )
    return Found(module, module.isa(isa) if isa else module.isa())


def _note(name: str) -> str:
    """What the build noted when it failed (setup.py)."""
    try:
        with open(f"{os.path.dirname(__file__)}/{name}.missing", encoding="utf-8") as file:  # noqa: PTH120, PTH123
            return f": {file.read()}"
    except OSError:
        return ""
