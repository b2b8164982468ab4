from __future__ import annotations

import pytest

from engine.figures import LIGHT, Sketch, overlay

ACES = "ImageNet, Consistency, σ 0.5"


@pytest.fixture
def figure():
    return Sketch({"yaxis2": {"overlaying": "y"}})


def chosen(*labels: str) -> list[overlay.Series]:
    return [overlay.available()[label] for label in labels]


def test_the_papers_table_1_is_drawn_as_printed(figure):
    overlay.on_trade_off(figure, chosen(ACES), LIGHT)
    (trace,) = figure.finish().data
    at = list(trace.customdata).index(0.1)
    assert (trace.x[at], trace.y[at]) == (80.0, 0.53)
    assert [text for text in trace.text if text] == [f"paper: {ACES}"]


def test_certified_accuracy_fronts_show_what_is_printed_at_the_radius(figure):
    overlay.on_trade_off(figure, chosen(ACES), LIGHT, 1.0)
    (trace,) = figure.finish().data
    at = list(trace.customdata).index(0.3)
    assert trace.y[at] == 39.2
    assert "certified at r 1 %{y:.1f} %" in trace.hovertemplate
    assert not overlay.notes(chosen(ACES), 0.001, 1.0)


def test_a_radius_that_is_not_printed_is_said_and_nothing_drawn(figure):
    overlay.on_trade_off(figure, chosen(ACES), LIGHT, 0.3)
    assert not figure.traces
    (note,) = overlay.notes(chosen(ACES), 0.001, 0.3)
    assert note.startswith(f"paper: {ACES} print no certified accuracy at r 0.3 (but at 0, 0.25, 0.5,")


def test_what_has_no_threshold_and_another_level_are_said():
    alone = next(label for label in overlay.available() if label.endswith("without ACES"))
    assert overlay.notes(chosen(alone), 0.001) == [f"paper: {alone} have no threshold: drawn as fronts only."]
    assert overlay.notes(chosen(ACES), 0.01) == ["The paper's tables are at α 0.001."]
    assert overlay.notes([], 0.01, 0.3) == []


def test_certified_accuracy_is_that_of_the_nearest_printed_threshold(figure):
    overlay.on_radii(figure, chosen(ACES), 0.27, LIGHT)
    (trace,) = figure.finish().data
    assert trace.name.endswith("θ 0.3")
    assert dict(zip(trace.x, trace.y, strict=True))[1.0] == 39.2


def test_over_theta_acr_goes_to_the_right_axis(figure):
    overlay.on_thetas(figure, chosen(ACES), 0.3, LIGHT)
    assert [trace.yaxis for trace in figure.finish().data] == ["y", "y", "y2"]
    assert figure.finish().data[1].name.endswith("selected at r 0.25")


def test_networks_without_thresholds_appear_on_the_trade_off_only(figure):
    alone = next(label for label in overlay.available() if label.endswith("without ACES"))
    overlay.on_radii(figure, chosen(alone), 0.3, LIGHT)
    overlay.on_thetas(figure, chosen(alone), 0.3, LIGHT)
    assert not figure.finish().data
    overlay.on_trade_off(figure, chosen(alone), LIGHT)
    assert len(figure.finish().data) == 1


def test_every_series_has_its_own_shape_and_no_legend_entry(figure):
    overlay.on_trade_off(figure, chosen(*list(overlay.available())[:4]), LIGHT)
    assert len({trace.marker.symbol for trace in figure.finish().data}) == 4
    assert not any(trace.showlegend for trace in figure.finish().data)


def test_series_of_the_dataset_come_first():
    assert "CIFAR-10" in overlay.matching("cifar10")[0]
    assert len(overlay.matching("fashion_mnist")) == len(overlay.available())


def test_printed_series_are_those_that_print_the_radius():
    every = list(overlay.available().values())
    at_half = overlay.printed(every, 0.5)
    assert len(overlay.printed(every)) == len(every)
    assert set(overlay.printed(every, 0.123)) == set()
    nac, rate = at_half["paper: ImageNet, Consistency, σ 0.5"]
    assert (nac[0], rate[-1]) == (83.4, 48.8)
