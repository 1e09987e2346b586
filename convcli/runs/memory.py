"""How much memory a run may take, as users say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from convcli.errors import UsageError
from convcli.imaging.opening import Limits
from convcli.imaging.options import BASE_BYTES

if TYPE_CHECKING:
    from convcli.runs.request import Request

__all__ = ["allowed_to_threads", "limits_of", "parse_size", "workers_within"]

LEAST = 2**20
"""Bytes below which, of a number alone, the unit was forgotten."""
THREAD_BYTES = 64 * 2**20
"""What a thread for pictures on a GPU is begun for, beside pinned memory: one of 5 megapixels."""
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """A number of bytes, as in ``512M`` or ``1.5G``.

    Raises
    ------
    UsageError
        If it is no size, or a number of a few bytes.

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
    size = int(float(match[1]) * UNITS[match[2].upper()])
    if size < LEAST and not match[2]:
        raise UsageError(
            f"--memory {text!r} would be {size:,} bytes, less than the program itself takes; "
            f"did you mean {match[1]}M?"
        )
    return size


def limits_of(request: Request) -> Limits:
    """What one process may take for a picture of a request: its share, of a cluster's workers all."""
    jobs, memory = max(request.jobs or 1, 1), request.memory
    if memory is not None and request.cluster is None:
        memory //= jobs
    return Limits(
        request.max_pixels,
        memory,
        jobs,
        request.raw,
        request.options.bands,
    )


def workers_within(memory: int, wanted: int, *, threads: bool) -> int:
    """How many workers, of so many, ``memory`` has room for: processes, or threads of this one."""
    room, each = memory, BASE_BYTES
    if threads:
        from convcli.engine.gpu.pipeline import PINNED_EACH

        room, each = memory - BASE_BYTES, PINNED_EACH + THREAD_BYTES
    return min(wanted, max(room // each, 1))


def allowed_to_threads(memory: int, threads: int) -> int:
    """``memory`` as :func:`limits_of` wants it for so many threads of this process.

    It gives each a share and takes the program from that, which is here only once; what the device
    needs of each is taken here.
    """
    from convcli.engine.gpu.pipeline import AT_ONCE, PINNED_EACH

    pinned = PINNED_EACH * min(threads, AT_ONCE)
    return memory + (threads - 1) * BASE_BYTES - pinned
