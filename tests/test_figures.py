from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app import figures
from app.explain import explain
from app.figures import DARK, LIGHT
from app.views import EntropyHistogram, Front, RadiusCurves
from engine.aces import DEFAULT_CORRECTION
from engine.compose import compose
from engine.metrics import Metrics, Standalone
from tests import synthetic

THETAS = np.array([0.0, 0.5, 1.0])


def metrics(nac=(90.0, 85.0, 80.0), acr=(0.0, 0.2, 0.3)) -> Metrics:
    selected = np.array([[0.0], [40.0], [100.0]])
    return Metrics(
        THETAS, np.array([0.25]), np.array(nac), np.array(acr), selected / 2, selected, np.zeros((3, 4)), 100
    )


def front(label: str = "0.25", position: int = 0, **changes) -> Front:
    alone = Standalone(np.array([0.25]), 79.0, 0.31, np.array([50.0]), np.zeros(100), np.zeros(100, bool), 100)
    return Front(label, position, metrics(**changes), alone, 91.0)


HISTOGRAM = EntropyHistogram(np.linspace(0, 1, 5), np.array([5, 3, 0, 0]), np.array([0, 1, 4, 2]), True)
CURVES = RadiusCurves(
    np.array([0, 5e-324, 0.5, 1.0]), np.array([90.0, 60.0, 20.0, 0.0]), np.array([80.0, 80.0, 30.0, 0.0]), 0.9
)


@pytest.fixture(scope="module")
def explanation():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    return explain(c, 20, 0.4, 0.001, DEFAULT_CORRECTION)


def drawn(explanation, theme=LIGHT, theta=0.5):
    names = [str(k) for k in range(10)]
    return {
        "trade_off": figures.trade_off([front()], "0.25", theta, theme),
        "radius": figures.accuracy_over_radius(CURVES, theta, 0.25, 0, theme),
        "theta": figures.over_theta(metrics(), theta, 0.25, theme),
        "entropies": figures.entropies(HISTOGRAM, theta, 0.25, theme),
        "votes": figures.class_votes(explanation, names, theme),
        "share": figures.selection_share(explanation, theme),
    }


def trace(figure, name):
    return next(t for t in figure.data if t.name == name or (t.text is not None and name in t.text))


def marks(figure) -> dict[str, float]:
    return {note.text: note.x for note in figure.layout.annotations}


def test_the_front_runs_through_every_threshold_that_moves():
    figure = figures.trade_off([front(nac=(90.0, 90.0, 80.0), acr=(0.0, 0.0, 0.3))], "0.25", 0.5, LIGHT)
    line, points = figure.data[0], trace(figure, "σ 0.25")
    assert (line.x.tolist(), line.y.tolist()) == ([90.0, 80.0], [0.0, 0.3])
    assert points.customdata.tolist() == [[0.0, "0.25"], [1.0, "0.25"]]


def test_the_operating_point_lies_on_the_current_front():
    fronts = [front(), front("0.5", 1, nac=(88.0, 70.0, 60.0), acr=(0.0, 0.4, 0.5))]
    point = trace(figures.trade_off(fronts, "0.5", 0.5, LIGHT), "<b>θ 0.500</b>")
    assert (point.x[0], point.y[0]) == (70.0, 0.4)


def test_networks_alone_are_triangles_and_the_core_a_square_without_radius():
    figure = figures.trade_off([front()], "0.25", 0.5, LIGHT)
    alone, core = trace(figure, "σ 0.25, "[:6]), trace(figure, "core")
    assert figure.data[2].marker.symbol == "triangle-up"
    assert (figure.data[2].x[0], figure.data[2].y[0]) == (79.0, 0.31)
    assert (core.x[0], core.y[0], core.marker.symbol) == (91.0, 0.0, "square")
    assert alone.name == "σ 0.25"


def test_the_current_front_is_thicker_drawn_last_and_keeps_its_colour():
    fronts = [front(), front("0.5", 1)]
    first, last = (figures.trade_off(fronts, current, 0.5, LIGHT) for current in ("0.25", "0.5"))
    widths = {name: [t.line.width for t in f.data if t.mode == "lines"] for name, f in (("a", first), ("b", last))}
    colors = [[t.line.color for t in f.data if t.mode == "lines"] for f in (first, last)]
    assert widths == {"a": [1.5, 3], "b": [1.5, 3]}
    assert colors[0] == colors[1][::-1]


