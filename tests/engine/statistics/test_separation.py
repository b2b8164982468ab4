from __future__ import annotations

import numpy as np
import pytest

from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.corrections import Correction
from engine.statistics.separation import separation, signed_radii
from tests import random_runs, synthetic


@pytest.fixture(scope="module")
def c():
    return compose(synthetic.smoothed(0.5, images=60), synthetic.core(60))


@pytest.mark.parametrize("correction", list(Correction))
def test_signed_radii_are_certifys_decisions(correction):
    c = random_runs.composed(4)
    thetas = np.array([0.0, 0.3, 0.5, 1.0])
    radii, answer = signed_radii(c, thetas, 0.01, correction), certify(c, thetas, 0.01, correction)
    assert np.maximum(radii, 0) == pytest.approx(answer.radius_select)
    assert (answer.outcome[radii < 0] == Outcome.CORE).all()
    assert (radii < 0).any()


def test_the_area_is_the_share_of_pairs_in_order(c):
    wanted = np.arange(60) % 3 == 0
    found = separation(c, wanted)
    first = (2 * c.select_counts > c.n_select).argmax(1)
    pairs = [(a < b) + (a == b) / 2 for a in first[wanted] for b in first[~wanted]]
    assert found.area == pytest.approx(np.mean(pairs))
    assert found.low < found.area < found.high
    assert (found.positives, found.images) == (20, 60)


def test_the_area_is_that_under_the_curve(c):
    found = separation(c, np.arange(60) % 3 == 0)
    x, y = np.concatenate([[0], found.false]) / 100, np.concatenate([[0], found.true]) / 100
    assert found.area == pytest.approx(np.trapezoid(y, x))


def test_a_perfect_order_has_area_1(c):
    first = (2 * c.select_counts > c.n_select).argmax(1)
    found = separation(c, first < np.median(first))
    assert (found.area, found.high) == (1, 1)
    assert 0.5 < found.low < 1  # no images can show that every image is in order


@pytest.mark.parametrize("wanted", [True, False])
def test_one_kind_of_image_alone_has_no_area(c, wanted):
    found = separation(c, np.full(60, wanted))
    assert np.isnan([found.area, found.low, found.high]).all()
    assert np.isnan(found.true if not wanted else found.false).all()
