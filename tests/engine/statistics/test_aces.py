"""CERTIFY and PREDICT against the plain-loop oracle, on count tables that take every branch."""

from dataclasses import replace

import numpy as np
import pytest

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify, predict, predict_class
from engine.statistics.corrections import CERTIFY, CORE, Correction
from engine.statistics.metrics import evaluate
from engine.statistics.stage import selection_votes
from tests import oracle
from tests.random_runs import composed, rows_of

ON_GRID = np.arange(11) / 10
OFF_GRID = np.array([0.0, 0.05, 0.1, 0.3, 0.31, 0.3999, 0.4, 0.55, 0.77, 0.999, 1.0])
FINE = np.round(np.arange(1001) / 1000, 3)


def assert_agrees_with_oracle(
    c: Composition, thetas: np.ndarray, alpha: float, correction: Correction, t: float = 0.5, bound: str = "complement"
) -> set[str]:
    """Outcome, class and radius of every image and threshold; returns the outcomes met."""
    got, predicted = certify(c, thetas, alpha, correction, t=t, bound=bound), predict(c, thetas, alpha, t).prediction()
    classes = got.prediction()
    for i, row in enumerate(rows_of(c)):
        for at, theta in enumerate(thetas):
            want = oracle.certify_at(row, float(theta), alpha, correction, t, bound)
            assert Outcome(got.outcome[i, at]).label == want.outcome, (i, theta)
            assert classes[i, at] == want.label
            assert got.radius[i, at] == pytest.approx(want.radius, rel=1e-11, abs=1e-14)
            assert got.radius_select[i, at] == pytest.approx(
                oracle.selection_radius(row, float(theta), alpha, correction, t), rel=1e-11, abs=1e-14
            )
            assert predicted[i, at] == oracle.predict_at(row, float(theta), alpha, t)
    return {Outcome(o).label for o in np.unique(got.outcome)}


ALL = {"abstain", "certified", "core", "consensus"}


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(("seed", "alpha", "m"), [(10, 0.05, 3), (20, 0.001, 10), (30, 0.3, 2)])
def test_agrees_with_oracle_at_stored_thresholds(correction, separate, seed, alpha, m):
    c = composed(seed, separate, m=m)
    assert assert_agrees_with_oracle(c, ON_GRID, alpha, correction) == ALL


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    "stored", [ON_GRID, np.array([0.1, 0.3, 0.6]), np.array([0.4]), np.array([0.125, 0.3, 0.777]), np.array([0.0])]
)
def test_agrees_with_oracle_between_and_beyond_stored_thresholds(correction, stored):
    c = composed(40, separate=True, thetas=stored)
    met = assert_agrees_with_oracle(c, OFF_GRID, 0.05, correction)
    assert "certified" in met or stored[-1] == 0


NONE_OF_THE_101 = np.array([0.125, 0.333, 0.777])


@pytest.mark.parametrize("separate", [False, True])
def test_without_any_of_the_101_thresholds_simultaneous_decides_nothing(separate):
    c = composed(45, separate, thetas=NONE_OF_THE_101)
    assert assert_agrees_with_oracle(c, FINE[::50], 0.05, Correction.SIMULTANEOUS) == {"abstain", "consensus"}
    assert not evaluate(c, FINE[::50], alpha=0.05, correction=Correction.SIMULTANEOUS).certified_selection.any()
    for correction in (Correction.BONFERRONI, Correction.INTERSECTION_UNION):  # which rest on every stored threshold
        assert "certified" in assert_agrees_with_oracle(c, FINE[::50], 0.05, correction)


@pytest.mark.parametrize("guess", [0, 4])
def test_no_votes_are_not_unanimous_votes(guess):
    """Whatever was drawn, and whether one threshold is asked or many."""
    c = one_image(
        thetas=[0.125, 0.333, 0.777], select_counts0=[[guess] * 3], select_counts=[[25 * guess] * 3], core=[1]
    )
    for thetas in ([0.0], [0.125], [0.5], [1.0], [0.0, 0.125, 0.333, 0.777, 1.0]):
        answer = certify(c, thetas, 0.05, Correction.SIMULTANEOUS)
        assert (answer.outcome == Outcome.ABSTAIN).all()
        assert not answer.radius_select.any()
    agreed = certify(replace(c, core=np.array([0])), FINE, 0.05, Correction.SIMULTANEOUS)
    assert (agreed.outcome == Outcome.CONSENSUS).all()