def test_no_two_fronts_are_told_apart_by_colour_alone():
    figure = figures.trade_off([front(str(i), i) for i in range(6)], "0", 0.5, LIGHT)
    assert len({t.line.dash for t in figure.data if t.mode == "lines"}) == 6


def test_without_fronts_the_trade_off_says_so():
    figure = figures.trade_off([], "0.25", 0.5, LIGHT)
    assert "No run" in figure.layout.annotations[0].text
    assert figure.layout.title.text


def test_radius_and_ceiling_are_marked_on_the_curves():
    figure = figures.accuracy_over_radius(CURVES, 0.3, 0.25, 0, LIGHT)
    assert marks(figure) == {"r 0.25": 0.25, "ceiling 0.90": 0.9}
    assert trace(figure, "ACES").y.tolist() == CURVES.aces.tolist()
    assert trace(figure, "smoothed alone").y.tolist() == CURVES.alone.tolist()
    assert "0.300" in figure.layout.title.text


def test_acr_has_an_axis_of_its_own_over_theta():
    figure = figures.over_theta(metrics(), 0.3, 0.25, LIGHT)
    assert [(t.name, t.yaxis) for t in figure.data] == [
        ("NAC", None),
        ("selected at r 0.25", None),
        ("ACR (right)", "y2"),
    ]
    assert trace(figure, "selected at r 0.25").y.tolist() == [0.0, 40.0, 100.0]
    assert marks(figure) == {"θ 0.300": 0.3}


def test_the_histogram_stacks_its_parts_and_hatches_one():
    figure = figures.entropies(HISTOGRAM, 0.3, 0.5, LIGHT)
    right, other = figure.data
    assert (right.y.tolist(), other.y.tolist()) == ([5, 3, 0, 0], [0, 1, 4, 2])
    assert right.x.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert (right.name, figure.layout.barmode) == ("certifiably right at r 0.5", "stack")
    assert (right.marker.pattern.shape, other.marker.pattern.shape) == ("", "/")
    assert marks(figure) == {"θ 0.300": 0.3}


def test_a_histogram_without_entropies_says_so():
    figure = figures.entropies(replace(HISTOGRAM, recorded=False), 0.3, 0.5, LIGHT)
    assert "This run records no entropies." in marks(figure)


def test_class_votes_stand_in_order_with_guess_and_label_marked(explanation):
    names = [str(k) for k in range(10)]
    bars = figures.class_votes(explanation, names, LIGHT).data[0]
    assert bars.x.tolist() == sorted(explanation.class_counts)
    assert bars.y[list(bars.marker.pattern.shape).index("/")].strip("</b>") == str(explanation.c_hat)
    assert [name for name in bars.y if name.startswith("<b>")] == [f"<b>{explanation.label}</b>"]


def test_of_many_classes_the_most_frequent_are_shown(explanation):
    many = replace(explanation, class_counts=np.arange(1000), c_hat=999, label=0)
    bars = figures.class_votes(many, [str(k) for k in range(1000)], LIGHT).data[0]
    assert bars.x.tolist() == list(range(990, 1000))


def test_selection_share_is_in_percent_with_theta_marked(explanation):
    figure = figures.selection_share(explanation, LIGHT)
    assert figure.data[0].y[-1] == 100
    assert marks(figure) == {"θ 0.400": 0.4}


def test_the_same_table_gives_the_same_json(explanation):
    first, second = drawn(explanation), drawn(explanation)
    assert {k: f.to_json() for k, f in first.items()} == {k: f.to_json() for k, f in second.items()}


def test_every_figure_of_the_page_shows_theta(explanation):
    for key in ("trade_off", "radius", "theta", "entropies"):
        assert "0.123" in drawn(explanation, theta=0.123)[key].to_json(), key


@pytest.mark.parametrize("theta", [0.0, 0.7, 1.0])
def test_no_figure_changes_size_with_its_numbers(explanation, theta):
    for key, figure in drawn(explanation, theta=theta).items():
        expected = figures.DETAIL_HEIGHT if key in ("votes", "share") else figures.HEIGHT
        assert figure.layout.height == expected, key


def test_figures_are_drawn_in_the_theme(explanation):
    for key, figure in drawn(explanation, theme=DARK).items():
        assert figure.layout.title.font.color == DARK.ink, key
        assert figure.layout.template.layout.font.color == DARK.muted, key


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_theme_has_ten_colours_that_differ(theme):
    assert len(set(theme.series)) == 10
