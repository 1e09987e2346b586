"""What several formats carry alike: colour profiles, and what no filter can keep."""

from __future__ import annotations

__all__ = ["CREDENTIALS", "behind", "sound_profile"]

CREDENTIALS = "content credentials (C2PA)"
"""Signed for pixels that a filter changes."""


def behind(data: bytes, end: int) -> list[str]:
    """The name of what follows the end of a picture, such as a film, if anything does.

    >>> behind(b"pictureFILM", 7), behind(b"picture" + bytes(9), 7)
    (['what follows its end'], [])
    """
    return ["what follows its end"] if data[end:].strip(b"\0") else []


def sound_profile(profile: bytes, notes: list[str]) -> bytes | None:
    """The ICC profile if it is one; a note if it is not.

    Source: ICC.1:2022, 7.2: a header of 128 bytes with 'acsp' at 36.
    """
    if len(profile) >= 128 and profile[36:40] == b"acsp":
        return profile
    notes.append("its ICC profile is malformed and was left out")
    return None
