"""Figures by name: each has the pages' numbers, in every form, and refuses in one line what it cannot show."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from cache.catalog import Catalog
from engine.errors import AcesError
from engine.figures.drawing import FIGURES, FigureOptions, check_form, class_names, draw
from engine.figures.presets import PRESETS
from engine.figures.views import Axis
from engine.records.compose import compose
from engine.statistics.metrics import evaluate
from tests import ROOT, synthetic

RUN = synthetic.smoothed(0.5, 40).meta.name
OTHER = synthetic.smoothed(0.25, 40).meta.name


def made(name: str, **asked):
    of = FigureOptions(image=20, **asked) if "image" in FIGURES[name].takes else FigureOptions(**asked)
    return draw(name, Catalog(), RUN, synthetic.CORE, theta=0.4, asked=of)


def points(text: str) -> list[list[str]]:
    return list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "steps"])
def test_every_figure_is_drawn_from_stored_counts(demo, name):
    drawing = made(name)
    rows = points(drawing.csv())
    assert len(rows) > 3
    assert len({len(row) for row in rows}) == 1
    assert drawing.origin["theta"] == 0.4
    assert [run["name"] for run in drawing.origin["runs"]][:2] == [RUN, synthetic.CORE]
    assert drawing.origin["runs"][0]["content_sha256"] == Catalog().fingerprint(RUN)


def test_steps_are_compared_at_the_accuracy_that_is_asked_for(demo):
    drawing = made("steps", nac=60.0)
    assert "60.0 %" in drawing.plotly().layout.title.text


def test_the_front_has_the_engines_numbers(demo):
    c = compose(synthetic.smoothed(0.5, 40), synthetic.core(40))
    expected = evaluate(c, [0.4], bound="margin")
    figure = made("front").plotly()
    diamond = next(trace for trace in figure.data if trace.marker.symbol == "diamond")
    assert (diamond.x[0], diamond.y[0]) == (expected.nac[0], expected.acr[0])


def test_a_front_of_certified_accuracy_at_r_and_its_best_point(demo):
    figure = made("front", measure=Axis.CERTIFIED, nac=0.0).plotly()
    assert "certified accuracy at r 0.25" in figure.layout.yaxis.title.text
    circle = next(trace for trace in figure.data if trace.marker.symbol == "circle-open")
    assert circle.y[0] == max(max(trace.y) for trace in figure.data if trace.marker.symbol == "circle")
    assert any("has a NAC of 100 %" in sentence for sentence in made("front", nac=100.0).missing)


def test_compositions_stand_beside_each_other_once(demo):
    drawing = draw(
        "front", Catalog(), RUN, synthetic.CORE, beside=[(OTHER, synthetic.CORE)] * 2 + [(RUN, synthetic.CORE)]
    )
    assert len(drawing.settings.compositions) == 2


@pytest.mark.parametrize("form", ["svg", "pdf", "png", "html", "csv"])
@pytest.mark.parametrize("name", ["accuracy", "figure-6"])
def test_a_file_is_what_its_ending_says(demo, tmp_path, name, form):
    starts = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG", "html": b"<!doctype html>", "csv": b"# made_by"}
    path = tmp_path / f"figure.{form.upper()}"
    made(name).save(path)
    assert path.read_bytes().startswith(starts[form])


def test_a_page_holds_what_it_rests_on_and_needs_nothing_else(demo):
    for name in ("accuracy", "figure-6"):
        page = made(name).html()
        assert "content_sha256" in page
        assert 'src="http' not in page


def test_radii_in_a_figure_for_print_round_down(demo):
    drawing = made("figure-6", thetas=(0.4,))
    (line,) = [part for part in drawing.made.panels[0].parts if part.name]
    shown = [float(row[-1]) for row in points(drawing.csv())[1:] if row[3] == line.name]
    assert len(shown) == 40
    assert (np.abs(shown) <= np.abs(line.y)).all()


def test_a_notebook_shows_it(demo):
    assert set(made("accuracy")._repr_mimebundle_()) & {"application/vnd.plotly.v1+json", "text/html"}
    assert set(made("figure-6")._repr_mimebundle_()) == {"image/svg+xml"}
    with pytest.raises(AcesError, match="for print"):
        made("figure-6").plotly()


def test_the_presets_of_the_paper_are_among_them():
    assert {key.lower().replace(" ", "-") for key in PRESETS} <= set(FIGURES)


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("nothing", {}, "no figure is called 'nothing'"),
        ("front", {"image": 0}, "front has no use for image, which is for votes, share, bounds"),
        ("theta", {"best_t": True}, "no use for best-t"),
        ("front", {"nac": 101.0}, "percentage"),
        ("votes", {}, "say which by its index"),
        ("bounds", {"image": 3}, "not among the 40 images"),
        ("figure-6", {"thetas": ()}, "no threshold"),
    ],
)
def test_what_cannot_be_drawn_is_refused(demo, name, asked, said):
    with pytest.raises(AcesError, match=said):
        draw(name, Catalog(), RUN, synthetic.CORE, asked=FigureOptions(**asked))


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"radius": float("nan")}, "radius"),
        ({"radius": -1.0}, "radius"),
        ({"paper": ("x",)}, "no series 'x'"),
        ({"alpha": 0.0}, "alpha"),
        ({"t": 2.0}, "t is 2"),
    ],
)
def test_numbers_outside_their_ranges_are_refused(demo, view, said):
    with pytest.raises(AcesError, match=said):
        draw("front", Catalog(), RUN, synthetic.CORE, **view)


def test_where_votes_select_there_is_no_score_to_draw(demo):
    with pytest.raises(AcesError, match="votes for the class"):
        draw("histogram", Catalog(), RUN, synthetic.CORE, by_votes=True, theta=0.7)
    assert draw("front", Catalog(), RUN, synthetic.CORE, by_votes=True, theta=0.7).origin["p0"] == 0.7


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(AcesError, match=r"end it in \.svg"):
        check_form(tmp_path / "x.exe")


def test_classes_that_nobody_knows_have_numbers():
    assert class_names(synthetic.core(5).meta)[0] == "T-shirt/top"


def test_drawing_loads_neither_torch_nor_a_dashboard():
    code = (
        "import sys; from engine.figures import draw; import json;"
        "print(json.dumps([m for m in ('torch', 'streamlit', 'plotly', 'matplotlib', 'pandas') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
