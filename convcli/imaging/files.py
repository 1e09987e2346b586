"""Reading whole files, and only files: never a pipe, a device or a folder."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from convcli.errors import InputError, UsageError
from convcli.imaging.atomic import display_name
from convcli.system.files import open_to_read

__all__ = ["STDIN", "check_file", "read_bytes"]

STDIN = "-"


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises
    ------
    UsageError
        If there is no such file, or it is a folder, a pipe, a socket or a device.
    InputError
        If it cannot be read.
    """
    if path == STDIN:
        return _read_stdin()
    check_file(path)
    name = display_name(path)
    try:
        # Opened without waiting, and looked at again: the name may point elsewhere by now.
        with os.fdopen(open_to_read(path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{name} is not a regular file; use - to read from a pipe")
            return file.read()
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from error


def check_file(path: str) -> None:
    """Refuse a name of no file before it is opened; raises as :func:`read_bytes` does."""
    name = display_name(path)
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{name}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{name} is a folder; name the files in it")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{name} is not a regular file; use - to read from a pipe")


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise InputError("standard input is closed")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal; pipe a picture into it or name a file")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"standard input: {error.strerror or error}") from error
