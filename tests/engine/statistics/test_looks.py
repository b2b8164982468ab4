"""Bounds that hold at every look: thousands of sessions that stop at the most tempting moment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify
from engine.statistics.corrections import Correction
from engine.statistics.looks import bounds_at_looks, certify_at_looks, schedule

ALPHA, SESSIONS, N, SIGMA = 0.05, 4_000, 10_000, 0.5
THETA = 0.5


def sessions(select: float, certify: float, core: int, seed: int = 0, s_hat: int = 1) -> list[Composition]:
    """The counts of many sessions at every look: ``select`` and ``certify`` are the true probabilities."""
    rng = np.random.default_rng(seed)
    looks = schedule(N)
    draws = np.diff(looks, prepend=0)
    selected = rng.binomial(draws, select, (SESSIONS, len(looks))).cumsum(1)
    of_class = rng.binomial(draws, certify, (SESSIONS, len(looks))).cumsum(1)
    return [at_look(n, selected[:, j], of_class[:, j], core, s_hat) for j, n in enumerate(looks)]


def at_look(n: int, selected: np.ndarray, of_class: np.ndarray, core: int, s_hat: int) -> Composition:
    size = len(selected)
    every = np.arange(size)
    return Composition(
        index=every,
        label=np.full(size, -1),
        core=np.full(size, core),
        sigma=SIGMA,
        n0=100,
        n=n,
        class_counts0=np.tile([100, 0], (size, 1)),
        class_counts=np.stack([of_class, n - of_class], 1),
        sigma_select=SIGMA,
        n0_select=100,
        n_select=n,
        thetas=np.array([THETA]),
        select_counts0=np.full((size, 1), 100 * s_hat),
        select_counts=selected[:, None],
        score_median=np.full(size, np.nan, np.float32),
    )


def standard_error(share: float) -> float:
    return float(np.sqrt(share * (1 - share) / SESSIONS))


def look_valid(looks: list[Composition], correction: Correction) -> list:
    """What is shown at each look of a plan that may stop early."""
    return [certify_at_looks(looks[: j + 1], len(looks), [THETA], ALPHA, correction) for j in range(len(looks))]


def plain(looks: list[Composition], correction: Correction) -> list:
    """The same looks, each as if its n had been fixed beforehand."""
    return [certify(look, [THETA], ALPHA, correction) for look in looks]


def worst_radius_error(shown: list, truth: float) -> float:
    """The share of sessions that at some look see a radius larger than the true one, and could stop there."""
    return float(np.mean(np.logical_or.reduce([answer.radius[:, 0] > truth for answer in shown])))


def worst_answer_error(shown: list, answer: int) -> float:
    """The share of sessions that at some look see a wrong answer."""
    seen = [one.prediction()[:, 0] for one in shown]
    return float(np.mean(np.logical_or.reduce([(p != -1) & (p != answer) for p in seen])))


@pytest.mark.parametrize("p", [0.55, 0.8, 0.97])
@pytest.mark.parametrize("correction", Correction)
def test_stopping_at_the_largest_radius_errs_less_than_alpha_with_look_valid_bounds(p, correction):
    error = worst_radius_error(look_valid(sessions(0.9999, p, core=1), correction), SIGMA * norm.ppf(p))
    assert error <= ALPHA + 3 * standard_error(ALPHA)
    if correction is Correction.INTERSECTION_UNION:
        assert error > ALPHA / 2  # a session that leaves more slack would pass wrong bounds


@pytest.mark.parametrize("p", [0.55, 0.8, 0.97])
def test_stopping_at_the_largest_radius_errs_more_than_alpha_with_plain_bounds(p):
    looks = sessions(0.9999, p, core=1)
    error = worst_radius_error(plain(looks, Correction.INTERSECTION_UNION), SIGMA * norm.ppf(p))
    assert error > 2 * ALPHA


def test_the_selections_bound_is_covered_as_well():
    looks = sessions(0.7, 0.9999, core=1)
    truth = SIGMA * norm.ppf(0.7)
    assert worst_radius_error(look_valid(looks, Correction.INTERSECTION_UNION), truth) <= ALPHA
    assert worst_radius_error(plain(looks, Correction.INTERSECTION_UNION), truth) > ALPHA + 3 * standard_error(ALPHA)


@pytest.mark.parametrize("correction", [Correction.INTERSECTION_UNION, Correction.BONFERRONI])
def test_answers_without_a_radius_are_covered_where_both_tests_may_err(correction):
    """The true answer is the certification network's other class; core and consensus can each say class 0."""
    looks = sessions(0.5 + 1e-6, 0.5 - 1e-6, core=0, s_hat=0)
    assert worst_answer_error(look_valid(looks, correction), answer=1) <= ALPHA + 3 * standard_error(ALPHA)
    assert worst_answer_error(plain(looks, correction), answer=1) > ALPHA + 3 * standard_error(ALPHA)


def test_what_was_certified_stays_and_no_bound_falls():
    looks = sessions(0.8, 0.7, core=0)
    shown = look_valid(looks, Correction.INTERSECTION_UNION)
    for before, after in itertools.pairwise(shown):
        assert (after.radius >= before.radius).all()
        assert (after.outcome[before.outcome == Outcome.CERTIFIED] == Outcome.CERTIFIED).all()


def test_one_planned_look_is_plain_certify():
    look = sessions(0.8, 0.7, core=0)[2]
    one, plain_answer = (
        certify_at_looks([look], 1, [THETA], ALPHA, Correction.BONFERRONI),
        certify(look, [THETA], ALPHA, Correction.BONFERRONI),
    )
    assert (one.outcome == plain_answer.outcome).all()
    assert (one.radius == plain_answer.radius).all()


@pytest.mark.parametrize("s_hat", [0, 1])
@pytest.mark.parametrize("correction", Correction)
def test_the_bounds_that_are_shown_are_those_of_the_answer(correction, s_hat):
    looks = [look.rows(slice(0, 1)) for look in sessions(0.8 if s_hat else 0.2, 0.7, core=0, s_hat=s_hat)]
    bounds = bounds_at_looks(looks, len(looks), THETA, ALPHA, correction)[-1]
    answer = certify_at_looks(looks, len(looks), [THETA], ALPHA, correction)
    assert answer.radius_certify[0, 0] == pytest.approx(SIGMA * norm.ppf(bounds.p_certify))
    if s_hat:
        assert answer.radius_select[0, 0] == pytest.approx(SIGMA * norm.ppf(bounds.p_select))
    else:
        assert (answer.outcome[0, 0] == Outcome.CORE) == (bounds.p_select >= 0.5)


@given(st.integers(1, 10**7))
def test_looks_double_from_1000_and_end_with_n(n):
    looks = schedule(n)
    assert looks[-1] == n
    assert list(looks[:-1]) == [1000 * 2**j for j in range(len(looks) - 1)]
    assert len(looks) == 1 or looks[-2] < n <= 2 * looks[-2]


def test_no_draws_are_no_schedule():
    with pytest.raises(AcesError, match="at least 1 draw"):
        schedule(0)
