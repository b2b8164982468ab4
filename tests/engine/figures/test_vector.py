from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from engine.figures import vector
from engine.figures.vector import Bars, Callout, Curve, Look, Panel, Plate
from tests import ROOT, hostile

X = np.array([0.0, 1.0, 2.0])
LINE = Curve("front", X, X**2, "#0072b2", marker="o", at=np.array([0, 2]))
PLATE = Plate(
    (
        Panel("x", "y", (LINE,), "left", notes=(Callout(1, 1, "here"),)),
        Panel("x", "images", (Bars("many", np.arange(4.0), X, np.zeros(3), "#d55e00", "////"),), "right"),
    )
)  # fmt: skip
LOOK = Look(6.75, 2.5)


def named(name: str) -> Plate:
    return Plate((Panel(name, name, (Curve(name, X, X, "#0072b2"),), name, notes=(Callout(1, 1, name),)),))


def test_the_size_is_the_one_that_was_asked_for():
    root = ElementTree.fromstring(vector.svg(PLATE, LOOK))
    assert (root.get("width"), root.get("height")) == ("486pt", "180pt")
    assert re.search(rb"/MediaBox \[ ?0 0 486 180 ?\]", vector.pdf(PLATE, LOOK))


@pytest.mark.parametrize("serif", [True, False])
def test_the_same_plate_gives_the_same_bytes_without_a_date(serif):
    look = replace(LOOK, serif=serif)
    assert vector.svg(PLATE, look) == vector.svg(PLATE, look)
    assert vector.pdf(PLATE, look) == vector.pdf(PLATE, look)
    assert "<dc:date>" not in vector.svg(PLATE, look)
    assert b"CreationDate" not in vector.pdf(PLATE, look)


def test_a_pdf_embeds_truetype_fonts():
    made = vector.pdf(PLATE, LOOK)
    assert b"/FontFile2" in made
    assert b"/Type3" not in made


NAMES = (*hostile.HOSTILE, "$\\frac{1}{0}$", "$x^", "_hidden", "--><script>alert(1)</script>", "a\x00b", "\n", "名")


def test_names_of_strangers_are_letters_and_nothing_else():
    parts = tuple(Curve(name, X, X, "#0072b2") for name in NAMES)
    plate = Plate(tuple(Panel(name, name, parts, name, notes=(Callout(1, 1, name),)) for name in NAMES[-6:]))
    root = ElementTree.fromstring(vector.svg(plate, LOOK))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "metadata", "RDF", "Work", "type", "format", "creator", "Agent", "title", "defs", "style", "g", "path",
        "use", "clipPath", "rect",
    }  # fmt: skip
    assert vector.pdf(plate, LOOK).startswith(b"%PDF")


def test_a_dollar_begins_no_formula_and_an_underscore_hides_no_entry():
    def drawn(name: str) -> int:
        return vector.svg(Plate((Panel("", "", (Curve(name, X, X, "#0072b2"),)),)), LOOK).count("<use")

    assert drawn("$aa$") == drawn("aaaa") == drawn("_aaa") > drawn("")


def test_words_are_replaced_everywhere_and_an_empty_one_leaves_its_entry_out():
    assert vector.texts(PLATE) == ["left", "x", "y", "right", "images", "front", "here", "many"]
    said = {"x": "Natural accuracy", "front": "ours", "many": "", "nothing of it": "z"}
    assert vector.texts(vector.relabelled(PLATE, said)) == [
        "left", "Natural accuracy", "y", "right", "images", "ours", "here",
    ]  # fmt: skip


@pytest.mark.parametrize("plate", [Plate(()), Plate((Panel("", "", ()),)), named("")])
def test_a_plate_of_nothing_is_an_empty_figure(plate):
    ElementTree.fromstring(vector.svg(plate, LOOK))


def test_missing_numbers_are_gaps():
    plate = Plate((Panel("x", "y", (Curve("a", X, np.array([np.nan, 1, np.nan]), "#000000"),)),))
    assert "nan" not in re.sub(r"<!--.*?-->", "", vector.svg(plate, LOOK))


def test_drawing_leaves_matplotlibs_settings_as_they_were():
    import matplotlib

    before = dict(matplotlib.rcParams)
    vector.png(PLATE, LOOK)
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_waits_for_the_first_figure():
    code = "import sys, app.content.paper; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
