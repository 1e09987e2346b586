"""Opening, reading, writing and flushing by descriptor, the same bytes on every system."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any, TypeAlias

__all__ = [
    "StrPath",
    "early_flush",
    "exists",
    "flush",
    "flush_all",
    "flush_folder",
    "is_file",
    "open_new",
    "open_to_read",
    "open_to_write",
    "read_at",
    "read_into",
    "reader_has_gone",
    "set_mode",
    "size_and_time",
    "size_and_time_within",
    "without_capitals",
    "write",
    "write_at",
]

StrPath: TypeAlias = "str | os.PathLike[str]"

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

WINDOWS = os.name == "nt"
# Windows would translate line ends and stop at a ctrl-Z; elsewhere bytes are bytes. Python itself
# keeps descriptors from being inherited.
BINARY: int = getattr(os, "O_BINARY", 0)
# The name may be that of a pipe, by now: never wait for somebody to write to it.
_AT_ONCE: int = getattr(os, "O_NONBLOCK", 0)
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)


def exists(name: StrPath) -> bool:
    """Whether something has this name; words that are too long for a name, nothing has."""
    return os.path.exists(name)  # noqa: PTH110  (Path.exists raises where a name is too long)


def is_file(name: StrPath) -> bool:
    """Whether a file has this name; words that are too long for a name, none has."""
    return os.path.isfile(name)  # noqa: PTH113  (Path.is_file raises where a name is too long)


def size_and_time(path: StrPath) -> tuple[int, int] | None:
    """Bytes, and nanoseconds of the last change; None if nothing can be found there.

    Who finds the same twice may take a file for the same.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def size_and_time_within(folder: StrPath) -> tuple[int, int]:
    """Bytes of all files below a folder, and a number that is another one if a file's change is.

    The time of a folder does not tell: it stays where a file in it is overwritten. What has a
    name with a dot in front is passed over, as temporaries have it, but for what Zarr calls so
    (``.zarray``). What vanishes meanwhile is not counted.
    """
    size = mark = 0
    folders = [os.fspath(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(".") and not entry.name.startswith(".z"):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    size += status.st_size
                    mark ^= hash((entry.path, status.st_size, status.st_mtime_ns))
    return size, mark


def open_to_read(path: StrPath, *, follow: bool = True) -> int:
    """A descriptor to read bytes from, without waiting; ``follow`` links or refuse them."""
    return os.open(path, os.O_RDONLY | BINARY | _AT_ONCE | (0 if follow else _NO_LINK))


def open_to_write(path: StrPath) -> int:
    """A descriptor to write bytes to a file or device that is there."""
    return os.open(path, os.O_WRONLY | BINARY)


def open_new(path: StrPath) -> int:
    """A descriptor to write a new file, of mode 0666 less the umask; nobody else's is opened."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY | _NO_LINK, 0o666)


def without_capitals(path: str) -> str:
    """What names of the same file have in common where capitals make no difference.

    A volume of macOS can be set to tell them apart; two such names are then taken for one.
    """
    return os.path.normcase(path).casefold() if WINDOWS or sys.platform == "darwin" else path


if not hasattr(os, "pread"):
    import threading

    _position = threading.Lock()


def read_at(fd: int, size: int, offset: int) -> bytes:
    """Up to ``size`` bytes from ``offset`` on, from any thread; the position may move."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    with _position:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)


def read_into(fd: int, room: memoryview, offset: int) -> int:
    """Fill ``room`` from ``offset`` on, as far as that goes at once; returns how many bytes came."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [room], offset)
    part = read_at(fd, len(room), offset)
    room[: len(part)] = part
    return len(part)


def write_at(fd: int, data: bytes | memoryview, offset: int) -> int:
    """Write at ``offset``, from any thread; returns how many bytes were taken."""
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset)
    with _position:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write, and tell alike everywhere when the reader of a pipe has gone.

    Raises
    ------
    BrokenPipeError
        If it has.
    """
    try:
        return os.write(fd, data)
    except OSError as error:
        if reader_has_gone(error):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        raise


def reader_has_gone(error: BaseException) -> bool:
    """Whether an error says that the reader of a pipe has gone."""
    if WINDOWS and isinstance(error, OSError) and error.errno == errno.EINVAL:
        return error.filename is None  # it says the same of names that it does not take
    return isinstance(error, BrokenPipeError)


def set_mode(fd: int, mode: int) -> None:
    """Give an open file a mode, where files have one."""
    if hasattr(os, "fchmod"):
        os.fchmod(fd, mode)


def early_flush(fd: int, start: int, count: int) -> None:
    """Let the disk begin with what was written, where that can be asked for without waiting."""
    if hasattr(os, "posix_fadvise"):
        # Linux then begins to write these pages, and keeps them, as they are not yet written.
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, start, count, os.POSIX_FADV_DONTNEED)


def flush(fd: int) -> None:
    """Return when a file is on the disk."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: its fsync ends when the disk's own memory has it
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def flush_folder(folder: StrPath) -> None:
    """Make what was renamed in a folder durable; Windows, which opens no folder, sees to it."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def flush_all() -> None:
    """Return when everything written is on the disk, where one call can do that."""
    if hasattr(os, "sync"):
        os.sync()
