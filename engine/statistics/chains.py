"""Chains: what the selection hands on goes to another certification network before it comes to the core network.

The answer is that of the first stage whose selection takes the image. It is certified within the radius in which every
stage before keeps handing on, and that stage's own two radii: a conjunction, false only if its weakest part is. The
proof, and why there is no consensus, is section 19 of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.statistics.stage import StageBounds


@dataclass(frozen=True, eq=False)
class Guessed:
    """Of a chain: the position of the ``stage`` that the n0 draws guess to answer, int8 [N, T], from 0, and one more
    than the last for the core network; and its class ``c_hat`` int64 [N, T], the first stage's where core is guessed.
    """

    stage: Array
    c_hat: Array


@dataclass(frozen=True, eq=False)
class Chained:
    """The bounds of the stage that is ``guessed`` to answer, [N, T]; ``hands_on``: for certain, all do to the core."""

    radius_select: Array
    radius_certify: Array
    hands_on: Array
    guessed: Guessed


def chained(first: StageBounds, later: Sequence[StageBounds]) -> Chained:
    """Put the stages behind one another: ``first`` over T thresholds, the ``later`` ones at one each, [N, 1]."""
    shape = first.to_certify.shape
    stage, c_hat = np.zeros(shape, np.int8), np.broadcast_to(first.c_hat[:, None], shape).copy()
    select, of_class = first.radius_select.copy(), first.radius_certify.copy()
    arrives, hands_on = ~first.to_certify, first.hands_on
    within = np.where(arrives, first.radius_core, 0.0)  # in which every stage so far keeps handing on
    for position, at in enumerate(later, 1):
        taken = arrives & at.to_certify
        stage[arrives] = position
        select = np.where(taken, np.minimum(within, at.radius_select), select)
        of_class = np.where(taken, at.radius_certify, of_class)
        c_hat = np.where(taken, at.c_hat[:, None], c_hat)
        arrives = arrives & ~at.to_certify
        within = np.where(arrives, np.minimum(within, at.radius_core), 0.0)
        hands_on = hands_on & at.hands_on
    stage[arrives] = len(later) + 1
    return Chained(select, of_class, hands_on & arrives, Guessed(stage, c_hat))
