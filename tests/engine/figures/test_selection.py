from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.figures import LIGHT
from tests.engine.figures.drawn import BARS, CURVE, HISTOGRAM, figures, marks, trace


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


def test_signed_radii_rise_over_the_percentile_and_thetas_own_line_is_thick():
    radii = np.array([[0.3, -0.1], [-0.2, 0.0], [0.0, 0.4]])
    other, own, marked = figures.signed_radii(radii, (0.1, 0.5), LIGHT).data
    assert (other.y.tolist(), own.y.tolist()) == ([-0.2, 0.0, 0.3], [-0.1, 0.0, 0.4])
    assert own.line.width > other.line.width
    assert own.x.tolist() == pytest.approx([100 / 6, 50, 500 / 6])
    assert (marked.y.tolist(), marked.customdata) == (own.y.tolist(), (0, 1, 2))


def test_the_bars_carry_the_places_of_their_images():
    right, other = figures.entropies(HISTOGRAM, 0.3, 0.5, "entropy", LIGHT).data
    assert [len(BARS[k]) for k in (*right.customdata, *other.customdata)] == [*right.y, *other.y]


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
