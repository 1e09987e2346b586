"""A page in headless Chromium: what it says, and every request that it makes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MISSING = "Chromium" if not (shutil.which("chromium") or shutil.which("google-chrome")) else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium; where there is none the test is left out, but never in CI.

    One for each file: while it is there an event loop runs, which tests of others would meet.
    """
    in_ci = os.environ.get("CI") == "true"
    if MISSING and not in_ci:
        pytest.skip(f"{MISSING} is not installed here")
    if not in_ci:
        pytest.importorskip("playwright", reason="playwright is not installed here")
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "CI has to have Chromium"
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page from a file with the network off; fails if it asked for anything or erred."""
    contexts, wrong = [], []

    def open_page(html: str, hash: str = "", **options: Any) -> Any:
        target = tmp_path / f"page{len(contexts)}.html"
        target.write_text(html, encoding="utf-8")
        options.setdefault("viewport", {"width": 1280, "height": 860})
        context = browser.new_context(**options)
        context.set_offline(True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda r: wrong.append(r.url) if not _own(r.url, target) else None)
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(target.as_uri() + (f"#{hash}" if hash else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.fixture
def finds_nothing() -> Callable[[Any], None]:
    """Asks axe-core for what a reader could not use, in both themes; never left out in CI."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is missing")
    from axe_playwright_python.sync_playwright import Axe

    def check(page: Any) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()[:3000]}"

    return check


def _own(url: str, target: Path) -> bool:
    return url.partition("#")[0] == target.as_uri() or url.startswith(("data:", "blob:"))
