"""How often certificates and answers are wrong, measured where the truth is known: docs/coverage.md.

Two half-spaces under Gaussian noise, one that selects and one that classifies: every probability and every radius is
known exactly. The points are the worst there are for each branch of Algorithms 1 and 4, found from the binomial
distribution, so that the exact error stands beside the measured one. docs/statistics.md explains the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from engine.aces import CERTIFY, CORE, Correction, certify, levels, predict, predict_class
from engine.bounds import critical_count, lower_confidence_bound
from engine.compose import Composition
from engine.runs import ABSTAIN, Array

ALPHA = 0.05
REPETITIONS = 100_000
THETA = 0.5
N = 1000
EPSILON = 1e-9  # how far a worst point keeps from the value at which the truth flips


@dataclass(frozen=True)
class Truth:
    """One image: the probability that a draw selects the certification network, and that it is of class 0 (of 2).

    The guesses are fixed, as the proofs condition on them: a worst case may choose them. ``votes`` is how the normals
    of the two half-spaces lie: "orthogonal" (independent votes), "same" or "opposite".
    """

    select: float
    certify: float
    core: int
    s_hat: int = CERTIFY
    c_hat: int = 0
    votes: str = "orthogonal"
    sigma_select: float = 0.5
    sigma: float = 0.5

    @property
    def answer(self) -> int:
        """What F_ACES answers at the image itself."""
        return self.core if self.select < 0.5 else int(self.certify < 0.5)

    @property
    def radius(self) -> float:
        """The distance to the nearer of the two smoothed boundaries; 0 where the core network answers."""
        distance = self.sigma * abs(norm.ppf(self.certify))
        return min(self.sigma_select * norm.ppf(self.select), distance) if self.select > 0.5 else 0.0

    def joint(self) -> Array:
        """Probabilities of (select, class 0), (select, class 1), (core, class 0), (core, class 1)."""
        both = {
            "orthogonal": self.select * self.certify,
            "same": min(self.select, self.certify),
            "opposite": max(0.0, self.select + self.certify - 1),
        }[self.votes]
        return np.array([both, self.select - both, self.certify - both, 1 + both - self.select - self.certify])


def draw(truth: Truth, n: int, repetitions: int, seed: int = 0) -> Composition:
    """``repetitions`` independent runs over the one image, as the images of a composition."""
    select_0, select_1, core_0, core_1 = np.random.default_rng(seed).multinomial(n, truth.joint(), repetitions).T
    ones = np.ones(repetitions, int)
    return Composition(
        index=np.arange(repetitions), label=truth.answer * ones, core=truth.core * ones,
        sigma=truth.sigma, n0=1, n=n,
        class_counts0=np.eye(2, dtype=int)[truth.c_hat * ones],
        class_counts=np.stack([select_0 + core_0, select_1 + core_1], 1),
        sigma_select=truth.sigma_select, n0_select=1, n_select=n, thetas=np.array([THETA]),
        select_counts0=(truth.s_hat * ones)[:, None], select_counts=(select_0 + select_1)[:, None],
        score_median=np.full(repetitions, np.nan),
    )  # fmt: skip


def wrong_certificates(truth: Truth, c: Composition, alpha: float, correction: Correction) -> float:
    """The share of answers of CERTIFY that are not the truth, or claim more than the true radius."""
    answer = certify(c, THETA, alpha, correction)
    answered = answer.prediction() != ABSTAIN
    return float(np.mean(answered & ((answer.prediction() != truth.answer) | (answer.radius > truth.radius))))


def wrong_predictions(truth: Truth, c: Composition, alpha: float) -> float:
    """The share of answers of PREDICT that are not the truth."""
    answer = predict(c, THETA, alpha).prediction()
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


@dataclass(frozen=True)
class Row:
    """One line of the report: how alpha was spent, the exact error (NaN: not computed), and the measured one."""

    branch: str
    spent: str
    exact: float
    measured: float


def certified(correction: Correction, repetitions: int) -> Iterator[Row]:
    """s_hat = 1, both certified: the weaker component's bound alone decides."""
    spend = levels(correction, ALPHA)
    weak_s, weak_c = (just_below_a_bound(N, a, 900) for a in (spend.select_1, spend.certify_1))
    cases = {
        "certified, the selection falls short": (Truth(weak_s, 1 - EPSILON, 1), spend.select_1),
        "certified, the certification network falls short": (Truth(1 - EPSILON, weak_c, 1), spend.certify_1),
        "certified, both fall short, votes alike": (Truth(weak_s, weak_c, 1, votes="same"), spend.select_1),
        "certified, sigma 2 and 0.25, the likelier one falls short": (
            Truth(0.8, weak_c, 1, sigma_select=2.0, sigma=0.25), spend.certify_1,
        ),
    }  # fmt: skip
    for branch, (truth, exact) in cases.items():
        measured = wrong_certificates(truth, draw(truth, N, repetitions), ALPHA, correction)
        yield Row(branch, correction.value, exact, measured)


