"""Numbers of draws that differ by image, and bounds that divide alpha: each image as in a run where all are like it."""

from dataclasses import replace

import numpy as np
import pytest

from engine.mechanisms import words_for
from engine.records.compose import Composition, StageRuns, Then, compose, compose_chain
from engine.statistics.aces import certify, predict
from engine.statistics.bounds import lower_confidence_bound
from engine.statistics.corrections import Correction
from engine.statistics.envelope import over_shares
from engine.statistics.explain import explain
from engine.statistics.margin import Bound
from engine.statistics.metrics import composition_ceiling, evaluate, standalone
from engine.statistics.separation import separation, signed_radii
from tests.random_runs import GRID, core_of, selection, smoothed, uneven

ALPHA = 0.05
BETWEEN = np.array([0.0, 0.15, 0.3, 0.42, 0.77, 1.0])  # some of them stored


def composition(separate: bool, parts=None, by_votes=False, seed: int = 0) -> Composition:
    run, select = smoothed(seed), selection(seed + 1)
    own = uneven(run, parts=parts)
    other = uneven(select, ns=(40, 300), parts=None if parts is None else (5, 2)) if separate else None
    return compose(own, core_of(run, seed + 2), other, by_votes=by_votes)


def alone(c: Composition, row: int) -> Composition:
    """One image, as if every image had had its draws."""
    one = c.rows(np.array([row]))
    assert one.even
    return one


CASES = [
    pytest.param(False, None, False, id="one run"),
    pytest.param(True, None, False, id="two runs"),
    pytest.param(True, (18, 18, 2), False, id="decided"),
    pytest.param(False, (18, 9, 2), True, id="votes select"),
]


@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(("separate", "parts", "by_votes"), CASES)
def test_every_image_is_certified_by_its_own_draws(separate, parts, by_votes, correction, bound):
    c = composition(separate, parts, by_votes)
    thetas = np.array([0.55, 0.7, 0.9]) if by_votes else BETWEEN
    how = {"alpha": ALPHA, "correction": correction, "t": 0.5 if by_votes else 0.4, "bound": bound}
    found, natural = certify(c, thetas, **how), predict(c, thetas, ALPHA, how["t"])
    assert not c.even
    for row in range(len(c)):
        one = certify(alone(c, row), thetas, **how)
        for name in ("outcome", "radius", "radius_select", "radius_certify", "class_holds"):
            of_one = np.broadcast_to(getattr(one, name), (1, len(thetas)))[0]
            assert np.array_equal(np.broadcast_to(getattr(found, name), found.radius.shape)[row], of_one)
        own = predict(alone(c, row), thetas, ALPHA, how["t"]).prediction()
        assert np.array_equal(natural.prediction()[row], own[0])


def test_a_part_of_alpha_is_what_the_bounds_spend():
    c = composition(False, parts=(18, 18, 2))
    for row in range(len(c)):
        one = alone(c, row)
        whole = replace(one, part=1, part_select=1)
        divided = certify(one, GRID, ALPHA)
        same = certify(whole, GRID, ALPHA / one.part)
        assert np.array_equal(divided.radius, same.radius)
        assert np.array_equal(divided.outcome, same.outcome)
        assert np.array_equal(
            predict(one, GRID, ALPHA).prediction(), predict(whole, GRID, ALPHA / one.part).prediction()
        )


@pytest.mark.parametrize("t", [0.5, 0.3])
@pytest.mark.parametrize(("separate", "parts", "by_votes"), CASES[:3])
def test_metrics_are_the_mean_over_the_images(separate, parts, by_votes, t):
    c = composition(separate, parts, by_votes)
    radii = (0.0, 0.1, 0.4)
    found = evaluate(c, GRID, alpha=ALPHA, radii=radii, t=t)
    each = [evaluate(alone(c, row), GRID, alpha=ALPHA, radii=radii, t=t) for row in range(len(c))]
    for name in ("nac", "acr", "certified_accuracy", "certified_selection", "outcomes"):
        np.testing.assert_allclose(getattr(found, name), np.mean([getattr(m, name) for m in each], 0), atol=1e-9)
    assert composition_ceiling(c, ALPHA, t=t) == max(
        composition_ceiling(alone(c, row), ALPHA, t=t) for row in range(len(c))
    )


