"""What is printed is what the page draws: the same points, names and rules, of every figure, without a browser."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from engine.escape import plot
from engine.figures import DARK, LIGHT, Sketch
from engine.figures.base import empty, line, mark
from engine.figures.printed import save
from engine.figures.vector import Look
from tests.engine.figures.drawn import sketches
from tests.hostile import HOSTILE

LOOK = Look(4.6, 3.2, serif=False)
SVG = "{http://www.w3.org/2000/svg}"


def svg(sketch: Sketch, theme=LIGHT) -> str:
    return save(sketch, LOOK, theme, "svg").decode()


def letters(drawn: str) -> int:
    return drawn.count("<use")


@pytest.fixture(scope="module")
def every(explanation) -> dict[str, Sketch]:
    return sketches(explanation)


def test_every_figure_of_the_pages_can_be_printed(every):
    for name, sketch in every.items():
        drawn = svg(sketch)
        ElementTree.fromstring(drawn)
        assert "nan" not in re.sub(r"<!--.*?-->|<style.*?</style>|xlink:href=\"[^\"]*\"|id=\"[^\"]*\"", "", drawn), name


def test_the_same_figure_gives_the_same_bytes(every):
    for form, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
        first = save(every["votes"], LOOK, LIGHT, form)
        assert first.startswith(start)
        assert first == save(every["votes"], LOOK, LIGHT, form)


def paths(drawn: str, color: str) -> list[list[tuple[float, float]]]:
    """The corners of every line of this colour, in points."""
    found = [
        element.get("d", "")
        for element in ElementTree.fromstring(drawn).iter(f"{SVG}path")
        if f"stroke: {color}" in element.get("style", "") and "fill: none" in element.get("style", "")
    ]
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", d)] for d in found]


def test_a_line_goes_through_its_points_in_their_proportions():
    sketch = empty("t", "x", "y", LIGHT)
    line(sketch, np.array([0.0, 0.25, 1.0]), np.array([0.0, 0.5, 0.25]), "#112233", "solid", name="a")
    sketch.update_layout(xaxis_range=[0, 1], yaxis_range=[0, 1])
    found = next(path for path in paths(svg(sketch), "#112233") if len(path) == 3)  # behind it the legend's
    (x0, y0), (x1, y1), (x2, y2) = found
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.25, abs=1e-6)
    assert (y1 - y0) / (y2 - y0) == pytest.approx(2.0, abs=1e-6)  # half as high as what is twice as high


def test_bars_stand_upon_each_other_where_they_are_stacked():
    sketch = empty("t", "x", "y", LIGHT)
    at = np.array([0.5, 1.5])
    for color, heights in (("#010203", [1.0, 2.0]), ("#040506", [3.0, 2.0])):
        sketch.add_bar(x=at, y=np.array(heights), name=color, marker={"color": color})
    sketch.update_layout(barmode="stack", bargap=0, xaxis_range=[0, 2], yaxis_range=[0, 4])
    drawn = svg(sketch)

    def span(color: str, k: int) -> tuple[float, float]:
        found = [
            element.get("d", "")
            for element in ElementTree.fromstring(drawn).iter(f"{SVG}path")
            if f"fill: {color}" in element.get("style", "") and element.get("clip-path")
        ]
        ys = [float(y) for _, y in re.findall(r"[ML] (\S+) (\S+)", found[k])]
        return min(ys), max(ys)

    below, above = span("#010203", 0), span("#040506", 0)
    assert above[1] == pytest.approx(below[0])
    assert (above[1] - above[0]) == pytest.approx(3 * (below[1] - below[0]))


def test_a_legend_has_what_the_page_has_and_hidden_names_are_not_in_it():
    def drawn(name: str, **trace) -> int:
        sketch = empty("", "", "", LIGHT)
        line(sketch, np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#000000", "solid", name=name, **trace)
        return letters(svg(sketch))

    assert drawn("abcd") - drawn("") == 4
    assert drawn("abcd", showlegend=False) == drawn("")
    assert drawn("<b>abcd</b>") == drawn("abcd")


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_others_are_letters(text):
    sketch = empty("", plot(text), "", LIGHT)
    line(sketch, np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#000000", "solid", name=plot(text))
    sketch.update_layout(xaxis_range=[0, 1])
    mark(sketch, 0.5, plot(text), "#000000", "solid", LIGHT)
    names = {element.tag.partition("}")[2] for element in ElementTree.fromstring(svg(sketch)).iter()}
    assert not names & {"script", "image", "a", "foreignObject", "text"}


def test_a_rule_stands_where_it_is_set_and_the_dark_scheme_has_its_ground():
    sketch = empty("", "", "", DARK)
    sketch.update_layout(xaxis_range=[0, 1], yaxis_range=[0, 1])
    line(sketch, np.array([0.0, 1.0]), np.array([0.0, 0.0]), "#0000fe", "solid")
    mark(sketch, 0.25, "r", "#fe0000", "solid", DARK)
    drawn = svg(sketch, DARK)
    ((left, _), (right, _)) = next(path for path in paths(drawn, "#0000fe") if len(path) == 2)
    ((at, top), (_, bottom)) = next(path for path in paths(drawn, "#fe0000") if len(path) == 2)
    assert (at - left) / (right - left) == pytest.approx(0.25, abs=1e-6)
    assert abs(top - bottom) > 100
    assert f"fill: {DARK.paper}" in drawn


def test_a_figure_of_nothing_is_empty_axes():
    ElementTree.fromstring(svg(empty("", "", "", LIGHT)))
