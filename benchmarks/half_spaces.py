"""Two half-spaces under noise, one that selects and one that classifies: every probability and radius is known exactly.

What the rows of docs/coverage.md are measured on, and how an answer is told to be wrong there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from benchmarks.coverage_of_chains import EPSILON, THETA, N
from engine.arrays import ABSTAIN, Array
from engine.records.compose import Composition
from engine.smoothing import GAUSSIAN, Smoothing
from engine.statistics.aces import Certificates, certify, predict
from engine.statistics.bounds import MAJORITY, critical_count, lower_confidence_bound
from engine.statistics.corrections import CERTIFY, Correction

DEPENDENCE = {"orthogonal": "independent", "same": "alike", "opposite": "opposed"}


@dataclass(frozen=True)
class Row:
    """One line of the report: how alpha was spent, the exact error (NaN: not computed), and the measured one."""

    branch: str
    spent: str
    exact: float
    measured: float


@dataclass(frozen=True)
class Truth:
    """One image: the probability that a draw selects the certification network, and that it is of class 0.

    The guesses are fixed, as the proofs condition on them: a worst case may choose them. ``votes`` is how the normals
    of the two half-spaces lie: "orthogonal" (independent votes), "same" or "opposite". ``others`` further classes
    share what class 0 leaves, evenly; of them class 1 is the answer, where they are likelier. Under ``smoothing`` the
    radius of a half-space is sigma * link(p), of one that looks at a single pixel in every norm. A share ``t`` of the
    draws selects.
    """

    select: float
    certify: float
    core: int
    s_hat: int = CERTIFY
    c_hat: int = 0
    votes: str = "orthogonal"
    sigma_select: float = 0.5
    sigma: float = 0.5
    others: int = 1
    smoothing: Smoothing = GAUSSIAN
    t: float = MAJORITY

    @property
    def answer(self) -> int:
        """What F_ACES answers at the image itself."""
        return self.core if self.select < self.t else int(self.certify < (1 - self.certify) / self.others)

    @property
    def radius(self) -> float:
        """The distance to the nearer of the two smoothed boundaries; 0 where the core network answers."""
        share, to_selection, to_class = self.smoothing.link(np.array([self.t, self.select, self.certify])).tolist()
        distance = self.sigma * abs(to_class)  # to half of the draws: of many classes, the least it can be
        return min(self.sigma_select * (to_selection - share), distance) if self.select > self.t else 0.0

    def joint(self) -> Array:
        """Probabilities of (select, class 0), (select, class 1), (core, class 0), (core, class 1)."""
        both = {
            "orthogonal": self.select * self.certify,
            "same": min(self.select, self.certify),
            "opposite": max(0.0, self.select + self.certify - 1),
        }[self.votes]
        cells = [both, self.select - both, self.certify - both, 1 + both - self.select - self.certify]
        return np.maximum(cells, 0.0)  # an impossible one may come out a rounding below 0


def draw(truth: Truth, n: int, repetitions: int, seed: int = 0) -> Composition:
    """``repetitions`` independent runs over the one image, as the images of a composition."""
    rng = np.random.default_rng(seed)
    return composition(truth, n, *votes(truth, np.full(repetitions, n), rng))


def votes(truth: Truth, draws: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """How many of ``draws`` [R] select the certification network [R], and how many are of each class [R, m]."""
    select_0, select_1, core_0, core_1 = rng.multinomial(draws, truth.joint()).T
    others = rng.multinomial(select_1 + core_1, np.full(truth.others, 1 / truth.others))
    return select_0 + select_1, np.concatenate([(select_0 + core_0)[:, None], others], 1)


def composition(truth: Truth, n: int, selected: Array, classes: Array) -> Composition:
    """The counts of n draws, one run an image."""
    ones = np.ones(len(selected), int)
    return Composition(
        index=np.arange(len(ones)), label=truth.answer * ones, core=truth.core * ones,
        sigma=truth.sigma, n0=1, n=n,
        class_counts0=np.eye(classes.shape[1], dtype=int)[truth.c_hat * ones], class_counts=classes,
        sigma_select=truth.sigma_select, n0_select=1, n_select=n, thetas=np.array([THETA]),
        select_counts0=(truth.s_hat * ones)[:, None], select_counts=selected[:, None],
        score_median=np.full(len(ones), np.nan), smoothing=truth.smoothing, smoothing_select=truth.smoothing,
    )  # fmt: skip


def wrong_certificates(truth: Truth, c: Composition, alpha: float, correction: Correction) -> float:
    """The share of answers of CERTIFY that are not the truth, or claim more than the true radius."""
    return float(np.mean(is_wrong(truth, certify(c, THETA, alpha, correction, t=truth.t))))


def is_wrong(truth: Truth, answer: Certificates) -> Array:
    """Whether an answer is not the truth, or claims more than the true radius, bool [R, T]."""
    answered = answer.prediction() != ABSTAIN
    wrong: Array = answered & ((answer.prediction() != truth.answer) | (answer.radius > truth.radius))
    return wrong


def wrong_predictions(truth: Truth, c: Composition, alpha: float) -> float:
    """The share of answers of PREDICT that are not the truth."""
    answer = predict(c, THETA, alpha, truth.t).prediction()
    return float(np.mean((answer != ABSTAIN) & (answer != truth.answer)))


# --- worst points ----------------------------------------------------------------------------------------------


def just_below_a_bound(n: int, level: float, k: int) -> float:
    """The probability at which k or more successes, which would claim more than it, are as likely as they may be."""
    return float(lower_confidence_bound(k, n, level)) - EPSILON


def tail(n: int, level: float) -> float:
    """P(a test at ``level`` that p > 1/2 succeeds) where p = 1/2: at most ``level``, by discreteness often less."""
    return float(binom.sf(critical_count(n, level) - 1, n, 0.5))


def tightest_n(level: float) -> int:
    """The n near ``N`` at which the test at ``level`` comes closest to using it up."""
    return max(range(N - 100, N + 101), key=lambda n: tail(n, level))
