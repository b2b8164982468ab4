"""engine.statistics.bounds against scipy's own tests, and the properties that the proofs rest on."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import beta, binom, binomtest, norm

from engine.errors import AcesError
from engine.statistics.bounds import (
    SMOOTH_N,
    LowerBounds,
    ZTable,
    ceiling,
    check_level,
    critical_count,
    lower_confidence_bound,
    round_down,
    round_significant,
    smallest_n,
    two_sided_p_value,
    upper_confidence_bound,
    z_lower_bound,
    z_table,
)

steady = settings(derandomize=True, max_examples=200)
levels = st.floats(1e-6, 0.49)
ROOT_FINDER = 2e-12  # how far scipy's interval may be off, by its brentq: 1e-9 of a bound of 1.2e-4 (k = 1, n = 1094)
sizes = st.integers(1, 2000)


@st.composite
def counts_of(draw, at_least=0):
    """k successes among n draws."""
    n = draw(st.integers(max(1, at_least), 2000))
    return draw(st.integers(at_least, n)), n


# --- against an independent implementation ---------------------------------------------------------------------


@steady
@given(counts_of(), levels)
def test_lower_bound_is_scipys_exact_interval(kn, alpha):
    k, n = kn
    expected = binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, "exact").low
    assert float(lower_confidence_bound(k, n, alpha)) == pytest.approx(expected, rel=1e-9, abs=ROOT_FINDER)


@steady
@given(sizes, levels)
def test_the_bounds_of_one_vote_and_of_all_are_their_closed_forms(n, alpha):
    """1 - (1 - p)^n = alpha and p^n = alpha, where the other implementation's root finder is too coarse to tell."""
    assert float(lower_confidence_bound(1, n, alpha)) == pytest.approx(-math.expm1(math.log1p(-alpha) / n), rel=1e-12)
    assert float(lower_confidence_bound(n, n, alpha)) == pytest.approx(math.exp(math.log(alpha) / n), rel=1e-12)


@steady
@given(counts_of(), levels)
def test_upper_bound_is_scipys_exact_interval_and_what_the_others_lower_bound_leaves(kn, alpha):
    k, n = kn
    upper = float(upper_confidence_bound(k, n, alpha))
    expected = binomtest(k, n, alternative="less").proportion_ci(1 - alpha, "exact").high
    assert upper == pytest.approx(expected, rel=1e-9, abs=ROOT_FINDER)
    assert upper == pytest.approx(1 - float(lower_confidence_bound(n - k, n, alpha)), abs=1e-12)


def test_a_small_upper_bound_has_all_its_digits():
    n = 10_000_000
    assert float(upper_confidence_bound(0, n, 0.0005)) == pytest.approx(-np.expm1(np.log(0.0005) / n), rel=1e-13)


@pytest.mark.parametrize(("n", "alpha"), [(1000, 0.001), (100_000, 0.0005), (100_000, 0.001 / 202)])
def test_lower_bound_leaves_exactly_alpha_above(n, alpha):
    """The definition: were p the bound, k or more successes would have probability alpha."""
    k = np.unique(np.geomspace(1, n, 200).astype(int))
    np.testing.assert_allclose(binom.sf(k - 1, n, lower_confidence_bound(k, n, alpha)), alpha, rtol=1e-8)


@steady
@given(st.integers(0, 500), st.integers(0, 500))
def test_two_sided_p_value_is_scipys(n_a, n_b):
    expected = binomtest(n_a, n_a + n_b).pvalue if n_a + n_b else 1.0
    assert float(two_sided_p_value(n_a, n_b)) == pytest.approx(expected, rel=1e-10)


def test_two_sided_p_value_of_large_counts_does_not_underflow_early():
    assert float(two_sided_p_value(50_900, 49_100)) == pytest.approx(binomtest(50_900, 100_000).pvalue, rel=1e-9)
    assert 0 < float(two_sided_p_value(1000, 0)) == pytest.approx(2.0**-999)


# --- properties ------------------------------------------------------------------------------------------------


@steady
@given(counts_of(), levels)
def test_lower_bound_lies_between_0_and_the_observed_rate(kn, alpha):
    k, n = kn
    assert 0 <= float(lower_confidence_bound(k, n, alpha)) <= k / n


@steady
@given(counts_of(at_least=1), levels)
def test_lower_bound_rises_with_k_and_falls_with_n(kn, alpha):
    k, n = kn
    here = float(lower_confidence_bound(k, n, alpha))
    assert float(lower_confidence_bound(k - 1, n, alpha)) < here
    assert float(lower_confidence_bound(k, n + 1, alpha)) < here


