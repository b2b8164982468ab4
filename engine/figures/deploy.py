"""Which composition and threshold to deploy: the union of the fronts that nothing beats, its best point, and that as a
system's file. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.figures.settings import Settings
from engine.figures.views import Axis, Front, rate
from engine.records.meta import Meta
from engine.single_image.system import System
from engine.single_image.system_file import Deployed, MeasuredPoint
from engine.statistics.deployment import Optimism, corrected
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


def measured(
    best: Deployment, robustness: Estimate, found: Optimism, measure: Axis, settings: Settings
) -> MeasuredPoint:
    """What a system's file says of the point that was chosen: on these images, and as expected of others.

    ``robustness``: the point's, with its interval; ``found``: how much the choice flatters (section 15 of
    docs/statistics.md).
    """
    name = "ACR" if measure is Axis.ACR else f"certified accuracy at r {settings.radius:.9g}"
    sure = " at 95 % confidence" if best.confident else ""
    rule = f"the largest {name} with a NAC of at least {best.floor:g} %{sure}"
    elsewhere = None
    if found.halves:
        images = best.front.images
        nac = rate_elsewhere(best.nac.value, found.nac, images)
        of_acr = measure is Axis.ACR
        others = (
            acr_elsewhere(robustness, found.robustness)
            if of_acr
            else rate_elsewhere(robustness.value, found.robustness, images)
        )
        elsewhere = nac, others
    return MeasuredPoint(best.front.images, rule, name, best.nac, robustness, elsewhere)


def deployed(settings: Settings, said: MeasuredPoint | None = None) -> Deployed:
    """The composition of a view at its threshold, as a system. Raises ``AcesError`` where weights are not at hand, and
    for runs of logs, which have none.
    """
    choice = settings.choice
    for run in choice.runs:
        _check_sha256(run)
    theta, p0 = (None, settings.theta) if choice.by_votes else (settings.theta, None)
    t, bound = settings.terms.t, None if choice.by_votes else settings.terms.bound
    system = System.load(
        choice.certify_run, choice.core_run, theta, p0=p0, then=() if choice.then is None else (choice.then,),
        select=choice.select_run, alpha=settings.alpha, correction=settings.correction, t=t, bound=bound,
        dataset=choice.certify_run.dataset, trust=True,  # nothing is opened here; whoever opens the file says it anew
    )  # fmt: skip
    parts = {"certify": choice.certify_run, "core": choice.core_run, "select": choice.select_run}
    parts["then"] = None if choice.then is None else choice.then.run
    return Deployed(system, {name: run.name for name, run in parts.items() if run is not None}, said)


def _check_sha256(run: Meta) -> None:
    if run.network.sha256 is None:
        raise AcesError(f"'{run.name}' does not say which weights it was sampled with: it cannot be deployed")
