"""Runs -> plot-ready tables: what each figure, tile and row shows, as plain arrays. Pure; rates in percent."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from engine.arrays import ABSTAIN, Array
from engine.figures.settings import Settings, Terms, symbol_of
from engine.records.compose import Composition
from engine.records.counts import nearest
from engine.records.runs import SmoothedRun, arrays
from engine.statistics import deployment
from engine.statistics.aces import Certificates, Outcome, certify
from engine.statistics.bounds import MAJORITY
from engine.statistics.envelope import SHARES, Envelope
from engine.statistics.intervals import Estimate, mean_interval, rate_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import (
    Convention,
    Metrics,
    Standalone,
    certified_curve,
    composition_ceiling,
    curve_over_radius,
    evaluate,
    pareto_front,
    standalone,
)
from engine.tables import stage_names

CURVE_POINTS = 241
ENTROPY_BINS = 50
SPREAD_BINS = 40
RANKS = 200  # marks on a line over the images: more would be slow to draw


class Axis(StrEnum):
    """What the trade-off sets against natural accuracy."""

    ACR = "ACR"
    CERTIFIED = "certified accuracy at r"


@dataclass(frozen=True, eq=False)
class Front:
    """One composition over all thresholds: NAC in percent [T] and its robustness [T], ACR or certified accuracy.

    ``address`` names its components (training, noise, core, selection, and a second stage); ``position`` picks its
    colour; ``alone`` and
    ``core`` are (NAC, robustness) of its two networks without ACES; ``network`` names the certification network, of
    which there may be runs at several noise levels, each with its own fronts. ``subset`` tells sets of images apart.
    With the best share of votes at every accuracy, ``ts`` [T] holds it, and ``plain`` is the front at the one that is
    set, on which the operating points stay.
    """

    label: str
    position: int
    address: tuple[str, ...]
    thetas: Array
    nac: Array
    robustness: Array
    alone: tuple[float, float]
    core: tuple[float, float]
    network: str
    noise: float
    images: int
    subset: int
    ts: Array | None = None
    plain: Front | None = None
    theta: float | None = None  # where the view stands on it, if not at the theta of all

    @property
    def symbol(self) -> str:
        """What its thresholds are called."""
        return symbol_of(self.address[3])

    def at(self, theta: float) -> int:
        """The position of the threshold nearest to theta, of a front at one share of votes."""
        return nearest(self.thetas, theta)

    def standing(self, theta: float) -> tuple[float, float]:
        """NAC and robustness at theta and the share of votes that is set."""
        plain = self.plain or self
        at = plain.at(theta)
        return float(plain.nac[at]), float(plain.robustness[at])


@dataclass(frozen=True, eq=False)
class RadiusCurves:
    """Certified accuracy [R] over ``radii`` [R] of the composition and of its certification network alone.

    ``radii`` begin with 0, where every correct answer counts, and the limit from above, where only certified ones do.
    ``selected``: percent of images [R] that certainly go to the certification network up to r. ``core``: percent that
    the core network answers correctly, at r = 0 and without a certificate. ``ceiling`` is the largest radius that
    unanimous draws could certify; ``norm`` that of the radii.
    """

    radii: Array
    aces: Array
    alone: Array
    selected: Array
    core: float
    ceiling: float
    norm: str


@dataclass(frozen=True, eq=False)
class FanCurve:
    """Certified accuracy and selection rate [R] over ``RadiusCurves.radii`` at one more threshold."""

    theta: float
    aces: Array
    selected: Array


@dataclass(frozen=True, eq=False)
class EntropyHistogram:
    """Images by median score: bin ``edges`` [B + 1], and how many of a bin are ``certifiable`` [B] or ``not`` [B].

    ``images`` [2 B]: those of each bin, first the certifiable ones' bins, then the others'. ``recorded`` is False where
    the run holds no medians; then all counts are 0.
    """

    edges: Array
    images: tuple[Array, ...]
    recorded: bool

    @property
    def certifiable(self) -> Array:
        return self._counts[: len(self.edges) - 1]

    @property
    def other(self) -> Array:
        return self._counts[len(self.edges) - 1 :]

    @property
    def _counts(self) -> Array:
        return np.array([len(part) for part in self.images])


@dataclass(frozen=True, eq=False)
class Spread:
    """How far images reach: those certified by radius in bins of ``radius_edges`` [B + 1], and all by the lower bound
    p_A of ``share_edges`` [B + 1]; counts [B] of those whose class is right and wrong. ``uncertified``: how many have
    no radius.
    """

    radius_edges: Array
    radius_right: Array
    radius_wrong: Array
    share_edges: Array
    share_right: Array
    share_wrong: Array
    uncertified: int
    norm: str


@dataclass(frozen=True)
class Summary:
    """The tiles: rates in percent and ACR, each with its interval over ``images`` images."""

    nac: Estimate
    acr: Estimate
    certified_accuracy: Estimate
    certified_selection: Estimate
    abstained: Estimate
    images: int


@dataclass(frozen=True, eq=False)
class ImageRows:
    """CERTIFY's answers at one threshold, [N] each; ``answer`` may be ``ABSTAIN``, which is never ``correct``."""

    index: Array
    label: Array
    outcome: Array
    answer: Array
    correct: Array
    radius: Array
    score_median: Array
    stage: Array | None = None  # of a chain, the name of the stage that was guessed to answer

    def __len__(self) -> int:
        return len(self.index)

    @property
    def verdict(self) -> Array:
        """``correct``, ``wrong`` or ``abstained``, [N]."""
        return np.where(self.answer == ABSTAIN, "abstained", np.where(self.correct, "correct", "wrong"))

    def where(self, keep: Array) -> ImageRows:
        """The rows marked in ``keep`` bool [N]."""
        return ImageRows(**{name: value[keep] for name, value in vars(self).items() if value is not None})


