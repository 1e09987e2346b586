"""The scaffold of the interactive pages: one file that loads nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from convcli.errors import UsageError
from convcli.show.draw.theme import THEMES
from convcli.show.page.document import html_document


class Elements(HTMLParser):
    """What a browser would build, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data


def test_a_page_names_no_address_but_data() -> None:
    page = Elements(html_document("Sizes & <b>", body="<p>é</p>", state=[1]))
    addresses = [v for _, a in page.tags for k, v in a.items() if k in ("src", "href")]
    assert addresses == ["data:,"]
    assert page.texts["title"].strip() == "Sizes & <b>"
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none';")
    assert not re.search(r"@import|url\(", html_document("", body=""))


@pytest.mark.parametrize("text", ["</script><b>", "<!--<script>", "\u2028", "é\U0001f642"])
def test_state_comes_back_whatever_it_holds(text: str) -> None:
    page = Elements(html_document("t", body="", state={"text": text}))
    assert json.loads(page.texts["state"]) == {"text": text}


def test_a_name_that_is_no_utf_8_can_be_written() -> None:
    page = html_document("\udcff.png", body="", state={"name": "\udcff.png"})
    found = Elements(page.encode().decode())
    assert found.texts["title"].strip() == "?.png"
    assert json.loads(found.texts["state"]) == {"name": "?.png"}


@pytest.mark.parametrize("theme", THEMES)
def test_both_themes_have_every_colour_of_the_drawings(theme: str) -> None:
    page = html_document("t", body="", theme=theme)
    assert f'<html lang="en" data-theme="{theme}">' in page
    for one in THEMES.values():
        for role, ink in one.roles.items():
            assert f"--{role}-lit-stroke:{ink.lit_stroke};" in page
        assert f"--ground:{one.ground};" in page


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(UsageError, match="dusk"):
        html_document("t", body="", theme="dusk")
