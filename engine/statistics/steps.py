"""What each larger certificate brings at equal natural accuracy, on images that had no say in its settings. Pure.

A step is a family of settings: the paper's thresholds, the same with another correction, with the margin, with a share
of votes, with a second network behind. Of each family half of the images choose the most robust point above a floor of
NAC, and the other half measures. The floor is moved until what is measured has the NAC that was asked for, between two
floors in proportion: families with more to choose from, which flatter more, are not compared at a lower accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify, predict, predict_stage
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.deployment import Rule, choose, halvings
from engine.statistics.intervals import Estimate, mean_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import composition_ceiling
from engine.statistics.stage import StageBounds, stage_bounds

HALVES = 50  # random halvings, each of which chooses twice
MOVED = tuple(k / 4 for k in range(-8, 17))  # points of NAC by which a floor is moved for the other half to meet it
THETAS = 101  # thresholds of a family at most
SHARES = (MAJORITY, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7)
LATER = 26  # thresholds of a second stage
LATER_SHARES = (MAJORITY, 0.1)


@dataclass(frozen=True)
class BoundStep:
    """A family of settings: its ``name``, what it changes in a ``sentence``, and the section that proves it."""

    name: str
    sentence: str
    section: int


PAPER = BoundStep("the paper's", "Both bounds at α/2, the class against all others together, a majority selects.", 5)
UNION = BoundStep(
    "intersection-union", "Each bound may spend all of α: only the weaker network breaks a certificate.", 6
)
MARGIN = BoundStep("+ margin", "The class is bounded against its strongest rival, not against all others together.", 18)
SHARE = BoundStep("+ share of votes", "θ and the share t of votes that selects are chosen together.", 17)
CHAIN = BoundStep("+ chain", "What is not selected goes to a second certification network before the core.", 19)
STEPS = (PAPER, UNION, MARGIN, SHARE, CHAIN)


@dataclass(frozen=True, eq=False)
class SettingFamily:
    """The settings of a step and what each image adds under each: ``natural`` (PREDICT is right), ``radius`` (certified
    and right) and ``abstains``, [N, P]; ``points`` tell them in words.
    """

    natural: Array
    radius: Array
    abstains: Array
    points: tuple[str, ...]
    ceiling: float

    def __add__(self, other: SettingFamily) -> SettingFamily:
        natural, radius, abstains = (
            np.concatenate([a, b], 1)
            for a, b in ((self.natural, other.natural), (self.radius, other.radius), (self.abstains, other.abstains))
        )
        return SettingFamily(natural, radius, abstains, self.points + other.points, max(self.ceiling, other.ceiling))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A step measured on the halves that did not choose: ``nac`` and ``abstained`` in percent, ``acr``; ``radius`` [N],
    each image's mean over the times that it had no say. ``point``: what all images together would choose. No radius
    exceeds ``ceiling``.
    """

    step: BoundStep
    nac: float
    acr: Estimate
    abstained: float
    certified: float
    radius: Array
    point: str
    ceiling: float


def single(
    c: Composition, alpha: float, correction: Correction, bound: Bound, shares: Sequence[float] = (MAJORITY,)
) -> SettingFamily:
    """One stage over its thresholds and ``shares``."""
    thetas = thinned(c.thetas, THETAS)
    parts = [_single(c, thetas, alpha, correction, bound, t) for t in shares]
    family = parts[0]
    for part in parts[1:]:
        family = family + part
    return family


def _single(
    c: Composition, thetas: Array, alpha: float, correction: Correction, bound: Bound, t: float
) -> SettingFamily:
    answer = certify(c, thetas, alpha, correction, t=t, bound=bound)
    natural = predict(c, thetas, alpha, t).prediction() == c.label[:, None]
    name = "p0" if c.by_votes else "θ"
    share = "" if t == MAJORITY else f", t {t:g}"
    points = tuple(f"{name} {theta:.3g}{share}" for theta in thetas)
    ceiling = composition_ceiling(c, alpha, correction, t)
    return SettingFamily(natural, answer.correct_radius(), answer.outcome == Outcome.ABSTAIN, points, ceiling)


