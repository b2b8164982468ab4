"""Intervals over the choice of images: of a rate, of a mean between known ends, of an area under a curve.

What they are about is which images were chosen, not the sampling of one image; that is alpha's. Section 10 of
docs/statistics.md derives them, docs/coverage.md measures how often they hold the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from engine.arrays import Array

CONFIDENCE = 0.95
NAMES = "Wilson for rates (Clopper-Pearson near 0 and 100 %), Gaffke for means"
ENOUGH = 50  # images on either side of a rate from which on Wilson's interval covers at least 94 % at every rate
NEAR_THE_END = 1e-12  # closer to the upper end than this, a value cannot be told from it
GENTLEST, STEEPEST = 1e-6, 100.0  # the first tilts no mean of fewer than 1e10 images enough, the second tilts any
MOST_STEPS = 100  # about 10 are taken


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(percent: npt.ArrayLike, images: int | Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Wilson score interval of rates in percent over ``images`` images (Wilson 1927): (low, high) in percent.

    >>> low, high = wilson(50.0, 100)
    >>> round(float(low), 1), round(float(high), 1)
    (40.4, 59.6)
    """
    z = ndtri(0.5 + confidence / 2)
    p = np.asarray(percent, dtype=np.float64) / 100
    centre = p + z * z / (2 * images)
    spread = z * np.sqrt(p * (1 - p) / images + z * z / (4 * images * images))
    scale = 100 / (1 + z * z / images)
    return np.where(p <= 0, 0.0, scale * (centre - spread)), np.where(p >= 1, 100.0, scale * (centre + spread))


