"""Outcomes -> metrics over all N images: NAC, ACR, certified accuracy, certified selection rate, and their intervals.

Rates are in percent, radii in pixel units. NAC uses PREDICT's answers, everything else CERTIFY's; the two answer
different questions and are never mixed in one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from engine.aces import (
    CERTIFY,
    CORE,
    DEFAULT_ALPHA,
    DEFAULT_CORRECTION,
    Certificates,
    Correction,
    Outcome,
    Predictions,
    certify,
    check_thetas,
    levels,
    predict,
    predict_class,
)
from engine.bounds import ceiling, critical_count, round_significant, z_table
from engine.compose import Composition
from engine.errors import AcesError
from engine.runs import Array, SmoothedRun

BLOCK_ENTRIES = 1 << 19  # images x thresholds evaluated at a time: temporaries stay in the cache, memory stays bounded
DEFAULT_RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


class Convention(StrEnum):
    """``algorithm``: Algorithm 1. ``paper``: as the authors' printed tables count abstentions, at r = 0 only."""

    ALGORITHM = "algorithm"
    PAPER = "paper"


@dataclass(frozen=True, eq=False)
class Metrics:
    """Metrics of one composition at T thresholds and R radii.

    ``nac`` percent [T]; ``acr`` [T], mean certified radius with wrong and uncertified images counting 0;
    ``certified_accuracy``, ``certified_selection`` percent [T, R]; ``outcomes`` percent [T, 4] by ``Outcome``;
    ``images`` = N.
    """

    thetas: Array
    radii: Array
    nac: Array
    acr: Array
    certified_accuracy: Array
    certified_selection: Array
    outcomes: Array
    images: int


