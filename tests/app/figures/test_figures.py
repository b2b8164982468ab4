from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import app.figures
from app.figures import DARK, LIGHT
from app.tables.deploy import Deployment
from app.tables.views import EntropyHistogram, FanCurve, Front, ImageRows, RadiusCurves
from app.widgets.export import figure_csv
from engine.mechanisms import ENTROPY, NETWORK
from engine.records.compose import compose
from engine.statistics.aces import DEFAULT_CORRECTION, Outcome, certify
from engine.statistics.explain import explain
from engine.statistics.intervals import Estimate
from engine.statistics.metrics import Metrics
from engine.statistics.separation import Separation
from tests import synthetic

THETAS = np.array([0.0, 0.5, 1.0])


def finished(draw):
    """A figure as plotly reads it, which checks its parts."""
    return lambda *arguments: draw(*arguments).finish()


DRAWN = (
    "trade_off", "over_theta", "accuracy_over_radius", "selection_over_radius", "entropies", "signed_radii", "receiver",
    "class_votes", "selection_share", "answer_over_theta", "bounds_over_theta", "images",
)  # fmt: skip
figures = SimpleNamespace(**{name: finished(getattr(app.figures, name)) for name in DRAWN})


def metrics(nac=(90.0, 85.0, 80.0), acr=(0.0, 0.2, 0.3)) -> Metrics:
    selected = np.array([[0.0], [40.0], [100.0]])
    return Metrics(
        THETAS, np.array([0.25]), np.array(nac), np.array(acr), selected / 2, selected, np.zeros((3, 4)), 100
    )


def front(
    label: str = "0.25", position: int = 0, nac=(90.0, 85.0, 80.0), robustness=(0.0, 0.2, 0.3), **changes
) -> Front:
    address = ("gaussian", label, "core", "entropy")
    whole = Front(
        f"σ {label}", position, address, THETAS, np.array(nac), np.array(robustness), (79.0, 0.31), (91.0, 0.0),
        f"net {label}", 0.25, 100, 1,
    )  # fmt: skip
    return replace(whole, **changes)


def trade_off(fronts, current=0, theta=0.5, theme=LIGHT, best=None, pinned=None):
    return figures.trade_off(fronts, current, theta, "ACR", theme, best, pinned)


BARS = tuple(np.arange(count) for count in (5, 3, 0, 0, 0, 1, 4, 2))
HISTOGRAM = EntropyHistogram(np.linspace(0, 1, 5), BARS, True)
CURVES = RadiusCurves(
    np.array([0, 5e-324, 0.5, 1.0]), np.array([90.0, 60.0, 20.0, 0.0]), np.array([80.0, 80.0, 30.0, 0.0]),
    np.array([70.0, 70.0, 40.0, 0.0]), 91.0, 0.9, "ℓ2",
)  # fmt: skip
FAN = [FanCurve(0.1, CURVES.aces / 2, CURVES.selected / 2)]


@pytest.fixture(scope="module")
def explanation():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    return explain(c, 20, 0.4, 0.001, DEFAULT_CORRECTION, ENTROPY.words)


def drawn(explanation, theme=LIGHT, theta=0.5):
    names = [str(k) for k in range(10)]
    return {
        "trade_off": trade_off([front()], 0, theta, theme),
        "radius": figures.accuracy_over_radius(CURVES, FAN, theta, 0.25, 0, theme),
        "selected": figures.selection_over_radius(CURVES, FAN, theta, 0.25, 0, theme),
        "theta": figures.over_theta(metrics(), theta, 0.25, theme),
        "entropies": figures.entropies(HISTOGRAM, theta, 0.25, "entropy", theme),
        "votes": figures.class_votes(explanation, names, theme),
        "share": figures.selection_share(explanation, theme),
    }


def trace(figure, name):
    return next(t for t in figure.data if t.name == name or (t.text is not None and name in t.text))


def marks(figure) -> dict[str, float]:
    return {note.text: note.x for note in figure.layout.annotations}


def test_the_front_runs_through_every_threshold_that_moves():
    figure = trade_off([front(nac=(90.0, 90.0, 80.0), robustness=(0.0, 0.0, 0.3))])
    line, points = [t for t in figure.data if t.name == "σ 0.25"]
    assert line.x.tolist() == [90.0, 80.0]
    assert line.y.tolist() == pytest.approx([0.0, 0.3])
    here = ("gaussian", "0.25", "core", "entropy")
    assert points.customdata.tolist() == [[0.0, *here], [1.0, *here]]


def test_bends_that_no_eye_sees_are_left_out():
    thetas = np.linspace(0, 1, 1001)
    fine = front(nac=90 - 10 * thetas, robustness=thetas**2, thetas=thetas)
    line = trade_off([fine]).data[0]
    assert 300 < len(line.x) < 1001
    assert np.interp(0.5, line.y, line.x) == pytest.approx(90 - 10 * 0.5**0.5, abs=0.02)
    assert (line.x[0], line.x[-1]) == (90, 80)