@pytest.mark.parametrize("radius", [None, 0.0, 0.2])
@pytest.mark.parametrize(("separate", "parts", "by_votes"), CASES[:3])
def test_fronts_over_shares_are_those_of_evaluate(separate, parts, by_votes, radius):
    c = composition(separate, parts, by_votes)
    nac, robustness = over_shares(c, (0.5, 0.3, 0.8), ALPHA, radius=radius)
    for k, t in enumerate((0.5, 0.3, 0.8)):
        m = evaluate(c, GRID, alpha=ALPHA, radii=() if radius is None else (radius,), t=t)
        np.testing.assert_allclose(nac[k], m.nac, atol=1e-9)
        np.testing.assert_allclose(robustness[k], m.acr if radius is None else m.certified_accuracy[:, 0], atol=1e-9)


@pytest.mark.parametrize("parts", [None, (18, 18, 2)])
def test_the_network_alone_is_certified_by_the_draws_of_each_image(parts):
    run = uneven(smoothed(3), parts=parts)
    found = standalone(run, ALPHA)
    draws, divided = run.draws, np.ones(len(run.draws)) if parts is None else run.alpha_parts
    k = run.class_counts[np.arange(len(draws)), run.class_counts0.argmax(1)]
    for row, n in enumerate(draws.tolist()):
        p = float(lower_confidence_bound(k[row], n, ALPHA / divided[row]))
        assert (found.radius[row] > 0) == (p > 0.5)
    assert found.acr == pytest.approx(np.mean(found.radius * found.correct))


def test_selection_radii_and_curve_are_of_the_draws_of_each_image():
    c = composition(True, (18, 18, 2))
    found = signed_radii(c, GRID, ALPHA, Correction.INTERSECTION_UNION)
    for row in range(len(c)):
        one = signed_radii(alone(c, row), GRID, ALPHA, Correction.INTERSECTION_UNION)
        assert np.array_equal(found[row], one[0])
    wanted = c.core == c.label
    share = c.select_counts / c.draws_of(select=True)[:, None]
    assert separation(c, wanted).true.tolist() == (100 * (share[wanted] > 0.5).mean(0)).tolist()


def test_the_numbers_of_an_image_are_those_of_its_own_draws():
    c = composition(False, parts=(18, 18, 2))
    for row in range(len(c)):
        e = explain(c, int(c.index[row]), 0.5, ALPHA, Correction.INTERSECTION_UNION, words_for("entropy"))
        n, part = int(c.draws[row]), int(c.parts[row])
        assert e.certify.n == n
        level = ALPHA / part if e.chose_certify else ALPHA / 2 / part
        assert e.certify.p == lower_confidence_bound(e.certify.k, n, level)
        assert e.select_share[-1] == 1


def test_a_chain_takes_the_draws_of_every_stage():
    first, second = smoothed(0), replace(smoothed(5), label=smoothed(0).label)
    second = replace(second, meta=replace(second.meta, name="second"))
    core = core_of(first)
    some = [uneven(first), uneven(second, ns=(60, 200))]
    then = [Then(StageRuns(some[1]), 0.6)]
    c = compose_chain(StageRuns(some[0]), core, then)
    found, natural = certify(c, GRID, ALPHA), predict(c, GRID, ALPHA).prediction()
    for row in range(len(c)):
        one = c.rows(np.array([row]))
        assert one.even
        assert one.then[0].composition.even
        assert np.array_equal(found.radius[row], certify(one, GRID, ALPHA).radius[0])
        assert np.array_equal(found.outcome[row], certify(one, GRID, ALPHA).outcome[0])
        assert np.array_equal(natural[row], predict(one, GRID, ALPHA).prediction()[0])


def test_images_that_are_alike_are_one_composition():
    run = uneven(smoothed(), ns=(30, 200))
    c = compose(run, core_of(run))
    few = c.rows(c.draws == 30)
    assert (few.even, few.n, few.n_select) == (True, 30, 30)
    assert [len(some) for _, some in c.alike()] == [int((c.draws == n).sum()) for n in (30, 200)]
    assert sorted(np.concatenate([rows for rows, _ in c.alike()]).tolist()) == list(range(len(c)))


def test_no_images_have_no_answers():
    c = composition(True, (18, 18, 2)).rows(np.arange(0))
    assert certify(c, GRID, ALPHA).radius.shape == (0, len(GRID))
    assert predict(c, GRID, ALPHA).prediction().shape == (0, len(GRID))