def consensus(correction: Correction, repetitions: int) -> Row:
    """s_hat = 1, the selection too close to call, and the class that both agree on is not the smoothed one."""
    level = levels(correction, ALPHA).certify_1
    n = tightest_n(level)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0)
    measured = wrong_certificates(truth, draw(truth, n, repetitions), ALPHA, correction)
    return Row("consensus, s_hat = 1", correction.value, tail(n, level), measured)


def core_guessed(correction: Correction, repetitions: int, alpha: float = ALPHA) -> Row:
    """s_hat = 0 by mistake: the core branch and the consensus branch can both give the same wrong answer."""
    spend = levels(correction, alpha)
    n = tightest_n(spend.select_0)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE, votes="same")
    exact = tail(n, spend.select_0) + tail(n, spend.certify_0)  # disjoint: few votes to certify, many for class 0
    measured = wrong_certificates(truth, draw(truth, n, repetitions), alpha, correction)
    return Row("core or consensus, s_hat = 0", correction.value, exact, measured)


def predictions(repetitions: int, alpha: float = ALPHA) -> Row:
    """PREDICT, where its core branch and its other branches are both on the verge of a wrong answer."""
    n = tightest_n(alpha / 4)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, votes="same")
    measured = wrong_predictions(truth, draw(truth, n, repetitions), alpha)
    return Row("PREDICT", "two-sided, alpha/2 each", 2 * tail(n, alpha / 4), measured)


def answers_at_a_tie(repetitions: int, level: float = ALPHA) -> Row:
    """Two tied classes: neither is the smoothed model's, so that no answer of PREDICT is warranted."""
    n = tightest_n(level / 2)
    top = np.random.default_rng(1).binomial(n, 0.5, repetitions)
    measured = float(np.mean(predict_class(np.stack([top, n - top], 1), level) != ABSTAIN))
    return Row("PREDICT answers at an exact tie", "two-sided", 2 * tail(n, level / 2), measured)