def test_agrees_with_oracle_for_simultaneous_off_the_101_grid():
    c = composed(50, images=30, thetas=FINE)
    thetas = np.array([0.001, 0.25, 0.254, 0.255, 0.256, 0.4999, 0.5, 0.501, 0.98, 0.995])
    assert assert_agrees_with_oracle(c, thetas, 0.05, Correction.SIMULTANEOUS) == ALL


@pytest.mark.parametrize("correction", Correction)
def test_agrees_with_oracle_for_few_and_even_draws(correction):
    """n0 = 1 and 2 (ties go to the certification network), n too small to certify, and a single image."""
    for seed, (n0, n) in enumerate([(1, 30), (2, 12), (4, 3), (2, 1)]):
        assert_agrees_with_oracle(composed(60 + seed, images=12, n0=n0, n=n), OFF_GRID, 0.05, correction)
    assert_agrees_with_oracle(composed(70, images=1), ON_GRID, 0.05, correction)


# --- what each part promises -----------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", Correction)
def test_radius_never_exceeds_either_component(correction):
    answer = certify(composed(80, separate=True), ON_GRID, 0.05, correction)
    certified = answer.outcome == Outcome.CERTIFIED
    assert certified.any()
    assert (answer.radius[certified] > 0).all()
    assert (answer.radius[~certified] == 0).all()
    assert (answer.radius <= answer.radius_select).all()
    assert (answer.radius <= answer.radius_certify).all()


def test_corrections_are_ordered_by_what_they_promise():
    c = composed(90)
    iu, paper, all_at_once = (
        certify(c, ON_GRID, 0.05, correction).radius
        for correction in (Correction.INTERSECTION_UNION, Correction.BONFERRONI, Correction.SIMULTANEOUS)
    )
    assert (iu >= paper).all()
    assert (paper >= all_at_once).all()
    assert (iu > paper).any()
    assert (paper > all_at_once).any()


def test_more_confidence_never_answers_more():
    c = composed(100, separate=True)
    strict, loose = (certify(c, ON_GRID, alpha) for alpha in (0.001, 0.05))
    assert (strict.radius <= loose.radius).all()
    answered = strict.prediction() != ABSTAIN
    assert (strict.prediction()[answered] == loose.prediction()[answered]).all()


def one_image(**changes) -> Composition:
    """n0 = 4, n = 100: every class vote for 0; every selection vote for core at theta 0.2, for the other at 0.8."""
    values = {
        "index": [0], "label": [0], "core": [1], "sigma": 1.0, "n0": 4, "n": 100, "class_counts0": [[4, 0, 0]],
        "class_counts": [[100, 0, 0]], "sigma_select": 1.0, "n0_select": 4, "n_select": 100, "thetas": [0.2, 0.8],
        "select_counts0": [[0, 4]], "select_counts": [[0, 100]], "score_median": [0.5],
    }  # fmt: skip
    both = values | changes
    return Composition(**{k: np.array(v) if isinstance(v, list) else v for k, v in both.items()})


def test_a_tied_guess_goes_to_the_certification_network():
    tied, core = one_image(select_counts0=[[2, 4]]), one_image(select_counts0=[[1, 4]])
    assert selection_votes(tied, np.array([0.2])).s_hat.tolist() == [[CERTIFY]]
    assert selection_votes(core, np.array([0.2])).s_hat.tolist() == [[CORE]]


def test_a_tied_class_guess_takes_the_first():
    assert certify(one_image(class_counts0=[[1, 2, 2]]), 0.8).c_hat.tolist() == [1]


def test_between_thresholds_that_guess_differently_only_consensus_is_left():
    votes = selection_votes(one_image(), np.array([0.5]))
    assert (votes.certify.tolist(), votes.core.tolist()) == ([[0]], [[0]])
    apart = certify(one_image(core=[1]), [0.2, 0.5, 0.8], 0.05)
    assert [Outcome(o) for o in apart.outcome[0]] == [Outcome.CORE, Outcome.ABSTAIN, Outcome.CERTIFIED]
    agreed = certify(one_image(core=[0]), [0.2, 0.5, 0.8], 0.05)
    assert [Outcome(o) for o in agreed.outcome[0]] == [Outcome.CORE, Outcome.CONSENSUS, Outcome.CERTIFIED]
    assert agreed.prediction().tolist() == [[0, 0, 0]]


