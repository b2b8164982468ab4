from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from engine.errors import AcesError
from engine.statistics.aces import DEFAULT_CORRECTION, Outcome
from engine.statistics.comparison import JUDGED, Answers, JudgedOutcome, answers, compare
from engine.statistics.margin import Bound
from engine.statistics.metrics import composition_ceiling, evaluate
from tests import random_runs

A = Answers(
    index=np.array([3, 1, 2]),
    label=np.array([6, 4, 5]),
    outcome=np.array([Outcome.CORE, Outcome.CERTIFIED, Outcome.ABSTAIN]),
    correct=np.array([True, True, False]),
    radius=np.array([0.0, 0.5, 0.0]),
    reached=np.array([False, True, False]),
    natural=np.array([True, True, False]),
    ceiling=0.5,
    norm="ℓ2",
)
B = Answers(
    index=np.array([1, 2, 3, 4]),
    label=np.array([4, 5, 6, 7]),
    outcome=np.array([Outcome.CERTIFIED, Outcome.CERTIFIED, Outcome.CORE, Outcome.CORE]),
    correct=np.array([True, True, False, True]),
    radius=np.array([0.2, 0.3, 0.0, 0.0]),
    reached=np.array([True, True, False, False]),
    natural=np.array([True, True, True, True]),
    ceiling=0.5,
    norm="ℓ2",
)


def test_radii_of_different_norms_are_not_compared():
    with pytest.raises(AcesError, match="A's radii are ℓ2 and B's ℓ1"):
        compare(A, replace(B, norm="ℓ1"))


def test_images_are_paired_by_index_and_differences_are_b_less_a():
    found = compare(A, B)
    assert found.images == 3
    assert found.nac.value == pytest.approx(100 / 3)
    assert found.acr.value == pytest.approx(0.0)
    assert found.certified.value == pytest.approx(100 / 3)
    for e in (found.nac, found.acr, found.certified):
        assert e.low <= e.value <= e.high


def test_each_cell_holds_its_images():
    found = compare(A, B)
    cell = {(a, b): found.cells[i][j].tolist() for i, a in enumerate(JUDGED) for j, b in enumerate(JUDGED)}
    certified, abstained = JudgedOutcome(Outcome.CERTIFIED, True), JudgedOutcome(Outcome.ABSTAIN, False)
    assert cell[certified, certified] == [1]
    assert cell[abstained, certified] == [2]
    assert cell[JudgedOutcome(Outcome.CORE, True), JudgedOutcome(Outcome.CORE, False)] == [3]
    assert found.counts.sum() == 3


def test_values_stand_beside_differences_on_the_images_that_both_saw():
    found = compare(A, B)
    for name in ("nac", "acr", "certified"):
        assert getattr(found.b, name) - getattr(found.a, name) == pytest.approx(getattr(found, name).value)
    assert (found.a.nac, found.b.nac) == (pytest.approx(200 / 3), 100.0)
    assert (found.by_a_alone, found.by_b_alone) == (1, 1)


def test_judged_outcomes_are_told_apart_in_words():
    assert [judged.label for judged in JUDGED] == [
        "certified, correct", "certified, wrong", "core, correct", "core, wrong", "consensus, correct",
        "consensus, wrong", "abstained",
    ]  # fmt: skip


def test_every_image_has_one_judged_outcome():
    c = random_runs.composed(4)
    found = compare(answers(c, 0.3, 0.25, 0.01, DEFAULT_CORRECTION), answers(c, 0.7, 0.25, 0.01, DEFAULT_CORRECTION))
    assert found.counts.sum() == len(c) == found.images
    wrong = [k for k, judged in enumerate(JUDGED) if not judged.correct]
    assert found.counts[wrong].sum() == len(c) - answers(c, 0.3, 0.0, 0.01, DEFAULT_CORRECTION).correct.sum()


def test_a_view_compared_with_itself_differs_in_nothing():
    found = compare(A, A)
    for e in (found.nac, found.acr, found.certified):
        assert (e.value, e.low) == (0, pytest.approx(-e.high))
        assert e.high > 0  # three images that agree do not show that all would
    assert found.counts.trace() == 3


def test_views_without_common_images_are_refused():
    with pytest.raises(AcesError, match="share no images"):
        compare(A, replace(B, index=B.index + 100))


def test_views_that_number_the_images_differently_are_refused():
    with pytest.raises(AcesError, match=r"A and B number the images differently \(1 of 3 labels differ\)"):
        compare(A, replace(B, label=np.array([4, 5, 9, 7])))


@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("radius", [0.0, 0.25])
def test_the_means_of_the_answers_are_the_engines_metrics(radius, bound):
    c = random_runs.composed(4)
    found = answers(c, 0.5, radius, 0.01, DEFAULT_CORRECTION, bound=bound)
    m = evaluate(c, [0.5], alpha=0.01, radii=(radius,), bound=bound)
    assert 100 * found.natural.mean() == pytest.approx(m.nac[0])
    assert found.radius.mean() == pytest.approx(m.acr[0])
    assert 100 * found.reached.mean() == pytest.approx(m.certified_accuracy[0, 0])


@pytest.mark.parametrize(
    ("won", "lost", "beyond_chance"),
    [(4, 0, False), (5, 0, False), (6, 0, True), (8, 1, True), (7, 1, False), (7, 2, False), (30, 15, True)],
)
def test_a_difference_is_beyond_chance_where_the_exact_test_says_so(won, lost, beyond_chance):
    """Exact McNemar: 4:0 has p = 0.125 and 5:0 p = 0.0625, 6:0 p = 0.031."""
    images = np.arange(500)
    a = Answers(images, images, images, images < 0, np.zeros(500), images < 0, images < lost, 1.0, "ℓ2")
    b = replace(a, natural=(images >= 100) & (images < 100 + won))
    found = compare(a, b).nac
    assert (found.low > 0) == beyond_chance == (binomtest(won, won + lost).pvalue < 0.05)
    assert compare(b, a).nac.high == pytest.approx(-found.low)


@pytest.mark.parametrize("bound", Bound)
def test_the_ceiling_of_the_answers_bounds_every_radius(bound):
    c = random_runs.composed(4)
    found = answers(c, 1.0, 0.25, 0.01, DEFAULT_CORRECTION, bound=bound)
    assert 0 < found.radius.max() <= found.ceiling == composition_ceiling(c, 0.01)
