"""What a chosen point gives on other images: against plain loops, and against a truth that is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.deployment import covered, trials
from engine.figures.deploy import acr_elsewhere, best, rate_elsewhere
from engine.records.compose import Composition, compose
from engine.statistics.corrections import Correction
from engine.statistics.deployment import (
    SPLITS,
    Measure,
    Optimism,
    Rule,
    Tally,
    choose,
    corrected,
    halvings,
    optimism,
    tally,
)
from engine.statistics.intervals import Estimate
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention, evaluate
from tests import toy
from tests.engine.figures.test_deploy import front

ALPHA = 0.01
ACR = Measure(ALPHA, Correction.INTERSECTION_UNION)
IMAGES = 40


def composition(seed: int = 0) -> Composition:
    return compose(toy.smoothed_run(n_images=IMAGES, seed=seed), toy.core_run(n_images=IMAGES))


def halved(*compositions: Composition, measure: Measure = ACR) -> list[Tally]:
    images = np.unique(np.concatenate([c.index for c in compositions]))
    return [tally(c, measure, images, halvings(images)) for c in compositions]


def test_every_halving_has_half_of_the_images_and_is_always_the_same():
    first = halvings(np.arange(41))
    assert first.shape == (SPLITS, 41)
    assert set(first.sum(1)) == {20}
    assert np.array_equal(first, halvings(np.arange(41)))
    assert len(np.unique(first, axis=0)) == SPLITS


@pytest.mark.parametrize(
    "measure",
    [
        ACR,
        Measure(ALPHA, Correction.SIMULTANEOUS, 0.25),
        Measure(ALPHA, Correction.BONFERRONI, 0.0),
        Measure(ALPHA, Correction.BONFERRONI, 0.0, Convention.PAPER),
        Measure(ALPHA, Correction.SIMULTANEOUS, 0.25, t=0.3, bound=Bound.MARGIN),
    ],
)
def test_both_halves_together_give_the_metrics_of_all_images(measure):
    c = composition()
    (found,) = halved(c, measure=measure)
    radius = 0.0 if measure.radius is None else measure.radius
    whole = evaluate(
        c, c.thetas, alpha=ALPHA, correction=measure.correction, radii=[radius], convention=measure.convention,
        t=measure.t, bound=measure.bound,
    )  # fmt: skip
    robustness = whole.acr if measure.radius is None else whole.certified_accuracy[:, 0]
    for k, expected in enumerate((whole.nac, robustness)):
        assert np.allclose((found.first[k] + found.second[k]) / 2, expected)
    assert found.images == IMAGES


def test_a_half_gives_the_metrics_of_its_images():
    c = composition()
    (found,) = halved(c)
    first = halvings(c.index)
    for s in (0, SPLITS - 1):
        part = evaluate(c.rows(first[s]), c.thetas, alpha=ALPHA)
        assert np.allclose(found.first[0][s], part.nac)
        assert np.allclose(found.first[1][s], part.acr)


@pytest.mark.parametrize("confident", [False, True])
def test_a_half_chooses_by_the_rule_of_the_page(confident):
    rng = np.random.default_rng(0)
    for _ in range(200):
        fronts = [front(rng.integers(60, 95, 7), rng.integers(0, 4, 7) / 10, position=k, images=100) for k in range(3)]
        floor = float(rng.integers(55, 100))
        nac, robustness = (np.concatenate([getattr(f, name) for f in fronts]) for name in ("nac", "robustness"))
        at = int(choose(nac[None], robustness[None], np.full(21, 100), Rule(floor, confident))[0])
        found = best(fronts, floor, confident=confident)
        if found is None:
            assert at == -1
        else:
            assert (nac[at], robustness[at]) == (found.nac.value, found.robustness)


@pytest.mark.parametrize("rule", [Rule(70), Rule(70, confident=True), Rule(85)])
def test_the_optimism_is_that_of_a_plain_loop_over_halves(rule):
    compositions = [composition(seed) for seed in (0, 1)]
    first = halvings(compositions[0].index)
    excess = []
    for s in range(SPLITS):
        halves = [
            [evaluate(c.rows(mask), c.thetas, alpha=ALPHA) for c in compositions] for mask in (first[s], ~first[s])
        ]
        for own, other in (halves, halves[::-1]):
            nac, acr = (np.concatenate([getattr(m, name) for m in own]) for name in ("nac", "acr"))
            at = int(choose(nac[None], acr[None], np.full(len(nac), IMAGES), rule)[0])
            if at >= 0:
                there = [np.concatenate([getattr(m, name) for m in other])[at] for name in ("nac", "acr")]
                excess.append((nac[at] - there[0], acr[at] - there[1]))
    found = optimism(halved(*compositions), rule)
    assert found.halves == len(excess)
    assert np.allclose((found.nac, found.robustness), np.mean(excess, 0))


def test_where_nothing_is_chosen_nothing_flatters():
    one = composition()
    single = replace(
        one, thetas=one.thetas[-1:], select_counts0=one.select_counts0[:, -1:], select_counts=one.select_counts[:, -1:]
    )
    found = optimism(halved(single), Rule(0))
    assert found.halves == 2 * SPLITS
    assert (found.nac, found.robustness) == (pytest.approx(0), pytest.approx(0))


def test_a_floor_that_no_half_reaches_gives_no_estimate():
    found = optimism(halved(composition()), Rule(101))
    assert found.halves == 0
    assert math.isnan(found.nac)


def test_compositions_on_different_images_are_halved_alike():
    a, b = composition(), composition(1).rows(slice(10, 30))
    both = halved(a, b)
    alone = halved(a)
    assert np.array_equal(both[0].first[0], alone[0].first[0])
    assert both[1].images == 20
    assert optimism(both, Rule(0)).halves == 2 * SPLITS


@pytest.mark.parametrize("images", [1, 2])
def test_one_or_two_images_are_no_error(images):
    found = optimism(halved(composition().rows(slice(0, images))), Rule(0))
    assert isinstance(found, Optimism)
    assert found.halves == 2 * SPLITS


def test_what_is_expected_is_what_is_shown_less_its_optimism():
    assert corrected(80.0, 2.0) == (pytest.approx(80 - math.sqrt(2)), 78.0, 79.0)
    assert corrected(80.0, 0.0) == (80.0, 80.0, 80.0)
    assert corrected(80.0, -1.0)[1:] == (80.0, 80.0)
    e = acr_elsewhere(Estimate(0.5, 0.4, 0.6), 0.1)
    assert (e.low, e.high) == (pytest.approx(0.3), pytest.approx(0.55))
    assert rate_elsewhere(0.1, 5.0, 50).low == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_what_is_expected_of_other_images_comes_true():
    found = trials(fronts=4, images=500, rule=Rule(90.0), repeats=40)
    here, expected, true = (
        np.array(value) for value in zip(*((t.here[0], t.expected[0].value, t.true[0]) for t in found), strict=True)
    )
    error = float((here - true).std(ddof=1) / math.sqrt(len(found)))
    assert float((here - true).mean()) > 2 * error  # what is shown flatters
    assert abs(float((expected - true).mean())) < 3 * error
    for k in (0, 1):
        assert covered(found, k) >= 95 - 3 * 100 * math.sqrt(0.95 * 0.05 / len(found))


def test_shares_are_chosen_among_near_the_envelope():
    c = composition()
    shares = (0.5, 0.2, 0.8)
    (found,) = halved(c, measure=replace(ACR, shares=shares))
    points = replace(ACR, shares=shares).points(c)
    assert len(points) > 1
    assert found.first[0].shape == (SPLITS, sum(len(thetas) for _, thetas in points))
    assert {one.t for one, _ in points} <= set(shares)
    highest = max(evaluate(c, c.thetas, alpha=ALPHA, t=t).acr.max() for t in shares)
    assert max(one.of(c, thetas)[1].mean(0).max() for one, thetas in points) == pytest.approx(highest)
