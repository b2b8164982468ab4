"""The noise cards: what a link promises, checked where every probability is known, and that noise is what it says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, norm
from torch import nn

from engine.errors import AcesError
from engine.mechanisms import OWN, entropy
from engine.models import Network, Normalize
from engine.records.compose import compose
from engine.sampling.inference import freeze
from engine.sampling.stream import Stage, sample_block
from engine.smoothing import GAUSSIAN, SMOOTHINGS, UNIFORM, WIDTH, smoothing
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, Outcome, certify
from engine.statistics.bounds import ceiling, lower_confidence_bound, z_lower_bound, z_table
from engine.statistics.corrections import CERTIFY, levels
from engine.statistics.explain import explain, formulas
from engine.statistics.metrics import composition_ceiling
from tests import random_runs

CPU = torch.device("cpu")


def unit_noise(card, *shape: int) -> np.ndarray:
    return card.noise(shape, torch.Generator().manual_seed(0), CPU).numpy()


@pytest.mark.parametrize("card", SMOOTHINGS.values(), ids=SMOOTHINGS)
def test_noise_has_mean_0_and_deviation_1_and_is_shown_as_it_is(card):
    e = unit_noise(card, 100_000)
    assert e.dtype == np.float32
    assert abs(e.mean()) < 4 / math.sqrt(len(e))
    assert abs(e.std() - 1) < 0.01
    assert ks_2samp(e, card.shown(np.random.default_rng(0), (100_000,))).pvalue > 1e-3
    assert unit_noise(card, 2, 3, 4).shape == card.shown(np.random.default_rng(0), (2, 3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize("card", SMOOTHINGS.values(), ids=SMOOTHINGS)
def test_a_link_rises_and_is_0_at_one_half(card):
    values = card.link(np.linspace(0.01, 0.99, 99))
    assert (np.diff(values) > 0).all()
    assert abs(values[49]) < 1e-15


def test_uniform_noise_stays_within_its_width():
    e = unit_noise(UNIFORM, 1_000_000)
    assert -WIDTH <= e.min() < -0.999 * WIDTH
    assert 0.999 * WIDTH < e.max() <= np.float32(WIDTH)


def in_box(x: np.ndarray, low: np.ndarray, high: np.ndarray, half: float) -> float:
    """P(low < x + u < high) for u uniform in [-half, half]^d, exactly."""
    inside = np.minimum(high, x + half) - np.maximum(low, x - half)
    return float(np.prod(np.clip(inside / (2 * half), 0, 1)))


def test_no_box_moves_faster_than_the_uniform_link_allows():
    rng = np.random.default_rng(0)
    sigma, closest = 0.5, 0.0
    for _ in range(2_000):
        d = rng.integers(1, 5)
        low = rng.normal(-0.8, 0.5, d)
        box = low, low + rng.exponential(1.5, d)
        x, delta = rng.normal(0, 0.3, d), rng.normal(0, 0.2, d)
        before, after = (in_box(at, *box, sigma * WIDTH) for at in (x, x + delta))
        moved = abs(UNIFORM.link(np.array(after)) - UNIFORM.link(np.array(before)))
        budget = np.abs(delta).sum() / sigma
        assert moved <= budget * (1 + 1e-9)
        closest = max(closest, moved / budget)
    assert closest > 0.99  # the bound is met: no larger radius would be right


def test_the_uniform_radius_is_met_exactly_by_a_threshold_on_one_pixel():
    half = 0.5 * WIDTH
    for distance in (0.1, 0.4, 0.8):
        p = in_box(np.array([distance]), np.array([0.0]), np.array([np.inf]), half)
        radius = 0.5 * float(UNIFORM.link(np.array(p)))
        assert radius == pytest.approx(2 * half * (p - 0.5))
        assert radius == pytest.approx(distance)  # further, the other side has more than half


def test_no_half_space_moves_faster_than_the_gaussian_link_allows():
    sigma, offset = 0.25, np.linspace(-1, 1, 21)
    link = GAUSSIAN.link(norm.cdf(offset / sigma))
    np.testing.assert_allclose(np.diff(link), np.diff(offset) / sigma, rtol=1e-6)


@pytest.mark.parametrize("card", SMOOTHINGS.values(), ids=SMOOTHINGS)
def test_tables_and_ceilings_are_those_of_the_link(card):
    n, alpha = 20_000, 0.001
    counts = np.arange(0, n + 1, 37)
    bound = lower_confidence_bound(counts, n, alpha)
    expected = np.where(bound > 0.5, card.link(np.maximum(bound, 0.5)), 0)
    np.testing.assert_array_equal(z_lower_bound(counts, n, alpha, card.link), expected)
    np.testing.assert_allclose(z_table(n, alpha, card.link)(counts), expected, atol=1e-11)
    assert ceiling(0.5, n, alpha, card.link) == pytest.approx(0.5 * float(card.link(np.array(alpha ** (1 / n)))))


def test_a_radius_implies_an_l_inf_radius():
    assert GAUSSIAN.implied(1.0, 784) == pytest.approx(1 / 28)
    assert UNIFORM.implied(1.0, 784) == pytest.approx(1 / 784)
    assert (GAUSSIAN.norm, UNIFORM.norm) == ("ℓ2", "ℓ1")


def test_unknown_noise_is_refused_with_what_is_known():
    with pytest.raises(AcesError, match=r"'laplace'; known: gaussian, uniform"):
        smoothing("laplace")


def under(card, run):
    return replace(run, meta=replace(run.meta, smoothing=card.name))


class FirstPixel(nn.Module):
    """Class 1 where the first pixel exceeds 0.5."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x.flatten(1)[:, 0]
        return torch.stack([0.5 - first, first - 0.5], 1)


