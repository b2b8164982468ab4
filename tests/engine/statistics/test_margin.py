"""The margin of the certification network's class over its strongest rival: the oracle, values, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, norm

from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, UNIFORM
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import z_lower_bound
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound, check_bound, class_bound, margin_z
from engine.statistics.metrics import Convention, composition_ceiling, evaluate, standalone
from tests import synthetic
from tests.engine.statistics.test_aces import OFF_GRID, ON_GRID, assert_agrees_with_oracle
from tests.random_runs import composed

LINK = GAUSSIAN.link


@pytest.mark.parametrize("t", [0.5, 0.1])
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(("seed", "alpha", "m"), [(10, 0.05, 3), (20, 0.001, 10), (30, 0.3, 2)])
def test_agrees_with_oracle(correction, seed, alpha, m, t):
    assert_agrees_with_oracle(composed(seed, separate=True, m=m), ON_GRID, alpha, correction, t, "margin")


@pytest.mark.parametrize("stored", [np.array([0.1, 0.3, 0.6]), np.array([0.125, 0.3, 0.777])])
def test_agrees_with_oracle_between_and_beyond_stored_thresholds(stored):
    c = composed(40, separate=True, thetas=stored)
    assert_agrees_with_oracle(c, OFF_GRID, 0.05, Correction.SIMULTANEOUS, 0.5, "margin")


def test_known_values():
    counts = np.array([6_000, 4_500]), np.array([2_500, 3_000])
    assert margin_z(*counts, 10_000, 0.001, LINK, share_a=0.97) == pytest.approx([0.416866, 0.153357], abs=1e-6)
    assert margin_z(*counts, 10_000, 0.001, LINK) == pytest.approx([0.420550, 0.156895], abs=1e-6)
    assert z_lower_bound([6_000, 4_500], 10_000, 0.001) == pytest.approx([0.214054, 0.0], abs=1e-6)


def test_no_other_split_of_the_level_gives_a_larger_margin():
    for a, b in ((6_000, 2_500), (4_500, 3_000), (9_000, 500), (9_990, 5)):
        counts = np.array([a]), np.array([b])
        half = margin_z(*counts, 10_000, 0.001, LINK)[0]
        assert all(margin_z(*counts, 10_000, 0.001, LINK, share)[0] < half for share in (0.03, 0.3, 0.8, 0.97))


def test_each_bound_is_clopper_pearsons_at_its_share():
    n, level, a, b = 1_000, 0.01, 520, 300
    lower = beta.ppf(0.5 * level, a, n - a + 1)
    upper = beta.ppf(1 - 0.5 * level, b + 1, n - b)
    expected = (norm.ppf(lower) - norm.ppf(upper)) / 2
    assert margin_z(np.array([a]), np.array([b]), n, level, LINK) == pytest.approx([expected], rel=1e-9)


@pytest.mark.parametrize("n", [1, 10, 1_000, 10_000])
def test_counts_at_their_ends_are_finite_and_claim_nothing_false(n):
    z = margin_z(np.array([0, n, n, 0]), np.array([n, 0, n, 0]), n, 0.01, LINK)
    assert np.isfinite(z).all()
    assert z[[0, 2, 3]].tolist() == [0, 0, 0]
    assert z[1] <= z_lower_bound(n, n, 0.01)


def test_which_bound_an_image_gets_is_decided_by_its_guess_draws_alone():
    rng = np.random.default_rng(0)
    counts0 = rng.multinomial(100, [0.5, 0.2, 0.15, 0.15], 50)
    counts = rng.multinomial(1_000, [0.5, 0.2, 0.15, 0.15], 50)
    c_hat = counts0.argmax(1)
    chosen = class_bound(counts0, counts, 1_000, c_hat, 0.01, LINK, Bound.MARGIN).z
    k_a = np.take_along_axis(counts, c_hat[:, None], 1)[:, 0]
    by_margin = margin_z(k_a, np.sort(counts, 1)[:, -2], 1_000, 0.01, LINK)
    by_complement = z_lower_bound(k_a, 1_000, 0.01)
    is_margin = np.isclose(chosen, by_margin, rtol=1e-9) & (by_margin != by_complement)
    assert is_margin.any()
    for i in range(50):
        other = counts.copy()
        other[i] = rng.permutation(counts[i])  # other estimating draws, the same guesses
        again = class_bound(counts0, other, 1_000, c_hat, 0.01, LINK, Bound.MARGIN).z[i]
        a = other[i, c_hat[i]]
        b = max(k for j, k in enumerate(other[i]) if j != c_hat[i])
        expected = (
            margin_z(np.array([a]), np.array([b]), 1_000, 0.01, LINK)[0]
            if is_margin[i]
            else z_lower_bound(a, 1_000, 0.01)
        )
        assert again == pytest.approx(float(expected), rel=1e-9)


def test_images_with_less_than_half_of_the_votes_are_certified():
    c = composed(20, separate=True, m=10, images=200)
    plain, margin = (certify(c, ON_GRID, 0.05, bound=bound) for bound in Bound)
    minority = 2 * np.take_along_axis(c.class_counts, plain.c_hat[:, None], 1)[:, 0] < c.n
    assert not (plain.outcome[minority] == Outcome.CERTIFIED).any()
    assert (margin.outcome[minority] == Outcome.CERTIFIED).any()
    assert margin.radius.mean() > plain.radius.mean()


@pytest.mark.parametrize("card", [GAUSSIAN, UNIFORM])
@pytest.mark.parametrize("correction", Correction)
def test_no_radius_exceeds_the_ceiling(card, correction):
    c = replace(composed(21, separate=True), smoothing=card, smoothing_select=card)
    assert certify(c, ON_GRID, 0.05, correction, bound="margin").radius.max() <= composition_ceiling(
        c, 0.05, correction
    )


def test_the_complement_is_todays_to_the_last_bit():
    c = composed(22, separate=True)
    plain, named = certify(c, OFF_GRID, 0.05), certify(c, OFF_GRID, 0.05, bound="complement")
    assert plain.radius.tobytes() == named.radius.tobytes()
    assert plain.outcome.tobytes() == named.outcome.tobytes()


def test_natural_accuracy_is_the_same_and_the_network_alone_gains_as_well():
    c = composed(23, separate=True, m=10)
    plain, margin = (evaluate(c, ON_GRID, bound=bound) for bound in Bound)
    assert plain.nac.tolist() == margin.nac.tolist()
    run = synthetic.smoothed(1.0, 60)
    assert standalone(run, bound="margin").acr >= standalone(run).acr


def test_an_unknown_bound_lists_the_known_ones():
    for ask in (lambda: certify(composed(1), ON_GRID, bound="exact"), lambda: check_bound("exact", False)):
        with pytest.raises(AcesError, match="unknown bound 'exact'; known: complement, margin"):
            ask()


def test_a_margin_of_a_log_and_under_the_papers_convention_is_refused():
    c = composed(1)
    of_a_log = replace(c, from_log=True)
    certify(of_a_log, ON_GRID)
    run = synthetic.smoothed(0.5, 20)
    logged = replace(run, meta=replace(run.meta, extra={"source": "Cohen log"}))
    for ask in (lambda: certify(of_a_log, ON_GRID, bound="margin"), lambda: standalone(logged, bound="margin")):
        with pytest.raises(AcesError, match="a margin needs counts of its rivals"):
            ask()
    with pytest.raises(AcesError, match="its convention has no margin"):
        evaluate(c, ON_GRID, convention=Convention.PAPER, bound="margin")
