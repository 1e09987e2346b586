"""What the user should know of this process's GPU, each thing once: it goes out with a result."""

from __future__ import annotations

import threading

__all__ = ["tell_once", "to_tell"]

_told: dict[str, bool] = {}
"""Whether it has gone out."""
_lock = threading.Lock()


def tell_once(text: str) -> None:
    """Have something told, unless it has been told already."""
    with _lock:
        _told.setdefault(text, False)


def to_tell() -> str:
    """What has not gone out yet, in one text; empty if nothing."""
    with _lock:
        left = [text for text, gone in _told.items() if not gone]
        _told.update(dict.fromkeys(left, True))
    return "; ".join(left)