@pytest.mark.parametrize(
    ("card", "expected"), [(GAUSSIAN, norm.cdf(0.2 / 0.25)), (UNIFORM, 0.5 + 0.2 / (2 * 0.25 * WIDTH))], ids=["g", "u"]
)
def test_draws_are_taken_under_the_noise_of_the_card(card, expected):
    network = freeze(Network(Normalize((0.0,), (1.0,)), FirstPixel()))
    image, drawn = torch.full((1, 4, 4), 0.7), []
    for block in range(4):
        drawn.append(
            sample_block(
                network, image, 0.25, entropy, seed=0, index=0, stage=Stage.ESTIMATE, block=block, smoothing=card
            ).classes
        )
    share, n = np.mean(np.concatenate(drawn)), sum(map(len, drawn))
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / n)


def test_runs_under_noise_of_different_norms_do_not_compose():
    certify, select = under(UNIFORM, random_runs.smoothed()), random_runs.selection()
    core = random_runs.core_of(certify)
    with pytest.raises(AcesError, match=r"uniform noise .* Gaussian noise: their radii are ℓ1 and ℓ2"):
        compose(certify, core, select)
    c = compose(certify, core, under(UNIFORM, select))
    assert (c.norm, c.smoothing, c.smoothing_select) == ("ℓ1", UNIFORM, UNIFORM)


@pytest.mark.parametrize("select", [None, random_runs.selection()], ids=["own", "network"])
def test_certify_takes_every_radius_from_the_noise_of_its_component(select):
    gaussian = random_runs.smoothed(sigma=0.5)
    core, uniform = random_runs.core_of(gaussian), under(UNIFORM, gaussian)
    chosen = None if select is None else under(UNIFORM, select)
    thetas = [0.3, 0.6, 0.9]
    a = certify(compose(gaussian, core, select), thetas)
    c = compose(uniform, core, chosen)
    b = certify(c, thetas)
    np.testing.assert_array_equal(a.outcome, b.outcome)  # which bounds exceed 1/2 has nothing to do with the noise
    spend = levels(DEFAULT_CORRECTION, DEFAULT_ALPHA)
    for t, i in zip(*np.nonzero((b.outcome == Outcome.CERTIFIED).T), strict=True):
        k_a = c.class_counts[i, b.c_hat[i]]
        k_s = c.select_counts[i, np.searchsorted(c.thetas, thetas[t] - 1e-9)]
        p_s, p_a = (
            float(lower_confidence_bound(k, n, level))
            for k, n, level in ((k_s, c.n_select, spend.of(CERTIFY)[0]), (k_a, c.n, spend.of(CERTIFY)[1]))
        )
        expected = min(2 * math.sqrt(3) * c.sigma_select * (p_s - 0.5), 2 * math.sqrt(3) * c.sigma * (p_a - 0.5))
        assert b.radius[i, t] == pytest.approx(expected, rel=1e-12)
    assert (b.outcome == Outcome.CERTIFIED).sum() > 5
    assert b.radius.max() <= composition_ceiling(c, DEFAULT_ALPHA)
    row = int(np.flatnonzero(b.outcome[:, 2] == Outcome.CERTIFIED)[0])
    told = explain(c, int(c.index[row]), 0.9, DEFAULT_ALPHA, DEFAULT_CORRECTION, OWN.words)
    assert any(r"2\sqrt 3\,(\underline p_A - \tfrac12)" in tex for _, tex in formulas(told, ("a", "b", "c")))
