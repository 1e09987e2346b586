"""What is refused by a header alone, and decoders that fail held to one line."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from convcli.errors import ConvcliError, InputError
from convcli.system.machine import lacks_memory

__all__ = ["check_frames", "check_size", "decoding"]

FRAME_BYTES = 16
"""Bytes that all frames of a file may take, for each pixel that one of them may have."""


@contextlib.contextmanager
def decoding(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged data into an :class:`InputError`.

    Its warnings (of tags that it skips, say) are not for the user, who cannot act on them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ConvcliError:
        raise
    except Exception as error:
        if lacks_memory(error):
            raise MemoryError from error
        if isinstance(error, TypeError | AttributeError | LookupError):
            # A library that stumbles over what it did not expect says so in words of Python.
            raise InputError(f"{name}: cannot be decoded as {kind}: it is damaged") from error
        reason = str(error).strip().splitlines()
        detail = reason[0] if reason else type(error).__name__
        raise InputError(f"{name}: cannot be decoded as {kind}: {detail}") from error


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by what its header claims, before anything is allocated."""
    if width < 1 or height < 1:
        raise InputError(f"{name}: the header claims {width}x{height} pixels")
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width}x{height} is {width * height:,} pixels, and at most {max_pixels:,} "
            "are allowed; raise the limit with --max-pixels if you trust the file"
        )


def check_frames(name: str, frames: int, taken: int, max_pixels: int) -> None:
    """Refuse several frames or pages by the bytes that their samples would take together."""
    allowed = FRAME_BYTES * max_pixels
    if frames > 1 and taken > allowed:
        raise InputError(
            f"{name}: its {frames:,} frames are {taken:,} bytes of samples, and at most {allowed:,} "
            f"({FRAME_BYTES} for each of {max_pixels:,} pixels) are allowed; raise the limit with "
            "--max-pixels if you trust the file"
        )
