"""Memory, processors, and what the machine says of itself."""

from __future__ import annotations

import contextlib
import errno
import os
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import mmap

__all__ = [
    "CUDA_DRIVER",
    "Buffer",
    "address_limit",
    "boot_id",
    "default_threads",
    "free_memory",
    "fresh_memory",
    "is_full",
    "is_tight",
    "lacks_memory",
    "memory_file",
    "require_descriptors",
    "spare_address_space",
]

Buffer: TypeAlias = "bytearray | mmap.mmap"

TIGHT_BYTES = 2**31
"""Of address space: what 200 threads reserve for their stacks, beside libraries and a picture."""

_M_ARENA_MAX = -8
"""Of ``mallopt``, in the GNU C library's ``malloc.h``."""

CUDA_DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"


def fresh_memory(size: int) -> Buffer:
    """Cleared memory, of which only what is written takes room; in huge pages where there are."""
    import mmap

    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(size)
    try:
        # Shared, which is Python's default, it would be a file in memory, of small pages.
        room = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError from error
    with contextlib.suppress(OSError):  # a system built without them
        room.madvise(mmap.MADV_HUGEPAGE)
    return room


def memory_file() -> IO[bytes]:
    """A file in memory, with a descriptor where the system has such."""
    try:
        return os.fdopen(os.memfd_create("convcli"), "w+b")
    except (AttributeError, OSError):
        import io

        return io.BytesIO()


def free_memory() -> int:
    """Bytes that are free or can be freed at once, within the limit of a container."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        free = _half_of_memory() if hasattr(os, "sysconf") else _free_on_windows()
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text("ascii"))
        free = min(free, int(limit) - used) if limit != "max" else free
    except (OSError, ValueError):
        pass
    return max(free, 2**26)


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _free_on_windows() -> int:
    import ctypes
    import struct

    # MEMORYSTATUSEX: its own length, the load in percent, then total and free physical memory and
    # five more numbers of 64 bits.
    layout = struct.Struct("<LL7Q")
    status = ctypes.create_string_buffer(struct.pack("<L", layout.size), layout.size)
    loader: Any = ctypes
    if not loader.windll.kernel32.GlobalMemoryStatusEx(status):
        return 2**30
    return int(layout.unpack(status.raw)[3])


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, in whatever words.

    >>> lacks_memory(MemoryError()), lacks_memory(RuntimeError("can't start new thread"))
    (True, True)
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # A thread needs room for its stack, a library for itself.
    words = {RuntimeError: "can't start new thread", ImportError: "failed to map segment"}
    return words.get(type(error), "\0") in str(error) or is_full()


def is_full() -> bool:
    """Whether nearly all of a limited address space is taken.

    What fails for it may then say anything: where Python's ``datetime`` cannot load its compiled
    half, it goes without, and NumPy misses something in it.
    """
    limit = address_limit()
    if limit is None:
        return False
    try:
        taken = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return False
    return limit - taken * os.sysconf("SC_PAGE_SIZE") < 2**24


@cache
def address_limit() -> int | None:
    """Bytes of address space that this process may take (``ulimit -v``); None if there is no limit."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/limits").read_text("utf-8").splitlines():
            if line.startswith("Max address space"):
                soft = line.split()[3]
                return None if soft == "unlimited" else int(soft)
    return None


def is_tight() -> bool:
    """Whether so little address space is allowed that one thing at a time is better.

    NumPy and others crash if it ends while they are imported, as a picture that is decoded beside
    it may make it end.
    """
    limit = address_limit()
    return limit is not None and limit < TIGHT_BYTES


def spare_address_space() -> None:
    """Where the address space is limited, let threads share what the C library reserves.

    The GNU library reserves 64 MB for each thread. Where that fails, a thread of CPython 3.11 may not
    make its first number, and looks for it in a loop without end.
    """
    if address_limit() is not None:
        with contextlib.suppress(ImportError, OSError, AttributeError):  # another library, or full
            import ctypes

            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def require_descriptors(count: int) -> None:
    """Raise the system's error (an ``OSError``) if so many more files cannot be opened."""
    opened: list[int] = []
    try:
        for _ in range(count):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for fd in opened:
            os.close(fd)


def default_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def boot_id() -> str:
    """What tells one start of the machine from another; empty where the system does not say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""
