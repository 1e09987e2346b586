"""Another system, played to one process: convcli does not see what that system lacks.

A ``sitecustomize`` calls :func:`play` before anything else runs, in children as well. Every import
by a file of the package is answered with a stand-in for the module, which lacks what the other
system lacks and has what it has instead. The standard library and other packages, which know their
systems themselves, see this one; rules that hold for everybody are set by the system's own file.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

SITE = """\
import sys
sys.path.insert(0, {folder!r})
import {system}
sys.path.remove({folder!r})
{system}.play({package!r})
"""


class StandIn:
    """A module as it is elsewhere: some names are missing, some are others, all else is real."""

    def __init__(self, real: Any, lacking: Iterable[str], instead: Mapping[str, Any]) -> None:
        vars(self).update(_real=real, _lacking=frozenset(lacking), _instead=dict(instead))

    def __getattr__(self, name: str) -> Any:
        if name in self._instead:
            return self._instead[name]
        if name in self._lacking:
            raise AttributeError(f"module {self._real.__name__!r} has no attribute {name!r} there")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def play(
    package: str,
    *,
    lacking: Mapping[str, Iterable[str]],
    instead: Mapping[str, Mapping[str, Any]],
    no_modules: Iterable[str],
    modules: Mapping[str, Any] = {},
) -> None:
    """Answer the imports of all files below ``package``.

    Parameters
    ----------
    lacking, instead
        By module: the names that it lacks, and what is in the place of others.
    no_modules
        Modules that there are none of.
    modules
        Modules that are there only.
    """
    real_import = builtins.__import__
    missing = frozenset(no_modules) - set(modules)
    stand_ins: dict[str, Any] = dict(modules)

    def seen(
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        ours = str((globals or {}).get("__file__", "")).startswith(package + os.sep)
        if ours and name in missing:
            raise ModuleNotFoundError(f"No module named {name!r} there", name=name)
        if ours and name in modules:
            return modules[name]
        module = real_import(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if not ours or (top not in lacking and top not in instead) or (fromlist and name != top):
            return module
        if top not in stand_ins:
            stand_ins[top] = StandIn(module, lacking.get(top, ()), instead.get(top, {}))
        return stand_ins[top]

    builtins.__import__ = seen


def guard_names(refuse: Callable[[str], OSError | None]) -> None:
    """Refuse names of files wherever one is opened or looked at; ``refuse`` gives the error."""

    def guarded(real: Callable[..., Any], names: int = 1) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            for path in args[:names]:
                if isinstance(path, str | bytes | os.PathLike):
                    error = refuse(os.fsdecode(path))
                    if error is not None:
                        raise error
            return real(*args, **keywords)

        return call

    for name in ("open", "stat", "lstat", "mkdir", "scandir", "listdir", "unlink", "remove"):
        setattr(os, name, guarded(getattr(os, name)))
    for name in ("rename", "replace", "link"):
        setattr(os, name, guarded(getattr(os, name), 2))
    builtins.open = io.open = guarded(io.open)


def no_system_folders(path: str) -> OSError | None:
    """Refuse ``/proc`` and ``/sys``, which only Linux has."""
    if path.startswith(("/proc/", "/sys/")):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return None


def site(system: str, package: str) -> str:
    """The text of a ``sitecustomize`` that plays a system."""
    folder = Path(__file__).resolve().parent
    return SITE.format(folder=str(folder), system=system, package=package)
