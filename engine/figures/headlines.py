"""What a run is worth in two numbers, for lists of runs. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.figures.settings import DEFAULT_BOUND, bound_for
from engine.records.runs import CoreRun, Run, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA
from engine.statistics.metrics import standalone

WHAT = (
    "of a certification network alone, without a core network, at α 0.001 and with the bound that the explorer begins "
    "with; of a core network its accuracy without noise"
)


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
