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
from engine.records.compose import Composition, LaterStage
from engine.statistics.aces import certify, predict
from engine.statistics.bounds import critical_count, lower_confidence_bound
from engine.statistics.corrections import Correction, levels

ALPHA = 0.05
N = 1000
THETA = 0.5
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
    every = [(m, *named) for m in (2, 3, 10) for named in dependences.items()]
    tests = [predictions(*case, repetitions) for case in every]
    return list({(row.branch, row.spent): row for row in [*rows, *tests]}.values())  # PREDICT knows no correction


def unsound(repetitions: int) -> list[ChainRow]:
    """What does exceed alpha."""
    return [consensus_for_nothing(repetitions), the_guessed_class_alone(repetitions)]
