"""ACES Algorithms 1 and 4, one image and one threshold at a time, from the paper's text and scipy.stats alone.

Slow on purpose: plain loops, scipy's own intervals and tests, nothing of the engine. Where the project departs from
the paper (docs/statistics.md), the line says so. ``select`` is the selection's vote at one threshold, ``classes`` the
class votes; a pair is (votes for core, votes for the certification network).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf

from scipy.stats import beta, binomtest, norm

CORE, CERTIFY = 0, 1
ABSTAIN = -1


@dataclass(frozen=True)
class Answer:
    """What CERTIFY returns: the branch it took, the class (-1 for none) and the radius."""

    outcome: str
    label: int
    radius: float


@cache
def lower_conf_bound(k: int, n: int, alpha: float) -> float:
    """LOWERCONFBND(k, n, 1 - alpha): Clopper-Pearson, one-sided."""
    return float(beta.ppf(alpha, k, n - k + 1)) if k > 0 else 0.0


@cache
def binom_p_value(k: int, n: int) -> float:
    """BINOMPVALUE(k, n, 0.5), two-sided, where the paper's Appendix A says one-sided."""
    return float(binomtest(k, n, 0.5).pvalue) if n > 0 else 1.0


def spend(correction: str, alpha: float, s_hat: int) -> tuple[float, float]:
    """(a_S, a_C): the levels of the selection's and of the certification network's bound."""
    if correction == "bonferroni":  # the paper
        return alpha / 2, alpha / 2
    if correction == "intersection-union":
        return (alpha, alpha) if s_hat == CERTIFY else (alpha / 2, alpha / 2)
    if correction == "simultaneous":
        return alpha / (2 * 101), alpha / 2
    raise ValueError(correction)


def top(counts: list[int]) -> int:
    """The index of the largest count, the first on ties."""
    best = 0
    for c in range(len(counts)):
        if counts[c] > counts[best]:
            best = c
    return best


@cache
def binom_tail(k: int, n: int, t: float) -> float:
    """P(Bin(n, t) >= k)."""
    return float(binomtest(k, n, t, alternative="greater").pvalue)


def guess(counts0_s: tuple[int, int], t: float = 0.5) -> int:
    """Algorithm 1: s_hat <- 0 if counts0_S[0] > counts0_S[1] else 1; at another t, 1 from a share t of the votes on."""
    if t == 0.5:
        return CORE if counts0_s[0] > counts0_s[1] else CERTIFY
    return CERTIFY if counts0_s[1] >= t * (counts0_s[0] + counts0_s[1]) else CORE


def margin(counts_c: list[int], c_hat: int, level: float) -> tuple[float, float]:
    """A lower bound of the class and an upper one of its strongest rival, at half of the level each."""
    n = sum(counts_c)
    rival = max(counts_c[c] for c in range(len(counts_c)) if c != c_hat)
    upper = float(beta.ppf(1 - (level / 2), rival + 1, n - rival)) if rival < n else 1.0
    return lower_conf_bound(counts_c[c_hat], n, level / 2), upper


def margin_is_expected_to_reach_further(counts0_c: list[int], c_hat: int, n: int, level: float) -> bool:
    """By the guess draws alone: would n draws that vote as they did certify no less by the margin?"""
    rival = max(counts0_c[c] for c in range(len(counts0_c)) if c != c_hat)
    k_a, k_b = (round(n * k / sum(counts0_c)) for k in (counts0_c[c_hat], rival))
    lower = lower_conf_bound(k_a, n, level / 2)
    upper = float(beta.ppf(1 - (level / 2), k_b + 1, n - k_b)) if k_b < n else 1.0
    by_margin = (norm.ppf(lower) - norm.ppf(upper)) / 2 if lower > upper else 0.0
    p_a = lower_conf_bound(k_a, n, level)
    return bool(by_margin >= (norm.ppf(p_a) if p_a > 0.5 else 0.0))


