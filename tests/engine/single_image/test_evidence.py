from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from engine.records.counts import count
from engine.records.draws import Draws
from engine.single_image.evidence import Evidence
from engine.single_image.plan import Mode, Plan
from engine.statistics.aces import certify
from tests.engine.single_image.issued_toy import draws, evidence

EARLY = Plan(sigma=0.5, theta=0.3, n=4_000)
FIXED = replace(EARLY, mode=Mode.FIXED)


def parts(whole: Draws, *cuts: int) -> list[Draws]:
    at = [0, *cuts, len(whole)]
    return [Draws(whole.classes[a:b], whole.scores[a:b]) for a, b in pairwise(at)]


def test_parts_of_a_stream_add_up_to_the_whole():
    whole = evidence(4_000)
    grown = Evidence.none(3, 0)
    assert grown.answer(EARLY) is None
    for part in parts(whole.guess, 30):
        grown = grown.with_draws("guess", part)
    for part in parts(whole.estimate, 1, 999, 1_500):
        grown = grown.with_draws("estimate", part)
    assert grown.drawn == 4_000
    assert grown.answer(EARLY).radius.tolist() == whole.answer(EARLY).radius.tolist()
    assert grown.bounds(EARLY) == whole.bounds(EARLY)


def test_the_counts_at_a_look_are_those_of_its_first_draws():
    found = evidence(4_000)
    looks = found.looks(EARLY)
    assert [look.n for look in looks] == [1_000, 2_000, 4_000]
    for look in looks:
        counted = count(found.estimate.first(look.n), 3)
        assert look.class_counts[0].tolist() == counted.class_counts.tolist()
        assert look.select_counts[0].tolist() == counted.select_counts.tolist()
    assert [look.n for look in evidence(2_500).looks(EARLY)] == [1_000, 2_000]


def test_with_a_fixed_n_the_answer_is_plain_certify_and_nothing_before():
    found = evidence(4_000)
    plain = certify(found.composition(FIXED, 4_000), [0.3], FIXED.alpha, FIXED.correction)
    assert found.answer(FIXED).radius.tolist() == plain.radius.tolist()
    under_way = evidence(3_999)
    assert under_way.answer(FIXED) is None
    assert under_way.provisional(FIXED).n == 3_999
    assert Evidence.none(3, 0).provisional(FIXED) is None


def test_two_networks_are_looked_at_where_both_have_been_drawn():
    plan = replace(EARLY, sigma_select=1.0)
    both = Evidence.none(3, 0, select=True)
    for role in ("certify", "select"):
        both = both.with_draws("guess", draws(100, seed=1), role)
    both = both.with_draws("estimate", draws(2_000)).with_draws("estimate", draws(1_000, low=0.5), "select")
    assert both.drawn == 1_000
    (look,) = both.looks(plan)
    assert look.class_counts[0].tolist() == count(draws(2_000).first(1_000), 3).class_counts.tolist()
    assert look.select_counts[0].tolist() == count(draws(1_000, low=0.5), 1).select_counts.tolist()
    assert look.sigma_select == 1.0


def test_a_network_that_is_not_sampled_has_no_draws():
    with pytest.raises(AssertionError, match="no selection network"):
        evidence(10).pool("select")
    with pytest.raises(AssertionError, match="noise of its own"):
        evidence(1_000).composition(replace(EARLY, sigma_select=1.0), 1_000)
    assert np.isnan(evidence(1_000).composition(EARLY, 1_000).score_median[0]) == np.False_
