"""A share t of the selection's votes other than half: the oracle, what it promises, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from engine.errors import AcesError
from engine.mechanisms import ENTROPY
from engine.smoothing import GAUSSIAN, UNIFORM
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import ceiling, critical_count, lower_confidence_bound, smallest_n
from engine.statistics.corrections import CERTIFY, Correction, levels
from engine.statistics.explain import explain, formulas
from engine.statistics.looks import bounds_at_looks, certify_at_looks
from engine.statistics.metrics import Convention, composition_ceiling, evaluate
from engine.statistics.separation import separation, signed_radii
from engine.statistics.stage import selection_votes
from tests import oracle
from tests.engine.statistics.test_aces import ALL, OFF_GRID, ON_GRID, assert_agrees_with_oracle
from tests.random_runs import composed, rows_of

SHARES = (0.05, 0.1, 0.3, 0.45, 0.7, 0.93)


@pytest.mark.parametrize("t", SHARES)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(("seed", "alpha", "m"), [(10, 0.05, 3), (20, 0.001, 10), (30, 0.3, 2)])
def test_agrees_with_oracle(correction, seed, alpha, m, t):
    c = composed(seed, separate=True, m=m)
    assert assert_agrees_with_oracle(c, ON_GRID, alpha, correction, t) <= ALL


@pytest.mark.parametrize("t", SHARES)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("stored", [np.array([0.1, 0.3, 0.6]), np.array([0.4]), np.array([0.125, 0.3, 0.777])])
def test_agrees_with_oracle_between_and_beyond_stored_thresholds(correction, stored, t):
    assert_agrees_with_oracle(composed(40, separate=True, thetas=stored), OFF_GRID, 0.05, correction, t)


def test_every_outcome_is_met():
    met = {
        outcome
        for t in SHARES
        for outcome in np.unique(certify(composed(10, separate=True), ON_GRID, 0.05, t=t).outcome)
    }
    assert met == set(Outcome)


@pytest.mark.parametrize("t", SHARES)
def test_metrics_agree_with_oracle(t):
    c = composed(3, separate=True)
    radii = [0.0, 0.1, 0.4]
    got = evaluate(c, ON_GRID, alpha=0.05, radii=radii, t=t)
    for at, theta in enumerate(ON_GRID):
        want = oracle.metrics_at(rows_of(c), c.label.tolist(), float(theta), 0.05, "intersection-union", radii, t)
        assert got.nac[at] == pytest.approx(want.nac)
        assert got.acr[at] == pytest.approx(want.acr, rel=1e-11)
        assert got.certified_accuracy[at].tolist() == pytest.approx(want.certified_accuracy)
        assert got.certified_selection[at].tolist() == pytest.approx(want.certified_selection)


def test_half_is_todays_to_the_last_bit():
    c = composed(11, separate=True)
    plain, half = certify(c, OFF_GRID, 0.05), certify(c, OFF_GRID, 0.05, t=0.5)
    assert plain.radius.tobytes() == half.radius.tobytes()
    assert predict(c, OFF_GRID, 0.05).prediction().tolist() == predict(c, OFF_GRID, 0.05, 0.5).prediction().tolist()


@pytest.mark.parametrize("card", [GAUSSIAN, UNIFORM])
def test_a_smaller_share_selects_more_and_further(card):
    c = replace(composed(12, separate=True), smoothing_select=card)
    radii = [certify(c, ON_GRID, 0.05, t=t).radius_select for t in (0.9, 0.5, 0.2, 0.05)]
    for larger, smaller in pairwise(radii):
        guessed_alike = larger > 0
        assert (smaller[guessed_alike] > larger[guessed_alike]).all()
    assert (radii[-1] > 0).sum() > (radii[1] > 0).sum() > (radii[0] > 0).sum()


@pytest.mark.parametrize("t", SHARES)
def test_radius_and_threshold_are_those_of_the_formula(t):
    c = composed(13, separate=True)
    answer = certify(c, ON_GRID, 0.05, t=t)
    i, at = (int(axis[0]) for axis in np.nonzero(answer.radius_select > 0))
    p = lower_confidence_bound(c.select_counts[i, at], c.n_select, 0.05)
    link = c.smoothing_select.link
    assert answer.radius_select[i, at] == pytest.approx(c.sigma_select * (link(p) - link(np.array(t))))
    needed = critical_count(c.n_select, 0.025, 1 - t)
    assert lower_confidence_bound(needed, c.n_select, 0.025) >= 1 - t
    assert lower_confidence_bound(needed - 1, c.n_select, 0.025) < 1 - t


@pytest.mark.parametrize("t", SHARES)
@pytest.mark.parametrize("correction", Correction)
def test_signed_radii_are_certifys_decisions(t, correction):
    c = composed(14, separate=True)
    signed, answer = signed_radii(c, ON_GRID, 0.05, correction, t), certify(c, ON_GRID, 0.05, correction, t=t)
    np.testing.assert_allclose(signed.clip(0), answer.radius_select, rtol=1e-12)
    core = answer.outcome == Outcome.CORE
    assert (signed[core] <= 0).all()
    level = levels(correction, 0.05).select_0
    assert signed.min() >= -ceiling(c.sigma_select, c.n_select, level, c.smoothing_select.link, 1 - t)


@pytest.mark.parametrize("t", SHARES)
def test_no_radius_exceeds_the_ceiling(t):
    c = composed(15, separate=True)
    top = composition_ceiling(c, 0.05, Correction.INTERSECTION_UNION, t)
    assert certify(c, ON_GRID, 0.05, t=t).radius.max() <= top
    a_select = levels("intersection-union", 0.05).select_1
    assert top <= ceiling(c.sigma_select, c.n_select, a_select, c.smoothing_select.link, t)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_the_receiver_curve_selects_by_the_same_share(t):
    c = composed(16)
    found = separation(c, np.ones(len(c), bool), t)
    assert found.true.tolist() == (100 * (c.select_counts > t * c.n_select).mean(0)).tolist()


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_with_one_look_the_best_of_looks_is_plain_certify(t):
    c = composed(17, separate=True)
    one = certify_at_looks([c], 1, ON_GRID, 0.05, Correction.BONFERRONI, t)
    assert one.radius.tobytes() == certify(c, ON_GRID, 0.05, Correction.BONFERRONI, t=t).radius.tobytes()
    answer = certify(c, [0.5], 0.05, Correction.BONFERRONI, t=t)
    s_hat = selection_votes(c, np.array([0.5]), Correction.BONFERRONI, t).s_hat[:, 0]
    assert (s_hat == CERTIFY).any()
    for i in np.flatnonzero(s_hat == CERTIFY):
        (look,) = bounds_at_looks([c.rows(slice(i, i + 1))], 1, 0.5, 0.05, Correction.BONFERRONI, t)
        assert (look.p_select > t) == (answer.radius_select[i, 0] > 0)


@pytest.mark.parametrize("t", SHARES)
def test_explanations_lead_to_certifys_answer_and_show_the_share(t):
    c = composed(18, separate=True)
    answer = certify(c, ON_GRID, 0.05, t=t)
    names = tuple("abc")
    said = ""
    for i, index in enumerate(c.index):
        for at in (2, 5, 8):
            e = explain(c, int(index), float(ON_GRID[at]), 0.05, Correction.INTERSECTION_UNION, ENTROPY.words, t)
            assert (e.outcome, e.radius) == (answer.outcome[i, at], answer.radius[i, at])
            said += "".join(tex for _, tex in formulas(e, names))
    assert f"{1 - t:g} \\cdot" in said
    assert f"\\Phi^{{-1}}({t:g})" in said


@pytest.mark.parametrize("t", [0.0, 1.0, -0.1, float("nan"), float("inf")])
def test_a_share_outside_0_1_is_refused(t):
    for ask in (certify, predict):
        with pytest.raises(AcesError, match=rf"^t is {t:g}; a share of votes lies strictly between 0 and 1"):
            ask(composed(1), ON_GRID, 0.05, t=t)


@pytest.mark.parametrize("t", [0.001, 0.999])
def test_a_share_that_the_draws_cannot_tell_from_none_or_all_says_how_many_can(t):
    c = composed(1)
    said = rf"{c.n_select:,} draws cannot tell it from {round(t)} .*; [\d,]+ can$"
    with pytest.raises(AcesError, match=said) as told:
        evaluate(c, ON_GRID, alpha=0.05, t=t)
    needed = int(str(told.value).split()[-2].replace(",", ""))
    assert lower_confidence_bound(needed, needed, 0.025) > max(t, 1 - t)
    assert lower_confidence_bound(needed - 1, needed - 1, 0.025) <= max(t, 1 - t)
    assert needed == smallest_n(0.025, max(t, 1 - t))


def test_votes_that_a_log_tells_of_a_majority_are_none_at_another_share():
    c = composed(1)
    of_a_log = replace(c, from_log_select=True)
    certify(of_a_log, ON_GRID, 0.05)
    with pytest.raises(AcesError, match=r"a log, which tells of a majority alone: t is 0\.3"):
        certify(of_a_log, ON_GRID, 0.05, t=0.3)


def test_the_papers_convention_is_a_majority():
    with pytest.raises(AcesError, match=r"the paper's selection asks for a majority: t is 0\.3"):
        evaluate(composed(1), ON_GRID, convention=Convention.PAPER, t=0.3)
