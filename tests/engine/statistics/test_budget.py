"""Draws by what an image is worth: the forecast keeps its word, and what it decides on are guess draws alone."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import AcesError
from engine.statistics.bounds import z_lower_bound
from engine.statistics.budget import Budget, GuessVotes, choose, ladder, posterior, share_kept

N0, N = 200, 100_000


def guesses(rng, p, q, wanted) -> GuessVotes:
    return GuessVotes(N0, rng.binomial(N0, q), rng.binomial(N0, p), wanted)


def data_set(seed: int, images: int = 600):
    """Probabilities of class [N] and selection at two thresholds [N, 2], and whose class is right: as networks have."""
    rng = np.random.default_rng(seed)
    p = rng.beta(4, 0.5, images)
    at_03 = np.clip(rng.beta(1.2, 1.0, images) * p, 0, 1)
    return rng, p, np.stack([at_03, np.ones(images)], 1), rng.random(images) < 0.3 + 0.7 * p


def measured(rng, p, q, found: GuessVotes, draws) -> np.ndarray:
    """The ACR at sigma = 1 of fresh draws, [J]."""
    z, zs = np.zeros(len(p)), np.zeros(q.shape)
    for n in np.unique(draws).tolist():
        some = draws == n
        z[some] = z_lower_bound(rng.binomial(n, p[some]), n, 0.001)
        zs[some] = z_lower_bound(rng.binomial(n, q[some]), n, 0.001)
    chosen = found.select >= N0 / 2
    return (np.minimum(zs, z[:, None]) * chosen * found.wanted[:, None]).mean(0)


@pytest.mark.parametrize("lose", [0.01, 0.05])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_more_of_the_acr_is_lost_than_was_allowed_and_draws_are_saved(seed, lose):
    rng, p, q, right = data_set(seed)
    found = guesses(rng, p, q, right)
    draws = choose(
        found,
        N,
        Budget(lose, theta=(0.0, 1.0)),
    )
    full = np.full(len(p), N)
    kept = [np.mean([measured(rng, p, q, found, some) for _ in range(3)], 0) for some in (draws, full)]
    assert (1 - kept[0] / kept[1]).max() < 1.25 * lose
    assert N / draws.mean() > (1.5 if lose == 0.01 else 3)
    assert 1 - share_kept(found, N, draws, Budget(lose, theta=(0.0, 1.0))) <= lose


def test_images_that_add_nothing_get_the_least():
    rng, p, q, right = data_set(3)
    found = guesses(rng, p, q, right)
    budget = Budget(0.01, theta=(1.0, 1.0), least=500)
    at_1 = replace(found, select=found.select[:, 1:])
    draws = choose(at_1, N, budget)
    assert set(draws[~right].tolist()) == {500}
    handed_on = replace(at_1, select=np.zeros_like(at_1.select))
    assert set(choose(handed_on, N, budget).tolist()) == {500}
    assert set(draws.tolist()) <= set(ladder(500, N).tolist())


def test_a_larger_loss_costs_fewer_draws():
    rng, p, q, right = data_set(4)
    found = guesses(rng, p, q, right)
    spent = [choose(found, N, Budget(lose, theta=(0.0, 1.0))).sum() for lose in (0.002, 0.01, 0.05, 0.2)]
    assert sorted(spent, reverse=True) == spent
    assert len(set(spent)) == 4


def test_a_selection_network_is_weighed_by_its_own_radius():
    rng, _, q, _ = data_set(5)
    found = GuessVotes(N0, rng.binomial(N0, q[:, :1]))
    draws = choose(found, N, Budget(0.02, theta=(0.3, 0.3)))
    assert set(draws[found.select[:, 0] < N0 / 2].tolist()) == {1000}
    assert draws.max() > 10_000


def test_the_choice_is_a_function_of_the_guesses():
    rng, p, q, right = data_set(6)
    found = guesses(rng, p, q, right)
    assert np.array_equal(choose(found, N, Budget()), choose(found, N, Budget()))
    few = choose(found, 800, Budget())
    assert set(few.tolist()) == {800}


def test_a_posterior_holds_what_was_seen():
    votes = np.repeat([0, 60, 120, 180, 200], 40)
    found = posterior(votes, N0)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (np.diff(found[::40].argmax(1)) > 0).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lose": 0.0}, "lose is 0; "),
        ({"lose": 1.5}, "lose is 1.5; "),
        ({"theta": (0.5, 0.2)}, "theta is 0.5 to 0.2; "),
        ({"theta": (0.5, float("nan"))}, "theta is 0.5 to nan; "),
        ({"least": 0}, "least is 0; "),
        ({"alpha": 0.0}, "alpha is 0"),
    ],
)
def test_budgets_that_mean_nothing_are_refused(changes, said):
    with pytest.raises(AcesError, match=said):
        Budget(**changes)
