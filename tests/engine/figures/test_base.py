from __future__ import annotations

import json

import pytest

from engine.figures import DARK, LIGHT
from tests.engine.figures.drawn import decoded, drawn, sketches, without_nothing


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


def test_figures_are_drawn_in_the_theme(explanation):
    for key, figure in drawn(explanation, theme=DARK).items():
        assert figure.layout.title.font.color == DARK.ink, key
        assert figure.layout.template.layout.font.color == DARK.muted, key


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_theme_has_ten_colours_that_differ(theme):
    assert len(set(theme.series)) == 10


def test_a_page_sends_what_plotly_would(explanation):
    for name, sketch in sketches(explanation).items():
        sent = without_nothing(decoded(json.loads(sketch.to_json())))
        checked = without_nothing(decoded(json.loads(sketch.finish().to_json(remove_uids=False))))
        assert sent == checked, name
