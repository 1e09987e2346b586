"""Files that several processes use, and the moves that they see."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from convcli.system.files import BINARY, StrPath, open_to_read, open_to_write

__all__ = [
    "append",
    "claim",
    "claim_folder",
    "exchange",
    "open_shared",
    "put",
    "remove_abandoned",
]

fcntl: Any
msvcrt: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

WINDOWS = os.name == "nt"
_LOCKED_BYTE = (1 << 31) - 2
"""Where Windows locks a journal: far behind its end, since nobody else may read what is locked."""
_HERE = -100
"""For Linux: a path that is not absolute begins at the current folder (``AT_FDCWD``)."""
_SWAP = 2
"""For Linux and macOS: a move in which both names stay (``RENAME_EXCHANGE``, ``RENAME_SWAP``)."""
_FRESH = 60.0
"""Seconds after its last change in which a file without a lock may still be somebody's."""
_LOCK_PATIENCE = 10.0
"""Seconds for which Windows waits for others that append."""
_PATIENCE = 1.0
"""Seconds for which a move is tried again on Windows, where a virus scanner or an indexer holds
every new file for a moment."""


def open_shared(path: StrPath, patience: float | None = None) -> int:
    """A descriptor to read a file and :func:`append` to it, as other processes do.

    With ``patience``, first wait for so many seconds until no other process has it open.

    Raises
    ------
    TimeoutError
        If one still has.
    """
    end = None if patience is None else time.monotonic() + patience
    if fcntl is None:
        while end is not None and _is_open(path):
            _wait(end)
        return _open_to_append(path)
    fd = _open_to_append(path)
    try:
        while end is not None and not _lock_alone(fd):
            _wait(end)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_SH)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_to_append(path: StrPath) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | BINARY, 0o666)


def _lock_alone(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Anything else is a file system without locks.
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _is_open(path: StrPath) -> bool:
    """Whether anybody has a file open, on Windows: then it cannot even be given its own name."""
    try:
        Path(path).rename(path)
    except PermissionError:
        return True
    except FileNotFoundError:
        return False
    return False


def _wait(end: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError(errno.ETIMEDOUT, "another process has it open")
    time.sleep(0.05)


def append(fd: int, data: bytes) -> int:
    """Write at the end of a file that other processes append to, in one piece."""
    if fcntl is not None:
        return os.write(fd, data)
    # Windows finds the end and writes there in two steps, between which others may write.
    os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
    _insist(lambda: msvcrt.locking(fd, msvcrt.LK_NBLCK, 1), _LOCK_PATIENCE)
    try:
        return os.write(fd, data)
    finally:
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)


def claim(fd: int) -> bool:
    """Mark a file as somebody's until ``fd`` is closed, or this process ends; False if it cannot.

    On Windows that it is open says so.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return False
    return True


@contextlib.contextmanager
def claim_folder(folder: StrPath) -> Iterator[None]:
    """Mark a folder as somebody's while the block runs; Windows opens no folder."""
    fd = None if WINDOWS else os.open(folder, os.O_RDONLY)
    try:
        if fd is not None:
            claim(fd)
        yield
    finally:
        if fd is not None:
            os.close(fd)


def remove_abandoned(path: str) -> None:
    """Remove a file or folder that nobody has claimed.

    Raises
    ------
    OSError
        If somebody has, or it cannot be removed.
    """
    if fcntl is None:
        # Of what is open Windows removes nothing. Its writer lets it go just before the move.
        if time.time() - Path(path).lstat().st_mtime > _FRESH:
            Path(path).unlink()
        return
    fd = open_to_read(path, follow=False)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            import shutil

            shutil.rmtree(path)
        else:
            Path(path).unlink()
    finally:
        os.close(fd)


def put(fd: int, temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name; ``fd`` is its descriptor, with which nothing else follows.

    Raises
    ------
    FileExistsError
        If the name is taken, and not to ``overwrite``.
    """
    if WINDOWS:
        # Let go of the file; the descriptor itself is its owner's to close.
        null = open_to_write(os.devnull)
        os.dup2(null, fd, inheritable=False)
        os.close(null)
        # There, unlike elsewhere, to rename is never to replace.
        move = temporary.replace if overwrite else temporary.rename
        _insist(lambda: move(target), _PATIENCE)
    elif overwrite:
        temporary.replace(target)
    else:
        _link(temporary, target)


def exchange(new: Path, old: Path) -> None:
    """Let two folders or files of one disk change names, in one step where the system has one.

    Otherwise the old one stands aside for a moment, under a name that nobody sweeps: if the power
    goes just then, it is there.
    """
    if _exchange_at_once(new, old):
        return
    aside = old.with_name(f"{new.stem}.old")
    try:
        old.rename(aside)
        new.rename(old)
        aside.rename(new)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            aside.rename(new if old.exists() else old)
        raise


def _exchange_at_once(new: Path, old: Path) -> bool:
    if sys.platform not in ("linux", "darwin"):
        return False
    import ctypes

    library = ctypes.CDLL(None)
    names = os.fsencode(new), os.fsencode(old)
    try:
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, _SWAP) == 0)
        here = ctypes.c_int(_HERE)
        return bool(library.renameat2(here, names[0], here, names[1], _SWAP) == 0)
    except AttributeError:  # a C library without the call
        return False


def _link(temporary: Path, target: Path) -> None:
    """Rename a file, but never over another."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the check a moment ago has to do
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        temporary.replace(target)
    else:
        with contextlib.suppress(OSError):  # its owner tries once more
            temporary.unlink()


def _insist(action: Callable[[], object], patience: float) -> None:
    """Try again for so many seconds what Windows refuses while somebody else has a file."""
    end, pause = time.monotonic() + patience, 0.001
    while True:
        try:
            action()
            return
        except PermissionError:
            if time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
