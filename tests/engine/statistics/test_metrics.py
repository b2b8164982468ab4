"""Metrics worked out by hand, against the plain-loop oracle, and the properties that tie them together."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from engine.errors import AcesError
from engine.records.compose import compose
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics import metrics
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import ceiling
from engine.statistics.corrections import Correction
from engine.statistics.metrics import (
    Convention,
    certified_curve,
    composition_ceiling,
    curve_over_radius,
    evaluate,
    pareto_front,
    standalone,
)
from tests import oracle
from tests.random_runs import composed, core_of, meta, rows_of, smoothed

THETAS = np.arange(11) / 10
RADII = [0.0, 0.1, 0.25, 0.5, 0.75]

# --- worked out by hand ----------------------------------------------------------------------------------------

# n0 = n = 20 draws at sigma 0.5, one threshold, intersection-union. The level is chosen such that 20 of 20 votes have
# the lower bound Phi(1), so a unanimous image has radius 0.5; 10 of 20 decide nothing.
ALPHA = float(norm.cdf(1.0)) ** 20
HAND = [
    # label, core, guess of the class, votes for it, guess of the selection, votes to certify
    (0, 1, 0, 20, 20, 20),  # 0 certified, right
    (1, 1, 0, 20, 20, 20),  # 1 certified, wrong: the core alone would be right
    (2, 2, 0, 20, 0, 0),  # 2 core, right
    (0, 1, 0, 20, 0, 0),  # 3 core, wrong: the certification network alone would be right
    (0, 0, 0, 20, 20, 10),  # 4 selection abstains, consensus, right
    (0, 1, 0, 20, 20, 10),  # 5 selection abstains, no consensus: abstain; certification alone would be right
    (1, 2, 0, 20, 20, 10),  # 6 selection abstains, no consensus: abstain; nobody is right
    (0, 1, 1, 0, 20, 20),  # 7 wrong guess: CERTIFY abstains, PREDICT sees all 20 votes for class 0 and is right
    (1, 1, 0, 20, 0, 10),  # 8 selection guessed core and abstains: abstain, though the core would be right
    (1, 0, 0, 20, 20, 10),  # 9 selection abstains, consensus, wrong
]


def by_hand() -> tuple[SmoothedRun, CoreRun]:
    n = len(HAND)
    label, core, c_hat, votes, guess, select = np.array(HAND).T
    counts0, counts = np.zeros((n, 3), int), np.zeros((n, 3), int)
    counts0[np.arange(n), c_hat] = 20
    counts[np.arange(n), c_hat] = votes
    counts[:, 0] += 20 - votes
    run = SmoothedRun(
        meta("smoothed", 3, sigma=0.5, n0=20, n=20),
        np.arange(n), label, counts0, counts, np.array([0.5]), guess[:, None], select[:, None], np.full(n, np.nan),
    )  # fmt: skip
    return run, CoreRun(meta("core", 3), run.index, run.label, core)


def test_outcomes_by_hand():
    a, b, c, k = Outcome.ABSTAIN, Outcome.CERTIFIED, Outcome.CORE, Outcome.CONSENSUS
    answer = certify(compose(*by_hand()), 0.5, ALPHA)
    assert answer.outcome[:, 0].tolist() == [b, b, c, c, k, a, a, a, a, k]
    assert answer.prediction()[:, 0].tolist() == [0, 0, 2, 1, 0, -1, -1, -1, -1, 0]
    np.testing.assert_allclose(answer.radius[:, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0], rtol=1e-12)


def test_metrics_by_hand():
    got = evaluate(compose(*by_hand()), 0.5, alpha=ALPHA, radii=[0, 0.49, 0.51])
    assert got.images == 10
    assert got.nac.tolist() == [40.0]  # images 0, 2, 4, 7
    assert got.acr.tolist() == pytest.approx([0.05])  # image 0 alone, 0.5 / 10
    assert got.certified_accuracy.tolist() == [[30.0, 10.0, 0.0]]  # at 0: images 0, 2, 4
    assert got.certified_selection.tolist() == [[30.0, 30.0, 0.0]]  # images 0, 1, 7
    assert got.outcomes.tolist() == [[40.0, 20.0, 20.0, 20.0]]  # abstain, certified, core, consensus


def test_metrics_by_hand_in_the_convention_of_the_printed_tables():
    got = evaluate(compose(*by_hand()), 0.5, alpha=ALPHA, radii=[0, 0.49, 0.51], convention=Convention.PAPER)
    assert got.certified_accuracy.tolist() == [[40.0, 10.0, 0.0]]  # image 5 too
    assert got.certified_selection.tolist() == [[80.0, 30.0, 0.0]]  # all but 2 and 3, the certain cores
    assert (got.nac.tolist(), got.acr.tolist()) == ([40.0], pytest.approx([0.05]))


def test_standalone_by_hand():
    alone = standalone(by_hand()[0], ALPHA, [0, 0.49, 0.51])
    assert alone.nac == 50.0  # 0, 3, 4, 5 and 7, whose wrong guess PREDICT does not need
    assert alone.certified_accuracy.tolist() == [40.0, 40.0, 0.0]  # 0, 3, 4, 5
    assert alone.acr == pytest.approx(4 * 0.5 / 10)
    assert alone.images == 10


def test_radii_of_a_log_are_rounded_in_the_papers_convention_alone():
    run, core = by_hand()
    of_log = replace(run, meta=replace(run.meta, sigma=0.4994, radius_digits=2))  # its radius is 0.4994, and prints 0.5
    exact, printed = (
        evaluate(compose(of_log, core), 0.5, alpha=ALPHA, radii=[0.5], convention=convention)
        for convention in (Convention.ALGORITHM, Convention.PAPER)
    )
    assert (exact.acr.tolist(), exact.certified_accuracy.tolist()) == (pytest.approx([0.04994]), [[0.0]])
    assert (printed.acr.tolist(), printed.certified_accuracy.tolist()) == ([0.05], [[10.0]])
    alone, as_printed = (standalone(of_log, ALPHA, [0.5], convention) for convention in Convention)
    assert (alone.acr, alone.certified_accuracy.tolist()) == (pytest.approx(4 * 0.04994), [0.0])
    assert (as_printed.acr, as_printed.certified_accuracy.tolist()) == (pytest.approx(4 * 0.05), [40.0])


@pytest.mark.parametrize("correction", Correction)
def test_conventions_differ_at_radius_0_alone(correction):
    c = composed(3, images=200)
    algorithm, paper = (evaluate(c, THETAS, alpha=0.05, correction=correction, convention=v) for v in Convention)
    assert np.array_equal(algorithm.nac, paper.nac)
    assert np.array_equal(algorithm.acr, paper.acr)
    for name in ("certified_accuracy", "certified_selection"):
        a, p = getattr(algorithm, name), getattr(paper, name)
        assert np.array_equal(a[:, 1:], p[:, 1:])
        assert (a[:, 0] != p[:, 0]).any()
    assert (paper.certified_selection[:, 0] >= algorithm.certified_selection[:, 0]).all()


# --- against the oracle ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(("seed", "separate"), [(1, False), (2, True)])
def test_agrees_with_oracle(correction, seed, separate):
    c = composed(seed, separate)
    thetas = np.append(THETAS, [0.05, 0.333])
    got = evaluate(c, thetas, alpha=0.05, correction=correction, radii=RADII)
    for t, theta in enumerate(thetas):
        want = oracle.metrics_at(rows_of(c), c.label.tolist(), float(theta), 0.05, correction, RADII)
        assert got.nac[t] == pytest.approx(want.nac)
        assert got.acr[t] == pytest.approx(want.acr, rel=1e-12)
        assert got.certified_accuracy[t].tolist() == pytest.approx(want.certified_accuracy)
        assert got.certified_selection[t].tolist() == pytest.approx(want.certified_selection)


# --- properties ------------------------------------------------------------------------------------------------


def test_certified_rates_never_rise_with_the_radius():
    got = evaluate(composed(4, images=100), THETAS, alpha=0.05, radii=np.linspace(0, 1, 50))
    assert (np.diff(got.certified_accuracy, axis=1) <= 0).all()
    assert (np.diff(got.certified_selection, axis=1) <= 0).all()
    assert (got.certified_accuracy[:, 1:] <= got.certified_selection[:, 1:]).all()


def test_acr_is_the_area_under_certified_accuracy():
    c = composed(5, images=100)
    answer, got = certify(c, THETAS, 0.05), evaluate(c, THETAS, alpha=0.05)
    for column in range(len(THETAS)):
        steps = np.unique(np.append(answer.radius[:, column], 0.0))
        curve = certified_curve(answer, column, steps[1:])
        assert (curve / 100) @ np.diff(steps) == pytest.approx(got.acr[column], rel=1e-12)


def test_curve_equals_the_table_at_its_radii():
    c = composed(6, images=100)
    answer, table = certify(c, THETAS, 0.05), evaluate(c, THETAS, alpha=0.05, radii=RADII)
    for column in range(len(THETAS)):
        assert certified_curve(answer, column, RADII).tolist() == pytest.approx(table.certified_accuracy[column])


@pytest.mark.parametrize(
    ("correction", "level"),
    [(Correction.BONFERRONI, 0.05 / 2), (Correction.INTERSECTION_UNION, 0.05), (Correction.SIMULTANEOUS, 0.05 / 2)],
)
def test_theta_1_is_the_smoothed_model_alone_at_the_level_its_correction_spends(correction, level):
    run = smoothed(7)
    answer, alone = certify(compose(run, core_of(run)), 1.0, 0.05, correction), standalone(run, level)
    cap = ceiling(0.5, 200, 0.05 / 202) if correction is Correction.SIMULTANEOUS else np.inf
    assert np.array_equal(answer.radius_certify[:, 0], alone.radius)
    assert np.array_equal(answer.radius[:, 0], np.minimum(alone.radius, cap))


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.0])
def test_unanimous_selection_gives_the_smoothed_model_and_none_the_core(theta):
    run = smoothed(8)
    core = core_of(run)
    nothing, everything = (np.full(run.select_counts.shape, v) for v in (0, 200))
    c = compose(run, core)
    only_core = evaluate(replace(c, select_counts=nothing, select_counts0=nothing), theta, alpha=0.05)
    only_smoothed = evaluate(replace(c, select_counts=everything), theta, alpha=0.05)
    assert only_core.nac[0] == 100 * np.mean(core.prediction == core.label)
    assert only_smoothed.nac[0] == pytest.approx(standalone(run, 0.05 / 2).nac)


def assert_same(a: metrics.Metrics, b: metrics.Metrics) -> None:
    for name in ("nac", "acr", "certified_accuracy", "certified_selection", "outcomes"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("convention", Convention)
def test_metrics_ignore_the_order_of_the_images(convention):
    c = composed(9, separate=True)
    order = np.random.default_rng(0).permutation(len(c))
    shuffled = c.rows(order)
    assert_same(evaluate(c, THETAS, convention=convention), evaluate(shuffled, THETAS, convention=convention))


@pytest.mark.parametrize("entries", [1, 50, 1 << 30])
@pytest.mark.parametrize("convention", Convention)
def test_the_size_of_a_block_does_not_matter(monkeypatch, entries, convention):
    c = composed(10)
    expected = evaluate(c, THETAS, alpha=0.05, convention=convention)
    monkeypatch.setattr(metrics, "BLOCK_ENTRIES", entries)
    assert_same(evaluate(c, THETAS, alpha=0.05, convention=convention), expected)


def test_ceiling_is_reached_by_unanimous_images_and_never_passed():
    c = composed(11, separate=True)
    for correction in Correction:
        top = composition_ceiling(c, 0.05, correction)
        assert certify(c, THETAS, 0.05, correction).radius.max() == pytest.approx(top)


def test_no_image_is_certified_at_radius_1_with_sigma_a_quarter():
    """n = 100,000 at a = 0.0005 caps the radius at 0.947 (ACES, Tables 2 and 8)."""
    c = replace(composed(12), sigma=0.25, sigma_select=0.25, n=100_000, n_select=100_000)
    c = replace(c, class_counts=c.class_counts * 500, select_counts=c.select_counts * 500)
    got = evaluate(c, 1.0, correction=Correction.BONFERRONI, radii=[0.94, 0.947, 1.0])
    assert got.certified_accuracy[0, 0] > 0
    assert got.certified_accuracy[0, 1:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("radius", [-0.1, float("nan"), float("inf")])
def test_radii_below_0_or_not_finite_are_refused(radius):
    with pytest.raises(AcesError, match=rf"radius {radius:g}"):
        evaluate(composed(13), 0.5, radii=[0.0, radius])
    with pytest.raises(AcesError, match=rf"radius {radius:g}"):
        curve_over_radius(np.ones(3), np.ones(3, bool), [radius])


# --- Pareto front ----------------------------------------------------------------------------------------------


def test_pareto_front_of_six_points():
    #      0: front, 1: front, 2: below 1, 3: left of 1 at its height, 4: front, 5: twin of 2
    nac = [99.0, 90.0, 80.0, 85.0, 70.0, 80.0]
    acr = [0.10, 0.30, 0.20, 0.30, 0.50, 0.20]
    assert pareto_front(nac, acr).tolist() == [4, 1, 0]


def test_pareto_front_at_the_edges():
    assert pareto_front([], []).tolist() == []
    assert pareto_front([1.0], [2.0]).tolist() == [0]
    assert len(pareto_front([1.0, 1.0], [2.0, 2.0])) == 1  # a twin adds nothing
