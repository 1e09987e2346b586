"""Files behind URLs (``s3://``, ``gs://``, ``file://``), through fsspec where it is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from convcli.errors import ConvcliError, InputError, OutputError, RunError, UsageError
from convcli.imaging.atomic import Data, parts
from convcli.system.machine import lacks_memory

__all__ = ["exists_url", "is_url", "list_url", "read_url", "split_path", "split_url", "write_url"]


def is_url(path: str) -> bool:
    """Whether a name is a URL and no path.

    >>> is_url("s3://bucket/a.png"), is_url("a.png"), is_url("gaussian:2")
    (True, False, False)
    """
    scheme, mark, rest = path.partition("://")
    return bool(mark and rest) and scheme.replace("+", "").isalnum()


def split_url(path: str) -> tuple[str, str]:
    """The scheme with its slashes, empty for a path, and the rest.

    >>> split_url("s3://bucket/a.png"), split_url("b/a.png")
    (('s3://', 'bucket/a.png'), ('', 'b/a.png'))
    """
    if not is_url(path):
        return "", path
    scheme, mark, rest = path.partition("://")
    return scheme + mark, rest


def split_path(name: str) -> tuple[str, PurePath]:
    """The scheme of a name, empty for a path, and its path: URLs have slashes on every system.

    >>> scheme, path = split_path("s3://bucket/a.png")
    >>> scheme + str(path.parent / "b.png")
    's3://bucket/b.png'
    """
    scheme, rest = split_url(name)
    return scheme, PurePosixPath(rest) if scheme else Path(rest)


def _file_system(url: str) -> tuple[Any, str]:
    try:
        fsspec: Any = import_module("fsspec.core")
    except ImportError as error:
        raise UsageError(
            f"{url}: URLs need fsspec; install it with: pip install 'convcli[scale]'"
        ) from error
    try:
        with _failing_as(InputError, url):  # an archive is opened, a server asked, already here
            system, path = fsspec.url_to_fs(url)
    except InputError as error:
        if isinstance(error.__cause__, (ImportError, ValueError, TypeError)):
            raise UsageError(str(error)) from error.__cause__  # what it says is no URL, or not ours
        raise
    return system, path


@contextlib.contextmanager
def _failing_as(kind: type[RunError], url: str) -> Iterator[None]:
    """Turn whatever a file system raises, of which each has its own kinds, into one line."""
    try:
        yield
    except ConvcliError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url}: there is no such file") from error
    except Exception as error:
        if lacks_memory(error):
            raise MemoryError from error
        said = str(getattr(error, "strerror", None) or error).strip().splitlines()
        raise kind(f"{url}: {said[0] if said else type(error).__name__}") from error


def read_url(url: str) -> bytes:
    """The bytes behind a URL.

    Raises
    ------
    InputError
        If they cannot be had.
    """
    system, path = _file_system(url)
    with _failing_as(InputError, url):
        return bytes(system.cat_file(path))


def write_url(url: str, data: Data) -> int:
    """Write bytes behind a URL: under another name first, unless the store itself is atomic.

    Returns how many they are.

    Raises
    ------
    OutputError
        If that fails.
    """
    system, path = _file_system(url)
    with _failing_as(OutputError, url):
        if not isinstance(system.protocol, str) and "file" in system.protocol:
            from convcli.imaging.atomic import write_atomic

            system.makedirs(system._parent(path), exist_ok=True)
            return write_atomic(path, data, overwrite=True)
        whole = b"".join(parts(data))
        system.pipe_file(path, whole)  # an object appears whole, when the upload is complete
        return len(whole)


def exists_url(url: str) -> bool:
    """Whether there is something behind a URL."""
    system, path = _file_system(url)
    with _failing_as(InputError, url):
        return bool(system.exists(path))


def list_url(url: str, *, recursive: bool) -> list[tuple[str, str]] | None:
    """Files behind a glob or, if ``recursive``, a folder, each with its path below that folder.

    None if the URL names one file.
    """
    from glob import has_magic

    system, path = _file_system(url)
    with _failing_as(InputError, url):
        if has_magic(path):
            base = path[: min(path.index(c) for c in "*?[" if c in path)].rpartition("/")[0]
            found = system.glob(path)
        elif recursive and system.isdir(path):
            base, found = path.rstrip("/"), system.find(path)
        else:
            return None
        return [
            (system.unstrip_protocol(name), name[len(base) :].strip("/").rpartition("/")[0])
            for name in sorted(found)
            if not system.isdir(name)
        ]
