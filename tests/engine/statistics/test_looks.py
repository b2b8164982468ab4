"""Bounds that hold at every look: thousands of sessions that stop at the most tempting moment."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from engine.errors import AcesError
from engine.records.compose import Composition, LaterStage
from engine.smoothing import GAUSSIAN
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import lower_confidence_bound
from engine.statistics.corrections import Correction
from engine.statistics.looks import Split, bounds_at_looks, certify_at_looks, parts, schedule
from engine.statistics.margin import Bound
from tests import oracle
from tests.random_runs import composed, rows_of

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


def sessions_of_many(p: tuple[float, ...], core: int, seed: int = 0) -> list[Composition]:
    """The same of classes with the true probabilities ``p``, the first of which is guessed; the selection is certain.

    The n0 draws voted as ``p`` says, so that with the margin asked for it decides.
    """
    rng = np.random.default_rng(seed)
    looks = schedule(N)
    draws = np.diff(looks, prepend=0)
    votes = np.stack([rng.multinomial(k, p, SESSIONS) for k in draws], 1).cumsum(1)
    guess = np.tile(np.rint(100 * np.array(p)).astype(int), (SESSIONS, 1))
    found = []
    for j, n in enumerate(looks):
        plain = at_look(n, np.full(SESSIONS, n), votes[:, j, 0], core, 1)
        found.append(replace(plain, class_counts0=guess, class_counts=votes[:, j]))
    return found


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


def look_valid(looks: list[Composition], correction: Correction, **how: object) -> list:
    """What is shown at each look of a plan that may stop early."""
    upto = [looks[: j + 1] for j in range(len(looks))]
    return [certify_at_looks(seen, len(looks), [THETA], ALPHA, correction, **how) for seen in upto]


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


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("p", [0.55, 0.97])
def test_however_alpha_is_split_the_largest_radius_errs_less_than_alpha(p, split):
    error = worst_radius_error(
        look_valid(sessions(0.9999, p, core=1), Correction.INTERSECTION_UNION, split=split), SIGMA * norm.ppf(p)
    )
    assert error <= ALPHA + 3 * standard_error(ALPHA)


MANY = [(0.45, 0.3, 0.25), (0.4, 0.2, 0.2, 0.2), (0.7, 0.1, 0.1, 0.1), (0.34, 0.33, 0.33)]


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("p", MANY)
def test_stopping_at_the_largest_radius_by_the_margin_errs_less_than_alpha(p, correction, split):
    """Also where rivals are tied: the strongest of them is over-estimated, never the margin."""
    truth = SIGMA * (norm.ppf(p[0]) - norm.ppf(p[1])) / 2
    shown = look_valid(sessions_of_many(p, core=1), correction, bound=Bound.MARGIN, split=split)
    assert worst_radius_error(shown, truth) <= ALPHA + 3 * standard_error(ALPHA)
    assert max(answer.radius.max() for answer in shown) > 0


@pytest.mark.parametrize("split", Split)
def test_consensus_by_the_margin_errs_less_than_alpha_where_the_two_best_are_tied(split):
    """The true answer is class 1, by a hair."""
    p = (0.4 - 1e-6, 0.4 + 1e-6, 0.2)
    looks = [replace(look, class_counts0=np.tile([50, 30, 20], (SESSIONS, 1))) for look in sessions_of_many(p, core=0)]
    error = worst_answer_error(look_valid(looks, Correction.INTERSECTION_UNION, bound=Bound.MARGIN, split=split), 1)
    assert 0 < error <= ALPHA + 3 * standard_error(ALPHA)


def growing(seed: int, m: int) -> list[Composition]:
    """The same images after 200, 500 and 900 draws, their guesses the same, at few thresholds."""
    steps = [composed(seed, separate=True, m=m), *(composed(seed + k, separate=True, m=m) for k in (1, 2))]
    found = [steps[0]]
    for step in steps[1:]:
        before = found[-1]
        found.append(
            replace(
                before,
                n=before.n + step.n,
                class_counts=before.class_counts + step.class_counts,
                n_select=before.n_select + step.n_select,
                select_counts=before.select_counts + step.select_counts,
            )
        )
    return found


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(("seed", "alpha", "m", "t"), [(100, 0.05, 3, 0.5), (200, 0.001, 10, 0.5), (300, 0.3, 4, 0.1)])
def test_agrees_with_oracle(correction, bound, split, seed, alpha, m, t):
    looks = growing(seed, m)
    thetas, outcomes = np.array([0.2, 0.5, 0.8]), set()
    for reached in (2, 3):
        got = certify_at_looks(looks[:reached], 3, thetas, alpha, correction, t, bound=bound, split=split)
        for i, rows in enumerate(zip(*map(rows_of, looks[:reached]), strict=True)):
            for at, theta in enumerate(thetas):
                want = oracle.certify_at_looks(list(rows), 3, float(theta), alpha, correction, t, bound, split)
                assert Outcome(got.outcome[i, at]).label == want.outcome, (i, theta)
                assert got.prediction()[i, at] == want.label
                assert got.radius[i, at] == pytest.approx(want.radius, rel=1e-11, abs=1e-14)
                outcomes.add(want.outcome)
    assert outcomes == {"abstain", "certified", "core", "consensus"}


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("bound", Bound)
def test_the_pair_of_bounds_that_is_shown_gives_the_radius_of_the_class(bound, split):
    looks, alpha, link = growing(400, 10), 0.05, GAUSSIAN.link
    answer = certify_at_looks(looks, 3, [THETA], alpha, Correction.BONFERRONI, bound=bound, split=split)
    rivals = 0
    for i in range(len(looks[0])):
        one = [look.rows(slice(i, i + 1)) for look in looks]
        *_, last = bounds_at_looks(one, 3, THETA, alpha, Correction.BONFERRONI, bound=bound, split=split)
        z = link(last.p_certify)
        if last.p_rival is not None:
            z, rivals = (z - link(last.p_rival)) / 2, rivals + 1
        assert answer.radius_certify[i, 0] == pytest.approx(looks[0].sigma * max(z, 0), rel=1e-10)
        assert answer.class_holds[i, 0] == (z >= 0)
    assert (rivals > 0) == (bound is Bound.MARGIN)


@given(st.integers(1, 40), st.sampled_from(Split))
def test_the_shares_of_the_looks_add_up_to_alpha_and_the_last_has_most(planned, split):
    found = parts(split, planned)
    assert len(found) == planned
    assert sum(Fraction(1, part) for part in found) == 1
    assert found[-1] == min(found)
    assert parts(split, 1) == (1,)


def test_an_even_split_is_alpha_over_their_number_to_the_last_bit():
    looks = growing(500, 3)
    each = [certify(look, [THETA], 0.05 / 3) for look in looks]
    best = np.maximum.reduce([answer.radius_certify for answer in each])
    shown = certify_at_looks(looks, 3, [THETA], 0.05, Correction.INTERSECTION_UNION)
    assert shown.radius_certify.tobytes() == best.tobytes()


def test_an_unknown_split_lists_the_known_ones():
    with pytest.raises(AcesError, match="unknown split 'odd'; known: even, half-last"):
        Split("odd")


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


# --- chains (test_evidence.py of single images has the answers of the oracle at every look) ---------------------------


@pytest.mark.parametrize("split", Split)
def test_a_chain_that_stops_where_it_pleases_errs_with_at_most_alpha(split):
    """The first stage answers, though barely: whoever certifies the second one is wrong, at whatever look it stops."""
    first, second = sessions(0.5 + 1e-9, 0.9, 0, seed=1, s_hat=0), sessions(0.99, 0.99, 0, seed=2)
    looks = [
        replace(a, core=np.ones(SESSIONS, int), then=(LaterStage(b, THETA),))
        for a, b in zip(first, second, strict=True)
    ]
    how = {"split": split}
    wrong = np.zeros(SESSIONS, bool)
    for reached in range(1, len(looks) + 1):
        seen = looks[:reached]
        answer = certify_at_looks(seen, len(looks), [THETA], ALPHA, Correction.INTERSECTION_UNION, **how)
        assert set(answer.outcome[:, 0].tolist()) <= {Outcome.CERTIFIED, Outcome.ABSTAIN}
        assert (answer.guess == 0).all()
        wrong |= answer.outcome[:, 0] == Outcome.CERTIFIED
    assert ALPHA / 10 < wrong.mean() <= ALPHA + 3 * standard_error(ALPHA)


def test_what_a_look_says_of_a_chain_is_said_of_every_stage():
    c = sessions(0.9, 0.8, 0, s_hat=0)[0].rows(slice(0, 1))
    behind = sessions(0.95, 0.9, 0, seed=3)[0].rows(slice(0, 1))
    (look,) = bounds_at_looks(
        [replace(c, then=(LaterStage(behind, THETA, 0.3),))], 1, THETA, ALPHA, Correction.BONFERRONI
    )
    own, later = look.stages
    assert (own.select, later.select) == (int(c.n - c.select_counts[0, 0]), int(behind.select_counts[0, 0]))
    assert later.p_select == lower_confidence_bound(later.select, behind.n, ALPHA / 3)  # two selections and the class
    assert later.p_certify == lower_confidence_bound(later.certify, behind.n, ALPHA / 3)
    assert (own.p_select, own.p_rival) == (look.p_select, look.p_rival)
