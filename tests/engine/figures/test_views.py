from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.settings import Terms
from engine.figures import views
from engine.records.compose import compose
from engine.statistics.aces import DEFAULT_CORRECTION, Outcome, certify
from engine.statistics.bounds import MAJORITY
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate, standalone
from tests import random_runs, synthetic

ALPHA, THETA, RADIUS = 0.001, 0.5, 0.25
TERMS = Terms(ALPHA, DEFAULT_CORRECTION, MAJORITY, Bound.COMPLEMENT)


@pytest.fixture(scope="module")
def run():
    return synthetic.smoothed(0.5, images=60)


@pytest.fixture(scope="module")
def c(run):
    return compose(run, synthetic.core(60))


@pytest.fixture(scope="module")
def answer(c):
    return certify(c, [THETA], ALPHA)


@pytest.mark.parametrize("bound", Bound)
def test_tiles_are_the_engines_metrics_inside_their_intervals(c, bound):
    tiles = views.summary(c, THETA, RADIUS, Terms(ALPHA, DEFAULT_CORRECTION, MAJORITY, bound))
    m = evaluate(c, [THETA], alpha=ALPHA, radii=(RADIUS,), bound=bound)
    assert tiles.nac.value == m.nac[0]
    assert tiles.acr.value == m.acr[0]
    assert tiles.certified_accuracy.value == m.certified_accuracy[0, 0]
    assert tiles.certified_selection.value == m.certified_selection[0, 0]
    assert tiles.abstained.value == m.outcomes[0, Outcome.ABSTAIN]
    assert tiles.images == 60
    for tile in (tiles.nac, tiles.acr, tiles.certified_accuracy, tiles.certified_selection, tiles.abstained):
        assert tile.low <= tile.value <= tile.high
        assert tile.low < tile.high


def test_radius_curves_begin_with_every_right_answer_and_end_at_nothing(run, c, answer):
    curves = views.radius_curves(c, standalone(run, ALPHA), answer, TERMS)
    assert curves.aces[0] == pytest.approx(100 * answer.correct().mean())
    certified = answer.correct()[:, 0] & (answer.outcome[:, 0] == Outcome.CERTIFIED)
    assert curves.aces[1] == pytest.approx(100 * certified.mean())
    assert curves.aces[0] > curves.aces[1]
    assert (np.diff(curves.aces) <= 0).all()
    assert (np.diff(curves.radii) > 0).all()
    assert curves.aces[-1] == curves.alone[-1] == 0


def test_the_selection_rate_is_the_engines_at_each_radius(run, c, answer):
    curves = views.radius_curves(c, standalone(run, ALPHA), answer, TERMS)
    at = [0, 60, 120]
    m = evaluate(c, [THETA], alpha=ALPHA, radii=curves.radii[at])
    assert curves.selected[at] == pytest.approx(m.certified_selection[0])
    assert curves.core == pytest.approx(100 * (c.core == c.label).mean())


def test_a_fan_holds_a_curve_a_threshold(c):
    radii = np.array([0.0, 0.25])
    curves = views.fan(certify(c, [0.2, 0.6], ALPHA), radii)
    m = evaluate(c, [0.2, 0.6], alpha=ALPHA, radii=radii)
    assert [curve.theta for curve in curves] == [0.2, 0.6]
    assert np.array([curve.aces for curve in curves]) == pytest.approx(m.certified_accuracy)
    assert np.array([curve.selected for curve in curves]) == pytest.approx(m.certified_selection)


def test_sets_of_images_are_told_apart_whatever_their_order():
    known = views.fingerprint(np.array([3, 1]), np.array([7, 8]))
    assert known == views.fingerprint(np.array([1, 3]), np.array([8, 7]))
    assert known != views.fingerprint(np.array([3, 2]), np.array([7, 8]))
    assert known != views.fingerprint(np.array([3, 1]), np.array([8, 7]))


def test_no_curve_passes_its_ceiling(run, c, answer):
    curves = views.radius_curves(c, standalone(run, ALPHA), answer, TERMS)
    assert (curves.aces[curves.radii > curves.ceiling] == 0).all()
    assert curves.radii[-1] > curves.ceiling


def test_the_histogram_holds_every_image_once(run, c):
    h = views.entropy_histogram(c, views.certifiable(c, run, ALPHA, Bound.COMPLEMENT, RADIUS))
    alone = standalone(run, ALPHA)
    assert h.certifiable.sum() == (alone.correct & (alone.radius >= RADIUS)).sum()
    assert (h.certifiable + h.other).sum() == 60
    assert h.recorded
    assert (h.certifiable + h.other).tolist() == np.histogram(c.score_median, h.edges)[0].tolist()
    score = dict(zip(c.index, c.score_median, strict=True))
    for k, images in enumerate(h.images):
        bin = k % views.ENTROPY_BINS
        assert all(h.edges[bin] <= score[i] <= h.edges[bin + 1] for i in images)


def test_ranks_hold_every_image_once_by_rising_value():
    values = np.random.default_rng(0).random(1000)
    parts = views.by_rank(np.arange(1000), values)
    assert len(parts) == views.RANKS
    assert np.concatenate(parts).tolist() == np.argsort(values).tolist()


def test_at_radius_0_an_image_without_certificate_is_not_certifiable(run, c):
    alone = standalone(run, ALPHA)
    assert (
        views.entropy_histogram(c, views.certifiable(c, run, ALPHA, Bound.COMPLEMENT, 0.0)).certifiable.sum()
        == (alone.correct & (alone.radius > 0)).sum()
    )


def test_a_histogram_without_entropies_says_so(run):
    blank = replace(run, entropy_median=np.full(60, np.nan))
    joined = compose(blank, synthetic.core(60))
    h = views.entropy_histogram(joined, views.certifiable(joined, blank, ALPHA, Bound.COMPLEMENT, RADIUS))
    assert not h.recorded
    assert h.certifiable.sum() == h.other.sum() == 0


def test_image_rows_are_certifys_answers():
    c = random_runs.composed(4)
    answer = certify(c, [0.5], 0.01)
    rows = views.image_rows(c, answer)
    assert rows.answer.tolist() == answer.prediction()[:, 0].tolist()
    assert set(rows.verdict) == {"correct", "wrong", "abstained"}
    assert ((rows.verdict == "correct") == rows.correct).all()
    assert ((rows.verdict == "abstained") == (rows.outcome == Outcome.ABSTAIN)).all()
    assert len(rows.where(rows.correct)) == rows.correct.sum()


def test_a_run_is_restricted_to_the_images_of_a_composition(run):
    few = views.restrict(run, run.index[:7])
    assert few.index.tolist() == run.index[:7].tolist()
    assert few.select_counts.shape == (7, len(run.thetas))
    assert views.restrict(run, run.index) is run


def test_core_accuracy_is_in_percent(c):
    assert views.core_accuracy(c) == pytest.approx(100 * np.mean(c.core == c.label))