def test_every_front_has_its_operating_point_and_the_readers_is_named():
    fronts = [front(), front("0.5", 1, nac=(88.0, 70.0, 60.0), robustness=(0.0, 0.4, 0.5))]
    points = trace(trade_off(fronts, current=1), "<b>θ 0.500</b>")
    assert list(zip(points.x, points.y, points.text, strict=True)) == [
        (85.0, 0.2, ""),
        (70.0, 0.4, "<b>θ 0.500</b>"),
    ]


def test_networks_alone_are_triangles_and_cores_squares_without_radius():
    figure = trade_off([front(), front("0.5", 1)])
    alone = next(t for t in figure.data if t.marker.symbol == "triangle-up")
    core = trace(figure, "core")
    assert (alone.x[0], alone.y[0], alone.text) == (79.0, 0.31, ("σ 0.25", "σ 0.5"))
    assert (core.x, core.y, core.marker.symbol) == ((91.0,), (0.0,), "square")


def test_of_several_cores_the_rightmost_says_what_the_squares_are():
    other = front("0.5", 1, core=(94.0, 0.0), address=("gaussian", "0.5", "better", "entropy"))
    cores = trace(trade_off([other, front()]), "cores")
    assert (cores.x, cores.text, cores.customdata.tolist()) == ((91.0, 94.0), ("", "cores"), ["core", "better"])


def test_runs_of_one_network_at_several_noise_levels_are_joined_by_dots():
    one = [front(), front("0.5", 1, noise=0.5, network="net 0.25", alone=(70.0, 0.5))]
    dotted = [t for t in trade_off(one).data if t.mode == "lines" and t.line.dash == "dot"]
    assert [(t.x.tolist(), t.y.tolist()) for t in dotted] == [([79.0, 70.0], [0.31, 0.5])]
    two = [front(), front("0.5", 1, noise=0.5)]
    assert not [t for t in trade_off(two).data if t.mode == "lines" and t.line.dash == "dot"]


def test_the_envelope_lies_under_several_fronts_only():
    assert trade_off([front(), front("0.5", 1)]).data[0].name == "best of all"
    assert "best of all" not in [t.name for t in trade_off([front()]).data]


def test_what_to_deploy_is_circled():
    best = Deployment(front(), 0.5, Estimate(85.0, 80.0, 90.0), 0.2)
    circle = trace(trade_off([front()], best=best), "to deploy")
    assert (circle.x, circle.y, circle.marker.symbol) == ((85.0,), (0.2,), "circle-open")


def test_what_is_pinned_is_marked_as_a():
    mark = trace(trade_off([front()], pinned=(84.0, 0.25)), "pinned")
    assert (mark.x, mark.y, mark.text) == ((84.0,), (0.25,), ("<b>A</b>",))
    assert "pinned" not in [t.name for t in trade_off([front()]).data]


def test_the_current_front_is_thicker_drawn_last_and_keeps_its_colour():
    fronts = [front(), front("0.5", 1)]
    first, last = ([t for t in trade_off(fronts, k).data[1:] if t.mode == "lines"] for k in (0, 1))
    assert [[t.line.width for t in lines] for lines in (first, last)] == [[1.5, 3], [1.5, 3]]
    assert [t.line.color for t in first] == [t.line.color for t in last][::-1]


def test_no_two_fronts_are_told_apart_by_colour_alone():
    figure = trade_off([front(str(i), i) for i in range(6)])
    lines = [t for t in figure.data[1:] if t.mode == "lines"]
    assert len({t.line.dash for t in lines}) == 6
    assert len({t.marker.symbol for t in figure.data if t.mode == "markers" and t.customdata is not None}) == 6


def test_the_axis_has_room_for_a_name_left_of_its_triangle_and_for_the_cores():
    short, long = (trade_off([front(label)]).layout.xaxis.autorangeoptions.include for label in ("1", "0.125 (net 1)"))
    assert long[0] < short[0] < front().alone[0]
    assert front().core[0] < short[1] == long[1]


def test_many_fronts_are_named_in_the_legend():
    few, many = (trade_off([front(str(i), i) for i in range(n)]) for n in (8, 9))
    assert (few.layout.showlegend, many.layout.showlegend) == (False, True)
    assert sum(t.showlegend is not False for t in many.data) == 9


def test_long_names_go_to_the_legend_and_are_cut_in_their_middle():
    figure = trade_off([front("0.5 · selection_model_gaussian_outputs"), front("0.5", 1)])
    assert figure.layout.showlegend
    assert {t.name for t in figure.data if t.showlegend is not False} == {"σ 0.5", "σ 0.5 · selection…utputs"}


