"""Which files are pages."""

from __future__ import annotations

from convcli.errors import UsageError

__all__ = ["SUFFIX", "check_page", "is_page"]

SUFFIX = ".html"


def is_page(output: str) -> bool:
    """Whether a page is asked for, by the suffix of the file.

    >>> is_page("Strides.HTML"), is_page("strides.gif")
    (True, False)
    """
    return output.lower().endswith(SUFFIX)


def check_page(output: str, *, overwrite: bool) -> None:
    """Refuse a file before its page is made.

    Raises
    ------
    UsageError
        If it has another suffix, or is there and may not be replaced.
    """
    if not is_page(output):
        raise UsageError(f"{output!r}: a page is written as {SUFFIX}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)
