"""Chains and votes for the class that select, one image at a time in plain loops: the second opinion of section 19.

Built on ``oracle.py``'s bounds from scipy alone; nothing of the engine. A stage is an ``AskedStage``: its counts, its
threshold and its share t, or, where the votes select, the share p_0 that is asked of a class. Of a log there is what
it ``Printed`` in place of counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from scipy.stats import norm

from tests.oracle import (
    ABSTAIN,
    CERTIFY,
    CORE,
    Answer,
    Row,
    binom_p_value,
    binom_tail,
    guess,
    looks_parts,
    lower_conf_bound,
    margin,
    margin_is_expected_to_reach_further,
    neighbours,
    spend,
    top,
    usable_thresholds,
)

GUESS_SHARE = 0.1  # of the level at which votes of a log hand on, for the class that its guess draws elected


@dataclass(frozen=True)
class Printed:
    """What a log says of an image: a class or -1, and a radius, of ``n`` draws under ``sigma`` at level ``alpha``."""

    predict: int
    radius: str
    form: str
    sigma: float
    n: int
    alpha: float
    n0: int = 100

    @property
    def fewest(self) -> int:
        """Votes of the class; half of the draws, which certify nothing, where it abstained."""
        return self.n // 2 if self.predict == ABSTAIN else min(votes_that_print(self))

    @property
    def most(self) -> int:
        return max(votes_that_print(self))


def votes_that_print(log: Printed) -> list[int]:
    """All numbers of votes for the guessed class with which the log would have printed this."""
    shown = "" if log.predict == ABSTAIN else log.radius
    return [k for k, text in enumerate(all_that_is_printed(log.form, log.sigma, log.n, log.alpha)) if text == shown]


@cache
def all_that_is_printed(form: str, sigma: float, n: int, alpha: float) -> list[str]:
    """The radius that each number of votes prints; "" where the log abstains."""
    bounds = [lower_conf_bound(k, n, alpha) for k in range(n + 1)]
    return [form.format(sigma * norm.ppf(p)) if p >= 0.5 else "" for p in bounds]


@dataclass(frozen=True)
class AskedStage:
    """One stage: the counts of its networks, at which threshold and share it selects; ``p0`` where its votes do, and
    then ``log`` if it is one's. The row of a log tells only which class was guessed and what the core network says.
    """

    row: Row
    theta: float = 0.0
    t: float = 0.5
    p0: float | None = None
    log: Printed | None = None

    @property
    def share(self) -> float:
        return self.t if self.p0 is None else self.p0


def spend_of_chain(correction: str, alpha: float, stages: list[AskedStage], s_hat: int) -> tuple[float, float]:
    """(a_S, a_C) of each stage."""
    logs = sum(stage.log is not None for stage in stages)
    if len(stages) == 1 and not logs:
        return spend(correction, alpha, s_hat)
    if correction == "bonferroni":
        bounds = len(stages) + logs + (1 if logs < len(stages) else 0)
        return alpha / bounds, alpha / bounds
    if correction == "intersection-union":
        return alpha / (1 + logs), alpha / (1 + logs)
    if correction == "simultaneous":
        return alpha / (2 * 101 * len(stages)), alpha / (2 * len(stages))
    raise ValueError(correction)


def votes_of(stage: AskedStage, correction: str) -> tuple[int, int, int]:
    """s_hat, the votes for it, and of how many."""
    row = stage.row
    if stage.log is not None:
        fewest, most, n = stage.log.fewest, stage.log.most, stage.log.n
        return (CERTIFY, fewest, n) if fewest >= stage.share * n else (CORE, n - most, n)
    if stage.p0 is not None:
        n0, n = sum(row.classes0), sum(row.classes)
        c_hat = top(row.classes0)
        if row.classes0[c_hat] >= stage.p0 * n0:
            return CERTIFY, row.classes[c_hat], n
        return CORE, n - max(row.classes), n
    usable = usable_thresholds(row.thetas, correction)
    lower, upper = neighbours([row.thetas[at] for at in usable], stage.theta)
    low0, low = (row.select0[usable[lower]], row.select[usable[lower]]) if lower is not None else (0, 0)
    high0, high = (row.select0[usable[upper]], row.select[usable[upper]]) if upper is not None else (row.n0_s, row.n_s)
    s_low = guess((row.n0_s - low0, low0), stage.t)
    s_high = guess((row.n0_s - high0, high0), stage.t)
    if s_low != s_high:
        return s_high, 0, row.n_s
    return s_high, low if s_high == CERTIFY else row.n_s - high, row.n_s


def bound_against(stage: AskedStage, votes: int, n: int, level: float) -> float:
    """Lower bound of the probability that a draw votes for none of the classes, whichever one takes."""
    if stage.log is None:
        return lower_conf_bound(votes, n, level)
    of_votes = level - GUESS_SHARE * level
    if stage.log.predict == ABSTAIN:  # of a class that was not elected the guess draws alone tell
        n0 = stage.log.n0
        against = lower_conf_bound(n0 - n0 // 2, n0, GUESS_SHARE * level)
        while votes > 0 and lower_conf_bound(votes, n, of_votes) > against:  # a bound of whole votes
            votes -= 1
    return lower_conf_bound(votes, n, of_votes)


def class_radius(stage: AskedStage, level: float, bound: str) -> float:
    """Within which the class of the guess draws stays the likeliest; 0 if that is not certain."""
    row, c_hat = stage.row, top(stage.row.classes0)
    n = sum(row.classes)
    if stage.log is not None:
        p = lower_conf_bound(stage.log.fewest, n, level)
        return float(row.sigma_c * norm.ppf(p)) if p > 0.5 else 0.0
    by_margin = bound == "margin" and stage.p0 is None
    if by_margin and margin_is_expected_to_reach_further(row.classes0, c_hat, n, level):
        lower, upper = margin(row.classes, c_hat, level)
        return float(row.sigma_c * (norm.ppf(lower) - norm.ppf(upper)) / 2) if lower > upper else 0.0
    p = lower_conf_bound(row.classes[c_hat], n, level)
    return float(row.sigma_c * norm.ppf(p)) if p > 0.5 else 0.0


def certify_chain(stages: list[AskedStage], alpha: float, correction: str, bound: str = "complement") -> Answer:
    """The first stage whose guess is to certify answers, if all before hand on for certain.

    There is no consensus but where there is one stage, as in Algorithm 1.
    """
    found = conjunction(stages, alpha, correction, bound)
    row, alone = stages[0].row, len(stages) == 1
    if alone and found.outcome == "abstain" and top(row.classes0) == row.f_core:
        level = spend_of_chain(correction, alpha, stages, votes_of(stages[0], correction)[0])[1]
        log = stages[0].log
        votes = row.classes[row.f_core] if log is None else log.fewest
        if lower_conf_bound(votes, sum(row.classes), level) >= 0.5:
            return Answer("consensus", row.f_core, 0.0)
    return found


def conjunction(stages: list[AskedStage], alpha: float, correction: str, bound: str) -> Answer:
    """Certified or core where every part of the claim holds."""
    within, sure = float("inf"), True
    for stage in stages:
        s_hat, votes, n = votes_of(stage, correction)
        level_s, level_c = spend_of_chain(correction, alpha, stages, s_hat)
        p = lower_conf_bound(votes, n, level_s) if s_hat == CERTIFY else bound_against(stage, votes, n, level_s)
        share = stage.share if s_hat == CERTIFY else 1 - stage.share
        radius = float(stage.row.sigma_s * (norm.ppf(p) - norm.ppf(share))) if p > share else 0.0
        within = min(within, radius)
        if s_hat == CERTIFY:
            within = min(within, class_radius(stage, level_c, bound))
            return (
                Answer("certified", top(stage.row.classes0), within) if within > 0 else Answer("abstain", ABSTAIN, 0.0)
            )
        sure = sure and p >= share
    return Answer("core", stages[0].row.f_core, 0.0) if sure else Answer("abstain", ABSTAIN, 0.0)


def predict_chain(stages: list[AskedStage], alpha: float) -> int:
    """PREDICT stage after stage; where one is in doubt, only the consensus of it and all behind it answers."""
    f_core, level = stages[0].row.f_core, alpha / 4 / len(stages)
    for position, stage in enumerate(stages):
        row = stage.row
        if stage.log is not None:
            n = stage.log.n
            votes_certify, votes_core = stage.log.fewest, n - stage.log.most
        elif stage.p0 is not None:
            n = sum(row.classes)
            votes_certify, votes_core = max(row.classes), n - max(row.classes)
        else:
            lower, upper = neighbours(row.thetas, stage.theta)
            n = row.n_s
            votes_certify = row.select[lower] if lower is not None else 0
            votes_core = n - (row.select[upper] if upper is not None else n)
        winner = class_of(stage, alpha)
        if binom_tail(votes_certify, n, stage.share) <= level:
            return winner
        if stage.log is None:
            hands_on = binom_tail(votes_core, n, 1 - stage.share) <= level
        else:
            hands_on = bound_against(stage, votes_core, n, level) >= 1 - stage.share
        if hands_on:
            continue
        agreed = all(class_of(later, alpha) == f_core for later in stages[position:])
        return f_core if agreed else ABSTAIN
    return f_core


def class_of(stage: AskedStage, alpha: float) -> int:
    """Cohen's PREDICT at alpha/2."""
    row = stage.row
    if stage.log is not None:  # all other votes may be one rival's
        k, n = stage.log.fewest, stage.log.n
        return top(row.classes0) if 2 * k > n and binom_p_value(k, n) <= alpha / 2 else ABSTAIN
    n_a, n_b = sorted(row.classes, reverse=True)[:2]
    return top(row.classes) if binom_p_value(n_a, n_a + n_b) <= alpha / 2 else ABSTAIN


