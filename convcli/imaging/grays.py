"""Gray colours by name, as the level of a border."""

from __future__ import annotations

__all__ = ["gray_level"]


def gray_level(name: str) -> float | None:
    """The level of a colour that Pillow knows, 0 to 255; None if it is not gray, or no colour.

    A border has one level for every channel, so that it means the same in gray and in colour.

    >>> gray_level("white"), gray_level("#808080"), gray_level("red"), gray_level("transparent")
    (255.0, 128.0, None, None)
    """
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(name.strip())[:3]
    except ValueError:
        return None
    return float(red) if red == green == blue else None
