"""What a step brings on held-out images: the families' numbers are the engine's, and nobody measures what he chose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.corrections import Correction
from engine.statistics.deployment import halvings
from engine.statistics.margin import Bound
from engine.statistics.steps import (
    MARGIN,
    PAPER,
    STEPS,
    SettingFamily,
    chained,
    gain,
    held_out,
    single,
    steps,
    thinned,
)
from tests.engine.statistics.test_chains import chain, core_of, runs
from tests.random_runs import composed

UNION = Correction.INTERSECTION_UNION


def assert_is(family: SettingFamily, at: int, c, theta: float, t: float) -> None:
    answer = certify(c, theta, 0.05, UNION, t=t, bound=Bound.MARGIN)
    assert family.radius[:, at] == pytest.approx(answer.correct_radius()[:, 0], abs=1e-12)
    assert (family.abstains[:, at] == (answer.outcome[:, 0] == Outcome.ABSTAIN)).all()
    assert (family.natural[:, at] == (predict(c, theta, 0.05, t).prediction()[:, 0] == c.label)).all()


def test_a_family_of_one_stage_holds_what_certify_and_predict_say():
    c = composed(10, separate=True)
    family = single(c, 0.05, UNION, Bound.MARGIN, (0.5, 0.2))
    assert len(family.points) == 2 * len(c.thetas)
    assert family.points[3] == "θ 0.3"
    assert family.points[len(c.thetas) + 3] == "θ 0.3, t 0.2"
    for at, theta in enumerate(c.thetas):
        assert_is(family, at, c, theta, 0.5)
        assert_is(family, len(c.thetas) + at, c, theta, 0.2)


def test_a_family_of_chains_holds_what_certify_and_predict_say():
    c = chain(10, by_votes=(False, False), then=((0.5, 0.1),))
    family = chained(c, "σ 0.25", 0.05, UNION, Bound.MARGIN, 0.3)
    pairs = [(a, b) for a in c.thetas for b in c.thetas]
    assert len(family.points) == len(pairs)
    for at in range(0, len(pairs), 7):
        theta, later = pairs[at]
        one = replace(c, then=(replace(c.then[0], theta=float(later)),))
        assert_is(family, at, one, theta, 0.3)
        assert family.points[at] == f"θ {theta:.3g}, t 0.3, then σ 0.25, θ₂ {later:.3g}, t₂ 0.1"
    assert family.radius.max() <= family.ceiling


def test_each_image_is_measured_by_halves_without_it():
    """A point for each image that is right for it alone: whoever chooses it is never measured by it."""
    images = 40
    own = np.eye(images)
    everyone = np.ones((images, images))
    family = SettingFamily(everyone > 0, own, everyone < 0, tuple(map(str, range(images))), 1.0)
    found = held_out(PAPER, family, 50.0, 0.5)
    assert found.acr.value == 0
    assert found.nac == 100
    assert found.certified == 0


def test_equal_accuracy_is_what_is_measured():
    """Of points with NAC 80 and 60 a NAC of 70 is met half way."""
    natural = np.arange(100)[:, None] < np.array([80, 60])
    natural = np.random.default_rng(0).permuted(natural, axis=0)
    radius = np.tile([0.2, 0.4], (100, 1))
    family = SettingFamily(natural, radius, natural & False, ("a", "b"), 1.0)
    found = held_out(PAPER, family, 70.0, 0.3)
    assert found.nac == pytest.approx(70, abs=0.5) or found.nac > 70
    assert 0.2 < found.acr.value < 0.4
    assert found.point == "a"


def test_no_more_can_be_measured_than_there_is():
    family = single(composed(10, separate=True), 0.05, UNION, Bound.MARGIN)
    found = held_out(PAPER, family, 100.0, 0.1)
    assert found.nac <= 100 * family.natural.mean(0).max() + 20
    assert found.point in (*family.points, "none")


def test_the_steps_in_order_and_what_a_log_has():
    a, _ = runs(10, 2)
    core = core_of(a)
    c = compose(a, core)
    two = chain(10, by_votes=(False, False), then=((0.5, 0.1),))
    found = list(steps(c, 0.05, 60.0, 0.1, [(two, "σ 0.25")]))
    assert [one.step for one in found] == list(STEPS)
    log = list(steps(replace(c, from_log=True), 0.05, 60.0, 0.1))
    assert [one.step for one in log] == list(STEPS[:2])
    assert [one.step for one in steps(c, 0.05, 60.0, 0.1)] == list(STEPS[:4])
    added = gain(found[2], found[1])
    assert found[2].step is MARGIN
    assert added.low <= added.value <= added.high
    assert added.value == pytest.approx(found[2].acr.value - found[1].acr.value)


def test_thresholds_are_thinned_evenly_to_the_last():
    assert thinned(np.arange(1001), 101).tolist() == list(range(0, 1001, 10))
    assert thinned(np.arange(5), 101).tolist() == [0, 1, 2, 3, 4]
    assert thinned(np.arange(1001), 50)[-1] == 1000


def test_halves_are_the_same_every_time():
    assert (halvings(np.arange(9), 3) == halvings(np.arange(9), 3)).all()
