from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from engine.figures import ANNOTATED, DARK, LIGHT, annotated

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_names_the_marks_in_the_colours_of_the_theme(theme):
    made = annotated(theme)
    drawn = ET.fromstring(made)
    words = " ".join(text.text or "" for text in drawn.iter(f"{SVG}text"))
    for mark in ("certification network", "core", "at θ", "best of all", "NAC", "ACR"):
        assert mark in words
    assert {theme.series[0], theme.series[1], theme.ink} <= {one.get("fill") for one in drawn.iter()}
    assert all(mark in ANNOTATED for mark in ("triangle", "square", "diamond", "band", "vertical line"))
