"""A composed system class by class at one threshold: what it answers, how far, which network, and what it mistakes.

Classes have few images each, so every rate stands with its interval over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import ABSTAIN, Array
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.intervals import rate_interval
from engine.statistics.margin import Bound, class_lower_bound
from engine.statistics.metrics import check_radii


@dataclass(frozen=True, eq=False)
class ClassRates:
    """ClassRates in percent with the ends of their 95 % intervals, of one shape."""

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class ByClass:
    """Of the classes ``label`` int64 [C] that occur, with ``images`` int64 [C]: ``natural`` accuracy [C], certified
    accuracy [C, R] at ``radii`` [R] (at 0: answered correctly), and CERTIFY's ``outcomes`` [C, 4] in the order of
    ``Outcome``, which say what is routed where and what abstains; ``acr`` float64 [C].

    ``confusion`` int64 [C, m + 1]: of each class's images, how many are answered by each of the m classes; last, none.
    """

    label: Array
    images: Array
    radii: Array
    natural: ClassRates
    certified: ClassRates
    outcomes: ClassRates
    acr: Array
    confusion: Array


def by_class(
    c: Composition,
    theta: float,
    radii: Sequence[float],
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
    *,
    bound: Bound = Bound.COMPLEMENT,
) -> ByClass:
    """What CERTIFY and PREDICT answer at theta, by the images' labels; ``t`` and ``bound`` as in ``certify``."""
    at = check_radii(radii)
    answer = certify(c, [theta], alpha, correction, t=t, bound=bound)
    prediction, correct = answer.prediction()[:, 0], answer.correct()[:, 0]
    radius = answer.correct_radius()[:, 0]
    natural = predict(c, [theta], alpha, t).prediction()[:, 0] == c.label
    reached = np.stack([correct if r == 0 else radius >= r for r in at], 1) if len(at) else np.empty((len(c), 0))
    ended = np.stack([answer.ended(kind)[:, 0] for kind in Outcome], 1)
    label, row = np.unique(c.label, return_inverse=True)
    images = np.bincount(row, minlength=len(label))
    confusion = np.zeros((len(label), c.class_counts.shape[1] + 1), np.int64)
    np.add.at(confusion, (row, np.where(prediction == ABSTAIN, confusion.shape[1] - 1, prediction)), 1)
    of_natural, of_reached, of_ended = (
        _rates(_summed(marked, row, len(label)), images) for marked in (natural, reached, ended)
    )
    acr = _summed(radius, row, len(label)) / images
    return ByClass(label, images, at, of_natural, of_reached, of_ended, acr, confusion)


def _summed(values: Array, row: Array, classes: int) -> Array:
    """Sums of ``values`` [N, ...] over the images of each class, [C, ...]."""
    sums = np.zeros((classes, *values.shape[1:]))
    np.add.at(sums, row, values)
    return sums


def _rates(hits: Array, images: Array) -> ClassRates:
    of = images.reshape(-1, *[1] * (hits.ndim - 1))
    percent = 100 * hits / of
    return ClassRates(percent, *rate_interval(percent, np.broadcast_to(of, percent.shape)))


def class_shares(c: Composition, alpha: float, bound: Bound) -> Array:
    """Lower bounds p_A [N] of the probability that a noisy copy of an image gets the class that the certification
    network is guessed to give, each at full alpha; of a chain, its first stage's.
    """
    p = np.empty(len(c))
    for rows, some in c.alike():
        counts = some.class_counts0, some.class_counts, some.n, some.class_counts0.argmax(1)
        p[rows] = class_lower_bound(*counts, alpha / some.part, some.smoothing.link, bound)
    return p
