from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import engine.figures
from engine.figures import LIGHT
from engine.mechanisms import NETWORK
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from tests import synthetic
from tests.engine.figures.drawn import ROWS, figures, marks


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


def test_the_map_has_a_mark_an_image_that_carries_its_index():
    figure = figures.images(ROWS, 0.3, "entropy", LIGHT)
    assert {t.name: list(t.customdata) for t in figure.data} == {"certified": [5], "core": [6]}
    assert len({t.marker.symbol for t in figure.data}) == 2


def test_a_map_without_scores_says_so():
    blank = replace(ROWS, score_median=np.full(3, np.nan))
    assert "no scores" in " ".join(marks(figures.images(blank, 0.3, "score", LIGHT)))


def test_what_follows_has_a_band_and_a_name_for_every_outcome():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    answer = certify(c.rows(slice(0, 1)), c.thetas)
    figure = engine.figures.bounds_over_theta(answer, 0.3, LIGHT, follows=True)
    figure.finish()
    assert [part.get("what") for part in figure.live] == ["radius", None, None, "select", "ofClass"]
    strip = next(part for part in figure.live if part["is"] == "strip")
    for outcome in Outcome:
        band, name = figure.shapes[strip["shapes"][outcome]], figure.annotations[strip["notes"][outcome]]
        at = answer.thetas[answer.outcome[0] == outcome]
        assert name["text"] == outcome.label
        assert (band["x1"] > band["x0"]) == (len(at) > 0)
        assert not len(at) or band["x0"] <= at.min() <= at.max() <= band["x1"]


def test_an_answer_over_theta_is_the_lower_of_its_two_radii():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    figure = figures.bounds_over_theta(certify(c.rows(slice(0, 1)), c.thetas), 0.3, LIGHT)
    answer, of_selection, of_class = (t.y for t in figure.data)
    chosen = answer > 0
    assert chosen.any()
    assert answer[chosen] == pytest.approx(np.minimum(of_selection, of_class)[chosen])