def test_beyond_the_stored_thresholds_only_the_known_side_holds():
    below, above = certify(one_image(), [0.1, 0.9], 0.05).outcome[0]
    assert (below, above) == (Outcome.CORE, Outcome.CERTIFIED)
    nothing_known = one_image(select_counts0=[[4, 4]], select_counts=[[100, 100]])
    assert certify(nothing_known, 0.1, 0.05).outcome.tolist() == [[Outcome.ABSTAIN]]


def test_a_different_sigma_scales_each_component_alone():
    answer = certify(one_image(sigma=0.5, sigma_select=0.25), 0.8, 0.05)
    assert answer.radius_certify[0, 0] == pytest.approx(2 * answer.radius_select[0, 0])
    assert answer.radius[0, 0] == answer.radius_select[0, 0]


def test_the_digits_of_a_log_change_no_certificate():
    """Rounded to the nearest, a radius may exceed its bound."""
    exact, logged = (certify(c, 0.8) for c in (one_image(), one_image(radius_digits=3, radius_digits_select=2)))
    for name in ("radius", "radius_certify", "radius_select"):
        assert np.array_equal(getattr(logged, name), getattr(exact, name))


def test_as_printed_each_component_has_its_own_digits():
    exact = certify(one_image(), 0.8)
    sampled, of_log = float(exact.radius_certify[0, 0]), float(f"{exact.radius_select[0, 0]:.3}")
    answer = certify(one_image(radius_digits_select=3), 0.8, as_printed=True)
    assert answer.radius_certify[0, 0] == sampled != of_log
    assert answer.radius_select[0, 0] == of_log
    assert answer.radius[0, 0] == min(sampled, of_log)
    assert certify(one_image(radius_digits=3), 0.8, as_printed=True).radius_certify[0, 0] == of_log
    assert certify(one_image(), 0.8, as_printed=True).radius[0, 0] == exact.radius[0, 0]


# --- PREDICT ---------------------------------------------------------------------------------------------------


def test_predict_needs_a_significant_majority_for_core():
    """The paper's "or" would answer with the core network at any majority."""
    c = one_image(core=[2], select_counts=[[45, 45]])
    assert predict(c, 0.8, 0.05).selected.tolist() == [[ABSTAIN]]
    assert predict(c, 0.8, 0.05).prediction().tolist() == [[ABSTAIN]]


def test_predict_uses_two_sided_p_values():
    """37 of 50: one-sided p = 0.0005, two-sided 0.0009."""
    votes = np.array([[37, 13, 0]])
    assert predict_class(votes, 0.0008).tolist() == [ABSTAIN]
    assert predict_class(votes, 0.0010).tolist() == [0]


def test_predict_class_abstains_on_ties_and_compares_the_top_two_alone():
    assert predict_class(np.array([[50, 50, 0], [30, 2, 68], [5, 95, 900]]), 0.01).tolist() == [ABSTAIN, 2, 2]


def test_recorded_decisions_are_used_as_they_are():
    c = one_image(predict_class=[2], predict_select=[[CORE, CERTIFY]])
    got = predict(c, [0.1, 0.2, 0.5, 0.8, 0.9])
    # Between two, only what both decided; beyond the first and the last, nothing.
    assert got.selected.tolist() == [[ABSTAIN, CORE, ABSTAIN, CERTIFY, ABSTAIN]]
    assert got.prediction().tolist() == [[ABSTAIN, 1, ABSTAIN, 2, ABSTAIN]]


# --- what is refused, and what is accepted -----------------------------------------------------------------------


def test_bad_alpha_and_correction_are_refused():
    with pytest.raises(AcesError, match=r"alpha is 0"):
        certify(one_image(), 0.5, alpha=0.0)
    with pytest.raises(AcesError, match=r"alpha is 1"):
        predict(one_image(), 0.5, alpha=1.0)
    with pytest.raises(ValueError, match="holm"):
        certify(one_image(), 0.5, correction="holm")


def test_a_threshold_computed_in_floating_point_finds_its_column():
    c = composed(110)
    assert np.array_equal(certify(c, [0.1 + 0.2, 3 * 0.1]).radius, certify(c, [0.3, 0.3]).radius)


def test_certify_leaves_the_counts_alone():
    c = composed(120)
    before = c.select_counts.copy(), c.class_counts.copy()
    certify(c, OFF_GRID, 0.05, Correction.SIMULTANEOUS)
    assert np.array_equal(c.select_counts, before[0])
    assert np.array_equal(c.class_counts, before[1])
