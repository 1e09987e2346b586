"""Compiled kernels on disk: each is compiled once for a kind of device, not once in every process.

CuPy has such a cache, but compiles an empty source in every process before it looks into it, which
takes longer than to load a kernel. A cache that cannot be read or written, or holds damaged files,
costs time and a note, never a result.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from convcli.engine.gpu.kernel_source import OPTIONS, KernelSource
from convcli.engine.gpu.notes import tell_once
from convcli.engine.speeds import cache_folder

__all__ = ["CubinCache", "source_name"]

MOST_BYTES = 256 << 20
"""Of all files together: some thousands of kernels. Beyond it, those that were used least recently
go."""

KEPT_SHARE = 0.75
"""What is left of ``MOST_BYTES`` then, so that the next kernels find room."""

MAGIC = b"convcli cubin 1\n"
SUFFIX, UNDER_WAY = ".cubin", ".part"
ABANDONED = 3600.0
"""Seconds after which a file that was never finished belongs to a process that died."""

_DIGEST = 32


def source_name(source: KernelSource) -> str:
    """What the names of a kernel's files begin with, whatever the device and the compiler are."""
    text = "\0".join([*OPTIONS, source.function, source.text])
    return sha256(text.encode()).hexdigest()[:32]


class CubinCache:
    """Files in a folder, one for each kernel, kind of device and compiler.

    Parameters
    ----------
    folder
        Made when the first kernel is kept; ``kernels`` in the cache of convcli by default.
    most
        Bytes that all files may take.
    """

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self.folder = folder or cache_folder() / "kernels"
        self.most = most

    def holds(self, source: KernelSource) -> bool:
        """Whether a kernel is there, for any device and compiler: to be asked without CuPy."""
        begin = source_name(source) + "-"
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return any(e.name.startswith(begin) and e.name.endswith(SUFFIX) for e in entries)
        return False

    def load(self, source: KernelSource, target: str) -> bytes | None:
        """A compiled kernel; none if it is not there, or damaged.

        Parameters
        ----------
        target
            What it was compiled by and for, as part of a file's name.
        """
        path = self._path(source, target)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say_useless(error)
            return None
        begin = len(MAGIC) + _DIGEST
        cubin = data[begin:]
        if data[:begin] != MAGIC + sha256(cubin).digest():
            tell_once(f"the compiled kernel {path} was damaged, and was compiled again")
            return None
        with contextlib.suppress(OSError):  # it was used, and is not among the oldest
            os.utime(path)
        return cubin

    def save(self, source: KernelSource, target: str, cubin: bytes) -> None:
        """Keep a compiled kernel, whole or not at all; what cannot be kept is noted."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self._path(source, target), MAGIC + sha256(cubin).digest() + cubin)
            self._trim()
        except (OSError, RuntimeError) as error:
            self._say_useless(error)

    def _path(self, source: KernelSource, target: str) -> Path:
        return self.folder / f"{source_name(source)}-{target}{SUFFIX}"

    def _write(self, path: Path, data: bytes) -> None:
        fd, temporary = tempfile.mkstemp(UNDER_WAY, dir=self.folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise

    def _trim(self) -> None:
        """Remove the files used least recently where all take too much, and abandoned ones."""
        found: list[tuple[float, int, str]] = []
        now = time.time()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # another process has removed it
                    facts = entry.stat()
                    if entry.name.endswith(SUFFIX):
                        found.append((facts.st_mtime, facts.st_size, entry.path))
                    elif entry.name.endswith(UNDER_WAY) and now - facts.st_mtime > ABANDONED:
                        Path(entry.path).unlink()
        total = sum(size for _, size, _ in found)
        if total <= self.most:
            return
        for _, size, path in sorted(found):
            with contextlib.suppress(OSError):
                Path(path).unlink()
            total -= size
            if total <= KEPT_SHARE * self.most:
                return

    def _say_useless(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        tell_once(
            f"compiled kernels cannot be kept in {self.folder} ({reason}), so each run compiles "
            "them again; set XDG_CACHE_HOME to a folder that can be written"
        )