def certify_chain_at_looks(
    looks: list[list[AskedStage]],
    planned: int,
    alpha: float,
    correction: str,
    bound: str = "complement",
    split: str = "even",
) -> Answer:
    """The same by the best bound of each component over the first looks at one image, among which alpha is split."""
    first, parts = looks[0], looks_parts(split, planned)
    within, sure, alone = float("inf"), True, len(first) == 1
    for j, stage in enumerate(first):
        s_hat, _, _ = votes_of(stage, correction)
        by_select, by_class, handed_on, class_holds = 0.0, 0.0, False, False
        for stages, part in zip(looks, parts, strict=False):
            _, votes, n = votes_of(stages[j], correction)
            level_s, level_c = spend_of_chain(correction, alpha / part, first, s_hat)
            p, row = lower_conf_bound(votes, n, level_s), stages[j].row
            share = stage.share if s_hat == CERTIFY else 1 - stage.share
            by_select = max(by_select, float(row.sigma_s * (norm.ppf(p) - norm.ppf(share))) if p > share else 0.0)
            by_class = max(by_class, class_radius(stages[j], level_c, bound))
            handed_on = handed_on or p >= share
            class_holds = class_holds or lower_conf_bound(row.classes[top(row.classes0)], n, level_c) >= 0.5
        within = min(within, by_select)
        if s_hat == CERTIFY and min(within, by_class) > 0:
            return Answer("certified", top(stage.row.classes0), min(within, by_class))
        sure = sure and s_hat == CORE and handed_on
        if alone and not sure and class_holds and top(stage.row.classes0) == stage.row.f_core:
            return Answer("consensus", stage.row.f_core, 0.0)
        if s_hat == CERTIFY:
            break
    return Answer("core", first[0].row.f_core, 0.0) if sure else Answer("abstain", ABSTAIN, 0.0)
