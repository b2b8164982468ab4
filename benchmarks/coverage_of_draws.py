"""Rows of docs/coverage.md on numbers of draws that differ by image: section 20 of docs/statistics.md.

n chosen by the guess draws, as a budget chooses it, and draws that end when a question is answered. Guesses are drawn
here and not fixed, since n depends on them; the votes of selection and class hang together in both streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
from scipy.special import ndtr
from scipy.stats import binom

from benchmarks.coverage_of_chains import ALPHA, EPSILON, THETA
from benchmarks.half_spaces import DEPENDENCE, Row, Truth, composition, is_wrong, just_below_a_bound, votes
from engine.arrays import ABSTAIN, Array
from engine.records.compose import Composition
from engine.statistics.aces import certify, predict
from engine.statistics.bounds import lower_confidence_bound
from engine.statistics.budget import Budget, GuessVotes, choose, ladder
from engine.statistics.corrections import CORE, Correction, levels
from engine.statistics.deciding import Decider, RadiusQuestion, best_look, schedule

MOST = 2_000  # draws of an image
N0 = 100
LOSE = 0.05  # of the ACR: what spreads the images over the ladder
SHARES = np.arange(0.9, 0.95, 0.005)  # of the votes, of images that are worth several rungs
RUNGS = ladder(100, MOST)
LOOKS = schedule(MOST)
RADII = (0.25, 0.5)  # half a sigma and one
Votes = tuple[Array, Array]  # for selection [R] and for each class [R, m]


# --- n by the guess draws --------------------------------------------------------------------------------------------


def by_guesses(correction: Correction, dependence: str, repetitions: int) -> Iterator[Row]:
    """A budget gives each image its n by what the guess draws said; then CERTIFY, at full alpha, and PREDICT."""
    spend = levels(correction, ALPHA)
    for what, truth in {
        "the selection falls short": Truth(weakest(spend.select_1), 1 - EPSILON, 1),
        "the class falls short": Truth(1 - EPSILON, weakest(spend.certify_1), 1),
        "both fall short": Truth(weakest(spend.select_1), weakest(spend.certify_1), 1),
        "core or consensus": Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0),
    }.items():
        one = replace(truth, votes=dependence)
        c = chosen_by_guesses(one, correction, repetitions)
        yield _row(f"n by the guess draws, {what}, votes {DEPENDENCE[dependence]}", correction, one, c)
        if what == "core or consensus" and correction is Correction.INTERSECTION_UNION:
            branch = f"n by the guess draws, PREDICT, votes {DEPENDENCE[dependence]}"
            yield Row(branch, "two-sided, alpha/2 each", np.nan, float(wrongly_predicted(one, c).mean()))


def chosen_by_guesses(truth: Truth, correction: Correction, repetitions: int, seed: int = 31) -> Composition:
    """Runs over the one image in which a budget chose each n, by guess draws that are none of the estimating ones."""
    rng = np.random.default_rng(seed)
    guessed = votes(truth, np.full(repetitions, N0), rng)
    chosen = chosen_n(*guessed, correction, rng)
    return with_guesses(truth, chosen, votes(truth, chosen, rng), guessed)


def chosen_n(select: Array, classes: Array, correction: Correction, rng: np.random.Generator) -> Array:
    """What a budget gives the images of these guess votes, beside twice as many others, int64 [R]."""
    q, p = rng.uniform(0.8, 1, (2, 2 * len(select)))
    every_select = np.concatenate([select, rng.binomial(N0, q)])
    every_class = np.concatenate([classes.max(1), rng.binomial(N0, p)])
    guesses = GuessVotes(N0, every_select[:, None], every_class, np.ones(len(every_class), bool))
    budget = Budget(LOSE, theta=(THETA, THETA), least=int(RUNGS[0]), alpha=ALPHA, correction=correction)
    return choose(guesses, MOST, budget)[: len(select)]


def with_guesses(
    truth: Truth, draws: Array, estimated: tuple[Array, Array], guessed: tuple[Array, Array]
) -> Composition:
    """Counts of ``draws`` [R] draws each, with guess votes that were drawn as well."""
    c = composition(truth, MOST, *estimated)
    select, classes = guessed
    return replace(
        c, n0=N0, n0_select=N0, class_counts0=classes, select_counts0=select[:, None], draws=draws, draws_select=draws
    )


@cache
def weakest(level: float) -> float:
    """The probability near 0.9 at which a bound at ``level`` exceeds the truth most often, over what a budget gives."""
    rng = np.random.default_rng(32)
    select, classes = votes(Truth(0.9, 1 - EPSILON, 1), np.full(2_000, N0), rng)
    n, times = np.unique(chosen_n(select, classes, Correction.INTERSECTION_UNION, rng), return_counts=True)
    candidates = [just_below_a_bound(one, level, round(share * one)) for one in n.tolist() for share in SHARES]
    return max(candidates, key=lambda p: times @ [too_often(one, level, p) for one in n.tolist()])


def too_often(n: int, level: float, p: float) -> float:
    """P(the bound of n draws at ``level`` exceeds p)."""
    bounds = lower_confidence_bound(np.arange(n + 1), n, level)
    return float(binom.sf(np.searchsorted(bounds, p, side="right") - 1, n, p))


# --- draws that end when a question is answered -----------------------------------------------------------------------


def decided(correction: Correction, dependence: str, repetitions: int) -> Iterator[Row]:
    """Images that end when it is known whether they are certified at r, which they all but are.

    *The worst look kept*: of all looks the one whose answer is wrong, if there is one, however the question ended.
    """
    for what, truth in _asked().items():
        one = replace(truth, votes=dependence)
        seen = at_looks(one, repetitions)
        kept = kept_looks(one, correction, *seen)
        c = at_look(one, kept, *seen, _decider(correction).parts)
        yield _row(f"decided, {what}, votes {DEPENDENCE[dependence]}", correction, one, c)
        looks = all_looks(one, *seen, _decider(correction).parts)
        branch = f"decided, {what}, the worst look kept, votes {DEPENDENCE[dependence]}"
        yield Row(branch, correction, np.nan, wrong_somewhere(one, correction, looks))
        if what == CORE_OR_CONSENSUS and correction is Correction.INTERSECTION_UNION:
            measured = float(np.logical_or.reduce([wrongly_predicted(one, look) for look in looks]).mean())
            branch = f"decided, PREDICT, the worst look kept, votes {DEPENDENCE[dependence]}"
            yield Row(branch, "two-sided, alpha/2 each", np.nan, measured)


CORE_OR_CONSENSUS = "core or consensus, s_hat = 0"


def _asked() -> dict[str, Truth]:
    """Images whose radius falls short of one that is asked for by a hair."""
    short = (ndtr(np.array(RADII) / 0.5) - EPSILON).tolist()
    return {
        "the selection falls short": Truth(short[0], 1 - EPSILON, 1),
        "the class falls short": Truth(1 - EPSILON, short[1], 1),
        "both fall short": Truth(short[1], short[1], 1),
        CORE_OR_CONSENSUS: Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE),
    }


def _decider(correction: Correction) -> Decider:
    return Decider(RadiusQuestion(RADII, theta=THETA, alpha=ALPHA, correction=correction), LOOKS, 0.5)


def at_looks(truth: Truth, repetitions: int) -> tuple[Array, Array]:
    """What a question sees, look by look."""
    return seen_at(truth, LOOKS, repetitions, 33)


def seen_at(truth: Truth, numbers: tuple[int, ...], repetitions: int, seed: int) -> tuple[Array, Array]:
    """The votes of the selection [J, R] and of each class [J, R, m] in the first so many draws."""
    rng = np.random.default_rng(seed)
    more = [votes(truth, np.full(repetitions, n), rng) for n in np.diff(numbers, prepend=0)]
    return np.cumsum([select for select, _ in more], 0), np.cumsum([classes for _, classes in more], 0)


def kept_looks(truth: Truth, correction: Correction, selected: Array, classes: Array) -> Array:
    """Which look a question keeps of each image, int64 [R]."""
    look = cache(_decider(correction).look)
    kept = []
    for select, of_class in zip(selected.T.tolist(), classes[:, :, truth.c_hat].T.tolist(), strict=True):
        taken = []
        for at in range(len(LOOKS)):
            taken.append(look(at, select[at], of_class[at]))
            if taken[-1].ends:
                break
        kept.append(best_look(taken))
    return np.array(kept)


def at_look(truth: Truth, kept: Array, selected: Array, classes: Array, parts: tuple[int, ...]) -> Composition:
    """The counts of the look ``kept`` [R] of each image, which divides alpha by its part."""
    rows = np.arange(len(kept))
    c = composition(truth, MOST, selected[kept, rows], classes[kept, rows])
    draws, divided = np.array(LOOKS)[kept], np.array(parts)[kept]
    return replace(c, draws=draws, draws_select=draws, parts=divided, parts_select=divided)


def all_looks(truth: Truth, selected: Array, classes: Array, parts: tuple[int, ...]) -> list[Composition]:
    """The counts of every look as if it were kept of all images."""
    everyone = selected.shape[1]
    kept = [at_look(truth, np.full(everyone, at), selected, classes, parts) for at in range(len(LOOKS))]
    return [c.rows(slice(None)) for c in kept]


def wrong_somewhere(truth: Truth, correction: Correction, looks: list[Composition]) -> float:
    """The share of images of which the answer of any look would be wrong."""
    each = [is_wrong(truth, certify(c, THETA, ALPHA, correction, t=truth.t)) for c in looks]
    return float(np.logical_or.reduce(each).mean())


# --- n by the estimating draws, and nothing paid for it ---------------------------------------------------------------


def by_the_estimates(repetitions: int) -> Iterator[Row]:
    """n chosen by the draws that the bound then counts, at full alpha."""
    spent, full = Correction.INTERSECTION_UNION, (1,) * len(LOOKS)
    for what, truth in _asked().items():
        one = replace(truth, votes="same")
        looks = all_looks(one, *at_looks(one, repetitions), full)
        branch = f"ended by the first look of {len(LOOKS)} that tempts, {what}, votes alike"
        yield Row(branch, "alpha at every look", np.nan, wrong_somewhere(one, spent, looks))
    truth = Truth(weakest(ALPHA), 1 - EPSILON, 1)
    branch = f"n by the estimating draws: of {len(RUNGS)} the one whose radius is largest"
    yield Row(branch, "alpha", np.nan, _largest(truth, repetitions))


def _largest(truth: Truth, repetitions: int) -> float:
    """How often some rung of the ladder claims too much."""
    selected, classes = seen_at(truth, tuple(RUNGS.tolist()), repetitions, 35)
    each = [
        is_wrong(truth, certify(composition(truth, n, select, of_class), THETA, ALPHA, Correction.INTERSECTION_UNION))
        for n, select, of_class in zip(RUNGS.tolist(), selected, classes, strict=True)
    ]
    return float(np.logical_or.reduce(each).mean())


# --- report ----------------------------------------------------------------------------------------------------------


def _row(branch: str, correction: Correction, truth: Truth, c: Composition) -> Row:
    wrong = is_wrong(truth, certify(c, THETA, ALPHA, correction, t=truth.t))
    return Row(branch, correction, np.nan, float(wrong.mean()))


def wrongly_predicted(truth: Truth, c: Composition) -> Array:
    """Whether an answer of PREDICT is not the truth, bool [R, T]."""
    answer = predict(c, THETA, ALPHA, truth.t).prediction()
    wrong: Array = (answer != ABSTAIN) & (answer != truth.answer)
    return wrong


def sound(repetitions: int) -> list[Row]:
    """What must not exceed alpha."""
    each = [(correction, dependence) for correction in Correction for dependence in DEPENDENCE]
    rows = [row for case in each for row in by_guesses(*case, repetitions)]
    return rows + [row for case in each for row in decided(*case, repetitions)]


def unsound(repetitions: int) -> list[Row]:
    """What does exceed alpha."""
    return list(by_the_estimates(repetitions))
