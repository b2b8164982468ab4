from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.separation import separation, signed_radii
from engine.aces import Correction, Outcome, certify
from engine.compose import compose
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
    assert separation(c, first < np.median(first)).area == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_one_kind_of_image_alone_has_no_area(c, wanted):
    found = separation(c, np.full(60, wanted))
    assert np.isnan([found.area, found.low, found.high]).all()
    assert np.isnan(found.true if not wanted else found.false).all()


def test_the_interval_covers_the_true_area():
    """Scores of two normals a distance 1 apart: the area is Φ(1/√2) = 0.7602."""
    rng = np.random.default_rng(1)
    base = compose(synthetic.smoothed(0.5, images=100), synthetic.core(100))
    thetas = np.linspace(0, 1, 1001)
    covered = 0
    for _ in range(100):
        score = np.concatenate([rng.normal(0, 1, 50), rng.normal(1, 1, 50)])
        counts = np.where(thetas >= (score[:, None] + 5) / 11, base.n_select, 0)
        found = separation(replace(base, select_counts=counts, thetas=thetas), np.arange(100) < 50)
        covered += found.low <= 0.7602 <= found.high
    assert covered >= 88  # of 100 at 95 %: fewer have probability below 0.005
