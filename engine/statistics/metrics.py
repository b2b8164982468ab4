"""Outcomes -> metrics over all N images: NAC, ACR, certified accuracy, certified selection rate.

Rates are in percent, radii in pixel units. NAC uses PREDICT's answers, everything else CERTIFY's; the two answer
different questions and are never mixed in one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np
import numpy.typing as npt

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.records.runs import SmoothedRun, draws_of
from engine.statistics.aces import (
    DEFAULT_ALPHA,
    DEFAULT_CORRECTION,
    Certificates,
    Outcome,
    Predictions,
    certify,
    check_draws,
    check_share,
    predict,
    predict_class,
)
from engine.statistics.bounds import MAJORITY, ceiling, check_level
from engine.statistics.corrections import CERTIFY, CORE, Correction
from engine.statistics.margin import Bound, check_bound, class_bound
from engine.statistics.stage import levels_of, printed
from engine.statistics.thresholds import check_thresholds

BLOCK_ENTRIES = 1 << 17  # images x thresholds evaluated at a time: temporaries stay in the cache, memory stays bounded
DEFAULT_RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


class Convention(StrEnum):
    """``algorithm``: Algorithm 1. ``paper``: as the authors' printed tables count abstentions, at r = 0 only, and with
    the radii of imported logs rounded as these printed them."""

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
    t: float = MAJORITY,
    bound: Bound | str = Bound.COMPLEMENT,
) -> Metrics:
    """All metrics at ``thetas`` [T] in [0, 1] and ``radii`` [R] >= 0; ``t`` and ``bound`` as in ``certify``.

    Raises ``AcesError`` for values outside, and for another t than 1/2 or a margin under the paper's convention.
    """
    if convention == Convention.PAPER and t != MAJORITY:
        raise AcesError(f"the paper's selection asks for a majority: t is {t:g}, and under its convention 0.5")
    _check_paper_bound(convention, bound)
    if convention == Convention.PAPER and (c.then or c.by_votes):
        raise AcesError("the paper has one stage, and a score that selects: its convention has no chain and no p0")
    check_share(t, c)
    check_draws(t, c.n_select, alpha, correction)
    thetas, radii = check_thresholds(thetas, c.by_votes), check_radii(radii)
    block = max(1, BLOCK_ENTRIES // len(thetas))
    sums = None
    for start in range(0, len(c), block):
        part = c.rows(slice(start, start + block))
        added = _sums(part, thetas, alpha, correction, radii, Convention(convention), t, bound)
        sums = added if sums is None else [a + b for a, b in zip(sums, added, strict=True)]
    if sums is None:
        raise AcesError("a composition without images has no metrics")
    nac, acr, accuracy, selection, outcomes = (value / len(c) for value in sums)
    return Metrics(thetas, radii, 100 * nac, acr, 100 * accuracy, 100 * selection, 100 * outcomes, len(c))


def _sums(
    c: Composition,
    thetas: Array,
    alpha: float,
    correction: Correction,
    radii: Array,
    convention: Convention,
    t: float,
    bound: Bound | str,
) -> list[Array]:
    """Sums over the images of: correct predictions [T], radii [T], [T, R] twice, outcomes [T, 4]."""
    answer = certify(c, thetas, alpha, correction, t=t, bound=bound, as_printed=convention is Convention.PAPER)
    correct_0, selected_0 = at_0(answer, convention)
    correct_radius = answer.correct_radius() if c.then else answer.radius[answer.c_hat == c.label]
    accuracy = [count(correct_0 if r == 0 else correct_radius >= r) for r in radii]
    selection = [count(selected_0 if r == 0 else answer.radius_select >= r) for r in radii]
    shape = (len(radii), len(thetas))
    return [
        predictions_correct(predict(c, thetas, alpha, t)),
        correct_radius.sum(0),
        np.reshape(accuracy, shape).T,
        np.reshape(selection, shape).T,
        np.stack([count(answer.ended(kind)) for kind in Outcome], 1),
    ]


def at_0(answer: Certificates, convention: Convention) -> tuple[Array, Array]:
    """What counts as correct and as selected at radius 0, bool [N, T] each."""
    match convention:
        case Convention.PAPER:
            return _correct_at_0_paper(answer), _selected_at_0_paper(answer)
        case Convention.ALGORITHM:
            return answer.correct(), answer.radius_select > 0
        case unknown:
            assert_never(unknown)


def predictions_correct(p: Predictions) -> Array:
    """How many of the answers of PREDICT are correct, [T], without building them."""
    certify_correct, rest_correct = p.classed == p.label, p.rest == p.label
    to_certify, to_core = p.selected == CERTIFY, p.selected == CORE
    correct = (to_certify | (p.consensus[:, None] & ~to_core)) & certify_correct[:, None]
    return count(correct | (to_core & rest_correct[:, None]))


def count(marked: Array) -> Array:
    """How many rows of a block are marked in bool [N, T], int32 [T]: in half of int64's time."""
    total: Array = marked.sum(0, dtype=np.int32)
    return total


