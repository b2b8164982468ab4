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
from engine.single_image.evidence import Evidence, in_a_chain, one_image
from engine.single_image.plan import LATER, LaterPlan, Plan, Role
from engine.statistics.thresholds import usable_thresholds

Stage = Literal["guess", "estimate"]


@dataclass(frozen=True)
class Segment:
    """The counts of the draws ``start``, ..., ``start + draws - 1`` of one stream of one ``network``.

    ``class_counts`` [m]; ``select_counts`` [T]: how many scores lie at or below each of its stage's thresholds, which
    ``rests_on`` gives. The segments of a selection network hold no class counts, and those of a network that does not
    select by its scores no select counts.
    """

    stage: Stage
    start: int
    draws: int
    class_counts: tuple[int, ...]
    select_counts: tuple[int, ...]
    network: Role = "certify"


def rests_on(plan: Plan, stage: Plan | LaterPlan | None = None) -> Array:
    """The thresholds [T] that the answer of a stage (None: the first) needs: its neighbours, or all that hold at once.

    None where the votes for the class select.
    """
    every, stage = thresholds(), stage or plan
    if stage.by_votes:
        return every[:0]
    if plan.correction.card.thetas_at_once:  # its promise is about all of them
        at_once: Array = every[usable_thresholds(every, plan.correction)]
        return at_once
    return neighbours_of(stage)


def neighbours_of(stage: Plan | LaterPlan) -> Array:
    """The stored thresholds [T] next to a stage's own, which is one of them or lies between two."""
    every, step = thresholds(), stage.threshold * (THRESHOLDS - 1)
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
    first: tuple[Role, ...] = ("certify",) if plan.sigma_select is None else ("certify", "select")
    return (*first, *LATER[: len(plan.then)])


def stage_of(role: Role, plan: Plan) -> Plan | LaterPlan:
    """The stage that a network is sampled for."""
    return plan.then[LATER.index(role)] if role in LATER else plan


def counts_classes(role: Role) -> bool:
    """Whether a network's votes are for classes."""
    return role != "select"


def scored_at(role: Role, plan: Plan) -> Array:
    """The thresholds at which a network's scores are counted; none where they select nothing."""
    selects = role != "certify" or plan.sigma_select is None
    return rests_on(plan, stage_of(role, plan)) if selects else rests_on(plan)[:0]


def _cut(draws: Draws, looks: tuple[int, ...]) -> list[tuple[int, Draws]]:
    """Consecutive parts with their starts."""
    cuts = sorted({0, len(draws), *(n for n in looks if n < len(draws)), *range(BLOCK, len(draws), BLOCK)})
    return [(a, Draws(draws.classes[a:b], draws.scores[a:b])) for a, b in pairwise(cuts)]


def segment(role: Role, stage: Stage, start: int, draws: Draws, m: int, plan: Plan) -> Segment:
    """The counts of ``draws``, which begin at ``start`` of a stream; m classes."""
    counts = count(draws, m)
    at = np.searchsorted(thresholds(), scored_at(role, plan) - 1e-9)
    return Segment(
        stage,
        start,
        len(draws),
        tuple(counts.class_counts.tolist()) if counts_classes(role) else (),
        tuple(counts.select_counts[at].tolist()),
        role,
    )


def compositions(segments: tuple[Segment, ...], plan: Plan, core: int) -> list[Composition]:
    """The counts at every look that the segments of every network reach, as sums of segments.

    A look that is none ends them: what a later one spends of alpha depends on how many there are before it.
    """
    guess = [part for part in segments if part.stage == "guess"]
    found = []
    for n in plan.looks:
        seen = [part for part in segments if part.stage == "estimate" and part.start + part.draws <= n]
        if any(sum(part.draws for part in seen if part.network == role) != n for role in roles(plan)):
            break
        found.append(in_a_chain(plan, [_stage(k, plan, core, guess, seen) for k in range(len(plan.stages))]))
    return found


def _stage(k: int, plan: Plan, core: int, guess: list[Segment], seen: list[Segment]) -> Composition:
    """Stage ``k`` of a plan, from 0."""
    stage = plan.stages[k]
    own: Role = "certify" if k == 0 else LATER[k - 1]
    select: Role = "select" if k == 0 and plan.sigma_select is not None else own
    counts0, counts = ((_sum_of_classes(parts, own), _sum_of_scores(parts, select)) for parts in (guess, seen))
    return one_image(plan, stage, core, rests_on(plan, stage), counts0, counts, median=math.nan)


def _sum_of_classes(segments: list[Segment], role: Role) -> Array:
    total: Array = np.array([part.class_counts for part in segments if part.network == role], np.int64).sum(0)
    return total


def _sum_of_scores(segments: list[Segment], role: Role) -> Array:
    total: Array = np.array([part.select_counts for part in segments if part.network == role], np.int64).sum(0)
    return total
