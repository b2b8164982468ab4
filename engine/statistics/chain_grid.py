"""NAC and robustness of a chain of two stages at every pair of thresholds: the front over both. Pure.

What an image adds is a sum over the two stages: its radius is the first stage's, or the lesser of how far that hands on
and of the second's, and which of the two it is the first stage's thresholds alone decide. So the grid is two small
tables an image and one pass over pairs, and no CERTIFY for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, check_share, predict, predict_stage
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import CERTIFY, CORE, Correction
from engine.statistics.margin import Bound
from engine.statistics.stage import StageBounds, levels_of, stage_bounds
from engine.statistics.thresholds import check_thresholds

PAIRS = 1 << 19  # image x threshold x threshold entries at a time: temporaries stay in the cache


@dataclass(frozen=True, eq=False)
class ChainGrid:
    """At ``thetas`` [T] of the first stage and ``later`` [U] of the second: ``nac`` percent [T, U], ``acr`` [T, U]."""

    thetas: Array
    later: Array
    nac: Array
    acr: Array


def chain_grid(
    c: Composition,
    thetas: npt.ArrayLike,
    later: npt.ArrayLike,
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    *,
    t: float = MAJORITY,
    bound: Bound | str = Bound.COMPLEMENT,
) -> ChainGrid:
    """``evaluate`` of a chain at every pair of thresholds; ``t`` is the first stage's share, the second has its own.

    Raises ``AcesError`` where ``evaluate`` does, and for anything but two stages.
    """
    if len(c.then) != 1:
        raise AcesError(f"a grid of thresholds is of two stages; this system has {c.stages}")
    second = c.then[0].composition
    thetas, later = check_thresholds(thetas, c.by_votes), check_thresholds(later, second.by_votes)
    for share, of in ((t, c), (c.then[0].t, second)):
        check_share(share, of)
    acr = _radii(c, thetas, later, alpha, Correction(correction), t, bound)
    return ChainGrid(thetas, later, _accuracy(c, thetas, later, alpha, t), acr)


def _radii(
    c: Composition, thetas: Array, later: Array, alpha: float, correction: Correction, t: float, bound: Bound | str
) -> Array:
    """The mean certified radius at every pair, [T, U]."""
    spend, second = levels_of(c, correction, alpha), c.then[0].composition
    at_1 = stage_bounds(c, thetas, t, spend, correction, bound, handed_on=True)
    at_2 = stage_bounds(second, later, c.then[0].t, spend, correction, bound)
    own, behind = (_correct_radius(at, c.label) for at in (at_1, at_2))
    total = np.tile(own.sum(0)[:, None], (1, len(later)))
    reaches = np.flatnonzero(behind.any(1) & at_1.radius_core.any(1))  # no other image has a radius of stage 2
    block = max(1, PAIRS // total.size)
    for start in range(0, len(reaches), block):
        some = reaches[start : start + block]
        total += np.minimum(at_1.radius_core[some, :, None], behind[some, None, :]).sum(0)
    mean: Array = total / len(c)
    return mean


def _correct_radius(at: StageBounds, label: Array) -> Array:
    """The radius of a stage's answer where it is right, else 0."""
    return np.minimum(at.radius_select, at.radius_certify) * (at.c_hat == label)[:, None]


def _accuracy(c: Composition, thetas: Array, later: Array, alpha: float, t: float) -> Array:
    """NAC at every pair, percent [T, U]: what PREDICT of the first stage answers, and what it hands on."""
    first = predict(c, thetas, alpha, t)  # where the later stage stands moves nothing but what is handed on to it
    right, handed_on = first.classed == c.label, first.selected == CORE
    own = np.where(first.selected == CERTIFY, right[:, None], (right & first.consensus)[:, None])
    stage = c.then[0].composition
    second = predict_stage(stage, later, alpha, c.then[0].t, c.stages, c.core, np.ones(len(c), bool))
    behind = second.prediction() == c.label[:, None]
    correct = (own & ~handed_on).sum(0)[:, None] + handed_on.astype(np.float64).T @ behind.astype(np.float64)
    percent: Array = 100 * correct / len(c)
    return percent
