"""Which files are meant: names, quoted globs, folders, and lists of names."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from convcli.errors import UsageError
from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN
from convcli.imaging.formats import every_format, format_of_suffix
from convcli.imaging.urls import is_url, list_url
from convcli.records import NamedTuple

__all__ = ["Input", "find_inputs"]

join = os.path.join  # where Path would drop a leading ./ or a byte that is no text


class Input(NamedTuple):
    """One input.

    Parameters
    ----------
    path
        As it is opened, and as messages name it; ``-`` is standard input.
    folder
        Its folder below the output root, so that trees are mirrored; empty for a named file.
    found
        Whether it was found by a glob or in a folder, rather than named.
    """

    path: str
    folder: str = ""
    found: bool = False


def find_inputs(
    inputs: Iterable[str],
    *,
    recursive: bool = False,
    files_from: str | None = None,
    null: bool = False,
    output_root: str | None = None,
) -> list[Input]:
    """Every input, in the order of the command line and sorted by name within a folder.

    Parameters
    ----------
    inputs
        Files, globs (only where no file has that very name), and folders if ``recursive``.
    files_from
        A file with more names, ``-`` for standard input, one per line or ended by zero bytes
        if ``null``. Relative names keep their folders.
    output_root
        A folder that results go to, which is left out when it lies in a folder that is searched.

    Raises
    ------
    UsageError
        If a glob or a folder holds no picture, or the list cannot be read.
    """
    names = list(inputs)
    if null and files_from is None:
        raise UsageError("-0 says how the names in --files-from end; there is no --files-from")
    skip = os.path.realpath(output_root) if output_root else None
    found: list[Input] = []
    for name in names:
        if is_url(name):
            listed = list_url(name, recursive=recursive)
            if listed is None:
                found.append(Input(name))
            else:
                urls = (Input(url, folder, True) for url, folder in listed if _is_picture(url))
                found += _or_refuse(urls, f"{name} matches no file")
        elif name == STDIN or os.path.lexists(name):
            if recursive and Path(name).is_dir() and not _is_store(name):
                found += _or_refuse(_walk(name, skip), f"{display_name(name)} holds no picture")
            else:
                found.append(Input(name))
        elif glob.has_magic(name):
            found += _or_refuse(
                _expand(name, recursive, skip), f"{display_name(name)} matches no file"
            )
        else:
            found.append(Input(name))
    if files_from is not None:
        if files_from == STDIN and STDIN in names:
            raise UsageError("standard input (-) is both a picture and the list of --files-from")
        found += _or_refuse(_listed(files_from, null), f"{files_from} names no file")
    return list(_once(found))


def _or_refuse(found: Iterable[Input], otherwise: str) -> list[Input]:
    listed = list(found)
    if not listed:
        raise UsageError(otherwise)
    return listed


def _once(found: list[Input]) -> Iterator[Input]:
    """Without files that were found more than once; what was named twice is a mistake to tell."""
    seen: set[str] = set()
    for one in found:
        key = one.path if is_url(one.path) else os.path.normpath(one.path)
        if one.found and key in seen:
            continue
        seen.add(key)
        yield one


def _is_picture(name: str) -> bool:
    found = format_of_suffix(name)
    stands_alone = found is not None and not (found.is_folder or found.needs_layout)
    return stands_alone and not Path(name).name.startswith(".")


def _is_store(name: str) -> bool:
    """Whether a folder is called as one that is a picture itself."""
    return any(f.is_folder and name.lower().endswith(f.suffixes) for f in every_format())


def _walk(root: str, skip: str | None, below: str = "") -> Iterator[Input]:
    """Pictures below ``root`` by their suffixes; hidden files and linked folders are left out."""
    for folder, folders, files in os.walk(root):
        for name in [n for n in sorted(folders) if _is_store(n)]:
            folders.remove(name)
            inside = os.path.relpath(folder, root)
            yield Input(join(folder, name), _folder(join(below, inside)), True)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(join(folder, name)) != skip
        )
        inside = os.path.relpath(folder, root)
        for name in sorted(files):
            if _is_picture(name):
                yield Input(join(folder, name), _folder(join(below, inside)), True)


def _expand(pattern: str, recursive: bool, skip: str | None) -> Iterator[Input]:
    """Files that match, with their folders below the part of the pattern that has no stars."""
    base = Path(pattern)
    while glob.has_magic(str(base)):
        base = base.parent
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 (patterns may be absolute)
        inside = os.path.relpath(name, base)
        if Path(name).is_dir():
            if recursive and "**" not in pattern:
                yield from _walk(name, skip, inside)
            continue
        if skip is not None and os.path.realpath(name).startswith(skip + os.sep):
            continue
        yield Input(name, _folder(str(Path(inside).parent)), True)


def _folder(path: str) -> str:
    """A relative folder, normalised; empty for the folder itself."""
    normal = os.path.normpath(path)
    return "" if normal == os.curdir else normal


def _listed(path: str, null: bool) -> Iterator[Input]:
    if path == STDIN:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("--files-from - reads names from a pipe; standard input is none")
        data = sys.stdin.buffer.read()
    else:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"--files-from {display_name(path)}: {error.strerror}") from error
    for line in data.split(b"\0" if null else b"\n"):
        name = os.fsdecode(line if null else line.rstrip(b"\r"))
        if name:
            folder = "" if Path(name).is_absolute() else _folder(str(Path(name).parent))
            yield Input(name, folder)
