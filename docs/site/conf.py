"""How Sphinx makes the documentation site of docs/: ``make site``. Nothing of it is loaded from another host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import commands  # noqa: E402

import engine  # noqa: E402

project = "ACES Explorer"
author = "the authors of ACES Explorer"
copyright = "the authors of ACES Explorer, MIT licence"
version = release = engine.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["own"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # tables that a program writes into a document begin at a lower level
highlight_language = "none"  # indented blocks are commands, output and formulas
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "pydata_sphinx_theme"
html_title = "ACES Explorer"
html_logo = "../../app/logo.svg"
html_math_renderer = "mathml"
html_theme_options = {"show_prev_next": True, "navigation_with_keys": False, "header_links_before_dropdown": 6}
html_show_sourcelink = False


def _commands(_: Any, name: str, source: list[str]) -> None:
    if name == "site/commands":
        source[0] = source[0].replace("<!-- commands -->", commands.reference())


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f"<p>{convert(node.astext(), display='block')}</p>\n")
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Formulas become MathML, which browsers draw themselves; the command reference is made while it is read."""
    app.connect("source-read", _commands)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