@steady
@given(counts_of(at_least=1), levels, st.floats(1.001, 1.9))
def test_lower_bound_rises_with_alpha(kn, alpha, factor):
    k, n = kn
    assert float(lower_confidence_bound(k, n, alpha)) < float(lower_confidence_bound(k, n, alpha * factor))


@steady
@given(sizes, levels)
def test_lower_bound_of_unanimous_draws_is_the_nth_root(n, alpha):
    assert float(lower_confidence_bound(n, n, alpha)) == pytest.approx(alpha ** (1 / n), rel=1e-12)


def test_lower_bound_is_0_without_a_success():
    assert lower_confidence_bound([0, 0], 7, 0.4).tolist() == [0.0, 0.0]


def test_lower_bound_keeps_the_shape():
    assert lower_confidence_bound(np.ones((2, 0, 3), int), 5, 0.1).shape == (2, 0, 3)
    assert lower_confidence_bound(3, 5, 0.1).shape == ()


@steady
@given(counts_of(), levels)
def test_z_is_the_normal_quantile_of_a_majority_and_0_otherwise(kn, alpha):
    k, n = kn
    bound = beta.ppf(alpha, k, n - k + 1) if k else 0.0
    expected = ndtri(bound) if bound > 0.5 else 0.0
    assert float(z_lower_bound(k, n, alpha)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_z_beyond_one_half_uses_minorities_too():
    """A level above 1/2 puts the bound above k/n; nobody should ask, but the answer must still be the definition."""
    assert float(z_lower_bound(4, 9, 0.9)) == pytest.approx(ndtri(beta.ppf(0.9, 4, 6)))


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.4), (50, 0.01), (1001, 0.7), (SMOOTH_N - 1, 0.001), (SMOOTH_N, 0.6)])
def test_table_equals_the_bound_it_tabulates(n, alpha):
    counts = np.random.default_rng(0).integers(0, n + 1, (40, 30), dtype=np.int32)
    assert np.array_equal(ZTable(n, alpha)(counts), z_lower_bound(counts, n, alpha))


@pytest.mark.parametrize("n", [SMOOTH_N, 33_333, 100_000])
@pytest.mark.parametrize("alpha", [0.49, 0.05, 0.001, 0.0005, 0.001 / 202, 1e-9])
def test_table_meets_the_bound_at_every_count_where_it_interpolates(n, alpha):
    k = np.arange(n + 1)
    table, exact = norm.cdf(ZTable(n, alpha)(k)), norm.cdf(z_lower_bound(k, n, alpha))
    np.testing.assert_allclose(table, exact, rtol=1e-13)
    assert np.array_equal(table > 0.5, exact > 0.5)
    assert np.array_equal(table[k >= 0.99 * n], exact[k >= 0.99 * n])


