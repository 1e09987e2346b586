"""The documents as a site: Sphinx builds it without a warning, and it loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import make_site as SCRIPT
import pytest

needs_sphinx = pytest.mark.skipif(
    not (importlib.util.find_spec("sphinx") and importlib.util.find_spec("latex2mathml"))
    and os.environ.get("CI") != "true",
    reason="Sphinx is not installed: pip install '.[docs]'",
)


def test_links_that_lead_nowhere_and_what_is_loaded_from_elsewhere_are_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "style.css").write_text("@font-face { src: url(https://fonts.example/a.woff) }")
    (tmp_path / "deep" / "one.html").write_text(
        '<link rel="stylesheet" href="../style.css"><h1 id="top">One</h1>'
        '<a href="#top">good</a><a href="#nowhere">bad</a><a href="../two.html#there">good</a>'
        '<a href="two.html">bad</a><a href="https://elsewhere.example">good</a>'
    )
    (tmp_path / "two.html").write_text(
        '<a href="deep/one.html#away" id="there">bad</a><img src="//pixel.example/1.gif">'
        '<script src="http://cdn.example/x.js"></script><img src="data:image/gif;base64,AA">'
        '<img src="gone.png">'
    )
    assert sorted(SCRIPT.faults(tmp_path)) == [
        "deep/one.html points to #nowhere, a place that is not there",
        "deep/one.html points to two.html, which is not there",
        "style.css loads https://fonts.example/a.woff",
        "two.html loads //pixel.example/1.gif",
        "two.html loads http://cdn.example/x.js",
        "two.html points to deep/one.html#away, a place that is not there",
        "two.html points to gone.png, which is not there",
    ]


@pytest.mark.ci
@needs_sphinx
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, str(SCRIPT.DOCS / "make_site.py"), str(site)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    assert "CHANGELOG.html" in pages
    for page in SCRIPT.DOCS.rglob("*.md"):
        assert str(page.relative_to(SCRIPT.DOCS).with_suffix(".html")) in pages
    lesson = (site / "lessons" / "01-correlation-and-convolution.html").read_text("utf-8")
    assert "<math" in lesson
    assert "only-dark" in lesson
