"""Which composition and threshold to deploy: the union of the fronts that nothing beats, and its best point. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.figures.views import Front, rate
from engine.statistics.deployment import corrected
from engine.statistics.intervals import Estimate, rate_interval
from engine.statistics.metrics import pareto_front


@dataclass(frozen=True)
class Deployment:
    """A point of a front: ``front`` at ``theta``, its NAC with the Wilson interval, its robustness.

    ``t``: its share of votes; None on a front at the one that is set. ``floor``, ``confident``: what was asked.
    """

    front: Front
    theta: float
    nac: Estimate
    robustness: float
    t: float | None = None
    floor: float = 0.0
    confident: bool = False


def envelope(fronts: Sequence[Front]) -> tuple[Array, Array]:
    """NAC and robustness of the points of all fronts that no other point beats in both, by rising NAC."""
    if not fronts:
        return np.empty(0), np.empty(0)
    nac = np.concatenate([front.nac for front in fronts])
    robustness = np.concatenate([front.robustness for front in fronts])
    kept = pareto_front(nac, robustness)
    return nac[kept], robustness[kept]


def best(fronts: Sequence[Front], floor: float, *, confident: bool) -> Deployment | None:
    """The most robust point whose NAC is at least ``floor`` percent; None if there is none.

    ``confident``: the lower end of its 95 % interval is. Of equally robust points the most accurate is taken.
    """
    found = [point for front in fronts for point in _best_of(front, floor, confident)]
    return max(found, key=lambda point: (point.robustness, point.nac.value), default=None)


def _best_of(front: Front, floor: float, confident: bool) -> list[Deployment]:
    reached = rate_interval(front.nac, front.images)[0] if confident else front.nac
    allowed = np.flatnonzero(reached >= floor - 1e-9)  # 375 of 500 images are 75 %, whatever rounding says
    if not len(allowed):
        return []
    at = allowed[np.lexsort((front.nac[allowed], front.robustness[allowed]))[-1]]
    nac = rate(front.nac[at], front.images)
    t = None if front.ts is None else round(float(front.ts[at]), 4)
    theta = round(float(front.thetas[at]), 6)
    return [Deployment(front, theta, nac, float(front.robustness[at]), t, floor, confident)]


def rate_elsewhere(here: float, flattery: float, images: int) -> Estimate:
    """A rate in percent that was chosen on these images, as other images are expected to give it."""
    expected, below, above = (min(max(value, 0.0), 100.0) for value in corrected(here, flattery))
    return Estimate(expected, float(rate_interval(below, images)[0]), float(rate_interval(above, images)[1]))


def acr_elsewhere(here: Estimate, flattery: float) -> Estimate:
    """The same of an ACR with its interval."""
    expected, below, above = corrected(here.value, flattery)
    return Estimate(max(expected, 0.0), max(here.low + below - here.value, 0.0), here.high + above - here.value)