@pytest.mark.parametrize("alpha", [0.05, 0.0005])
def test_table_of_a_million_draws_interpolates_as_well(alpha):
    n, k = 10**6, np.arange(500_000, 10**6, 997)
    np.testing.assert_allclose(norm.cdf(ZTable(n, alpha)(k)), norm.cdf(z_lower_bound(k, n, alpha)), rtol=1e-13)


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.4), (999, 0.7), (SMOOTH_N, 0.001), (33_333, 0.0005), (SMOOTH_N, 0.6)])
def test_bounds_are_the_same_to_the_last_bit_however_they_are_asked_for(n, alpha):
    """Counts that are asked for early, in any company, are what the whole table has: a radius hangs on no history."""
    table, few = LowerBounds(n, alpha).table(), LowerBounds(n, alpha)
    for size in (1, 7, 500):
        counts = np.random.default_rng(size).integers(0, n + 1, (size, 2), dtype=np.int32)
        assert few(counts).tobytes() == table[counts].tobytes()
    assert few.table(n // 3)[n // 3 :].tobytes() == table[n // 3 :].tobytes()
    assert few.table().tobytes() == table.tobytes()


@pytest.mark.parametrize(("n", "share"), [(50, 0.5), (SMOOTH_N, 0.3), (33_333, 0.9), (20, 0.99)])
def test_the_fewest_votes_are_the_first_with_a_radius(n, share):
    table = ZTable(n, 0.001, share=share)
    positive = np.flatnonzero(table(np.arange(n + 1)) > 0)
    assert table.fewest == (positive[0] if len(positive) else n + 1)


def test_table_never_falls():
    for n, alpha in ((1000, 0.001), (100_000, 0.0005)):
        assert (np.diff(z_table(n, alpha)(np.arange(n + 1))) >= 0).all()


def test_table_refuses_counts_outside():
    with pytest.raises(IndexError):
        ZTable(10, 0.01)(np.array([11]))


@steady
@given(st.integers(1, 400), levels)
def test_critical_count_agrees_with_a_linear_scan(n, alpha):
    enough = [k for k in range(n + 1) if binom.sf(k - 1, n, 0.5) <= alpha]
    assert critical_count(n, alpha) == (enough[0] if enough else n + 1)


@pytest.mark.parametrize("k", range(1, 40))
def test_critical_count_takes_a_probability_of_exactly_alpha(k):
    assert critical_count(k, 2.0**-k) == k


@steady
@given(st.integers(0, 300), st.integers(1, 300), levels)
def test_critical_count_decides_as_the_p_value_does(k, more, alpha):
    n = k + more
    assert (max(k, more) >= critical_count(n, alpha / 2)) == (float(two_sided_p_value(k, more)) <= alpha)


@steady
@given(st.floats(0.05, 3), st.floats(1.5, 4), counts_of(), levels)
def test_radius_is_linear_in_sigma_and_never_above_the_ceiling(sigma, factor, kn, alpha):
    k, n = kn
    radius = sigma * float(z_lower_bound(k, n, alpha))
    assert radius <= ceiling(sigma, n, alpha)
    assert ceiling(factor * sigma, n, alpha) == pytest.approx(factor * ceiling(sigma, n, alpha), rel=1e-12)


def test_ceilings_of_the_literature():
    """sigma 0.25, n = 100,000: nothing can be certified at r = 1 (Cohen et al. 2019, Table 2; ACES, Table 2)."""
    assert round(ceiling(0.25, 100_000, 0.0005), 3) == 0.947
    assert [round(ceiling(1.0, 100_000, a), 3) for a in (0.01, 0.001, 0.0005)] == [3.911, 3.811, 3.788]
    assert ceiling(1.0, 9, 0.001) == 0


@pytest.mark.parametrize("alpha", [0.9, 0.5, 0.25, 0.1, 0.05, 0.001, 0.0005, 2.0**-10, 2.0**-40, 1e-9])
def test_smallest_n_is_the_first_that_certifies(alpha):
    n = smallest_n(alpha)
    assert ceiling(1.0, n, alpha) > 0
    assert n == 1 or ceiling(1.0, n - 1, alpha) == 0


# --- rounding --------------------------------------------------------------------------------------------------


@steady
@given(st.floats(0, 1e4, allow_subnormal=False))
def test_round_down_never_exceeds_and_keeps_nine_digits(radius):
    shown = round_down(radius)
    assert shown <= Decimal(radius)
    assert len(shown.as_tuple().digits) <= 9
    assert Decimal(radius) - shown <= Decimal(radius) * Decimal("1e-8")


def test_round_down_does_not_round_up_a_binary_fraction_that_falls_short():
    assert str(round_down(0.3)) == "0.299999999"  # the double nearest to 0.3 is below it
    assert str(round_down(0.9999999999)) == "0.999999999"
    assert round_down(0.0) == 0


def test_round_significant_prints_as_python_does():
    values = 10 ** np.random.default_rng(1).uniform(-9, 1, 20_000)  # radii of every magnitude
    assert round_significant(values, 3).tolist() == [float(f"{x:.3}") for x in values]
    assert round_significant(values, 5).tolist() == [float(f"{x:.5}") for x in values]


def test_round_significant_at_the_edges():
    assert round_significant([0.0, 0.99951, 0.000123449, 3.7885], 3).tolist() == [0.0, 1.0, 0.000123, 3.79]
    assert float(round_significant(-0.12351, 3)) == -0.124


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_levels_outside_0_1_are_refused_by_value(alpha):
    with pytest.raises(AcesError, match=rf"alpha is {alpha}; .*between 0 and 1"):
        lower_confidence_bound(1, 10, alpha)
    with pytest.raises(AcesError, match="between 0 and 1"):
        critical_count(10, alpha)
    with pytest.raises(AcesError, match=r"a_s is .*between 0 and 1"):
        check_level(alpha, "a_s")


@pytest.mark.parametrize(
    ("k", "n", "said"), [([3, 11], 10, r"n = 10 .*3\.\.11"), ([-1], 10, r"-1\.\.-1"), ([0], 0, "n = 0")]
)
def test_counts_outside_0_n_are_refused_by_value(k, n, said):
    with pytest.raises(AcesError, match=said):
        lower_confidence_bound(k, n, 0.01)
