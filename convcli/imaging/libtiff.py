"""Pillow's libtiff, kept from writing to standard error itself.

It complains of every damaged tag there, before and beside the error that Pillow raises, and
Pillow has no switch for it. ``TIFFSetErrorHandler`` is libtiff's own; no handler means silence.
Source: https://libtiff.gitlab.io/libtiff/functions/TIFFError.html
"""

from __future__ import annotations

from functools import cache

__all__ = ["silence_libtiff"]


@cache
def silence_libtiff() -> bool:
    """Take the handlers away; whether that could be done (libtiff may be linked invisibly).

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
