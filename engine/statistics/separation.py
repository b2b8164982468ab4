"""How a selection mechanism separates the images: radii of its decisions, and its receiver operating curve. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.records.compose import Composition
from engine.statistics.bounds import MAJORITY, z_table
from engine.statistics.corrections import CORE, Correction, levels
from engine.statistics.intervals import area, area_interval
from engine.statistics.stage import levels_at, selection_votes


def signed_radii(c: Composition, thetas: Array, alpha: float, correction: Correction, t: float = MAJORITY) -> Array:
    """Within which radius the selection cannot change, [N, T]: positive where it chooses the certification network,
    negative where the core network, 0 where it abstains (Fig. 6 of the paper). ``t`` as in ``certify``.
    """
    signed = np.empty((len(c), len(thetas)))
    for rows, some in c.alike():
        votes = selection_votes(some, thetas, correction, t)
        (to_certify, _), (to_core, _) = levels_at(some, levels(correction, alpha))
        core, link, n = votes.s_hat == CORE, some.smoothing_select.link, some.n_select
        against = z_table(n, to_core, link, 1 - t)(np.where(core, votes.core, 0))
        for_it = z_table(n, to_certify, link, t)(np.where(core, 0, votes.certify))
        signed[rows] = some.sigma_select * (for_it - against)
    return signed


@dataclass(frozen=True, eq=False)
class Separation:
    """A receiver operating curve over the threshold, and its area with a 95 % interval.

    At ``thetas`` [T], ``true`` percent [T] of the images that should be selected are, and ``false`` percent [T] of the
    others. ``area`` is the chance that of one image of each kind the right one is selected first; it and its interval
    are NaN where one kind is missing. ``positives`` of ``images`` should be selected.
    """

    thetas: Array
    false: Array
    true: Array
    area: float
    low: float
    high: float
    positives: int
    images: int


def separation(c: Composition, wanted: Array, t: float = MAJORITY) -> Separation:
    """How the selection separates the images ``wanted`` bool [N]: selected is what more than t of the n draws say."""
    selected = c.select_counts > t * c.draws_of(select=True)[:, None]
    first = np.where(selected.any(1), selected.argmax(1), selected.shape[1])  # the threshold at which it turns
    true, false = (_share(selected[part]) for part in (wanted, ~wanted))
    early, late = first[wanted], first[~wanted]
    interval = area_interval(early, late)
    return Separation(c.thetas, false, true, area(early, late), *interval, int(wanted.sum()), len(c))


def _share(selected: Array) -> Array:
    """Percent of the rows that are marked, [T]; NaN if there are no rows."""
    if not len(selected):
        return np.full(selected.shape[1], np.nan)
    share: Array = 100 * selected.mean(0)
    return share
