"""What a run is worth in a few numbers, for lists of runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from engine.errors import AcesError
from engine.figures.settings import DEFAULT_BOUND, bound_for
from engine.figures.views import core_accuracy, restrict
from engine.records.compose import common_images, compose
from engine.records.runs import CoreRun, Images, Run, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA
from engine.statistics.metrics import evaluate, standalone

WHAT = (
    "of a certification network alone, without a core network, at α 0.001 and with the bound that the explorer begins "
    "with; of a core network its accuracy without noise"
)
BEST = (
    "the largest ACR of its composition with the core network among the thresholds θ whose NAC lies at least halfway "
    "from the certification network's alone to the core network's accuracy"
)
ROUNDING = 1e-9  # percent: by so much sums of the same images may differ


class Headline(NamedTuple):
    """NAC in percent, and ACR in the unit of σ; None where a run has none."""

    nac: float | None = None
    acr: float | None = None


def headline(run: Run) -> Headline:
    """NAC and ACR of a certification network alone, the accuracy of a core network; a selection has neither."""
    if isinstance(run, SmoothedRun):
        alone = standalone(run, DEFAULT_ALPHA, (), bound=bound_for(run.meta, DEFAULT_BOUND))
        return Headline(alone.nac, alone.acr)
    if isinstance(run, CoreRun):
        return Headline(float(100 * np.mean(run.prediction == run.label)))
    return Headline()


class BestPoint(NamedTuple):
    """A point of a certification run's front: with the run ``core`` at ``theta`` NAC in percent, and ACR."""

    core: str
    theta: float
    nac: float
    acr: float


def most_accurate(certify: SmoothedRun | Images, cores: Iterable[CoreRun]) -> CoreRun | None:
    """Of the core networks that know most of a certification run's images the most accurate on these, else None.

    Of equally good ones the first.
    """
    best, rank = None, (0, 0.0)
    for core in cores:
        try:
            index = common_images(certify, core)
        except AcesError:  # of another dataset, or of other images
            continue
        shared = np.isin(core.index, index)
        found = len(index), float(np.mean(core.prediction[shared] == core.label[shared]))
        if best is None or found > rank:
            best, rank = core, found
    return best


def best_point(certify: SmoothedRun, core: CoreRun) -> BestPoint | None:
    """The largest ACR at a NAC of at least half the way from ``certify`` alone to ``core``; the entropy selects.

    On the images of both, at the levels and bounds of ``headline``. Halfway keeps both networks in use: towards either
    end of the front one of them answers alone. None where no stored threshold comes so far. Raises ``AcesError`` for
    runs that do not compose.
    """
    c, bound = compose(certify, core), bound_for(certify.meta, DEFAULT_BOUND)
    alone = standalone(restrict(certify, c.index), DEFAULT_ALPHA, (), bound=bound)
    m = evaluate(c, c.thetas, alpha=DEFAULT_ALPHA, radii=(), bound=bound)
    enough = np.flatnonzero(m.nac >= (alone.nac + core_accuracy(c)) / 2 - ROUNDING)
    if not len(enough):
        return None
    at = enough[m.acr[enough].argmax()]
    return BestPoint(core.meta.name, float(m.thetas[at]), float(m.nac[at]), float(m.acr[at]))
