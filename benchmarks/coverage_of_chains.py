"""Rows of docs/coverage.md on chains, and on votes for the class that select: section 19 of docs/statistics.md.

Each part of a stage's claim is a vote with a known probability: that stage 1 hands on, that stage 2 selects, that it
classifies. ``dependence`` says how the votes of one draw hang together: independently, or as thresholds on one uniform
number, from the same end ("same") or from both ("opposite").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.stats import binom, norm

from engine.arrays import ABSTAIN, Array
from engine.published.grid import RadiusGrid, as_printed
from engine.records.compose import Composition, LaterStage
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import critical_count, lower_confidence_bound, upper_confidence_bound, z_table
from engine.statistics.corrections import Correction, levels
from engine.statistics.stage import GUESS_SHARE

ALPHA = 0.05
N = 1000
THETA = 0.5
N0 = 100  # guess draws of a log
OF_LOG = 0.001  # at which level logs are certified
LONG = 100_000  # draws of which many counts print one radius
EPSILON = 1e-9  # how far a worst point keeps from the value at which the truth flips


@dataclass(frozen=True)
class ChainRow:
    """One line: the branch, how alpha was spent, the measured share of wrong answers."""

    branch: str
    spent: str
    measured: float


def drawn(probabilities: Sequence[float], dependence: str, n: int, repetitions: int, seed: int) -> list[Array]:
    """How many of n draws cast each of the votes [R], whose ``probabilities`` these are."""
    cells = list(product((True, False), repeat=len(probabilities)))
    if dependence == "orthogonal":
        p = [np.prod([q if cast else 1 - q for q, cast in zip(probabilities, cell, strict=True)]) for cell in cells]
    else:
        p = [_length(cell, probabilities, opposite=dependence == "opposite") for cell in cells]
    counts = np.random.default_rng(seed).multinomial(n, np.array(p) / np.sum(p), repetitions)
    return [counts[:, [cell[vote] for cell in cells]].sum(1) for vote in range(len(probabilities))]


def _length(cell: tuple[bool, ...], probabilities: Sequence[float], *, opposite: bool) -> float:
    """Of the uniform numbers in [0, 1] that cast just these votes; with ``opposite`` every second is cast from 1 on."""
    low, high = 0.0, 1.0
    for position, (cast, q) in enumerate(zip(cell, probabilities, strict=True)):
        if opposite and position % 2:
            low, high = (max(low, 1 - q), high) if cast else (low, min(high, 1 - q))
        else:
            low, high = (low, min(high, q)) if cast else (max(low, q), high)
    return max(0.0, high - low)


def stage(selected: Array, classes: Array, s_hat: int, core: int, c_hat: int = 0) -> Composition:
    """The counts of one stage, one run an image; ``selected`` [R] of N draws select, ``classes`` [R, m] vote."""
    ones = np.ones(len(selected), int)
    return Composition(
        index=np.arange(len(ones)), label=ones, core=core * ones, sigma=0.5, n0=1, n=N,
        class_counts0=np.eye(classes.shape[1], dtype=int)[c_hat * ones], class_counts=classes,
        sigma_select=0.5, n0_select=1, n_select=N, thetas=np.array([THETA]),
        select_counts0=(s_hat * ones)[:, None], select_counts=selected[:, None], score_median=ones * np.nan,
    )  # fmt: skip


def chain(handed_on: Array, selected: Array, of_class: Array, s_hat: tuple[int, int], core: int = 1) -> Composition:
    """Two stages of two classes; ``handed_on`` [R] of the first stage's draws do not select."""
    nothing = np.stack([np.full_like(of_class, N // 2), np.full_like(of_class, N - N // 2)], 1)
    first = stage(N - handed_on, nothing, s_hat[0], core)
    second = stage(selected, np.stack([of_class, N - of_class], 1), s_hat[1], core)
    return replace(first, then=(LaterStage(second, THETA),))


def certified(correction: Correction, dependence: str, votes: str, repetitions: int) -> Iterator[ChainRow]:
    """The second stage answers: each part of its claim falls short, and all three at once."""
    spend = levels(correction, ALPHA, 2)
    weak = [
        float(lower_confidence_bound(900, N, level)) - EPSILON
        for level in (spend.select_0, spend.select_1, spend.certify_1)
    ]
    sure = 1 - EPSILON
    for what, p in {
        "the first stage may keep the image": (weak[0], sure, sure),
        "the second's selection falls short": (sure, weak[1], sure),
        "the second's class falls short": (sure, sure, weak[2]),
        "all three fall short": tuple(weak),
    }.items():
        counts = drawn(p, dependence, N, repetitions, 11)
        answer = certify(chain(*counts, (0, 1)), THETA, ALPHA, correction)
        wrong = answer.radius[:, 0] > 0.5 * norm.ppf(min(p))
        yield ChainRow(f"chain, {what}, votes {votes}", correction, float(wrong.mean()))


def handed_to_core(correction: Correction, dependence: str, votes: str, repetitions: int) -> ChainRow:
    """Both stages are guessed to hand on, and both all but keep the image: the first by a hair more."""
    level = levels(correction, ALPHA, 2).select_0
    n = max(range(900, 1001), key=lambda n: float(binom.sf(critical_count(n, level) - 1, n, 0.5)))
    p = (0.5 - EPSILON, 1 - EPSILON, 1 - EPSILON)
    counts = drawn(p, dependence, n, repetitions, 12)
    c = chain(counts[0] + N - n, N - counts[1], counts[2] + N - n, (0, 0))
    c = replace(c, n_select=n, select_counts=(n - counts[0])[:, None])
    answer = certify(c, THETA, ALPHA, correction)
    return ChainRow(f"chain, core, votes {votes}", correction, float(np.mean(answer.prediction() == 1)))


def predictions(classes: int, dependence: str, votes: str, repetitions: int) -> ChainRow:
    """PREDICT of a chain, where either stage's selection and the second's classes are all but tied."""
    p = (0.5 + EPSILON, 0.5 + EPSILON, 1 / classes - EPSILON)
    handed_on, selected, of_class = drawn(p, dependence, N, repetitions, 13)
    rest = np.random.default_rng(14).multinomial(N - of_class, np.full(classes - 1, 1 / (classes - 1)))
    every = np.concatenate([of_class[:, None], rest], 1)
    first = stage(N - handed_on, np.tile([N] + [0] * (classes - 1), (repetitions, 1)), 0, core=0)
    second = stage(selected, every, 1, core=0)
    found = predict(replace(first, then=(LaterStage(second, THETA),)), THETA, ALPHA).prediction()[:, 0]
    wrong = (found != ABSTAIN) & (found != 1)
    branch = f"chain, PREDICT, {classes} classes all but tied, votes {votes}"
    return ChainRow(branch, "alpha/8 a side and stage, alpha/2 the class", float(wrong.mean()))


def by_votes(correction: Correction, classes: int, repetitions: int) -> Iterator[ChainRow]:
    """Votes for the class select: it has less than it claims, or hands on what it should keep; PREDICT likewise."""
    spend, rng = levels(correction, ALPHA), np.random.default_rng(15)
    for p0, k in ((0.6, 800), (0.9, 960)):
        p = float(lower_confidence_bound(k, N, spend.select_1)) - EPSILON
        c = _voted(rng.multinomial(N, _shared(p, classes), repetitions), sure=True)
        wrong = certify(c, p0, ALPHA, correction).radius[:, 0] > 0.5 * (norm.ppf(p) - norm.ppf(p0))
        yield ChainRow(f"p0 = {p0}: certified, {classes} classes", correction, float(wrong.mean()))
        kept = rng.multinomial(N, _shared(p0 + EPSILON, classes), repetitions)
        core = certify(_voted(kept, sure=False), p0, ALPHA, correction).prediction()[:, 0] == 1
        yield ChainRow(f"p0 = {p0}: core, {classes} classes", correction, float(core.mean()))
    for p0 in (0.501, 0.9):
        for truth, q in (("kept", p0 + EPSILON), ("handed on", p0 - EPSILON)):
            votes = rng.multinomial(N, _shared(q, classes), repetitions)
            found = predict(_voted(votes, sure=True), p0, ALPHA).prediction()[:, 0]
            right = 0 if truth == "kept" else 1
            measured = float(np.mean((found != ABSTAIN) & (found != right)))
            yield ChainRow(f"p0 = {p0}: PREDICT, {truth} by a hair, {classes} classes", "alpha/4 a side", measured)


def handed_on_by_votes(correction: Correction, classes: int, repetitions: int) -> ChainRow:
    """A first stage whose votes select keeps no class of an image; another class than the guessed one comes nearest."""
    spend, p0 = levels(correction, ALPHA, 2), 0.9
    p = 1 - float(lower_confidence_bound(400, N, spend.select_0)) + EPSILON
    votes = np.random.default_rng(16).multinomial(N, _shared(p, classes), repetitions)[:, ::-1]
    first = _voted(votes, sure=False)
    sure = np.full(repetitions, N)
    second = stage(sure, np.stack([sure, 0 * sure], 1), 1, core=1)
    c = replace(first, then=(LaterStage(second, THETA),))
    wrong = certify(c, p0, ALPHA, correction).radius[:, 0] > 0.5 * (norm.ppf(p0) - norm.ppf(p))
    return ChainRow(f"chain, votes of the first stage hand on, {classes} classes", correction, float(wrong.mean()))


def _shared(p: float, classes: int) -> Array:
    """The first class has p, the others share the rest."""
    return np.array([p, *[(1 - p) / (classes - 1)] * (classes - 1)])


def _voted(votes: Array, *, sure: bool) -> Composition:
    """A stage whose votes [R, m] select; the guess draws are ``sure`` of the first class, or of none."""
    c = stage(np.zeros(len(votes), int), votes, 0, core=1)
    if sure:
        return replace(c, by_votes=True)
    return replace(c, by_votes=True, n0=4, class_counts0=np.tile([2, 2] + [0] * (votes.shape[1] - 2), (len(votes), 1)))


# --- votes that a log tells ------------------------------------------------------------------------------------


def told(votes0: Array, votes: Array) -> Composition:
    """What is left of a stage [R, m] in a log: its class or an abstention, and a radius of three digits."""
    c_hat, n = votes0.argmax(1), int(votes[0].sum())
    grid, z = RadiusGrid.of(0.5, n, OF_LOG), z_table(n, OF_LOG)(_of(votes, c_hat))
    printed = as_printed(0.5 * z)
    fewest = np.where(z > 0, grid.counts_of(printed), n // 2)
    most = np.where(z > 0, grid.most_of(printed), grid.most_without_radius)
    elected = np.eye(votes.shape[1], dtype=int)
    counts = fewest[:, None] * elected[c_hat] + (n - fewest)[:, None] * elected[c_hat - 1]
    c = stage(np.zeros(len(votes), int), counts, 0, core=1)
    return replace(
        c, by_votes=True, from_log=True, class_count_high=most, class_counts0=N0 * elected[c_hat], n0=N0, n=n,
        n_select=n,
    )  # fmt: skip


def _of(counts: Array, classes: Array) -> Array:
    return np.take_along_axis(counts, classes[:, None], 1)[:, 0]


def by_votes_of_a_log(correction: Correction, classes: int, repetitions: int) -> Iterator[ChainRow]:
    """A class that is kept by a hair, which a certificate may exceed and handing on miss, and one that is not kept."""
    rng = np.random.default_rng(19)
    for p0 in (0.6, 0.9):
        for truth, p in (("kept", p0 + EPSILON), ("handed on", p0 - EPSILON)):
            c = told(*_drawn_twice(rng, _shared(p, classes), N, repetitions))
            branch = f"votes of a log, p0 = {p0}: {truth} by a hair, {classes} classes"
            yield ChainRow(branch, correction, _wrong(c, p0, p, correction))
    spend = levels(correction, ALPHA, 1, 1)
    p = float(lower_confidence_bound(_fewest(), LONG, spend.select_1)) - EPSILON
    c = told(*_drawn_twice(rng, _shared(p, classes), LONG, repetitions))
    branch = f"votes of a log, certified, {LONG:,} draws, {classes} classes"
    yield ChainRow(branch, correction, _wrong(c, 0.7, p, correction))
    p0 = _tempting(spend.select_0)
    c = told(*_drawn_twice(rng, _shared(p0 + EPSILON, classes), LONG, repetitions))
    branch = f"votes of a log, kept by a hair, {LONG:,} draws, {classes} classes"
    yield ChainRow(branch, correction, _wrong(c, p0, p0 + EPSILON, correction))


def another_class_elected(correction: Correction, repetitions: int) -> Iterator[ChainRow]:
    """The log abstains on a class that its guess draws elected by chance, where another is kept."""
    for p0 in (0.55, 0.6, 0.65, 0.7):
        c = told(*_drawn_twice(np.random.default_rng(20), _shared(p0 + EPSILON, 2), N, repetitions))
        core = certify(c, p0, ALPHA, correction).outcome[:, 0] == Outcome.CORE
        measured = float(np.mean(core & (c.class_counts0[:, 0] == 0)))
        yield ChainRow(f"votes of a log, p0 = {p0}: core, another class elected", correction, measured)


def predicted_by_a_log(classes: int, repetitions: int) -> Iterator[ChainRow]:
    """PREDICT where votes that a log tells select."""
    rng = np.random.default_rng(21)
    for p0 in (0.501, 0.9):
        for truth, p in (("kept", p0 + EPSILON), ("handed on", p0 - EPSILON)):
            c = told(*_drawn_twice(rng, _shared(p, classes), N, repetitions))
            found = predict(c, p0, ALPHA).prediction()[:, 0]
            wrong = (found != ABSTAIN) & (found != (0 if truth == "kept" else 1))
            branch = f"votes of a log, p0 = {p0}: PREDICT, {truth} by a hair, {classes} classes"
            yield ChainRow(branch, "alpha/4 a side", float(wrong.mean()))


def chain_of_a_log(correction: Correction, classes: int, repetitions: int) -> ChainRow:
    """A log's first stage keeps an image by a hair: it may certify too far, or the second stage what it never gets."""
    rng, p0, sure = np.random.default_rng(22), 0.9, np.full(repetitions, N)
    first = told(*_drawn_twice(rng, _shared(p0 + EPSILON, classes), N, repetitions))
    second = stage(sure, np.stack([sure, 0 * sure], 1), 1, core=1)
    answer = certify(replace(first, then=(LaterStage(second, THETA),)), p0, ALPHA, correction)
    return ChainRow(
        f"chain, votes of a log first, kept by a hair, {classes} classes", correction,
        float(np.mean(answer.radius[:, 0] > 0.5 * (norm.ppf(p0 + EPSILON) - norm.ppf(p0)))),
    )  # fmt: skip


def _drawn_twice(rng: np.random.Generator, p: Array, n: int, repetitions: int) -> tuple[Array, Array]:
    """The guess draws and the others, [R, m] each."""
    return rng.multinomial(N0, p, repetitions), rng.multinomial(n, p, repetitions)


def _wrong(c: Composition, p0: float, p: float, correction: Correction, alpha: float = ALPHA) -> float:
    """How often an answer is wrong where class 0 has p of the draws, and the core network says 1."""
    answer = certify(c, p0, alpha, correction)
    outcome, radius = answer.outcome[:, 0], answer.radius[:, 0]
    if p <= p0:
        return float(np.mean(radius > 0))
    too_far = (radius > 0.5 * (norm.ppf(p) - norm.ppf(p0))) | ((radius > 0) & (answer.c_hat != 0))
    return float(np.mean(too_far | (outcome == Outcome.CORE)))


def _fewest() -> int:
    """The fewest of some 70 counts that print one radius."""
    return int(RadiusGrid.of(0.5, LONG, OF_LOG).counts_of(np.array([1.1]))[0])


def _tempting(level: float) -> float:
    """A share p0 at which these are just few enough to hand on."""
    return float(upper_confidence_bound(_fewest(), LONG, level * (1 - GUESS_SHARE))) + EPSILON


def fewest_votes_hand_on(repetitions: int) -> ChainRow:
    """Handing on by the fewest votes that print a log's radius, as if they had been counted."""
    p0 = _tempting(ALPHA / 2)
    votes = _drawn_twice(np.random.default_rng(23), _shared(p0 + EPSILON, 2), LONG, repetitions)
    c = told(*votes)
    c = replace(c, class_count_high=_of(c.class_counts, c.class_counts0.argmax(1)))
    measured = _wrong(c, p0, p0 + EPSILON, Correction.INTERSECTION_UNION)
    return ChainRow("votes of a log: core by the fewest that print its radius", "alpha/2", measured)


def either_direction_at_alpha(repetitions: int) -> ChainRow:
    """The estimating draws choose the direction, and it spends alpha as if the guess draws had chosen it."""
    c = told(*_drawn_twice(np.random.default_rng(24), _shared(0.6 + EPSILON, 2), N, repetitions))
    measured = _wrong(c, 0.6, 0.6 + EPSILON, Correction.INTERSECTION_UNION, 2 * ALPHA)  # which each spends half of
    return ChainRow("votes of a log, p0 = 0.6: kept by a hair", "alpha each way", measured)


def abstention_taken_for_all(repetitions: int) -> ChainRow:
    """Handing on where a log abstained, as if no other class than its own could have many votes."""
    p0 = 0.55
    votes0, votes = _drawn_twice(np.random.default_rng(25), _shared(p0 + EPSILON, 2), N, repetitions)
    most = upper_confidence_bound(_of(votes, votes0.argmax(1)), N, ALPHA / 2)
    return ChainRow("votes of a log, p0 = 0.55: core by an abstention alone", "alpha/2", float(np.mean(most <= p0)))


def consensus_for_nothing(repetitions: int) -> ChainRow:
    """A chain that kept the consensus at full alpha: stage 1 selects for certain, or all classes are the core's."""
    n = max(range(900, 1001), key=lambda n: float(binom.sf(critical_count(n, ALPHA) - 1, n, 0.5)))
    selects, agrees = np.random.default_rng(17).binomial(n, 0.5, (2, repetitions)) >= critical_count(n, ALPHA)
    return ChainRow("chain with a consensus", "alpha each", float(np.mean(selects | agrees)))


def the_guessed_class_alone(repetitions: int) -> ChainRow:
    """Handing on by an upper bound of the guessed class alone, where another one has more than p0."""
    votes = np.random.default_rng(18).multinomial(N, [0.25, 0.75], repetitions)
    against = lower_confidence_bound(N - votes[:, 0], N, ALPHA)  # of the class that the guess draws happened to elect
    return ChainRow("p0 = 0.7: core by the guessed class alone", "alpha", float(np.mean(against >= 1 - 0.7)))


def sound(repetitions: int, dependences: dict[str, str]) -> list[ChainRow]:
    """What must not exceed alpha."""
    rows = []
    for correction in Correction:
        for dependence, votes in dependences.items():
            rows += certified(correction, dependence, votes, repetitions)
            rows += [handed_to_core(correction, dependence, votes, repetitions)]
        for classes in (2, 3, 10):
            rows += by_votes(correction, classes, repetitions)
            rows += [handed_on_by_votes(correction, classes, repetitions)]
            rows += by_votes_of_a_log(correction, classes, repetitions)
            rows += [chain_of_a_log(correction, classes, repetitions)]
        rows += another_class_elected(correction, repetitions)
    every = [(m, *named) for m in (2, 3, 10) for named in dependences.items()]
    tests = [predictions(*case, repetitions) for case in every]
    tests += [row for m in (2, 3, 10) for row in predicted_by_a_log(m, repetitions)]
    return list({(row.branch, row.spent): row for row in [*rows, *tests]}.values())  # PREDICT knows no correction


def unsound(repetitions: int) -> list[ChainRow]:
    """What does exceed alpha."""
    return [
        consensus_for_nothing(repetitions), the_guessed_class_alone(repetitions), fewest_votes_hand_on(repetitions),
        either_direction_at_alpha(repetitions), abstention_taken_for_all(repetitions),
    ]  # fmt: skip
