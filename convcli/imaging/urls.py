"""Files behind URLs (``s3://``, ``gs://``, ``file://``), through fsspec where it is installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from convcli.errors import InputError, OutputError, UsageError
from convcli.imaging.atomic import Data, parts

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
        system, path = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {error}") from error
    return system, path


def read_url(url: str) -> bytes:
    """The bytes behind a URL.

    Raises
    ------
    InputError
        If they cannot be had.
    """
    system, path = _file_system(url)
    try:
        return bytes(system.cat_file(path))
    except FileNotFoundError as error:
        raise InputError(f"{url}: there is no such file") from error
    except Exception as error:
        raise InputError(f"{url}: {error}") from error


def write_url(url: str, data: Data) -> int:
    """Write bytes behind a URL: under another name first, unless the store itself is atomic.

    Returns how many they are.

    Raises
    ------
    OutputError
        If that fails.
    """
    system, path = _file_system(url)
    try:
        if not isinstance(system.protocol, str) and "file" in system.protocol:
            from convcli.imaging.atomic import write_atomic

            system.makedirs(system._parent(path), exist_ok=True)
            return write_atomic(path, data, overwrite=True)
        whole = b"".join(parts(data))
        system.pipe_file(path, whole)  # an object appears whole, when the upload is complete
        return len(whole)
    except OutputError:
        raise
    except Exception as error:
        raise OutputError(f"{url}: {error}") from error


def exists_url(url: str) -> bool:
    """Whether there is something behind a URL."""
    system, path = _file_system(url)
    try:
        return bool(system.exists(path))
    except Exception as error:
        raise InputError(f"{url}: {error}") from error


def list_url(url: str, *, recursive: bool) -> list[tuple[str, str]] | None:
    """Files behind a glob or, if ``recursive``, a folder, each with its path below that folder.

    None if the URL names one file.
    """
    from glob import has_magic

    system, path = _file_system(url)
    try:
        if has_magic(path):
            base = path[: min(path.index(c) for c in "*?[" if c in path)].rpartition("/")[0]
            found = system.glob(path)
        elif recursive and system.isdir(path):
            base, found = path.rstrip("/"), system.find(path)
        else:
            return None
    except Exception as error:
        raise InputError(f"{url}: {error}") from error
    return [
        (system.unstrip_protocol(name), name[len(base) :].strip("/").rpartition("/")[0])
        for name in sorted(found)
        if not system.isdir(name)
    ]
