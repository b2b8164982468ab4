from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from engine.errors import AcesError
from engine.published import infer_draws
from engine.published.grid import OFF_GRID, RadiusGrid
from engine.statistics.bounds import upper_confidence_bound, z_lower_bound
from tests.engine.published.fabricated import LEVEL, N, radius


@pytest.mark.parametrize(("sigma", "decimals"), [(0.12, None), (0.25, None), (1.0, None), (0.5, 4)])
def test_a_printed_radius_names_the_lowest_of_the_counts_that_print_it(sigma: float, decimals: int | None) -> None:
    grid = RadiusGrid.of(sigma, 10_000, 0.001, decimals)
    z = z_lower_bound(np.arange(10_001), 10_000, 0.001)
    shown = [f"{sigma * x:.3}" if decimals is None else f"{sigma * x:.4f}" for x in z]
    for k in np.flatnonzero(z > 0)[::7]:
        alike = [j for j in range(k - 40, min(k + 41, 10_001)) if z[j] > 0 and shown[j] == shown[k]]
        assert int(grid.counts_of(np.array([float(shown[k])]))[0]) == min(alike)


@pytest.mark.parametrize("decimals", [None, 4])
def test_another_library_may_round_a_radius_the_other_way(decimals: int | None) -> None:
    """A bound that differs by 1e-12 prints the next digit where the radius lies at the edge of two."""
    sigma, k = 0.25, 9_000
    edge = 0.2985 if decimals is None else 0.29855
    sigma = edge / float(z_lower_bound(k, 10_000, 0.001))  # so that k votes lie at the edge, exactly
    shown = [f"{edge + off:.3}" if decimals is None else f"{edge + off:.4f}" for off in (-1e-12, 1e-12)]
    assert shown[0] != shown[1]
    grid = RadiusGrid.of(sigma, 10_000, 0.001, decimals)
    below, above = grid.counts_of(np.array([float(text) for text in shown])).tolist()
    assert below <= k
    assert above == k


def test_radii_that_no_count_gives_are_off_the_grid() -> None:
    grid = RadiusGrid.of(0.25, N, LEVEL)
    assert grid.counts_of(np.array([0.947, 0.946, 0.948, 5.0, 0.0])).tolist() == [N] + 4 * [OFF_GRID]


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.0005])
def test_draws_are_inferred_from_radii(n: int, alpha: float) -> None:
    rng = np.random.default_rng(n)
    counts = [k for k in rng.binomial(n, rng.beta(8, 1, 200)) if beta.ppf(alpha, k, n - k + 1) > 0.5]
    radii = np.array([float(f"{radius(k, 0.5, n, alpha):.3}") for k in [*counts, n, n - 1]])
    draws = infer_draws(radii, 0.5)
    assert (draws.n, draws.matched) == (n, len(radii))
    assert (n, alpha) in draws.fits
    assert draws.alpha == max(level for _, level in draws.fits)
    stated = infer_draws(radii, 0.5, alpha=alpha)
    assert (stated.n, stated.alpha, stated.matched) == (n, alpha, len(radii))


def test_few_radii_leave_the_draws_open_and_the_inference_says_so() -> None:
    draws = infer_draws(np.array([0.3]), 0.25)
    assert (draws.n, draws.alpha) == (1_000, 0.01)
    assert {(10_000, 0.001), (100_000, 0.001)} <= set(draws.fits)
    assert draws.ambiguous is not None
    assert "n = 10,000 with alpha = 0.001" in draws.ambiguous
    assert [10_000, 0.001] in draws.to_json()["also"]


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0005])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_however_a_log_is_read_no_bound_exceeds_that_of_its_own_votes(n: int, alpha: float, rows: int) -> None:
    """At every level up to the one it is read under, from the counts that were drawn and those reconstructed."""
    rng = np.random.default_rng(rows)
    for sigma in (0.25, 0.5, 1.0):
        drawn = rng.binomial(n, 1 - 0.6 * rng.beta(0.3, 1, (5, rows)))
        for votes in drawn:
            k = votes[z_lower_bound(votes, n, alpha) > 0]
            printed = np.array([float(f"{x:.3}") for x in sigma * z_lower_bound(k, n, alpha)])
            if not len(k):
                continue
            draws = infer_draws(printed, sigma)
            read = draws.grid(sigma).counts_of(printed)
            assert (n, alpha) in draws.fits
            assert draws.alpha >= alpha
            for level in (0.01, 0.005, 0.001, 0.0005, 0.001 / 202, 1e-8):
                if level <= draws.alpha:
                    assert (z_lower_bound(read, draws.n, level) <= z_lower_bound(k, n, level)).all()


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0005])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_however_a_log_is_read_no_upper_bound_is_below_that_of_its_own_votes(n: int, alpha: float, rows: int) -> None:
    """At every level up to 1/2; also that of an abstention."""
    rng = np.random.default_rng(rows)
    for sigma in (0.25, 0.5, 1.0):
        votes = rng.binomial(n, 1 - 0.6 * rng.beta(0.3, 1, rows))
        k = np.append(votes[z_lower_bound(votes, n, alpha) > 0], n)
        printed = np.array([float(f"{x:.3}") for x in sigma * z_lower_bound(k, n, alpha)])
        draws = infer_draws(printed, sigma)
        grid = draws.grid(sigma)
        most = grid.most_of(printed)
        assert (most >= grid.counts_of(printed)).all()
        abstaining = int((z_lower_bound(np.arange(n + 1), n, alpha) > 0).argmax()) - 1
        for level in (0.5, 0.1, 0.01, 0.001, 0.001 / 202, 1e-8):
            assert (upper_confidence_bound(most, draws.n, level) >= upper_confidence_bound(k, n, level)).all()
            read = upper_confidence_bound(grid.most_without_radius, draws.n, level)
            assert read >= upper_confidence_bound(abstaining, n, level)


@pytest.mark.parametrize("decimals", [None, 4])
def test_a_printed_radius_names_the_highest_of_the_counts_that_print_it(decimals: int | None) -> None:
    grid = RadiusGrid.of(0.5, 10_000, 0.001, decimals)
    z = z_lower_bound(np.arange(10_001), 10_000, 0.001)
    shown = [f"{0.5 * x:.3}" if decimals is None else f"{0.5 * x:.4f}" for x in z]
    spans = 0
    for k in np.flatnonzero(z > 0)[::7]:
        alike = [j for j in range(k - 40, min(k + 41, 10_001)) if z[j] > 0 and shown[j] == shown[k]]
        assert int(grid.most_of(np.array([float(shown[k])]))[0]) == max(alike)
        spans += len(alike) > 1
    assert (spans > 10) == (decimals is None)  # four decimals tell so few counts apart
    assert grid.most_of(np.array([5.0, 0.0])).tolist() == 2 * [OFF_GRID]
    assert grid.most_without_radius == int((z > 0).argmax()) - 1


@pytest.mark.parametrize("alpha", [0.0, -0.1, 0.6, 1.0, float("nan")])
def test_an_alpha_that_no_log_has_is_refused(alpha: float) -> None:
    with pytest.raises(AcesError, match=r"the alpha of a log is .*; it must lie in \(0, 0.5\]"):
        infer_draws(np.array([0.3]), 0.25, alpha=alpha)