def front(
    c: Composition, m: Metrics, alone: Standalone, measure: Axis, radius: float,
    address: tuple[str, ...], network: str, noise: float,
) -> Front:  # fmt: skip
    """A front that has yet to be named and placed among others, of metrics ``m`` at every threshold; ``alone`` has the
    radius as its first.
    """
    of_acr = measure is Axis.ACR
    core = core_accuracy(c)
    return Front(
        label="",
        position=0,
        address=address,
        thetas=m.thetas,
        nac=m.nac,
        robustness=m.acr if of_acr else m.certified_accuracy[:, 0],
        alone=(alone.nac, alone.acr if of_acr else float(alone.certified_accuracy[0])),
        core=(core, core if not of_acr and radius == 0 else 0.0),
        network=network,
        noise=noise,
        images=m.images,
        subset=fingerprint(c.index, c.label),
    )


def spread(c: Composition, answer: Certificates, shares: Array, terms: Terms) -> Spread:
    """At the first threshold of ``answer``; ``shares`` [N] as of ``class_shares``."""
    radius, right = answer.radius[:, 0], answer.guess[:, 0] == c.label
    certified = answer.ended(Outcome.CERTIFIED)[:, 0]
    by_itself = c.class_counts0.argmax(1) == c.label
    radius_edges = np.linspace(0, 1.0001 * max(_ceiling(c, terms), float(radius.max(initial=0)), 1e-3), SPREAD_BINS + 1)
    share_edges = np.linspace(0, 1, SPREAD_BINS + 1)
    radius_right, radius_wrong = (np.histogram(radius[certified & part], radius_edges)[0] for part in (right, ~right))
    share_right, share_wrong = (np.histogram(shares[part], share_edges)[0] for part in (by_itself, ~by_itself))
    of_radius, of_share = (radius_edges, radius_right, radius_wrong), (share_edges, share_right, share_wrong)
    return Spread(*of_radius, *of_share, int((~certified).sum()), c.norm)


def with_best_t(front: Front, found: Envelope, t: float) -> Front:
    """A front at the share ``t`` of votes -> the best of it and of the envelope over shares, by rising NAC."""
    nac, robustness = np.concatenate([found.nac, front.nac]), np.concatenate([found.robustness, front.robustness])
    thetas = np.concatenate([found.thetas, front.thetas])
    ts = np.concatenate([found.ts, np.full(len(front.thetas), t)])
    kept = pareto_front(nac, robustness)
    return replace(front, thetas=thetas[kept], nac=nac[kept], robustness=robustness[kept], ts=ts[kept], plain=front)


def measured_by(front: Front, settings: Settings, measure: Axis) -> deployment.Measure:
    """How a choice among the points of a front, of the view of its composition, is measured on held-out images."""
    alpha, correction, t, bound = settings.terms
    shares = () if front.ts is None else SHARES
    at = MAJORITY if shares else t  # which is none of the question then
    radius = None if measure is Axis.ACR else settings.radius
    return deployment.Measure(alpha, correction, radius, settings.convention, at, bound, shares)


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


def fingerprint(index: Array, label: Array) -> int:
    """A number that tells sets of images apart, whatever their order; also two numberings of one dataset."""
    order = np.argsort(index, kind="stable")
    return zlib.crc32(label[order].tobytes(), zlib.crc32(index[order].tobytes()))


