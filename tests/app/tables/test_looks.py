from __future__ import annotations

import pytest

from app.settings import COLOURS, Choice
from app.tables.looks import looks
from tests import synthetic

CORES = [synthetic.core(3, name).meta for name in ("core-a", "core-b")]
CHOICES = [
    Choice(training, f"{sigma:g}", synthetic.smoothed(sigma, 3).meta, core)
    for training in ("gaussian", "macer")
    for sigma in (0.5, 0.25)
    for core in CORES
]


def test_each_composition_has_its_own_unless_asked_otherwise():
    assert looks(CHOICES, COLOURS[0]) == ()


def test_by_noise_a_colour_is_a_noise_and_a_dash_a_core_network():
    assert looks(CHOICES, "σ") == ((1, 0), (1, 1), (0, 0), (0, 1)) * 2


def test_by_training_a_colour_is_a_training():
    assert looks(CHOICES, "training") == ((0, 0), (0, 1)) * 2 + ((1, 0), (1, 1)) * 2


def test_with_one_core_network_the_dash_tells_what_the_colour_does_not():
    one = [choice for choice in CHOICES if choice.core_run is CORES[0]]
    assert looks(one, "σ") == ((1, 0), (0, 0), (1, 1), (0, 1))
    assert looks(one, "training") == ((0, 0), (0, 1), (1, 0), (1, 1))


@pytest.mark.parametrize("by", COLOURS)
def test_no_composition_has_no_look(by):
    assert looks([], by) == ()
