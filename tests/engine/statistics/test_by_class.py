"""Rates by class are those of each class's images alone; together they are those of all."""

from __future__ import annotations

import numpy as np
import pytest

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import lower_bounds
from engine.statistics.by_class import by_class, class_shares
from engine.statistics.corrections import Correction
from engine.statistics.intervals import rate_interval
from engine.statistics.margin import Bound, class_lower_bound
from engine.statistics.metrics import evaluate
from tests import random_runs, synthetic

AT = (0.01, Correction.INTERSECTION_UNION)


@pytest.fixture(scope="module")
def c():
    return compose(synthetic.smoothed(0.5, images=60), synthetic.core(60))


@pytest.mark.parametrize("bound", [*Bound])
def test_each_class_is_measured_on_its_images_alone(c, bound):
    found = by_class(c, 0.4, [0.0, 0.25], *AT, bound=bound)
    assert found.images.sum() == 60
    for k, label in enumerate(found.label):
        own = c.rows(np.flatnonzero(c.label == label))
        m = evaluate(own, [0.4], alpha=AT[0], radii=[0.0, 0.25], bound=bound)
        assert found.images[k] == len(own)
        assert found.natural.value[k] == pytest.approx(m.nac[0])
        assert found.certified.value[k] == pytest.approx(m.certified_accuracy[0])
        assert found.outcomes.value[k] == pytest.approx(m.outcomes[0])
        assert found.acr[k] == pytest.approx(m.acr[0])


def test_intervals_are_those_of_so_few_images(c):
    found = by_class(c, 0.4, [0.25], *AT)
    for k, images in enumerate(found.images.tolist()):
        low, high = rate_interval(found.certified.value[k], images)
        assert (found.certified.low[k], found.certified.high[k]) == (pytest.approx(low), pytest.approx(high))
    assert (found.natural.low <= found.natural.value).all()
    assert (found.natural.value <= found.natural.high).all()


@pytest.mark.parametrize("seed", range(4))
def test_confusion_counts_every_answer_once(seed):
    c = random_runs.composed(seed)
    found = by_class(c, 0.5, [], *AT)
    answer = certify(c, [0.5], *AT)
    prediction = answer.prediction()[:, 0]
    for k, label in enumerate(found.label.tolist()):
        for a in range(found.confusion.shape[1] - 1):
            assert found.confusion[k, a] == ((c.label == label) & (prediction == a)).sum()
        assert found.confusion[k, -1] == ((c.label == label) & (prediction == ABSTAIN)).sum()
    abstained = found.images * found.outcomes.value[:, Outcome.ABSTAIN] / 100
    assert abstained == pytest.approx(found.confusion[:, -1])
    assert found.confusion.sum() == len(c)


def test_shares_are_the_bounds_of_the_guess(c):
    c_hat = c.class_counts0.argmax(1)
    by_complement = class_shares(c, 0.01, Bound.COMPLEMENT)
    assert by_complement == pytest.approx(lower_bounds(c.n, 0.01)(c.class_counts[np.arange(60), c_hat]))
    counts = c.class_counts0, c.class_counts, c.n, c_hat
    by_margin = class_shares(c, 0.01, Bound.MARGIN)
    assert by_margin == pytest.approx(class_lower_bound(*counts, 0.01, c.smoothing.link, Bound.MARGIN))
    assert (by_complement <= c.class_counts[np.arange(60), c_hat] / c.n).all()


def test_radii_that_are_none_are_refused(c):
    with pytest.raises(AcesError, match="radius"):
        by_class(c, 0.4, [-1.0], *AT)