def chained(c: Composition, later: str, alpha: float, correction: Correction, bound: Bound, t: float) -> SettingFamily:
    """A chain of two stages over the thresholds of both; ``later`` names the second in the points.

    The same numbers as ``certify`` and ``predict`` give at each pair, from one pass over each stage.
    """
    stage = c.then[0]
    thetas, after = thinned(c.thetas, THETAS // 2), thinned(stage.composition.thetas, LATER)
    spend = levels(correction, alpha, c.stages)
    first = stage_bounds(c, thetas, t, spend, correction, bound, handed_on=True)
    second = stage_bounds(stage.composition, after, stage.t, spend, correction, bound)
    natural = _natural(c, thetas, after, alpha, t)
    radius, certified = _radius(c.label, first, second)
    core = first.hands_on[:, :, None] & second.hands_on[:, None, :]
    share = "" if t == MAJORITY else f", t {t:g}"
    share_2 = "" if stage.t == MAJORITY else f", t₂ {stage.t:g}"
    points = tuple(f"θ {a:.3g}{share}, then {later}, θ₂ {b:.3g}{share_2}" for a in thetas for b in after)
    flat = (len(c), -1)
    limit = max(composition_ceiling(part, alpha, correction) for part in (c, stage.composition))
    share_ceiling = limit if max(t, stage.t) <= MAJORITY else 2 * limit
    return SettingFamily(
        natural.reshape(flat), radius.reshape(flat), ~(certified | core).reshape(flat), points, share_ceiling
    )


def _natural(c: Composition, thetas: Array, after: Array, alpha: float, t: float) -> Array:
    """Whether PREDICT is right, bool [N, T, U]."""
    stage, everyone = c.then[0], np.ones(len(c), bool)
    first = predict(c, thetas, alpha, t)
    second = predict_stage(stage.composition, after, alpha, stage.t, c.stages, c.core, everyone)
    right = first.classed == c.label
    own = np.where(first.selected == CERTIFY, right[:, None], (right & first.consensus)[:, None])
    behind = second.prediction() == c.label[:, None]
    return np.where((first.selected == CORE)[:, :, None], behind[:, None, :], own[:, :, None])


def _radius(label: Array, first: StageBounds, second: StageBounds) -> tuple[Array, Array]:
    """The certified radius where right, and whether anything is certified, [N, T, U] each."""
    own, later = (np.minimum(at.radius_select, at.radius_certify) for at in (first, second))
    right, later_right = ((at.c_hat == label)[:, None, None] for at in (first, second))
    behind = np.minimum(first.radius_core[:, :, None], later[:, None, :])
    return own[:, :, None] * right + behind * later_right, (own[:, :, None] > 0) | (behind > 0)


def thinned(thresholds: Array, most: int) -> Array:
    """At most so many of them, evenly, the last among them."""
    every = -(-(len(thresholds) - 1) // (most - 1)) if len(thresholds) > most else 1
    return thresholds[::-1][::every][::-1]


def held_out(step: BoundStep, family: SettingFamily, nac: float, radius: float, halves: int = HALVES) -> HeldOut:
    """Choose on one half and measure on the other, at a NAC of ``nac`` percent there; certified accuracy at ``radius``.

    Where no floor reaches it, as near as the floors come. The interval is that of images whose settings were fixed.
    """
    first = halvings(np.arange(len(family.radius)), halves)
    near = _around(nac, _measurements(family, first, nac, radius))
    everything = choose(
        100 * family.natural.mean(0)[None], family.radius.mean(0)[None], np.ones(len(family.points)), Rule(nac)
    )[0]
    natural, shown, abstained, certified = near
    return HeldOut(
        step,
        float(100 * natural.mean()),
        Estimate(float(shown.mean()), *mean_interval(shown, 0.0, family.ceiling)),
        float(100 * abstained.mean()),
        float(100 * certified.mean()),
        shown,
        family.points[everything] if everything >= 0 else "none",
        family.ceiling,
    )


def _measurements(family: SettingFamily, first: Array, nac: float, radius: float) -> list[Array]:
    """What the other halves measure at each floor, [4, N]: natural, radius, abstention, certified at ``radius``."""
    means = _means(family, first)
    reached = family.radius >= radius
    found = []
    for moved in MOVED:
        chosen = _chosen(means, nac + moved, len(family.radius))
        values = (family.natural, family.radius, family.abstains, reached)
        found.append(np.stack([_measured(value, first, chosen) for value in values]))
    return found


def _around(nac: float, found: Sequence[Array]) -> Array:
    """Between the last floor whose NAC falls short and the next, [4, N], in proportion to what it lacks."""
    rates = [100 * one[0].mean() for one in found]
    short = [k for k, rate in enumerate(rates) if rate < nac]
    if not short or short[-1] + 1 == len(found):
        return found[0] if not short else found[-1]
    below, above = short[-1], short[-1] + 1
    weight = (nac - rates[below]) / (rates[above] - rates[below])
    between: Array = (1 - weight) * found[below] + weight * found[above]
    return between


def _means(family: SettingFamily, first: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """NAC and ACR of every point [S, P], on the first halves and on the second ones."""
    found = []
    for half in (first, ~first):
        share = half / half.sum(1, keepdims=True)
        found.append((100 * share @ family.natural, share @ family.radius))
    return found[0], found[1]


def _chosen(means: Sequence[tuple[Array, Array]], floor: float, images: int) -> Array:
    """The point that each half chooses, int [2, S]; of none that reaches the floor, the most accurate."""
    found = []
    for nac, acr in means:
        at = choose(nac, acr, np.full(nac.shape[1], images), Rule(floor))
        found.append(np.where(at < 0, nac.argmax(1), at))
    return np.stack(found)


def _measured(values: Array, first: Array, chosen: Array) -> Array:
    """Each image's mean [N] over the halvings in whose choice it had no say."""
    a, b = values[:, chosen[0]], values[:, chosen[1]]  # chosen by the first halves, and by the second ones
    return np.where(first.T, b, a).mean(1)


def gain(step: HeldOut, before: HeldOut) -> Estimate:
    """What a step adds to another's ACR at the same NAC, paired by image, with its 95 % interval."""
    difference = step.radius - before.radius
    return Estimate(float(difference.mean()), *mean_interval(difference, -before.ceiling, step.ceiling))


def steps(
    c: Composition, alpha: float, nac: float, radius: float, chains: Sequence[tuple[Composition, str]] = ()
) -> Iterator[HeldOut]:
    """Every step from the paper's certificate on, each with what came before; logs stop where they cannot follow.

    ``chains``: this composition with a second stage each, and its name.
    """
    union, paper = Correction.INTERSECTION_UNION, Correction.BONFERRONI
    yield held_out(PAPER, single(c, alpha, paper, Bound.COMPLEMENT), nac, radius)
    yield held_out(UNION, single(c, alpha, union, Bound.COMPLEMENT), nac, radius)
    if c.from_log or c.from_log_select:
        return
    yield held_out(MARGIN, single(c, alpha, union, Bound.MARGIN), nac, radius)
    family = single(c, alpha, union, Bound.MARGIN, SHARES)
    yield held_out(SHARE, family, nac, radius)
    for chain, name in chains:
        for t in LATER_SHARES:
            family = family + chained(chain, name, alpha, union, Bound.MARGIN, t)
    if chains:
        yield held_out(CHAIN, family, nac, radius)