def test_core_networks_of_one_family_have_legend_names_that_differ_and_whole_ones_in_files():
    cores = [f"cifar10-core-{letter}-checkpoint" for letter in "abcd"]
    fronts = [front(f"0.5 · {name}", k) for k, name in enumerate(cores)]
    sketch = app.figures.trade_off(fronts, 0, 0.5, "ACR", LIGHT)
    legend = [t.name for t in sketch.finish().data if t.showlegend]
    assert len(legend) == len(set(legend)) == 4
    text = figure_csv(sketch, {"runs": []})
    assert all(f"σ 0.5 · {name}," in text for name in cores)
    assert not any(name in text for name in legend)
    curves = [(f"σ 0.5 · {name}", k, CURVE) for k, name in enumerate(cores)]
    receivers = [t.name for t in figures.receiver(curves, 0, 0.5, 0.25, LIGHT).data if t.name]
    assert len(receivers) == len(set(receivers)) == 4


def test_without_fronts_the_trade_off_says_so():
    figure = trade_off([])
    assert "None of these" in figure.layout.annotations[0].text
    assert figure.layout.title.text


def test_radius_and_ceiling_are_marked_on_the_curves():
    figure = figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
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
    figure = figures.entropies(HISTOGRAM, 0.3, 0.5, "entropy", LIGHT)
    right, other = figure.data
    assert (right.y.tolist(), other.y.tolist()) == ([5, 3, 0, 0], [0, 1, 4, 2])
    assert right.x.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert (right.name, figure.layout.barmode) == ("certifiably correct at r 0.5", "stack")
    assert (right.marker.pattern.shape, other.marker.pattern.shape) == ("", "/")
    assert marks(figure) == {"θ 0.300": 0.3}


def test_a_histogram_without_entropies_says_so():
    figure = figures.entropies(replace(HISTOGRAM, recorded=False), 0.3, 0.5, "entropy", LIGHT)
    assert "This run records no scores of single images." in marks(figure)


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


def test_a_selection_networks_scores_are_not_called_entropies(explanation):
    of_network = replace(explanation, words=NETWORK.words)
    titles = [figures.selection_share(e, LIGHT).layout.title.text for e in (explanation, of_network)]
    assert titles == ["<b>Draws with entropy ≤ θ</b>", "<b>Draws with selection score ≤ θ</b>"]


def test_the_same_table_gives_the_same_json(explanation):
    first, second = drawn(explanation), drawn(explanation)
    assert {k: f.to_json() for k, f in first.items()} == {k: f.to_json() for k, f in second.items()}


def test_every_figure_of_many_images_shows_theta(explanation):
    for key in ("trade_off", "radius", "selected", "theta", "entropies"):
        assert "0.123" in drawn(explanation, theta=0.123)[key].to_json(), key


@pytest.mark.parametrize("theta", [0.0, 0.7, 1.0])
def test_no_figure_changes_size_with_its_numbers(explanation, theta):
    sizes = {key: figure.layout.height for key, figure in drawn(explanation, theta=theta).items()}
    assert sizes == {key: figure.layout.height for key, figure in drawn(explanation).items()}
    assert None not in sizes.values()


def test_the_fan_and_the_networks_alone_stand_beside_the_curve():
    accuracy = figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
    assert trace(accuracy, "θ 0.1").y.tolist() == FAN[0].aces.tolist()
    assert (trace(accuracy, "core alone").x, trace(accuracy, "core alone").y) == ((0,), (91.0,))
    selected = figures.selection_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
    assert trace(selected, "ACES").y.tolist() == CURVES.selected.tolist()
    assert trace(selected, "θ 0.1").y.tolist() == FAN[0].selected.tolist()


def test_signed_radii_rise_over_the_percentile_and_thetas_own_line_is_thick():
    radii = np.array([[0.3, -0.1], [-0.2, 0.0], [0.0, 0.4]])
    other, own, marked = figures.signed_radii(radii, (0.1, 0.5), 0.5, LIGHT).data
    assert (other.y.tolist(), own.y.tolist()) == ([-0.2, 0.0, 0.3], [-0.1, 0.0, 0.4])
    assert own.line.width > other.line.width
    assert own.x.tolist() == pytest.approx([100 / 6, 50, 500 / 6])
    assert (marked.y.tolist(), marked.customdata) == (own.y.tolist(), (0, 1, 2))


def test_the_bars_carry_the_places_of_their_images():
    right, other = figures.entropies(HISTOGRAM, 0.3, 0.5, "entropy", LIGHT).data
    assert [len(BARS[k]) for k in (*right.customdata, *other.customdata)] == [*right.y, *other.y]


CURVE = Separation(THETAS, np.array([0.0, 20.0, 100.0]), np.array([0.0, 90.0, 100.0]), 0.85, 0.8, 0.9, 40, 100)


