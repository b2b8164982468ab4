"""Draws -> the counts that a certificate keeps, in parts that can be drawn again -> the counts at its looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from engine.arrays import Array
from engine.records.compose import Composition
from engine.records.counts import THRESHOLDS, count, thresholds
from engine.records.draws import BLOCK, Draws
from engine.single_image.evidence import Evidence, Role, one_image
from engine.single_image.plan import Plan
from engine.statistics.thresholds import usable_thresholds

Stage = Literal["guess", "estimate"]


@dataclass(frozen=True)
class Segment:
    """The counts of the draws ``start``, ..., ``start + draws - 1`` of one stream of one ``network``.

    ``class_counts`` [m]; ``select_counts`` [T]: how many scores lie at or below each of the certificate's thresholds.
    Where a selection network decides, its segments hold no class counts, and the others no select counts.
    """

    stage: Stage
    start: int
    draws: int
    class_counts: tuple[int, ...]
    select_counts: tuple[int, ...]
    network: Role = "certify"


def rests_on(plan: Plan) -> Array:
    """The thresholds [T] that the answer at the plan's theta needs: its neighbours, or all that hold at once."""
    every = thresholds()
    if plan.correction.card.thetas_at_once:  # its promise is about all of them
        at_once: Array = every[usable_thresholds(every, plan.correction)]
        return at_once
    step = plan.theta * (THRESHOLDS - 1)
    near = sorted({math.floor(step + 1e-6), math.ceil(step - 1e-6)})
    return every[near]


def segments_of(evidence: Evidence, plan: Plan) -> tuple[Segment, ...]:
    """The draws cut at every look and every block, so that looks are sums and blocks can be drawn again."""
    m, found = evidence.num_classes, []
    for role in roles(plan):
        pool = evidence.pool(role)
        found += [segment(role, "guess", *part, m, plan) for part in _cut(pool.guess, ())]
        estimate = pool.estimate.first(evidence.drawn)
        found += [segment(role, "estimate", *part, m, plan) for part in _cut(estimate, plan.looks)]
    return tuple(found)


def roles(plan: Plan) -> tuple[Role, ...]:
    """The networks that are sampled."""
    return ("certify",) if plan.sigma_select is None else ("certify", "select")


def _cut(draws: Draws, looks: tuple[int, ...]) -> list[tuple[int, Draws]]:
    """Consecutive parts with their starts."""
    cuts = sorted({0, len(draws), *(n for n in looks if n < len(draws)), *range(BLOCK, len(draws), BLOCK)})
    return [(a, Draws(draws.classes[a:b], draws.scores[a:b])) for a, b in pairwise(cuts)]


def segment(role: Role, stage: Stage, start: int, draws: Draws, m: int, plan: Plan) -> Segment:
    """The counts of ``draws``, which begin at ``start`` of a stream; m classes."""
    counts = count(draws, m)
    at = np.searchsorted(thresholds(), rests_on(plan) - 1e-9)
    return Segment(
        stage,
        start,
        len(draws),
        tuple(counts.class_counts.tolist()) if role == "certify" else (),
        tuple(counts.select_counts[at].tolist()) if role == selecting(plan) else (),
        role,
    )


def selecting(plan: Plan) -> Role:
    """The network whose scores select."""
    return roles(plan)[-1]


def compositions(segments: tuple[Segment, ...], plan: Plan, core: int) -> list[Composition]:
    """The counts at every look that the segments of every network reach, as sums of segments.

    A look that is none ends them: what a later one spends of alpha depends on how many there are before it.
    """
    guess = _sums([part for part in segments if part.stage == "guess"], plan)
    found = []
    for n in plan.looks:
        seen = [part for part in segments if part.stage == "estimate" and part.start + part.draws <= n]
        if any(sum(part.draws for part in seen if part.network == role) != n for role in roles(plan)):
            break
        found.append(one_image(plan, core, rests_on(plan), guess, _sums(seen, plan), median=math.nan))
    return found


def _sums(segments: list[Segment], plan: Plan) -> tuple[Array, Array]:
    classes = np.array([part.class_counts for part in segments if part.network == "certify"], np.int64)
    selected = np.array([part.select_counts for part in segments if part.network == selecting(plan)], np.int64)
    return classes.sum(0), selected.sum(0)
