"""Open files that somebody named, without ever waiting for a pipe or reading a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from convcli.errors import ConvcliError, KernelError
from convcli.system.files import open_to_read

__all__ = ["open_regular", "read_regular"]

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | Path, *, error: type[ConvcliError] = KernelError) -> BinaryIO:
    """Open a regular file for reading; refuse anything else with ``error``.

    >>> open_regular("/dev/null")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: '/dev/null' is a device; give a regular file
    """
    try:
        handle = open_to_read(path)  # never waits for somebody to write to a pipe
    except FileNotFoundError as missing:
        raise error(f"there is no file {str(path)!r}") from missing
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(f"{str(path)!r} cannot be opened: {reason}") from problem
    kind = stat.S_IFMT(os.fstat(handle).st_mode)
    if kind != stat.S_IFREG:
        os.close(handle)
        raise error(f"{str(path)!r} is {_KINDS.get(kind, 'not a file')}; give a regular file")
    return os.fdopen(handle, "rb")


def read_regular(
    path: str | Path, limit: int, advice: str, *, error: type[ConvcliError] = KernelError
) -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes, compared before reading.

    ``advice`` ends the message when the file is larger.
    """
    with open_regular(path, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > limit else file.read(limit + 1)
    if max(size, len(data)) > limit:
        raise error(f"{str(path)!r} has {size:,} bytes; at most {limit:,} are read; {advice}")
    return data
