"""Colours of a drawing, light and dark.

What is lit differs from what is not in brightness as well as in hue, and every mark has a shape
of its own, so that a print in gray says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from convcli.errors import UsageError
from convcli.show.draw.scene import Role

__all__ = ["THEMES", "Ink", "Theme", "theme_of"]


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of one kind of board: at rest, and lit."""

    fill: str
    stroke: str
    lit: str
    lit_stroke: str


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours of one theme."""

    ground: str
    ink: str
    muted: str
    faint: str
    lit_ink: str
    accent: str
    corner: str
    roles: dict[Role, Ink]


THEMES: dict[str, Theme] = {
    "light": Theme(
        ground="#ffffff",
        ink="#1c2733",
        muted="#5d6b7a",
        faint="#a9b4c0",
        lit_ink="#08131f",
        accent="#c2410c",
        corner="#7c2d12",
        roles={
            "input": Ink("#dceafa", "#88aed6", "#8fbdf0", "#3b7cc4"),
            "kernel": Ink("#fdeed6", "#e2b36b", "#f9c877", "#c98a1e"),
            "output": Ink("#d8f1e3", "#7cbd9b", "#62c794", "#22855a"),
        },
    ),
    "dark": Theme(
        ground="#11161d",
        ink="#e9eef4",
        muted="#9aa8b7",
        faint="#4d5a68",
        lit_ink="#ffffff",
        accent="#ffb155",
        corner="#ffd9a8",
        roles={
            "input": Ink("#1c3049", "#41658c", "#2f6cb0", "#7fb4ee"),
            "kernel": Ink("#41301a", "#8a6a35", "#8d641f", "#e0ab57"),
            "output": Ink("#173a2b", "#3b7a5b", "#1f8a5b", "#6fd6a5"),
        },
    ),
}


def theme_of(name: str) -> Theme:
    """The theme of that name.

    >>> theme_of("dusk")
    Traceback (most recent call last):
    ...
    convcli.errors.UsageError: theme 'dusk' is not known; allowed: light, dark
    """
    if name not in THEMES:
        raise UsageError(f"theme {name!r} is not known; allowed: {', '.join(THEMES)}")
    return THEMES[name]
