"""Deciding while drawing: every image's bounds at the look it is kept at hold, whenever and why ever it ended."""

from math import sqrt

import numpy as np
import pytest
from scipy.special import ndtri

from engine.errors import AcesError
from engine.statistics.bounds import z_lower_bound
from engine.statistics.budget import GuessVotes
from engine.statistics.deciding import Decider, LookTaken, RadiusQuestion, best_look, expected_draws, schedule
from engine.statistics.looks import Split, parts

LOOKS = schedule(10_000, 50)


def decided(decider: Decider, classes: np.ndarray, selects: np.ndarray) -> tuple[int, int, list[LookTaken]]:
    """The look kept, the draws made and all looks taken, of one image's votes draw by draw."""
    taken: list[LookTaken] = []
    for at, n in enumerate(decider.looks):
        taken.append(decider.look(at, int(selects[:n].sum()), int(classes[:n].sum())))
        if taken[-1].ends:
            break
    return best_look(taken), decider.looks[len(taken) - 1], taken


def test_looks_double_and_half_of_alpha_is_for_the_last():
    assert LOOKS == (50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000)
    decider = Decider(RadiusQuestion((0.25,)), LOOKS, 0.5)
    assert decider.parts == parts(Split.HALF_LAST, 9)
    assert sum(1 / part for part in decider.parts) == pytest.approx(1)


@pytest.mark.parametrize("has_class", [True, False])
def test_a_radius_is_reached_exactly_where_its_bound_says_so(has_class):
    question = RadiusQuestion((0.1, 0.5), alpha=0.01)
    decider = Decider(question, LOOKS, 0.5, has_class)
    for at in (0, 3, 8):
        n, level = LOOKS[at], 0.01 / decider.parts[at]
        radius = 0.5 * z_lower_bound(np.arange(n + 1), n, level)
        for k in (n // 2, int(0.6 * n), int(0.9 * n), n):
            reached = int((radius[k] >= np.array(question.radii)).sum())
            assert decider.look(at, n, k).reached == (
                reached if has_class else 2 * (0.5 * z_lower_bound(n, n, level) > 0.5)
            )
            assert decider.look(at, k, n).reached == reached


def test_it_ends_when_all_is_reached_or_nothing_more_is_to_be_hoped_for():
    decider = Decider(RadiusQuestion((0.25, 0.5, 1.0)), LOOKS, 0.5)
    sure, lost, near = np.ones(10_000), np.zeros(10_000), np.random.default_rng(0).random(10_000) < 0.955
    assert decided(decider, sure, sure)[1] == 800  # 2 sigma, for which 421 votes of one mind are needed
    assert decided(decider, lost, sure)[1] == 50
    assert decided(decider, sure, lost)[1] == 50
    kept, draws, taken = decided(decider, near, sure)
    assert draws > 200
    assert taken[kept].reached == 2  # but not 1.0, which 0.955 cannot


@pytest.mark.parametrize("p", [0.75, 0.841, 0.9])
def test_bounds_of_the_look_that_is_kept_fail_no_more_often_than_alpha(p):
    """Stopping by what is seen, at alpha 5 %; the plain bound on the same draws errs much more often."""
    rng, alpha, trials = np.random.default_rng(round(1000 * p)), 0.05, 1500
    decider = Decider(RadiusQuestion((0.5 * 0.6744897501960817, 0.5), alpha=alpha), schedule(2000, 50), 0.5)
    wrong = plain = 0
    truth = float(0.5 * ndtri(p))
    ones = np.ones(2000)
    for _ in range(trials):
        votes = rng.random(2000) < p
        kept, _, _ = decided(decider, votes, ones)
        n = decider.looks[kept]
        k = int(votes[:n].sum())
        wrong += 0.5 * float(z_lower_bound(k, n, alpha / decider.parts[kept])) > truth
        plain += 0.5 * float(z_lower_bound(k, n, alpha)) > truth
    assert wrong <= trials * alpha + 3 * sqrt(trials * alpha)
    assert plain > wrong


def test_the_plain_bound_on_draws_that_ended_by_themselves_is_not_valid():
    """n chosen from the estimating draws: at the radius that is asked, far more than alpha are wrong."""
    rng, alpha, trials = np.random.default_rng(7), 0.05, 2000
    looks = schedule(2000, 50)
    p, wrong = 0.5, 0
    for _ in range(trials):
        votes = rng.random(2000) < p
        wrong += any(float(z_lower_bound(int(votes[:n].sum()), n, alpha)) > 0 for n in looks)
    assert wrong > trials * alpha + 5 * sqrt(trials * alpha)


def test_the_look_kept_is_the_last_of_those_that_reached_most():
    assert best_look([LookTaken(0, False), LookTaken(1, False), LookTaken(1, False), LookTaken(0, True)]) == 2
    assert best_look([LookTaken(0, False), LookTaken(0, True)]) == 1


def test_the_expected_draws_are_those_of_images_alike():
    rng = np.random.default_rng(1)
    p = np.repeat([0.55, 0.9, 0.999], 60)
    votes = GuessVotes(200, np.full((180, 1), 200), rng.binomial(200, p), np.ones(180, bool))
    question, ones = RadiusQuestion((0.25, 0.5)), np.ones(10_000)
    decider = Decider(question, LOOKS, 0.5)
    real = [decided(decider, rng.random(10_000) < one, ones)[1] for one in p]
    expected = expected_draws(votes, question, LOOKS, 0.5)
    assert 0.4 < expected.sum() / np.sum(real) < 2.5
    assert (expected_draws(GuessVotes(200, np.zeros((4, 1), int)), question, LOOKS, 0.5) == 50).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"radii": ()}, "radii are none; "),
        ({"radii": (0.0, 1.0)}, "radii are 0, 1; "),
        ({"radii": (float("nan"),)}, "radii are nan; "),
        ({"radii": (1.0,), "theta": 1.5}, "theta is 1.5; "),
        ({"radii": (1.0,), "t": 1.0}, "t is 1; "),
        ({"radii": (1.0,), "alpha": 2.0}, "alpha is 2"),
    ],
)
def test_questions_that_mean_nothing_are_refused(changes, said):
    with pytest.raises(AcesError, match=said):
        RadiusQuestion(**changes)
