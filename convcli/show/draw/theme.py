"""Colours of a drawing, light and dark.

What is lit differs from what is not in brightness as well as in hue, and every mark has a shape
of its own, so that a print in gray says the same. Every text has a contrast of at least 4.5 to
its ground and every stroke one of 3 (WCAG 2.2, 1.4.3 and 1.4.11): projectors wash colours out.
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
        muted="#56636f",
        faint="#8695a6",
        lit_ink="#08131f",
        accent="#a9390a",
        corner="#7c2d12",
        roles={
            "input": Ink("#dceafa", "#6596ca", "#8fbdf0", "#3b7cc4"),
            "kernel": Ink("#fdeed6", "#c38526", "#f9c877", "#a97419"),
            "output": Ink("#d8f1e3", "#51a177", "#62c794", "#22855a"),
        },
    ),
    "dark": Theme(
        ground="#11161d",
        ink="#e9eef4",
        muted="#9aa8b7",
        faint="#576676",
        lit_ink="#ffffff",
        accent="#ffb155",
        corner="#ffe8cc",
        roles={
            "input": Ink("#1c3049", "#436890", "#2e6aad", "#7fb4ee"),
            "kernel": Ink("#41301a", "#8a6a35", "#88601e", "#e0ab57"),
            "output": Ink("#173a2b", "#3b7a5b", "#1b764e", "#6fd6a5"),
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
