"""One self-contained HTML page: styles, scripts and state in one file, no request to anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from convcli.errors import UsageError
from convcli.show.draw.theme import THEMES, Theme

__all__ = ["html_document"]

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may load: nothing but what it holds, and pictures that its reader opens in it."""

_PAGE = """\
<!doctype html>
<html lang="{lang}"{forced}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="convcli">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{styles}</style>
</head>
<body>
<header class="top"><h1>{title}</h1><button type="button" id="theme">Theme</button></header>
<main>
{body}
</main>
{state}{scripts}</body>
</html>
"""


def html_document(
    title: str,
    *,
    body: str,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    state: Any = None,
    lang: str = "en",
    theme: str = "",
) -> str:
    """A page with a heading and a button for light and dark, everything within one file.

    How to build on it: write ``NAME.css`` and ``NAME.js`` beside this file and hand their names
    in. The page's content is ``body``, which goes into ``<main>``. Every page has ``base.css``
    (texts, buttons, fields, focus) and ``theme.js`` (the button) already.

    - Colours are CSS variables, for both themes those of the drawings: ``--ground``, ``--ink``,
      ``--muted``, ``--faint``, ``--lit-ink``, ``--accent``, ``--corner``, and for each ``ROLE``
      (input, kernel, output) ``--ROLE-fill``, ``--ROLE-stroke``, ``--ROLE-lit``,
      ``--ROLE-lit-stroke``. Write ``fill: var(--input-lit)``, never a colour.
    - ``state`` is read in a script by ``JSON.parse(document.getElementById("state").textContent)``.
    - Scripts run in their order at the end of the page, as classic scripts, so a file hands its
      functions to the next by one global: ``const Trace = (() => { ...; return { reach }; })();``
    - The page can load nothing (``Content-Security-Policy``): no fonts, no ``fetch``, no ``eval``,
      no ``onclick="..."`` needed. Pictures are ``data:`` addresses.

    Parameters
    ----------
    title
        Plain text; it is escaped.
    body
        HTML; whatever came from outside has to be escaped in it.
    styles, scripts
        Names of files of this folder, in their order.
    state
        What JSON can hold; None for a page without. It cannot end its script early: ``<`` is
        escaped.
    lang
        The language of the texts.
    theme
        ``light`` or ``dark`` to begin with; empty follows the reader's system. The button
        overrules either.

    >>> page = html_document("1 < 2", body="<p>hello</p>", state={"end": "</script>"})
    >>> "<title>1 &lt; 2</title>" in page, '{"end":"\\\\u003c/script>"}' in page
    (True, True)
    """
    if theme and theme not in THEMES:
        raise UsageError(f"theme {theme!r} is not known; allowed: {', '.join(THEMES)}")
    page = _PAGE.format(
        lang=escape(lang),
        forced=f' data-theme="{theme}"' if theme else "",
        policy=POLICY,
        title=escape(title),
        styles="".join([_colours(), *map(_text, ("base.css", *styles))]),
        body=body,
        state=""
        if state is None
        else f'<script type="application/json" id="state">{_json(state)}</script>\n',
        scripts="".join(f"<script>\n{_text(name)}</script>\n" for name in ("theme.js", *scripts)),
    )
    # A file may have a name that is no UTF-8; what cannot be written is a question mark.
    return page.encode("utf-8", "replace").decode("utf-8")


def _text(name: str) -> str:
    text = (files("convcli.show.page") / name).read_text(encoding="utf-8")
    assert "</script" not in text and "</style" not in text, f"{name} would end its own element"
    return text


def _json(state: Any) -> str:
    """JSON that neither ends the element that it stands in nor opens a comment there."""
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _colours() -> str:
    """Both themes: the system's choice, overruled by ``data-theme`` of the page; paper is light."""
    light, dark = ("".join(_variables(THEMES[name])) for name in ("light", "dark"))
    return (
        f":root{{color-scheme:light;{light}}}\n"
        "@media screen and (prefers-color-scheme: dark){:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
    )


def _variables(theme: Theme) -> Iterator[str]:
    for name in ("ground", "ink", "muted", "faint", "lit_ink", "accent", "corner"):
        yield f"--{name.replace('_', '-')}:{getattr(theme, name)};"
    for role, ink in theme.roles.items():
        for name in ("fill", "stroke", "lit", "lit_stroke"):
            yield f"--{role}-{name.replace('_', '-')}:{getattr(ink, name)};"