def radius_curves(c: Composition, alone: Standalone, answer: Certificates, terms: Terms) -> RadiusCurves:
    """The curves at the first threshold of ``answer``, given on these terms, to a little beyond the ceiling."""
    ceiling = _ceiling(c, terms)
    end = 1.05 * max(ceiling, float(alone.radius.max()), 1e-3)
    radii = np.concatenate([[0.0], np.linspace(0, end, CURVE_POINTS)])
    radii[1] = np.nextafter(0, 1)
    # Alone, every certified answer has a radius: the curve does not jump at 0.
    correct = alone.radius * alone.correct
    return RadiusCurves(
        radii,
        certified_curve(answer, 0, radii),
        curve_over_radius(correct, correct > 0, radii),
        selected_curve(answer, 0, radii),
        core_accuracy(c),
        ceiling,
        c.norm,
    )


def _ceiling(c: Composition, terms: Terms) -> float:
    return composition_ceiling(c, terms.alpha, terms.correction, terms.t)


def selected_curve(answer: Certificates, column: int, radii: Array) -> Array:
    """Certified selection rate in percent at each radius, for one threshold of ``answer``."""
    selected = answer.radius_select[:, column]
    return curve_over_radius(selected, selected > 0, radii)


def fan(answer: Certificates, radii: Array) -> list[FanCurve]:
    """The curves at every threshold of ``answer``."""
    return [
        FanCurve(float(theta), certified_curve(answer, t, radii), selected_curve(answer, t, radii))
        for t, theta in enumerate(answer.thetas)
    ]


def certifiable(c: Composition, run: SmoothedRun, alpha: float, bound: Bound, radius: float) -> Array:
    """Whether ``run`` alone is certifiably correct at ``radius``, for the composition's images, bool [N]."""
    alone = standalone(run, alpha, bound=bound)
    reached = alone.correct & (alone.radius > 0) & (alone.radius >= radius)
    found: Array = np.isin(c.index, run.index[reached])
    return found


def entropy_histogram(c: Composition, correct: Array) -> EntropyHistogram:
    """Median scores of the composition's images, split by ``correct`` bool [N]."""
    known = ~np.isnan(c.score_median)
    edges = np.linspace(0, 1, ENTROPY_BINS + 1)
    bins = np.searchsorted(edges[1:-1], c.score_median, side="right")  # [left, right), the last with its end
    images = [c.index[known & part & (bins == k)] for part in (correct, ~correct) for k in range(ENTROPY_BINS)]
    return EntropyHistogram(edges, tuple(images), bool(known.any()))


def by_rank(index: Array, values: Array) -> tuple[Array, ...]:
    """The images by rising value, in at most ``RANKS`` parts of nearly equal size."""
    order = np.argsort(values, kind="stable")
    return tuple(np.array_split(index[order], max(1, min(len(index), RANKS))))


def summary(
    c: Composition,
    theta: float,
    radius: float,
    terms: Terms,
    convention: Convention = Convention.ALGORITHM,
) -> Summary:
    """The tiles at one threshold and radius."""
    m = evaluate(c, [theta], radii=(radius,), convention=convention, **terms.named)
    answer = certify(c, [theta], **terms.named, as_printed=convention is Convention.PAPER)
    radii = answer.correct_radius()[:, 0]
    return Summary(
        nac=rate(m.nac[0], len(c)),
        acr=Estimate(float(m.acr[0]), *mean_interval(radii, 0.0, _ceiling(c, terms))),
        certified_accuracy=rate(m.certified_accuracy[0, 0], len(c)),
        certified_selection=rate(m.certified_selection[0, 0], len(c)),
        abstained=rate(m.outcomes[0, Outcome.ABSTAIN], len(c)),
        images=len(c),
    )


def rate(percent: float, images: int) -> Estimate:
    low, high = rate_interval(percent, images)
    return Estimate(float(percent), float(low), float(high))


def image_rows(c: Composition, answer: Certificates) -> ImageRows:
    """One row per image, at the first threshold of ``answer``."""
    prediction = answer.prediction()[:, 0]
    stage = np.array(stage_names(answer, c.stages)) if c.then else None
    return ImageRows(
        c.index, c.label, answer.outcome[:, 0], prediction, answer.correct()[:, 0], answer.radius[:, 0], c.score_median,
        stage,
    )  # fmt: skip


def subset(index: Array) -> str:
    """Which images of a split these are, in words.

    >>> subset(np.array([0, 20, 40])), subset(np.array([3, 4, 9]))
    ('3 images, one in 20', '3 images')
    """
    steps = np.unique(np.diff(np.sort(index)))
    regular = f", one in {steps[0]}" if len(steps) == 1 and steps[0] > 1 else ""
    return f"{len(index):,} images{regular}"
