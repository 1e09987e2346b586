"""How much memory a run may take, as users say it, and whether a picture fits into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from convcli.errors import UsageError
from convcli.system.machine import free_memory

if TYPE_CHECKING:
    from convcli.runs.request import Request

__all__ = [
    "BASE_BYTES",
    "LEAST_ROOM",
    "WHOLE",
    "budget",
    "check_memory",
    "parse_size",
    "require",
]

BASE_BYTES = 140 * 2**20
"""The interpreter with its libraries, the loops' scratch, the writer's buffers."""
LEAST_BYTES = BASE_BYTES + 64 * 2**20
"""What a run without ``--memory`` may take however little is free: enough for small parts."""
LEAST_ROOM = 2**20
"""What there is beside ``BASE_BYTES`` however little is allowed: enough for small pictures."""
WHOLE = 4
"""How often the samples of a picture lie in memory that is filtered whole: as they were and as
they become, and while they are filtered and encoded."""
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """A number of bytes, as in ``512M`` or ``1.5G``.

    Raises
    ------
    UsageError
        If it is no size.

    >>> parse_size("512M"), parse_size("1.5GiB")
    (536870912, 1610612736)
    """
    match = re.fullmatch(
        r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE
    )
    if match is None or float(match[1]) == 0:
        raise UsageError(
            f"--memory {text[:40]!r} is no size; allowed: a number with K, M, G or T, as in 512M"
        )
    return int(float(match[1]) * UNITS[match[2].upper()])


def budget(request: Request) -> int:
    """Bytes that this process may take in all: ``memory``, or a quarter of what is free.

    Not below ``LEAST_BYTES``, unless asked for: a small array would be refused on a full machine.
    """
    if request.memory is not None:
        return request.memory
    return max(free_memory() // 4 // max(request.jobs or 1, 1), LEAST_BYTES)


def require(request: Request, name: str, need: int) -> None:
    """Refuse what ``--memory`` does not hold, where it cannot be done part by part.

    Raises
    ------
    UsageError
        If it needs more than there is beside the program itself.
    """
    if request.memory is not None and need > max(request.memory - BASE_BYTES, LEAST_ROOM):
        raise UsageError(
            f"{name}: it has to be read whole, which takes {(need + BASE_BYTES) / 2**20:,.0f} MB "
            "here; raise --memory"
        )


def check_memory(request: Request, name: str, data: bytes, *, copies: int = 1) -> None:
    """Refuse a file before it is decoded, by its header; as :func:`require`."""
    if request.memory is not None:
        from convcli.imaging.claims import decoded_bytes

        require(request, name, len(data) + copies * decoded_bytes(data, name))
