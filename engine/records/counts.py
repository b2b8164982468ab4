"""Draws -> counts: class votes, and how many scores fell at or below each of T thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.draws import Draws

THRESHOLDS = 1001  # theta = 0, 0.001, ..., 1


@dataclass(frozen=True, eq=False)
class Counts:
    """Of one image: ``class_counts`` int32 [m], ``select_counts`` int32 [T], score ``quantiles`` float32 [5].

    The quantiles are minimum, 25 %, median, 75 % and maximum.
    """

    class_counts: Array
    select_counts: Array
    quantiles: Array


def thresholds() -> Array:
    """The thresholds of every sampled run, float64 [T]."""
    return np.arange(THRESHOLDS) / (THRESHOLDS - 1)


def nearest(thetas: Array, theta: float) -> int:
    """The position of the threshold nearest to theta, the first of two.

    >>> nearest(thresholds(), 0.3004), nearest(np.array([0.2, 0.4]), 0.3)
    (300, 0)
    """
    return int(np.abs(thetas - theta).argmin())


def count(draws: Draws, num_classes: int) -> Counts:
    """Count draws. Raises ``AcesError`` if a score is NaN: the network failed under noise.

    The rule that decides a draw is ``ceil(score * (T - 1)) <= j`` in float32: the selection mechanism *is* that rule,
    a function of the draw alone, so rounding costs no guarantee. At theta = 1 every draw is selected.
    """
    if not np.isfinite(draws.scores).all():
        raise AcesError("the network returned NaN under noise; nothing was counted: check its weights and precision")
    steps = np.ceil(draws.scores * np.float32(THRESHOLDS - 1)).astype(np.int64).clip(0, THRESHOLDS - 1)
    return Counts(
        np.bincount(draws.classes, minlength=num_classes).astype(np.int32),
        np.bincount(steps, minlength=THRESHOLDS).cumsum().astype(np.int32),
        np.quantile(draws.scores, [0.0, 0.25, 0.5, 0.75, 1.0]).astype(np.float32),
    )
