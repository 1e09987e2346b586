"""A standard output that is written whole."""

from __future__ import annotations

import os
import sys

from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import Data, write_all

__all__ = ["write_stdout"]


def write_stdout(data: Data) -> int:
    """Write bytes to standard output, all of them, and say how many they are.

    Raises
    ------
    UsageError
        If standard output is a terminal: binary would wreck it.
    OutputError
        If it is closed or cannot take the data.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    sys.stdout.flush()
    fd = sys.stdout.fileno()
    if os.isatty(fd):
        raise UsageError(
            "standard output is a terminal and the picture is binary; "
            "use -o FILE, or pipe it to another program"
        )
    try:
        return write_all(fd, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror or error}") from error
