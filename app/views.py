"""Runs -> plot-ready tables: what each figure, tile and row shows, as plain arrays. Pure; rates in percent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.aces import Certificates, Correction, Outcome, certify
from engine.compose import Composition
from engine.metrics import (
    Metrics,
    Standalone,
    bootstrap_mean,
    certified_curve,
    composition_ceiling,
    curve_over_radius,
    evaluate,
    standalone,
    wilson,
)
from engine.runs import ABSTAIN, Array, SmoothedRun, arrays

CURVE_POINTS = 241
ENTROPY_BINS = 50


@dataclass(frozen=True, eq=False)
class Front:
    """One composition over all thresholds, and its two networks alone; ``position`` picks its colour."""

    label: str
    position: int
    metrics: Metrics
    alone: Standalone
    core_accuracy: float


@dataclass(frozen=True, eq=False)
class RadiusCurves:
    """Certified accuracy [R] over ``radii`` [R] of the composition and of its certification network alone.

    ``radii`` begin with 0, where every right answer counts, and the limit from above, where only certified ones do.
    ``ceiling`` is the largest radius that unanimous draws could certify.
    """

    radii: Array
    aces: Array
    alone: Array
    ceiling: float


@dataclass(frozen=True, eq=False)
class EntropyHistogram:
    """Images by median score: bin ``edges`` [B + 1], and how many of a bin are ``certifiable`` [B] or ``not`` [B].

    ``recorded`` is False where the run holds no medians; then all counts are 0.
    """

    edges: Array
    certifiable: Array
    other: Array
    recorded: bool


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """The tiles: rates in percent with Wilson intervals, ACR with a bootstrap interval, over ``images`` images."""

    nac: Estimate
    acr: Estimate
    certified_accuracy: Estimate
    certified_selection: Estimate
    abstained: Estimate
    images: int


@dataclass(frozen=True, eq=False)
class ImageRows:
    """CERTIFY's answers at one threshold, [N] each; ``answer`` may be ``ABSTAIN``, which is never ``right``."""

    index: Array
    label: Array
    outcome: Array
    answer: Array
    right: Array
    radius: Array
    score_median: Array

    def __len__(self) -> int:
        return len(self.index)

    @property
    def verdict(self) -> Array:
        """``right``, ``wrong`` or ``abstained``, [N]."""
        return np.where(self.answer == ABSTAIN, "abstained", np.where(self.right, "right", "wrong"))

    def where(self, keep: Array) -> ImageRows:
        """The rows marked in ``keep`` bool [N]."""
        return ImageRows(**{name: value[keep] for name, value in vars(self).items()})


def restrict(run: SmoothedRun, index: Array) -> SmoothedRun:
    """The run on the images of ``index`` alone, so that it is compared on the same subset."""
    keep = np.isin(run.index, index)
    if keep.all():
        return run
    kept: dict[str, Any] = {name: value[keep] for name, value in arrays(run).items() if name != "thetas"}
    return replace(run, **kept)


def core_accuracy(c: Composition) -> float:
    """Percent of the images that the core network gets right."""
    return float(100 * (c.core == c.label).mean())


def radius_curves(
    c: Composition, alone: Standalone, answer: Certificates, alpha: float, correction: Correction
) -> RadiusCurves:
    """Certified accuracy over radius at the first threshold of ``answer``, from 0 to a little beyond the ceiling."""
    ceiling = composition_ceiling(c, alpha, correction)
    end = 1.05 * max(ceiling, float(alone.radius.max()), 1e-3)
    radii = np.concatenate([[0.0], np.linspace(0, end, CURVE_POINTS)])
    radii[1] = np.nextafter(0, 1)
    # Alone, every certified answer has a radius: the curve does not jump at 0.
    right = alone.radius * alone.right
    return RadiusCurves(radii, certified_curve(answer, 0, radii), curve_over_radius(right, right > 0, radii), ceiling)


def entropy_histogram(c: Composition, run: SmoothedRun, alpha: float, radius: float) -> EntropyHistogram:
    """Median scores of the composition's images, split by whether ``run`` alone is certifiably right at ``radius``."""
    alone = standalone(run, alpha)
    reached = alone.right & (alone.radius > 0) & (alone.radius >= radius)
    certifiable = np.isin(c.index, run.index[reached])
    known = ~np.isnan(c.score_median)
    edges = np.linspace(0, 1, ENTROPY_BINS + 1)
    right, other = (np.histogram(c.score_median[known & part], edges)[0] for part in (certifiable, ~certifiable))
    return EntropyHistogram(edges, right, other, bool(known.any()))


def summary(c: Composition, theta: float, radius: float, alpha: float, correction: Correction) -> Summary:
    """The tiles at one threshold and radius."""
    m = evaluate(c, [theta], alpha=alpha, correction=correction, radii=(radius,))
    answer = certify(c, [theta], alpha, correction)
    radii = np.where(answer.c_hat == c.label, answer.radius[:, 0], 0.0)
    return Summary(
        nac=_rate(m.nac[0], len(c)),
        acr=Estimate(float(m.acr[0]), *bootstrap_mean(radii)),
        certified_accuracy=_rate(m.certified_accuracy[0, 0], len(c)),
        certified_selection=_rate(m.certified_selection[0, 0], len(c)),
        abstained=_rate(m.outcomes[0, Outcome.ABSTAIN], len(c)),
        images=len(c),
    )


def _rate(percent: float, images: int) -> Estimate:
    low, high = wilson(percent, images)
    return Estimate(float(percent), float(low), float(high))


def image_rows(c: Composition, answer: Certificates) -> ImageRows:
    """One row an image, at the first threshold of ``answer``."""
    prediction = answer.prediction()[:, 0]
    return ImageRows(
        c.index, c.label, answer.outcome[:, 0], prediction, answer.right()[:, 0], answer.radius[:, 0], c.score_median
    )


def subset(index: Array) -> str:
    """Which images of a split these are, in words.

    >>> subset(np.array([0, 20, 40])), subset(np.array([3, 4, 9]))
    ('3 images, one in 20', '3 images')
    """
    steps = np.unique(np.diff(np.sort(index)))
    regular = f", one in {steps[0]}" if len(steps) == 1 and steps[0] > 1 else ""
    return f"{len(index):,} images{regular}"