def evaluate(
    c: Composition,
    thetas: npt.ArrayLike,
    *,
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    radii: npt.ArrayLike = DEFAULT_RADII,
    convention: Convention = Convention.ALGORITHM,
) -> Metrics:
    """All metrics at ``thetas`` [T] in [0, 1] and ``radii`` [R] >= 0. Raises ``AcesError`` for values outside."""
    thetas, radii = check_thetas(thetas), check_radii(radii)
    block = max(1, BLOCK_ENTRIES // len(thetas))
    sums = None
    for start in range(0, len(c), block):
        part = c.rows(slice(start, start + block))
        added = _sums(part, thetas, alpha, correction, radii, Convention(convention))
        sums = added if sums is None else [a + b for a, b in zip(sums, added, strict=True)]
    if sums is None:
        raise AcesError("a composition without images has no metrics")
    nac, acr, accuracy, selection, outcomes = (value / len(c) for value in sums)
    return Metrics(thetas, radii, 100 * nac, acr, 100 * accuracy, 100 * selection, 100 * outcomes, len(c))


def _sums(
    c: Composition, thetas: Array, alpha: float, correction: Correction, radii: Array, convention: Convention
) -> list[Array]:
    """Sums over the images of: right predictions [T], radii [T], [T, R] twice, outcomes [T, 4]."""
    answer = certify(c, thetas, alpha, correction)
    if convention is Convention.PAPER:
        at_0 = _right_at_0_paper(answer), _selected_at_0_paper(answer)
    else:
        at_0 = answer.right(), answer.radius_select > 0
    right_radius = answer.radius[answer.c_hat == c.label]
    accuracy = [at_0[0].sum(0) if r == 0 else (right_radius >= r).sum(0) for r in radii]
    selection = [at_0[1].sum(0) if r == 0 else (answer.radius_select >= r).sum(0) for r in radii]
    shape = (len(radii), len(thetas))
    return [
        predictions_right(predict(c, thetas, alpha)),
        right_radius.sum(0),
        np.reshape(accuracy, shape).T,
        np.reshape(selection, shape).T,
        np.stack([(answer.outcome == kind).sum(0) for kind in Outcome], 1),
    ]


def predictions_right(p: Predictions) -> Array:
    """How many of the answers of PREDICT are right, [T], without building them."""
    certify_right, core_right = p.classed == p.label, p.core == p.label
    right = np.where(p.selected == CORE, core_right[:, None], (certify_right & core_right)[:, None])
    right = np.where(p.selected == CERTIFY, certify_right[:, None], right)
    total: Array = right.sum(0)
    return total


def _right_at_0_paper(answer: Certificates) -> Array:
    """The printed tables count an abstaining selection as right when the certification network alone is right."""
    certify_right = (answer.c_hat == answer.label)[:, None] & answer.class_holds
    core_right = (answer.core == answer.label)[:, None]
    return np.where(answer.outcome == Outcome.CORE, core_right, certify_right)


def _selected_at_0_paper(answer: Certificates) -> Array:
    """The printed tables count an abstention of the selection as selected: everything but a certain core."""
    selected: Array = answer.outcome != Outcome.CORE
    return selected


@dataclass(frozen=True, eq=False)
class Standalone:
    """A smoothed network without ACES: Cohen's PREDICT and CERTIFY at full alpha. Units as in ``Metrics``."""

    radii: Array
    nac: float
    acr: float
    certified_accuracy: Array
    radius: Array  # [N], 0 where abstained
    right: Array  # bool [N]: c_hat is the label
    images: int


def standalone(run: SmoothedRun, alpha: float = DEFAULT_ALPHA, radii: npt.ArrayLike = DEFAULT_RADII) -> Standalone:
    """The paper's triangles: what the certification network does alone (Cohen et al. 2019)."""
    radii = check_radii(radii)
    c_hat = run.class_counts0.argmax(1)
    k_a = np.take_along_axis(run.class_counts, c_hat[:, None], 1)[:, 0]
    radius = run.meta.noise * z_table(run.meta.draws, alpha)(k_a)
    if run.meta.radius_digits is not None:
        radius = round_significant(radius, run.meta.radius_digits)
    answered = k_a >= critical_count(run.meta.draws, alpha)
    right = c_hat == run.label
    classed = run.predict_class if run.predict_class is not None else predict_class(run.class_counts, alpha)
    accuracy = [100 * np.mean(right & (answered if r == 0 else radius >= r)) for r in radii]
    return Standalone(
        radii,
        float(100 * np.mean(classed == run.label)),
        float(np.mean(radius * right)),
        np.array(accuracy),
        radius,
        right,
        len(c_hat),
    )


def certified_curve(answer: Certificates, column: int, radii: npt.ArrayLike) -> Array:
    """Certified accuracy in percent at each radius, for one threshold; at 0 any right answer counts, then R >= r."""
    radius = np.where(answer.c_hat == answer.label, answer.radius[:, column], 0.0)
    return curve_over_radius(radius, answer.right()[:, column], radii)


def curve_over_radius(radius: Array, right_at_0: Array, radii: npt.ArrayLike) -> Array:
    """Percent of images with ``radius`` [N] >= r for each r > 0, and with ``right_at_0`` [N] for r = 0."""
    at = check_radii(radii)
    reached = len(radius) - np.searchsorted(np.sort(radius), at, side="left")
    return 100 * np.where(at == 0, right_at_0.sum(), reached) / len(radius)


def composition_ceiling(c: Composition, alpha: float, correction: Correction = DEFAULT_CORRECTION) -> float:
    """The largest radius that unanimous draws could certify: the lower of the two components' ceilings."""
    spend = levels(Correction(correction), alpha)
    return min(ceiling(c.sigma, c.n, spend.certify_1), ceiling(c.sigma_select, c.n_select, spend.select_1))


def wilson(percent: npt.ArrayLike, images: int, confidence: float = 0.95) -> tuple[Array, Array]:
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
    return scale * np.maximum(centre - spread, 0), scale * np.minimum(centre + spread, 1 + z * z / images)


@lru_cache(maxsize=2)  # a slider asks at every threshold, always for as many images; 2 kB an image
def _resampled(size: int, resamples: int, seed: int) -> Array:
    """How often each image is drawn, uint8 [resamples, size]; 255 times the same one is out of the question."""
    rng = np.random.default_rng(seed)
    counts = np.empty((resamples, size), np.uint8)
    for row in counts:
        row[:] = np.bincount(rng.integers(size, size=size), minlength=size)
    return counts


def bootstrap_mean(
    values: Array, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over images (Efron 1979), for ACR; the same seed gives the same."""
    counts = _resampled(len(values), resamples, seed)
    means = np.concatenate([part @ values for part in np.array_split(counts, 8)]) / len(values)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def pareto_front(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Positions of the points that no other point beats in both coordinates (larger is better), by rising x."""
    xs, ys = np.asarray(x), np.asarray(y)
    order = np.lexsort((-ys, -xs))
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], ys[order][:-1]]))
    front: Array = order[ys[order] > best_before][::-1]
    return front


def check_radii(radii: npt.ArrayLike) -> Array:
    """Radii as float64 [R]. Raises ``AcesError`` for negative or non-finite ones."""
    values = np.atleast_1d(np.asarray(radii, dtype=np.float64))
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        raise AcesError(f"radius {values[bad][0]:g}: radii are finite and not negative")
    return values
