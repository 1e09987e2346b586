"""What several formats carry alike: colour profiles, and credentials that no filter can keep."""

from __future__ import annotations

__all__ = ["CREDENTIALS", "sound_profile"]

CREDENTIALS = "content credentials (C2PA)"
"""Signed for pixels that a filter changes."""


def sound_profile(profile: bytes, notes: list[str]) -> bytes | None:
    """The ICC profile if it is one; a note if it is not.

    Source: ICC.1:2022, 7.2: a header of 128 bytes with 'acsp' at 36.
    """
    if len(profile) >= 128 and profile[36:40] == b"acsp":
        return profile
    notes.append("its ICC profile is malformed and was left out")
    return None
