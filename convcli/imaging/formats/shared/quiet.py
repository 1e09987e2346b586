"""Codecs kept from writing to standard error themselves: convcli says what is wrong, in one line."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from functools import cache

__all__ = ["listen", "listen_to_libtiff", "silence_libtiff", "silence_logs"]


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


_heard = threading.local()
_handlers: list[object] = []
"""Kept for as long as the process lasts."""


@cache
def silence_libtiff() -> bool:
    """Put handlers of ours in the place of those of Pillow's libtiff; whether that could be done.

    It complains of every damaged tag, before and beside the error that Pillow raises, and Pillow
    has no switch for it. ``TIFFSetErrorHandler`` is libtiff's own. Where libtiff is linked
    invisibly there is no such name.
    Source: https://libtiff.gitlab.io/libtiff/functions/TIFFError.html

    >>> silence_libtiff() in (True, False)
    True
    """
    import ctypes

    from PIL import _imaging

    handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(_hear)
    try:
        # Symbols are looked up in the extension and in the libraries that it was linked with.
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(handler)
        library.TIFFSetWarningHandler(None)
    except (OSError, AttributeError):
        return False
    _handlers.append(handler)
    return True


def _hear(module: bytes, text: bytes, _: object) -> None:
    """What libtiff says; the numbers in it come in a form that only C can read."""
    said = getattr(_heard, "said", None)
    if said is not None and module is not None and b"Decode" in module:
        said.add(re.sub("%l*[a-z]", "..", text.decode("ascii", "replace")))


@contextlib.contextmanager
def listen_to_libtiff() -> Iterator[set[str]]:
    """What its decoders mind and go on all the same, in this thread, where it can be heard."""
    _heard.said = said = set[str]()
    try:
        yield said
    finally:
        _heard.said = None
