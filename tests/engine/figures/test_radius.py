from __future__ import annotations

from engine.figures import LIGHT
from tests.engine.figures.drawn import CURVES, FAN, figures, marks, trace


def test_radius_and_ceiling_are_marked_on_the_curves():
    figure = figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
    assert marks(figure) == {"r 0.25": 0.25, "ceiling 0.90": 0.9}
    assert trace(figure, "ACES").y.tolist() == CURVES.aces.tolist()
    assert trace(figure, "certification network only").y.tolist() == CURVES.alone.tolist()
    assert "0.300" in figure.layout.title.text


def test_the_fan_and_the_networks_alone_stand_beside_the_curve():
    accuracy = figures.accuracy_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
    assert trace(accuracy, "θ 0.1").y.tolist() == FAN[0].aces.tolist()
    assert (trace(accuracy, "core network only").x, trace(accuracy, "core network only").y) == ((0,), (91.0,))
    selected = figures.selection_over_radius(CURVES, FAN, 0.3, 0.25, 0, LIGHT)
    assert trace(selected, "ACES").y.tolist() == CURVES.selected.tolist()
    assert trace(selected, "θ 0.1").y.tolist() == FAN[0].selected.tolist()
