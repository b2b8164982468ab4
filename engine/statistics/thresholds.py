"""Stored thresholds: which of them an answer at theta may rest on, and which lie beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.arrays import Array
from engine.errors import AcesError
from engine.statistics.corrections import Correction

TOLERANCE = 1e-9  # 3 * 0.1 is not 0.3 in floating point


def check_thetas(thetas: npt.ArrayLike) -> Array:
    """Thresholds as float64 [T]. Raises ``AcesError`` outside [0, 1]."""
    values = np.atleast_1d(np.asarray(thetas, dtype=np.float64))
    bad = ~((values >= 0) & (values <= 1))  # also true for NaN
    if bad.any():
        raise AcesError(f"theta is {values[bad][0]:g}; thresholds lie in [0, 1]")
    return values


def check_thresholds(thetas: npt.ArrayLike, by_votes: bool) -> Array:
    """``check_thetas``; where the votes for the class select, shares p_0 in (1/2, 1) instead."""
    if not by_votes:
        return check_thetas(thetas)
    values = np.atleast_1d(np.asarray(thetas, dtype=np.float64))
    bad = ~((values > 0.5) & (values < 1))  # two classes cannot both have more than half
    if bad.any():
        raise AcesError(f"p0 is {values[bad][0]:g}; a share of votes that selects lies strictly between 0.5 and 1")
    return values


def usable_thresholds(stored: Array, correction: str | None) -> Array:
    """Which ``stored`` thresholds [T] an answer may rest on, bool [T]: for ``simultaneous``, 0.00, 0.01, ..., 1.00.

    Without a correction every one.
    """
    at_once = None if correction is None else Correction(correction).card.thetas_at_once
    return np.ones(len(stored), bool) if at_once is None else _one_for_each(stored, at_once)


def _one_for_each(stored: Array, at_once: int) -> Array:
    """Marks in bool [T]. alpha is shared among them: of stored thresholds that differ by rounding alone, one counts."""
    steps = stored * (at_once - 1)
    near = np.abs(steps - np.round(steps)) < 1e-6
    _, first = np.unique(np.where(near, np.round(steps), -1), return_index=True)
    grid: Array = near & np.isin(np.arange(len(stored)), first)
    return grid


def neighbours(stored: Array, thetas: Array, correction: str | None) -> tuple[Array, Array]:
    """Columns of the usable ``stored`` thresholds next below (or at) and next above (or at) each of ``thetas`` [T'].

    Where there is none: -1 below and T above, which are no columns, and not the same one.
    """
    usable = np.flatnonzero(usable_thresholds(stored, correction))
    values = stored[usable]
    lower = np.searchsorted(values, thetas + TOLERANCE, side="right") - 1
    upper = np.searchsorted(values, thetas - TOLERANCE, side="left")
    return np.append(usable, -1)[lower], np.append(usable, len(stored))[upper]
