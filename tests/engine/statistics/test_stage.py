"""What one stage's counts say: the two radii of its selection, its class, and votes that no threshold moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.margin import Bound
from engine.statistics.separation import signed_radii
from engine.statistics.stage import StageBounds, columns, prediction_votes, selection_votes, stage_bounds
from tests.engine.statistics.test_aces import ON_GRID
from tests.random_runs import composed

SPEND = levels(Correction.INTERSECTION_UNION, 0.05)


def bounds(t: float, *, handed_on: bool = True) -> StageBounds:
    c = composed(10, separate=True)
    return stage_bounds(c, ON_GRID, t, SPEND, Correction.INTERSECTION_UNION, Bound.COMPLEMENT, handed_on=handed_on)


@pytest.mark.parametrize("t", [0.5, 0.2])
def test_both_radii_of_the_selection_are_the_signed_radii_of_its_decisions(t):
    c = composed(10, separate=True)
    found = bounds(t)
    signed = signed_radii(c, ON_GRID, 0.05, Correction.INTERSECTION_UNION, t)
    assert found.radius_select - found.radius_core == pytest.approx(signed)
    assert not ((found.radius_select > 0) & (found.radius_core > 0)).any()
    assert (found.radius_core > 0).any()
    assert (found.hands_on >= (found.radius_core > 0)).all()
    assert not (found.hands_on & found.to_certify).any()


def test_the_radius_of_handing_on_is_computed_where_it_is_asked_for_only():
    assert not bounds(0.5, handed_on=False).radius_core.any()


def test_votes_for_a_class_select_it_from_a_share_of_the_guess_draws_on():
    c = replace(
        composed(10, images=3), by_votes=True, n0=10, n=100,
        class_counts0=np.array([[7, 2, 1], [7, 2, 1], [1, 4, 5]]),
        class_counts=np.array([[80, 15, 5], [30, 60, 10], [20, 30, 50]]),
    )  # fmt: skip
    votes = selection_votes(c, np.array([0.6, 0.7, 0.71]))
    assert votes.s_hat.tolist() == [[CERTIFY, CERTIFY, CORE]] * 2 + [[CORE] * 3]
    assert votes.certify.tolist() == [[80], [30], [50]]  # of the class that the guess draws elect
    assert votes.core.tolist() == [[20], [40], [50]]  # against whichever class has most
    most, least = prediction_votes(c, np.array([0.6]))
    assert most.tolist() == [[80], [60], [50]]
    assert least.tolist() == [[20], [40], [50]]


def test_columns_that_are_not_there_are_filled():
    counts = np.array([[1, 2, 3]])
    assert columns(counts, np.arange(3), 9) is counts
    assert columns(counts, np.array([-1, 1, 3]), 9).tolist() == [[9, 2, 9]]