def test_the_receiver_curve_marks_theta_and_names_its_area():
    figure = figures.receiver([("σ 0.25", 0, CURVE)], 0, 0.5, 0.25, LIGHT)
    assert trace(figure, "σ 0.25: 0.850").y.tolist() == [0.0, 90.0, 100.0]
    point = trace(figure, "<b>θ 0.500</b>")
    assert (point.x, point.y) == ((20.0,), (90.0,))


@pytest.mark.parametrize(("positives", "said"), [(0, "none is certifiable"), (100, "all are certifiable")])
def test_without_an_area_the_legend_says_why(positives, said):
    missing = np.full(3, np.nan)
    part = {"true": missing} if positives == 0 else {"false": missing}
    curve = replace(CURVE, area=np.nan, low=np.nan, high=np.nan, positives=positives, **part)
    figure = figures.receiver([("σ 0.25", 0, curve)], 0, 0.5, 9.0, LIGHT)
    assert f"σ 0.25: {said}" in [t.name for t in figure.data]
    assert not any("nan" in t.name for t in figure.data if t.name)


ROWS = ImageRows(
    index=np.array([5, 6, 7]),
    label=np.zeros(3, int),
    outcome=np.array([Outcome.CERTIFIED, Outcome.CORE, Outcome.CERTIFIED]),
    answer=np.zeros(3, int),
    correct=np.ones(3, bool),
    radius=np.array([0.5, 0.0, 0.25]),
    score_median=np.array([0.1, 0.8, np.nan]),
)


def test_the_map_has_a_mark_an_image_that_carries_its_index():
    figure = figures.images(ROWS, 0.3, "entropy", LIGHT)
    assert {t.name: list(t.customdata) for t in figure.data} == {"certified": [5], "core": [6]}
    assert len({t.marker.symbol for t in figure.data}) == 2


def test_a_map_without_scores_says_so():
    blank = replace(ROWS, score_median=np.full(3, np.nan))
    assert "no scores" in " ".join(marks(figures.images(blank, 0.3, "score", LIGHT)))


def test_an_answer_over_theta_is_the_lower_of_its_two_radii():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    figure = figures.bounds_over_theta(certify(c.rows(slice(0, 1)), c.thetas), 0.3, LIGHT)
    answer, of_selection, of_class = (t.y for t in figure.data)
    chosen = answer > 0
    assert chosen.any()
    assert answer[chosen] == pytest.approx(np.minimum(of_selection, of_class)[chosen])


def test_figures_are_drawn_in_the_theme(explanation):
    for key, figure in drawn(explanation, theme=DARK).items():
        assert figure.layout.title.font.color == DARK.ink, key
        assert figure.layout.template.layout.font.color == DARK.muted, key


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_theme_has_ten_colours_that_differ(theme):
    assert len(set(theme.series)) == 10


def decoded(value):
    """JSON with typed arrays as lists of numbers, and missing ones as None."""
    if isinstance(value, dict) and "bdata" in value:
        numbers = np.frombuffer(b64decode(value["bdata"]), np.dtype(value["dtype"]).newbyteorder("<"))
        return [None if np.isnan(x) else float(x) for x in numbers]
    if isinstance(value, dict):
        return {key: decoded(part) for key, part in value.items()}
    return [decoded(part) for part in value] if isinstance(value, list) else value


def without_nothing(value):
    """Without the keys that say nothing: plotly leaves them out."""
    if isinstance(value, dict):
        parts = {key: without_nothing(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part not in (None, {}, [])}
    return [without_nothing(part) for part in value] if isinstance(value, list) else value


def sketches(explanation):
    names = [str(k) for k in range(10)]
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    fronts = [front(str(k), k) for k in range(9)]
    return {
        "trade_off": app.figures.trade_off(fronts, 0, 0.3, "ACR", LIGHT),
        "over_theta": app.figures.over_theta(metrics(), 0.3, 0.25, LIGHT),
        "accuracy": app.figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT),
        "entropies": app.figures.entropies(HISTOGRAM, 0.3, 0.25, "entropy", LIGHT),
        "votes": app.figures.class_votes(explanation, names, LIGHT),
        "bounds": app.figures.bounds_over_theta(certify(c.rows(slice(0, 1)), c.thetas), 0.3, LIGHT),
        "images": app.figures.images(ROWS, 0.3, "entropy", LIGHT),
        "missing": app.figures.trade_off([front(nac=(np.nan, 85.0, 80.0))], 0, 0.0, "ACR", LIGHT),
    }


def test_a_page_sends_what_plotly_would(explanation):
    for name, sketch in sketches(explanation).items():
        sent = without_nothing(decoded(json.loads(sketch.to_json())))
        checked = without_nothing(decoded(json.loads(sketch.finish().to_json(remove_uids=False))))
        assert sent == checked, name
