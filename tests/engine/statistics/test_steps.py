from __future__ import annotations

import numpy as np
import pytest

from engine.records.compose import compose
from engine.statistics import steps
from engine.statistics.aces import certify, predict
from engine.statistics.deployment import halvings
from tests import synthetic

IMAGES = 60


@pytest.fixture(scope="module")
def what() -> steps.Ways:
    return steps.ways(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES), None, [synthetic.smoothed(0.5, IMAGES)])


@pytest.mark.parametrize("key", steps.STEPS)
def test_every_step_is_measured_or_its_floor_is_out_of_reach(what, key):
    assert not what.missing(steps.STEPS[key])
    assert steps.measure(what, steps.STEPS[key], [101.0], 0.25) == []
    (m,) = steps.measure(what, steps.STEPS[key], [10.0], 0.25)
    assert m.radius.shape == (IMAGES,)
    assert m.acr.low <= m.acr.value <= m.acr.high
    assert m.nac.value >= 10 or m.reached < 1
    assert 0 <= m.abstentions.value <= 100
    assert m.over(m).value == 0


def test_an_images_share_is_the_mean_over_what_was_chosen_without_it(what):
    step, c = steps.STEPS[steps.PAPER], what.composition
    (m,) = steps.measure(what, step, [10.0], 0.25)
    thetas = c.thetas[:: max(1, len(c.thetas) // steps.POINTS)]
    radius = certify(c, thetas, 0.001, step.correction, bound=step.bound).correct_radius()
    right = predict(c, thetas, 0.001).prediction() == c.label[:, None]
    expected = np.zeros(IMAGES)
    for half in halvings(np.arange(IMAGES), steps.HALVINGS):
        for chooses, measures in ((half, ~half), (~half, half)):
            nac, acr = 100 * right[chooses].mean(0), radius[chooses].mean(0)
            allowed = nac >= m.asked - 1e-9
            if allowed.any():
                best = acr[allowed].max()
                at = max(np.flatnonzero(allowed & (acr >= best * (1 - 1e-9))), key=lambda p: (nac[p], -p))
            else:
                at = nac.argmax()
            expected[measures] += radius[measures, at] / steps.HALVINGS
    assert m.radius == pytest.approx(expected)


def test_a_step_alone_has_no_chain():
    runs = synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)
    alone = steps.ways(*runs)
    assert "another noise level" in alone.missing(steps.STEPS[steps.CHAIN])
    assert alone.composition.index.tolist() == compose(*runs).index.tolist()