def certify(
    s_hat: int,
    votes_for_s_hat: int,
    n_s: int,
    sigma_s: float,
    counts0_c: list[int],
    counts_c: list[int],
    sigma_c: float,
    f_core: int,
    levels: tuple[float, float],
    t: float = 0.5,
    bound: str = "complement",
) -> Answer:
    """Algorithm 1 after its draws; docs/statistics.md, section 17, for another t than 1/2, and 18 for the margin."""
    c_hat = top(counts0_c)
    if bound == "margin" and margin_is_expected_to_reach_further(counts0_c, c_hat, sum(counts_c), levels[1]):
        lower, upper = margin(counts_c, c_hat, levels[1])
        p_s = lower_conf_bound(votes_for_s_hat, n_s, levels[0])
        if s_hat == CERTIFY and lower > upper and p_s > t:
            by_class = sigma_c * (norm.ppf(lower) - norm.ppf(upper)) / 2
            return Answer("certified", c_hat, min(sigma_s * (norm.ppf(p_s) - norm.ppf(t)), by_class))
        if s_hat == CORE and p_s >= 1 - t:
            return Answer("core", f_core, 0.0)
        if c_hat == f_core and lower >= upper:
            return Answer("consensus", c_hat, 0.0)
        return Answer("abstain", ABSTAIN, 0.0)
    p_s = lower_conf_bound(votes_for_s_hat, n_s, levels[0])
    p_a = lower_conf_bound(counts_c[c_hat], sum(counts_c), levels[1])
    if s_hat == CERTIFY and p_a > 0.5 and p_s > t:
        return Answer("certified", c_hat, min(sigma_s * (norm.ppf(p_s) - norm.ppf(t)), sigma_c * norm.ppf(p_a)))
    if s_hat == CORE and p_s >= 1 - t:
        return Answer("core", f_core, 0.0)
    if c_hat == f_core and p_a >= 0.5:
        return Answer("consensus", c_hat, 0.0)
    return Answer("abstain", ABSTAIN, 0.0)


def predict(
    votes_core: int, votes_certify: int, n_s: int, counts_c: list[int], f_core: int, alpha: float, t: float = 0.5
) -> int:
    """Algorithm 4 after its draws, with "n0 > n1 and p <= alpha/2" where the paper prints "or".

    At a stored threshold the two votes sum to n_s; between two thresholds they may sum to less.
    """
    c_a = top(counts_c)
    n_a, n_b = sorted(counts_c, reverse=True)[:2]
    p_class = binom_p_value(n_a, n_a + n_b)
    for_certify = votes_certify > n_s - votes_certify and binom_p_value(votes_certify, n_s) <= alpha / 2
    for_core = votes_core > n_s - votes_core and binom_p_value(votes_core, n_s) <= alpha / 2
    if t != 0.5:  # one side each, at the same price
        for_certify = binom_tail(votes_certify, n_s, t) <= alpha / 4
        for_core = binom_tail(votes_core, n_s, 1 - t) <= alpha / 4
    if for_certify and p_class <= alpha / 2:
        return c_a
    if for_core:
        return f_core
    if c_a == f_core and p_class <= alpha / 2:
        return c_a
    return ABSTAIN


# --- one threshold of a stored row -----------------------------------------------------------------------------


def neighbours(thetas: list[float], theta: float) -> tuple[int | None, int | None]:
    """Positions of the stored thresholds next at or below theta, and next at or above it."""
    lower, upper = None, None
    for at, stored in enumerate(thetas):
        if stored <= theta + 1e-9:
            lower = at
        if upper is None and stored >= theta - 1e-9:
            upper = at
    return lower, upper


def usable_thresholds(thetas: list[float], correction: str) -> list[int]:
    """All stored ones; for `simultaneous` the first that is 0.00, one that is 0.01, ...: at most 101 in all."""
    if correction != "simultaneous":
        return list(range(len(thetas)))
    first: dict[int, int] = {}
    for at, theta in enumerate(thetas):
        for i in range(101):
            if abs(theta - i / 100) < 1e-8 and i not in first:
                first[i] = at
    return sorted(first.values())


@dataclass(frozen=True)
class Row:
    """One image's counts and the two noise levels; ``select0``, ``select``: draws with score <= each of ``thetas``."""

    thetas: list[float]
    select0: list[int]
    select: list[int]
    n0_s: int
    n_s: int
    sigma_s: float
    classes0: list[int]
    classes: list[int]
    sigma_c: float
    f_core: int


def certify_at(
    row: Row, theta: float, alpha: float, correction: str, t: float = 0.5, bound: str = "complement"
) -> Answer:
    """Algorithm 1 at any theta. Off the stored thresholds: certify counts of the lower one, core counts of the upper.

    Where the neighbours guess differently the selection is undecided and only the consensus branch is left.
    """
    usable = usable_thresholds(row.thetas, correction)
    lower, upper = neighbours([row.thetas[at] for at in usable], theta)
    # Below the first threshold nothing is known to be selected, above the last nothing to be rejected; without any,
    # neither: the guesses then differ, and the selection is undecided.
    low0, low = (row.select0[usable[lower]], row.select[usable[lower]]) if lower is not None else (0, 0)
    high0, high = (row.select0[usable[upper]], row.select[usable[upper]]) if upper is not None else (row.n0_s, row.n_s)
    s_low, s_high = guess((row.n0_s - low0, low0), t), guess((row.n0_s - high0, high0), t)
    votes = (low if s_low == CERTIFY else row.n_s - high) if s_low == s_high else 0
    s_hat = s_high
    return certify(
        s_hat, votes, row.n_s, row.sigma_s, row.classes0, row.classes, row.sigma_c, row.f_core,
        spend(correction, alpha, s_hat), t, bound,
    )  # fmt: skip