def printed_or(repetitions: int) -> Row:
    """Algorithm 4 as printed: "n0 > n1 or p <= alpha/2" answers with the core network at any majority."""
    n = tightest_n(ALPHA / 4)
    truth = Truth(0.5 + EPSILON, 1 - EPSILON, core=1)
    votes = draw(truth, n, repetitions).select_counts[:, 0]
    exact, measured = binom.cdf((n - 1) // 2, n, 0.5), np.mean(2 * votes < n)
    return Row('PREDICT with the printed "or"', "two-sided", float(exact), float(measured))


# --- theta chosen after looking --------------------------------------------------------------------------------


def over_thresholds(thetas: Array, repetitions: int, seed: int = 2) -> tuple[Composition, Array]:
    """Repetitions over an image whose P(score <= theta) rises from 1/2 to nearly 1 along ``thetas``; the probabilities.

    The certification network is certain, so that only the selection's certificates can fail.
    """
    select = 1 / (1 + np.exp(-np.linspace(0.01, 6, len(thetas))))
    select[-1] = 1.0
    cells = np.diff(select, prepend=0.0)
    counts = np.random.default_rng(seed).multinomial(N, cells, repetitions).cumsum(1)
    one = draw(Truth(0.75, 1.0, core=1), N, repetitions)
    composition = Composition(
        **{**vars(one), "thetas": thetas, "select_counts": counts, "select_counts0": np.ones_like(counts)}
    )
    return composition, select


def too_large(correction: Correction, thetas: Array, repetitions: int) -> Array:
    """Whether the certificate claims too much, bool [repetitions, T]."""
    c, select = over_thresholds(thetas, repetitions)
    radius = certify(c, thetas, ALPHA, correction).radius
    return radius > 0.5 * norm.ppf(select)


def chosen_theta(correction: Correction, thresholds: int, repetitions: int) -> Row:
    """Somebody looks at all thresholds, then names the one whose certificate exceeds the truth, if there is one."""
    wrong = too_large(correction, np.arange(thresholds) / (thresholds - 1), repetitions)
    branch = f"theta chosen among {thresholds} after looking"
    return Row(branch, correction.value, np.nan, float(wrong.any(1).mean()))


def fixed_theta(correction: Correction, repetitions: int) -> Row:
    """The same data, one threshold fixed beforehand: the one of 101 with the largest error."""
    thetas = np.arange(101) / 100
    _, select = over_thresholds(thetas, 1)
    bounds = lower_confidence_bound(np.arange(N + 1), N, levels(correction, ALPHA).select_1)
    exact = np.asarray(binom.sf(np.searchsorted(bounds, select, side="right") - 1, N, select))
    worst = int(exact.argmax())
    measured = float(too_large(correction, thetas, repetitions)[:, worst].mean())
    return Row("theta fixed beforehand, the worst of 101", correction.value, float(exact[worst]), measured)


# --- report ----------------------------------------------------------------------------------------------------


def sound(repetitions: int = REPETITIONS) -> list[Row]:
    """What must not exceed alpha."""
    few = repetitions // 10
    rows = [row for correction in Correction for row in certified(correction, repetitions)]
    rows += [consensus(correction, repetitions) for correction in Correction]
    rows += [core_guessed(correction, repetitions) for correction in Correction]
    rows += [predictions(repetitions), answers_at_a_tie(repetitions)]
    rows += [fixed_theta(correction, few) for correction in Correction]
    return rows + [chosen_theta(Correction.SIMULTANEOUS, thresholds, few) for thresholds in (101, 1001)]


def unsound(repetitions: int = REPETITIONS) -> list[Row]:
    """What does exceed alpha, and shows that the measurement would tell."""
    everywhere = core_guessed(Correction.INTERSECTION_UNION, repetitions, 2 * ALPHA)  # so that it spends alpha each
    one_sided = answers_at_a_tie(repetitions, 2 * ALPHA)  # a two-sided p at 2 alpha is a one-sided one at alpha
    return [
        Row(everywhere.branch, "alpha each", everywhere.exact, everywhere.measured),
        Row(one_sided.branch, "one-sided", one_sided.exact, one_sided.measured),
        printed_or(repetitions),
        chosen_theta(Correction.BONFERRONI, 101, repetitions // 10),
        chosen_theta(Correction.INTERSECTION_UNION, 101, repetitions // 10),
    ]


def markdown(rows: list[Row]) -> str:
    """The rows as a table, errors in percent."""
    lines = ["| branch | correction | exact | measured |", "|---|---|---|---|"]
    for r in rows:
        exact = "" if np.isnan(r.exact) else f"{100 * r.exact:.2f} %"
        lines.append(f"| {r.branch} | {r.spent} | {exact} | {100 * r.measured:.2f} % |")
    return "\n".join(lines)


INTRODUCTION = f"""\
# Coverage, measured

`python -m benchmarks.coverage > docs/coverage.md` writes this page; [statistics.md](statistics.md) has the proofs.

How often CERTIFY and PREDICT are wrong where every probability is known, at alpha = {ALPHA:.0%}. Each row is the
worst point that its branch has. *Exact* is the binomial probability of the error there, *measured* the engine's
share of wrong answers in {REPETITIONS:,} simulated runs ({REPETITIONS // 10:,} where thresholds are compared): a
standard error of 0.07 (0.22) percentage points at 5 %. n lies near {N:,}.

## Must not exceed {ALPHA:.0%}
"""

UNSOUND = f"""
## Must exceed {ALPHA:.0%}, and does

What the corrections are there for: each row leaves one of them out.
"""


def main() -> None:
    """Print the report as markdown."""
    print(INTRODUCTION)
    print(markdown(sound()))
    print(UNSOUND)
    print(markdown(unsound()))


if __name__ == "__main__":
    main()