def _correct_at_0_paper(answer: Certificates) -> Array:
    """The printed tables count an abstaining selection as correct when the certification network alone is correct."""
    certify_correct = (answer.c_hat == answer.label)[:, None] & answer.class_holds
    core_correct = (answer.core == answer.label)[:, None]
    return np.where(answer.ended(Outcome.CORE), core_correct, certify_correct)


def _selected_at_0_paper(answer: Certificates) -> Array:
    """The printed tables count an abstention of the selection as selected: everything but a certain core."""
    return ~answer.ended(Outcome.CORE)


@dataclass(frozen=True, eq=False)
class Standalone:
    """A smoothed network without ACES: Cohen's PREDICT and CERTIFY at full alpha. Units as in ``Metrics``."""

    radii: Array
    nac: float
    acr: float
    certified_accuracy: Array
    radius: Array  # [N], 0 where abstained
    correct: Array  # bool [N]: c_hat is the label
    images: int


def _check_paper_bound(convention: Convention, bound: Bound | str) -> None:
    if convention == Convention.PAPER and bound == Bound.MARGIN:
        raise AcesError("the paper bounds a class against all others together: its convention has no margin")


def standalone(
    run: SmoothedRun,
    alpha: float = DEFAULT_ALPHA,
    radii: npt.ArrayLike = DEFAULT_RADII,
    convention: Convention = Convention.ALGORITHM,
    bound: Bound | str = Bound.COMPLEMENT,
) -> Standalone:
    """The paper's triangles: what the certification network does alone (Cohen et al. 2019); ``bound`` of its class.

    Raises ``AcesError`` for a margin under the paper's convention.
    """
    _check_paper_bound(convention, bound)
    radii = check_radii(radii)
    check_level(alpha)
    bound = check_bound(bound, run.meta.from_log)
    c_hat = run.class_counts0.argmax(1)
    radius, answered, classed = _by_itself(run, c_hat, alpha, bound)
    if Convention(convention) is Convention.PAPER:
        radius = printed(radius, run.meta.radius_digits, run.meta.radius_decimals)
    correct = c_hat == run.label
    accuracy = [100 * np.mean(correct & (answered if r == 0 else radius >= r)) for r in radii]
    return Standalone(
        radii,
        float(100 * np.mean(classed == run.label)),
        float(np.mean(radius * correct)),
        np.array(accuracy),
        radius,
        correct,
        len(c_hat),
    )


def _by_itself(run: SmoothedRun, c_hat: Array, alpha: float, bound: Bound) -> tuple[Array, Array, Array]:
    """Radius, whether the class is certain, and PREDICT's class, [N] each, of images by their draws."""
    radius, answered, classed = np.zeros(len(c_hat)), np.zeros(len(c_hat), bool), np.zeros(len(c_hat), np.int64)
    link = run.meta.smoothing_card.link
    parts = np.ones(len(c_hat), np.int64) if run.alpha_parts is None else run.alpha_parts
    each, group = np.unique(np.stack([draws_of(run), parts], 1), axis=0, return_inverse=True)
    for at, (n, part) in enumerate(each.tolist()):
        some = group == at
        counts = run.class_counts0[some], run.class_counts[some]
        found = class_bound(*counts, n, c_hat[some], alpha / part, link, bound)
        radius[some], answered[some] = run.meta.noise * found.z, found.holds
        classed[some] = predict_class(counts[1], alpha / part)
    return radius, answered, classed if run.predict_class is None else run.predict_class


def certified_curve(answer: Certificates, column: int, radii: npt.ArrayLike) -> Array:
    """Certified accuracy in percent at each radius, for one threshold; at 0 any correct answer counts, then R >= r."""
    radius = answer.correct_radius()[:, column]
    return curve_over_radius(radius, answer.correct()[:, column], radii)


def curve_over_radius(radius: Array, correct_at_0: Array, radii: npt.ArrayLike) -> Array:
    """Percent of images with ``radius`` [N] >= r for each r > 0, and with ``correct_at_0`` [N] for r = 0."""
    at = check_radii(radii)
    reached = len(radius) - np.searchsorted(np.sort(radius), at, side="left")
    return 100 * np.where(at == 0, correct_at_0.sum(), reached) / len(radius)


def composition_ceiling(
    c: Composition, alpha: float, correction: Correction = DEFAULT_CORRECTION, t: float = MAJORITY
) -> float:
    """The largest radius that unanimous draws could certify: the lower of the two components' ceilings.

    Whatever the bound of the class: of unanimous draws the margin is the complement's radius at half of the level, and
    of no others is it larger. Of a chain, that of the stage that could certify most, whatever handed on to it.
    """
    select, of_class = levels_of(c, correction, alpha).of(CERTIFY)
    stages = [(c, t), *((stage.composition, stage.t) for stage in c.then)]
    return max(
        min(
            ceiling(one.sigma, one.n, of_class / one.part, one.smoothing.link),
            ceiling(one.sigma_select, one.n_select, select / one.part_select, one.smoothing_select.link, share),
        )
        for stage, share in stages
        for _, one in stage.alike()
    )


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