def looks_parts(split: str, planned: int) -> list[float]:
    """What alpha is divided by at each of the planned looks."""
    if split == "even" or planned == 1:
        return [planned] * planned
    return [2 * (planned - 1)] * (planned - 1) + [2]


def certify_at_looks(
    rows: list[Row],
    planned: int,
    theta: float,
    alpha: float,
    correction: str,
    t: float = 0.5,
    bound: str = "complement",
    split: str = "even",
) -> Answer:
    """Algorithm 1 by the best bounds of the first looks at one image; theta is a stored threshold (section 14)."""
    by_select, by_class, class_holds, core_holds = 0.0, 0.0, False, False
    for row, part in zip(rows, looks_parts(split, planned), strict=False):
        at = neighbours(row.thetas, theta)[0]
        assert at is not None
        s_hat = guess((row.n0_s - row.select0[at], row.select0[at]), t)
        level_s, level_c = spend(correction, alpha / part, s_hat)
        p_s = lower_conf_bound(row.select[at] if s_hat == CERTIFY else row.n_s - row.select[at], row.n_s, level_s)
        if s_hat == CERTIFY and p_s > t:
            by_select = max(by_select, row.sigma_s * (norm.ppf(p_s) - norm.ppf(t)))
        core_holds = core_holds or (s_hat == CORE and p_s >= 1 - t)
        c_hat, n = top(row.classes0), sum(row.classes)
        if bound == "margin" and margin_is_expected_to_reach_further(row.classes0, c_hat, n, level_c):
            lower, upper = margin(row.classes, c_hat, level_c)
            class_holds = class_holds or lower >= upper
            if lower > upper:
                by_class = max(by_class, row.sigma_c * (norm.ppf(lower) - norm.ppf(upper)) / 2)
        else:
            p_a = lower_conf_bound(row.classes[c_hat], n, level_c)
            class_holds = class_holds or p_a >= 0.5
            if p_a > 0.5:
                by_class = max(by_class, row.sigma_c * norm.ppf(p_a))
    if by_select > 0 and by_class > 0:
        return Answer("certified", c_hat, min(by_select, by_class))
    if core_holds:
        return Answer("core", row.f_core, 0.0)
    if class_holds and c_hat == row.f_core:
        return Answer("consensus", c_hat, 0.0)
    return Answer("abstain", ABSTAIN, 0.0)


def predict_at(row: Row, theta: float, alpha: float, t: float = 0.5) -> int:
    """Algorithm 4 at any theta, by the same rule."""
    lower, upper = neighbours(row.thetas, theta)
    low = row.select[lower] if lower is not None else 0
    high = row.select[upper] if upper is not None else row.n_s
    return predict(row.n_s - high, low, row.n_s, row.classes, row.f_core, alpha, t)


# --- metrics ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scores:
    """Section 4.4 of the design at one threshold: percent, and the mean radius."""

    nac: float
    acr: float
    certified_accuracy: list[float]
    certified_selection: list[float]


def metrics_at(
    rows: list[Row],
    labels: list[int],
    theta: float,
    alpha: float,
    correction: str,
    radii: list[float],
    t: float = 0.5,
) -> Scores:
    """The metrics by their definitions, image after image."""
    answers = [certify_at(row, theta, alpha, correction, t) for row in rows]
    n = len(rows)
    nac = sum(predict_at(row, theta, alpha, t) == y for row, y in zip(rows, labels, strict=True))
    acr = sum(a.radius for a, y in zip(answers, labels, strict=True) if a.outcome == "certified" and a.label == y)
    accuracy, selection = [], []
    for r in radii:
        hits, selected = 0, 0
        for row, a, y in zip(rows, answers, labels, strict=True):
            hits += a.label == y and (r == 0 or (a.outcome == "certified" and a.radius >= r))
            radius = selection_radius(row, theta, alpha, correction, t)
            selected += radius > 0 and radius >= r
        accuracy.append(100 * hits / n)
        selection.append(100 * selected / n)
    return Scores(100 * nac / n, acr / n, accuracy, selection)


def selection_radius(row: Row, theta: float, alpha: float, correction: str, t: float = 0.5) -> float:
    """sigma_S (Phi^-1(p_S) - Phi^-1(t)) where s_hat = 1, p_S > t, else 0: CERTIFY beside a network that never fails."""
    sure = Row(**{**vars(row), "classes0": [1, 0], "classes": [10**9, 0], "sigma_c": inf, "f_core": 1})
    return certify_at(sure, theta, alpha, correction, t).radius
