"""Codecs kept from writing to standard error themselves: convcli says what is wrong, in one line."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache

__all__ = ["listen", "silence_libtiff", "silence_logs"]


@cache
def silence_logs() -> None:
    """Python writes what is logged to standard error, unless there is a handler for it.

    Not called for plain PNGs, which would be the only ones to import ``logging`` (3 ms).
    """
    import logging

    for name in ("PIL", "imagecodecs", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())


@contextlib.contextmanager
def listen(logger: str) -> Iterator[list[str]]:
    """What a library logs while it decodes in this thread, each message once: its warnings."""
    import logging

    said: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage().removeprefix("PNG warning: ")
            if record.thread == here and text not in said:
                said.append(text)

    ear = Ear(logging.WARNING)
    logging.getLogger(logger).addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger(logger).removeHandler(ear)


@cache
def silence_libtiff() -> bool:
    """Take the handlers of Pillow's libtiff away; whether that could be done.

    It complains of every damaged tag, before and beside the error that Pillow raises, and Pillow
    has no switch for it. ``TIFFSetErrorHandler`` is libtiff's own; no handler means silence. Where
    libtiff is linked invisibly there is no such name.
    Source: https://libtiff.gitlab.io/libtiff/functions/TIFFError.html

    >>> silence_libtiff() in (True, False)
    True
    """
    import ctypes

    from PIL import _imaging

    try:
        # Symbols are looked up in the extension and in the libraries that it was linked with.
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
    except (OSError, AttributeError):
        return False
    return True