def clopper_pearson(percent: npt.ArrayLike, images: int | Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Exact interval of rates in percent over ``images`` images (Clopper and Pearson 1934): (low, high) in percent.

    >>> low, high = clopper_pearson(0.0, 500)
    >>> float(low), round(float(high), 2)
    (0.0, 0.74)
    """
    hits = np.asarray(percent, dtype=np.float64) / 100 * images
    level = (1 - confidence) / 2

    def least(k: Array) -> Array:
        bound = np.zeros(k.shape)
        betaincinv(k, images - k + 1, level, out=bound, where=k > 0)
        return bound

    return 100 * least(hits), 100 - 100 * least(np.maximum(images - hits, 0))


def rate_interval(percent: npt.ArrayLike, images: int | Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Interval of rates in percent: Wilson's, widened to Clopper and Pearson's near 0 and 100 %.

    With few images on one side Wilson's alone holds the truth in as little as 84 % of samples.
    """
    low, high = (np.array(limit) for limit in wilson(percent, images, confidence))
    rates, of = np.broadcast_arrays(np.asarray(percent, dtype=np.float64), images)
    hits = rates / 100 * of
    few = np.minimum(hits, of - hits) < ENOUGH  # the exact interval is dear, and asked for where it is needed
    exact_low, exact_high = clopper_pearson(rates[few], of[few], confidence)
    low[few], high[few] = np.minimum(low[few], exact_low), np.maximum(high[few], exact_high)
    return low, high


def mean_interval(values: Array, low: float, high: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of the mean of ``values`` [N] that cannot leave low..high, such as a radius its ceiling (Gaffke 2005).

    The Bayesian bootstrap of the values and of one more, which stands for what was not seen: at ``high`` for the upper
    limit, at ``low`` for the lower one. For values at the two ends alone it is Clopper and Pearson's interval; for
    differences of -1, 0 and 1 it excludes 0 where the exact McNemar test does.

    >>> [round(x, 3) for x in mean_interval(np.zeros(100), 0.0, 2.0)]
    [0.0, 0.073]
    """
    level = (1 - confidence) / 2
    low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low == high:
        return low, high
    share = (values - low) / (high - low)
    return high - (high - low) * _largest_mean(1 - share, level), low + (high - low) * _largest_mean(share, level)


def _largest_mean(share: Array, level: float) -> float:
    """The (1 - level)-quantile of the mean of ``share`` in 0..1 and one 1 under flat Dirichlet weights.

    It is the mean under weights proportional to 1 / (1 - s y), tilted (s) until the modified signed root r* of their
    likelihood ratio is the normal quantile: the saddlepoint approximation of Barndorff-Nielsen, here without a draw.
    """
    y, times = np.unique(np.append(share, 1.0), return_counts=True)  # most images have the radius 0, or the ceiling
    if y[0] > 1 - NEAR_THE_END:
        return 1.0
    z = -float(ndtri(level))

    def short_of_z(logarithm: float) -> float:
        root = _signed_root(_tilted(y, times, float(np.exp(logarithm))), times)
        return float(np.log(z / max(root, 1e-12)))

    steepness = float(np.exp(_zero_of(short_of_z, float(np.log(GENTLEST)), float(np.log(STEEPEST)))))
    return float((_tilted(y, times, steepness) * times) @ y / times.sum())


def _zero_of(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, by the Illinois method (scipy.optimize takes longer to import than a page has)."""
    above, below, x = falling(low), falling(high), low
    side = 0
    for _ in range(MOST_STEPS):
        x = low + (high - low) * above / (above - below)
        value = falling(x)
        if abs(value) < 1e-9:
            break
        if value > 0:
            low, above, below = x, value, below / 2 if side > 0 else below
        else:
            high, below, above = x, value, above / 2 if side < 0 else above
        side = 1 if value > 0 else -1
    return x


def _tilted(y: Array, times: Array, steepness: float) -> Array:
    """Weights of mean 1 proportional to 1 / (1 - s y), with 1 - s = exp(-steepness)."""
    weight: Array = 1 / ((1 - y) + y * np.exp(-steepness))  # written so that a y next to 1 keeps its distance from it
    return weight * (times.sum() / (weight @ times))


def _signed_root(weight: Array, times: Array) -> float:
    """r* of weights of mean 1: the root of their likelihood ratio, corrected as an exponential's tail needs it."""
    excess = weight - 1
    logarithm = np.where(excess < -0.5, np.log(weight), np.log1p(np.maximum(excess, -0.5)))
    root = np.sqrt(2 * ((excess - logarithm) @ times))
    if root < 1e-3:  # far from any limit, and too near 0 to divide by
        return float(root)
    return float(root + np.log(np.sqrt((excess * excess) @ times) / root) / root)


def area(early: Array, late: Array) -> float:
    """The Mann-Whitney estimate of P(early < late), ties half; NaN where one is empty."""
    if not len(early) or not len(late):
        return float("nan")
    return float(_placements(early, late).mean())


def area_interval(early: Array, late: Array, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of P(early < late), ties half, from samples of both; NaN where one is empty.

    The beta distribution with the mean and variance of the Bayesian bootstrap (its variance is DeLong's), of the
    samples and one more image of either kind, the worst for the lower limit and the best for the upper one.
    """
    if not len(early) or not len(late):
        return float("nan"), float("nan")
    level = (1 - confidence) / 2
    return _smallest_area(early, late, level), 1 - _smallest_area(late, early, level)


def _smallest_area(early: Array, late: Array, level: float) -> float:
    """The lower limit: one image more ranks last among ``early``, or first among ``late``, whichever is worse."""
    last, first = np.append(early, np.inf), np.append(late, -np.inf)
    return min(_area_quantile(last, late, level), _area_quantile(early, first, level))


def _area_quantile(early: Array, late: Array, level: float) -> float:
    """The quantile of the beta distribution that has the mean and variance of the area under Dirichlet weights."""
    a, b = _placements(early, late), _placements(late, early)
    mean = float(a.mean())
    if mean == 0:
        return 0.0
    variance = a.var() / (len(a) + 1) + b.var() / (len(b) + 1)
    size = mean * (1 - mean) / variance - 1
    return float(betaincinv(mean * size, (1 - mean) * size, level))


def _placements(values: Array, among: Array) -> Array:
    """For each value the share of ``among`` that is larger, ties half."""
    ordered = np.sort(among)
    above = len(among) - np.searchsorted(ordered, values, side="right")
    tied = np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left")
    share: Array = (above + tied / 2) / len(among)
    return share
