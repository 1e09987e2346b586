"""How Sphinx builds the documents as a site; `docs/make_site.py` calls it.

The pages stay plain Markdown, which a forge shows as well: no directives, no roles. The site loads
nothing from elsewhere: system fonts, and formulas as MathML, which every browser sets by itself.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

project = "convcli"
author = "the convcli authors"
project_copyright = author
extensions = ["myst_parser"]
nitpicky = True
smartquotes = False  # two dashes are an option

myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]  # <img width=...>, which a forge takes too
myst_fence_as_directive = ["math"]

html_theme = "furo"
html_title = "convcli"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d5fa5",
        "color-brand-content": "#1d5fa5",
        "color-brand-visited": "#1d5fa5",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8fbdf0",
        "color-brand-content": "#8fbdf0",
        "color-brand-visited": "#8fbdf0",
    },
}


def inline_formula(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
