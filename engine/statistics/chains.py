"""Chains: what the selection hands on goes to another certification network before it comes to the core network.

The answer is that of the first stage whose selection takes the image. It is certified within the radius in which every
stage before keeps handing on, and that stage's own two radii: a conjunction, false only if its weakest part is. The
proof, and why there is no consensus, is section 19 of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.statistics.bounds import MAJORITY
from engine.statistics.stage import StageBounds
from engine.statistics.thresholds import check_thresholds

Named = TypeVar("Named")
LATER_THETA = 0.3  # of a later stage that names none


@dataclass(frozen=True)
class Later(Generic[Named]):
    """A later stage as it is asked for: its certification ``run``, by name or itself, its threshold, p_0 where
    ``by_votes``, and its share ``t``.
    """

    run: Named
    theta: float = LATER_THETA
    t: float = MAJORITY
    by_votes: bool = False


def read_later(text: str) -> Later[str]:
    """A later stage from ``RUN[,THETA[,T]]`` or ``RUN,p0=X``. Raises ``AcesError`` for what is none.

    >>> read_later("net"), read_later("net,0.2,0.4")
    (Later(run='net', theta=0.3, t=0.5, by_votes=False), Later(run='net', theta=0.2, t=0.4, by_votes=False))
    >>> read_later("net,p0=0.7")
    Later(run='net', theta=0.7, t=0.5, by_votes=True)
    """
    run, *rest = (part.strip() for part in text.split(","))
    if not run or len(rest) > 2:
        raise AcesError(f"'{text}' is not RUN[,THETA[,VOTES]], for example RUN,0.3 or RUN,p0=0.7")
    by_votes = rest[:1] != [] and rest[0].startswith("p0=")
    if by_votes and len(rest) > 1:
        raise AcesError(f"'{text}' names a share of votes beside p0, which is one itself; leave it out")
    numbers = [_number(part) for part in (rest[0].removeprefix("p0="), *rest[1:])] if rest else []
    theta, t = [*numbers, *(LATER_THETA, MAJORITY)[len(numbers) :]]
    check_thresholds(theta, by_votes)
    if not 0 < t < 1:
        raise AcesError(f"t is {t:g}; a share of votes lies strictly between 0 and 1, and 0.5 is a majority")
    return Later(run, theta, t, by_votes)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AcesError(f"'{text}' is not a number") from None


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
