"""Intervals against exact ones where there are such, at the ends of their range, and against direct draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta, binomtest

from engine.statistics.intervals import (
    ENOUGH,
    area,
    area_interval,
    clopper_pearson,
    mean_interval,
    rate_interval,
    wilson,
)

# --- rates -----------------------------------------------------------------------------------------------------

HITS = [(0, 20), (1, 20), (8, 10), (20, 20), (250, 500), (499, 500), (1, 1)]


@pytest.mark.parametrize(("method", "scipys"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@pytest.mark.parametrize(("hits", "images"), HITS)
def test_intervals_of_rates_are_scipys(method, scipys, hits, images):
    expected = binomtest(hits, images).proportion_ci(0.95, scipys)
    low, high = method(100 * hits / images, images)
    assert (float(low), float(high)) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_wilson_of_published_values():
    """8 of 10: 49.0 .. 94.3 (R: binom.wilson(8, 10)); the interval stays within 0 .. 100 at the ends."""
    low, high = wilson([80.0, 0.0, 100.0], 10)
    assert np.round(low, 1).tolist() == [49.0, 0.0, 72.2]
    assert np.round(high, 1).tolist() == [94.3, 27.8, 100.0]


def test_rates_have_wilsons_interval_in_the_middle_and_one_that_holds_it_at_the_ends():
    images, percent = 500, np.arange(501) / 5
    ours, wilsons, exact = (method(percent, images) for method in (rate_interval, wilson, clopper_pearson))
    hits = np.arange(501)
    middle = (hits >= ENOUGH) & (hits <= images - ENOUGH)
    for end in (0, 1):
        assert np.array_equal(ours[end][middle], wilsons[end][middle])
    for other in (wilsons, exact):
        assert (ours[0][~middle] <= other[0][~middle]).all()
        assert (ours[1][~middle] >= other[1][~middle]).all()


@pytest.mark.parametrize("images", [1, 10, 99, 100, 101, 500, 10_000])
def test_more_hits_never_lower_the_interval(images):
    """A floor that is surely reached stays so when one image more is right."""
    low, high = rate_interval(100 * np.arange(images + 1) / images, images)
    assert (low[0], high[-1]) == (0, 100)
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()


# --- means -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 2, 5, 100, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.99, 1.0])
def test_a_mean_of_zeros_and_ones_has_clopper_and_pearsons_interval(images, share):
    """Up to the saddlepoint approximation, which spends up to 5 % less than the level and 0.05 % more."""
    hits = round(share * images)
    low, high = mean_interval((np.arange(images) < hits).astype(float), 0.0, 1.0)
    below = beta.cdf(low, hits, images - hits + 1) if hits else 0.024
    above = beta.sf(high, hits + 1, images - hits) if hits < images else 0.024
    assert 0.0235 < below < 0.0250125
    assert 0.0235 < above < 0.0250125
    assert hits or low == 0
    assert hits < images or high == 1


@pytest.mark.parametrize("images", [1, 3, 10, 100, 500])
@pytest.mark.parametrize("kind", ["spread", "sparse", "skewed", "narrow"])
def test_the_interval_of_a_mean_is_that_of_dirichlet_weights(images, kind):
    """Gaffke's interval, drawn: the values and one at the end more, under exponential weights of sum 1."""
    rng = np.random.default_rng(images)
    values = {
        "spread": rng.random(images),
        "sparse": rng.random(images) * (rng.random(images) < 0.1),
        "skewed": rng.beta(0.3, 6, images),
        "narrow": 0.5 + 0.001 * rng.random(images),
    }[kind]
    weights = rng.exponential(size=(40_000, images + 1))
    drawn = weights[:, :-1] @ values
    low, high = mean_interval(values, 0.0, 1.0)
    least, most = drawn / weights.sum(1), (drawn + weights[:, -1]) / weights.sum(1)
    assert np.mean(most > high) == pytest.approx(0.025, abs=0.004)  # 5 standard errors of the draws
    assert low == 0 or np.mean(least < low) == pytest.approx(0.025, abs=0.004)


def test_nothing_certified_is_no_proof_that_nothing_can_be():
    """The rule of three: of 500 images without a radius the ACR may be 3.7 / 500 of the ceiling."""
    assert mean_interval(np.zeros(500), 0.0, 1.9) == (0.0, pytest.approx(1.9 * (1 - 0.025 ** (1 / 500)), rel=0.01))


def test_many_images_have_the_width_of_the_normal_interval():
    values = np.random.default_rng(1).random(5000)
    low, high = mean_interval(values, 0.0, 1.0)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(5000), rel=0.02)


@given(
    arrays(float, st.integers(1, 40), elements=st.floats(-1, 2)),
    st.floats(0, 3),
    st.floats(0, 3),
)
def test_the_interval_holds_the_mean_and_stays_within_the_ends(values, below, above):
    low, high = mean_interval(values, -1 - below, 2 + above)
    assert -1 - below - 1e-9 <= low <= values.mean() + 1e-6
    assert values.mean() - 1e-6 <= high <= 2 + above + 1e-9
    mirrored = mean_interval(-values, -2 - above, 1 + below)
    assert (-mirrored[1], -mirrored[0]) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize("values", [[1e-300], [1e-12, 1.0], [1 - 1e-12] * 3, [5e-324, 0.0], [1 - 1e-10, 1.0, 1.0]])
def test_values_next_to_an_end_do_not_break_the_search(values):
    low, high = mean_interval(np.array(values), 0.0, 1.0)
    assert 0 <= low <= np.mean(values) <= high <= 1


def test_ends_that_a_value_exceeds_or_that_coincide_are_no_error():
    """Rounded radii of an old log may exceed the ceiling; where nothing can be certified the ceiling is 0."""
    assert mean_interval(np.zeros(5), 0.0, 0.0) == (0.0, 0.0)
    low, high = mean_interval(np.array([0.0, 1.91, 1.91]), 0.0, 1.9057)
    assert 0 < low < high < 1.91


def test_a_million_images_and_a_single_one():
    assert mean_interval(np.eye(1, 1_000_000)[0], 0.0, 1.0) == pytest.approx((2.53e-8, 5.57e-6), rel=0.03)
    assert mean_interval(np.array([0.5]), 0.0, 1.0) == pytest.approx((0.0125, 0.9875), abs=0.001)


# --- areas -----------------------------------------------------------------------------------------------------


def test_the_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    early, late = rng.integers(0, 20, 30), rng.integers(5, 25, 40)
    assert area(early, late) == pytest.approx(np.mean((early[:, None] < late) + (early[:, None] == late) / 2))


def test_a_perfect_order_of_few_images_says_little():
    """One image more of either kind may be out of order: of 10 and 490 that is one in eleven."""
    low, high = area_interval(np.zeros(10), np.ones(490))
    assert (low, high) == (pytest.approx(0.025 ** (1 / 10), abs=0.01), 1.0)
    assert area_interval(np.ones(490), np.zeros(10)) == (0.0, pytest.approx(1 - low))


@given(
    arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
)
def test_the_interval_of_an_area_holds_it_whatever_the_ties(early, late):
    low, high = area_interval(early, late)
    assert 0 <= low <= area(early, late) <= high <= 1
    assert area_interval(late, early) == pytest.approx((1 - high, 1 - low))


def test_one_kind_alone_has_no_area():
    assert np.isnan([area(np.zeros(0), np.ones(3)), *area_interval(np.zeros(0), np.ones(3))]).all()
    assert np.isnan([area(np.ones(3), np.zeros(0)), *area_interval(np.ones(3), np.zeros(0))]).all()
