from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import engine.figures
from engine.figures import LIGHT
from engine.figures.deploy import Deployment
from engine.figures.export import figure_csv
from engine.statistics.intervals import Estimate
from tests.engine.figures.drawn import CURVE, figures, front, marks, metrics, trace, trade_off


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
    alone, core = alone_of(figure), trace(figure, "core")
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


def test_long_names_of_triangles_next_to_the_axis_stand_above_them():
    """On a narrow page a long name left of its triangle would be written over the axis."""
    least, next_one = front("1.5 (net 1)", alone=(40.0, 0.5)), front("0.75 (net 1)", 1, alone=(60.0, 0.4))
    assert alone_of(trade_off([least, next_one])).textposition == ("top center", "bottom left")
    assert alone_of(trade_off([front("1", alone=(40.0, 0.5)), next_one])).textposition == ("bottom left",) * 2


def alone_of(figure):
    return next(t for t in figure.data if t.marker.symbol == "triangle-up")


def test_the_axis_has_room_for_a_name_left_of_its_triangle_and_for_the_cores():
    short, long = (trade_off([front(label)]).layout.xaxis.autorangeoptions.include for label in ("1", "0.125 (net 1)"))
    assert long[0] < short[0] < front().alone[0]
    assert front().core[0] < short[1] == long[1]


def test_many_fronts_are_named_in_the_legend():
    few, many = (trade_off([front(str(i), i) for i in range(n)]) for n in (8, 9))
    assert (few.layout.showlegend, many.layout.showlegend) == (False, True)
    assert sum(t.showlegend is not False for t in many.data) == 9


def test_a_legend_stands_under_the_axis_and_the_figure_grows_by_its_rows():
    few, many = (trade_off([front(str(i), i) for i in range(n)]) for n in (9, 24))
    for figure in (few, many):
        assert figure.layout.legend.y < 0
        assert figure.layout.legend.yanchor == "top"
    plot = [figure.layout.height - figure.layout.margin.t - figure.layout.margin.b for figure in (few, many)]
    assert plot[0] == plot[1]
    assert few.layout.height < many.layout.height


def test_colours_and_dashes_are_those_that_the_theme_gives():
    theme = replace(LIGHT, looks=((1, 0), (1, 2), (0, 0)))
    sketch = engine.figures.trade_off([front(str(i), i) for i in range(3)], 0, 0.3, "ACR", theme)
    lines = {t["legendgroup"]: t["line"] for t in sketch.traces if t.get("mode") == "lines" and "legendgroup" in t}
    assert [(lines[f"σ {i}"]["color"], lines[f"σ {i}"]["dash"]) for i in range(3)] == [
        (LIGHT.series[1], "solid"), (LIGHT.series[1], "dot"), (LIGHT.series[0], "solid"),
    ]  # fmt: skip


def test_long_names_go_to_the_legend_and_are_cut_in_their_middle():
    figure = trade_off([front("0.5 · selection_model_gaussian_outputs"), front("0.5", 1)])
    assert figure.layout.showlegend
    assert {t.name for t in figure.data if t.showlegend is not False} == {"σ 0.5", "σ 0.5 · selection…utputs"}


def test_core_networks_of_one_family_have_legend_names_that_differ_and_whole_ones_in_files():
    cores = [f"cifar10-core-{letter}-checkpoint" for letter in "abcd"]
    fronts = [front(f"0.5 · {name}", k) for k, name in enumerate(cores)]
    sketch = engine.figures.trade_off(fronts, 0, 0.5, "ACR", LIGHT)
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


def test_acr_has_an_axis_of_its_own_over_theta():
    figure = figures.over_theta(metrics(), 0.3, 0.25, LIGHT)
    assert [(t.name, t.yaxis) for t in figure.data] == [
        ("NAC", None),
        ("selected at r 0.25", None),
        ("ACR (right)", "y2"),
    ]
    assert trace(figure, "selected at r 0.25").y.tolist() == [0.0, 40.0, 100.0]
    assert marks(figure) == {"θ 0.300": 0.3}


def test_with_best_t_marks_name_theta_and_t_and_the_diamond_stays():
    plain = front()
    ts = np.array([0.5, 0.2, 0.05])
    best_t = front(robustness=(0.1, 0.3, 0.4), ts=ts, plain=plain)
    figure = trade_off([best_t])
    points = [t for t in figure.data if t.name == "σ 0.25"][1]
    assert [(place[0], place[5]) for place in points.customdata] == [(0.0, 0.5), (0.5, 0.2), (1.0, 0.05)]
    assert "t %{customdata[5]:.2f}" in points.hovertemplate
    assert trace(figure, "<b>θ 0.500</b>").y == (0.2,)
    rows = figure_csv(engine.figures.trade_off([best_t], 0, 0.5, "ACR", LIGHT), {"runs": []}).splitlines()
    assert rows[0] == "series,NAC: natural accuracy [%],ACR,t"
    assert "σ 0.25,85,0.3,0.2" in [row.replace("0.300000012", "0.3") for row in rows]
