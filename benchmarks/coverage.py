"""How often certificates and answers are wrong, measured where the truth is known: docs/coverage.md.

Two half-spaces under noise, one that selects and one that classifies, across pixels where the noise is not Gaussian:
every probability and every radius is known exactly. The points are the worst there are for each branch of Algorithms 1
and 4, found from the binomial distribution, so that the exact error stands beside the measured one.
docs/statistics.md explains the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import binom, norm

from benchmarks import coverage_of_chains, coverage_of_draws, intervals
from benchmarks.coverage_of_chains import ALPHA, EPSILON, THETA, N
from benchmarks.half_spaces import (
    DEPENDENCE,
    Row,
    Truth,
    composition,
    draw,
    is_wrong,
    just_below_a_bound,
    tail,
    tightest_n,
    votes,
    wrong_certificates,
    wrong_predictions,
)
from engine.arrays import ABSTAIN, Array
from engine.records.compose import Composition
from engine.smoothing import GAUSSIAN, SMOOTHINGS, UNIFORM, Smoothing
from engine.statistics.aces import certify, predict_class
from engine.statistics.bounds import lower_confidence_bound
from engine.statistics.corrections import CORE, Correction, levels
from engine.statistics.looks import Split, certify_at_looks, schedule
from engine.statistics.margin import margin_z

REPETITIONS = 100_000


def both_exceed(select: float, certify: float, k: int) -> float:
    """P(k or more of N draws select, and k or more are of class 0) where every draw does one of the two or both."""
    missed = np.arange(N - k + 1)  # draws that do not select; they are of class 0
    of_others = binom.cdf(N - k, N - missed, (1 - certify) / select)
    return float(binom.pmf(missed, N, 1 - select) @ of_others)


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
        "certified, both fall short, votes opposed": (
            Truth(weak_s, weak_c, 1, votes="opposite"), both_exceed(weak_s, weak_c, 900),
        ),
        "certified, the certification network falls short, 10 classes": (
            Truth(1 - EPSILON, weak_c, 1, others=9), spend.certify_1,
        ),
        "certified under uniform noise, the selection falls short": (
            Truth(weak_s, 1 - EPSILON, 1, smoothing=UNIFORM), spend.select_1,
        ),
        "certified under uniform noise, the certification network falls short": (
            Truth(1 - EPSILON, weak_c, 1, smoothing=UNIFORM), spend.certify_1,
        ),
        "certified under uniform noise, sigma 2 and 0.25, the likelier one falls short": (
            Truth(0.8, weak_c, 1, sigma_select=2.0, sigma=0.25, smoothing=UNIFORM), spend.certify_1,
        ),
    }  # fmt: skip
    for branch, (truth, exact) in cases.items():
        measured = wrong_certificates(truth, draw(truth, N, repetitions), ALPHA, correction)
        yield Row(branch, correction, exact, measured)


SHARES = {0.1: 150, 0.9: 940}  # t, and the votes whose bound exceeds it


def of_a_share(correction: Correction, repetitions: int) -> Iterator[Row]:
    """A share t of the votes selects: certified and too far, core or consensus and wrong, PREDICT and wrong."""
    spend = levels(correction, ALPHA)
    for t, k in SHARES.items():
        weak_s = just_below_a_bound(N, spend.select_1, k)
        for dependence in DEPENDENCE:
            truth = Truth(weak_s, 1 - EPSILON, 1, votes=dependence, t=t)
            measured = wrong_certificates(truth, draw(truth, N, repetitions), ALPHA, correction)
            branch = f"t = {t}: certified, the selection falls short, votes {DEPENDENCE[dependence]}"
            yield Row(branch, correction, spend.select_1, measured)
            truth = Truth(t + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE, votes=dependence, t=t)
            n = tightest_n(spend.certify_0)
            measured = wrong_certificates(truth, draw(truth, n, repetitions), ALPHA, correction)
            branch = f"t = {t}: core or consensus, s_hat = 0, votes {DEPENDENCE[dependence]}"
            yield Row(branch, correction, np.nan, measured)


def predictions_of_a_share(classes: int, repetitions: int) -> Iterator[Row]:
    """PREDICT where a share t selects: it and the classes are all but tied."""
    for t in SHARES:
        for dependence in DEPENDENCE:
            truth = Truth(
                t + EPSILON, 1 / classes - EPSILON, core=0, votes=dependence, others=classes - 1, t=t
            )  # fmt: skip
            measured = wrong_predictions(truth, draw(truth, tightest_n(ALPHA / 4), repetitions), ALPHA)
            branch = f"t = {t}: PREDICT, {classes} classes all but tied, votes {DEPENDENCE[dependence]}"
            yield Row(branch, "alpha/4 a side, alpha/2 the class", np.nan, measured)


# (p_A, p_B, the third class): the class wins by a little, by much, and without a majority
RIVALS = ((0.55, 0.3, 0.15), (0.8, 0.199, 0.001), (0.42, 0.38, 0.2), (0.36, 0.32, 0.32))


def of_a_margin(correction: Correction, dependence: str, repetitions: int) -> Iterator[Row]:
    """The class by its margin over two rivals; the selection certain, or on the verge beside it.

    ``dependence`` of the votes: draws that fail to select are of the class guessed ("opposite"), of its rivals
    ("same"), or of either.
    """
    sigma, rng = 0.5, np.random.default_rng(5)
    weak_s = just_below_a_bound(N, levels(correction, ALPHA).select_1, 900)
    for select, of_selection in ((1.0, "certain"), (weak_s, "on the verge")):
        for p in RIVALS:
            missed = 1 - select
            cells = {
                "orthogonal": np.outer([select, missed], p),
                "same": np.array([p, (0, 0, 0)]) + np.outer([-1, 1], [0, missed * 0.5, missed * 0.5]),
                "opposite": np.array([p, (0, 0, 0)]) + np.outer([-1, 1], [missed, 0, 0]),
            }[dependence]
            if (cells < 0).any():
                continue
            drawn = rng.multinomial(N, cells.ravel() / cells.sum(), repetitions).reshape(repetitions, 2, 3)
            truth = Truth(select, p[0], core=1, others=2)
            c = composition(truth, N, drawn[:, 0].sum(1), drawn.sum(1))
            c = replace(c, class_counts0=np.tile([45, 30, 25], (repetitions, 1)))  # whose margin reaches further
            answer = certify(c, THETA, ALPHA, correction, bound="margin")
            to_rival = sigma * (norm.ppf(p[0]) - norm.ppf(p[1])) / 2
            limit = min(to_rival, sigma * norm.ppf(select)) if select < 1 else to_rival
            measured = float(np.mean(answer.radius > limit))
            votes = f"{p[0]:g}, {p[1]:g}, {p[2]:g}"
            yield Row(f"margin, classes {votes}, selection {of_selection}, votes {DEPENDENCE[dependence]}", correction,
                      np.nan, measured)  # fmt: skip


def of_a_tied_margin(correction: Correction, repetitions: int) -> Row:
    """Consensus by the margin, where the class is all but tied with a rival that leads by a hair."""
    p = (0.5 - EPSILON, 0.5, 0.0)
    drawn = np.random.default_rng(6).multinomial(N, p, repetitions)
    truth = Truth(0.5 + EPSILON, p[0], core=0, others=2)
    selected = np.random.default_rng(7).binomial(N, truth.select, repetitions)
    c = replace(composition(truth, N, selected, drawn), class_counts0=np.tile([45, 30, 25], (repetitions, 1)))
    answer = certify(c, THETA, ALPHA, correction, bound="margin")
    wrong = answer.prediction() == 0
    return Row("margin, consensus or certified at a tie", correction, np.nan, float(np.mean(wrong)))


def of_a_guessed_rival(repetitions: int) -> Row:
    """The margin over the rival that the guess draws name, where it is not the strongest."""
    p = (0.5, 0.35, 0.15)
    drawn = np.random.default_rng(8).multinomial(N, p, repetitions)
    level = levels(Correction.INTERSECTION_UNION, ALPHA).certify_1
    radius = margin_z(drawn[:, 0], drawn[:, 2], N, level, GAUSSIAN.link)
    measured = float(np.mean(radius > (norm.ppf(p[0]) - norm.ppf(p[1])) / 2))
    return Row("margin over a rival of the guess draws' choice", "that rival alone", np.nan, measured)


def of_a_majority(repetitions: int) -> Iterator[Row]:
    """Bounds that know of a majority alone, where another share selects."""
    for what, truth in {
        "t = 0.1: core by a majority of the votes": Truth(0.3, 1 - EPSILON, 1, s_hat=CORE, t=0.1),
        "t = 0.9: the radius to a majority": Truth(0.95, 1 - EPSILON, 1, t=0.9),
    }.items():
        answer = certify(draw(truth, N, repetitions), THETA, ALPHA, Correction.INTERSECTION_UNION)
        yield Row(what, "t = 0.5", np.nan, float(np.mean(is_wrong(truth, answer))))


def drawn(smoothing: Smoothing, correction: Correction, repetitions: int) -> Row:
    """Noise itself, of two pixels, each with its threshold: the selection far from it, the class on the verge."""
    level = levels(correction, ALPHA).certify_1
    truth = Truth(0.95, just_below_a_bound(N, level, 900), 1, smoothing=smoothing)
    pixels = truth.sigma * smoothing.link(np.array([truth.select, truth.certify]))
    generator, cpu = torch.Generator().manual_seed(4), torch.device("cpu")
    votes = np.empty((repetitions, 2), int)
    for at in range(repetitions):
        noise = smoothing.noise((N, 2), generator, cpu).numpy()
        votes[at] = (pixels + truth.sigma * noise > 0).sum(0)
    selected, class_0 = votes.T
    c = composition(truth, N, selected, np.stack([class_0, N - class_0], 1))
    measured = wrong_certificates(truth, c, ALPHA, correction)
    return Row(f"certified, {smoothing.label} drawn", correction, level, measured)


def consensus(correction: Correction, repetitions: int) -> Row:
    """s_hat = 1, the selection too close to call, and the class that both agree on is not the smoothed one."""
    level = levels(correction, ALPHA).certify_1
    n = tightest_n(level)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0)
    measured = wrong_certificates(truth, draw(truth, n, repetitions), ALPHA, correction)
    return Row("consensus, s_hat = 1", correction, tail(n, level), measured)


def core_guessed_opposed(correction: Correction, repetitions: int) -> Row:
    """The same with opposed votes: where one branch errs, so does the other."""
    spend = levels(correction, ALPHA)
    n = tightest_n(spend.certify_0)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE, votes="opposite")
    measured = wrong_certificates(truth, draw(truth, n, repetitions), ALPHA, correction)
    exact = max(tail(n, spend.select_0), tail(n, spend.certify_0))
    return Row("core or consensus, s_hat = 0, votes opposed", correction, exact, measured)


def core_guessed(correction: Correction, repetitions: int, alpha: float = ALPHA) -> Row:
    """s_hat = 0 by mistake: the core branch and the consensus branch can both give the same wrong answer."""
    spend = levels(correction, alpha)
    n = tightest_n(spend.select_0)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE, votes="same")
    exact = tail(n, spend.select_0) + tail(n, spend.certify_0)  # disjoint: few votes to certify, many for class 0
    measured = wrong_certificates(truth, draw(truth, n, repetitions), alpha, correction)
    return Row("core or consensus, s_hat = 0", correction, exact, measured)


def predictions(repetitions: int, alpha: float = ALPHA) -> Row:
    """PREDICT, where its core branch and its other branches are both on the verge of a wrong answer."""
    n = tightest_n(alpha / 4)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, votes="same")
    measured = wrong_predictions(truth, draw(truth, n, repetitions), alpha)
    return Row("PREDICT", "two-sided, alpha/2 each", 2 * tail(n, alpha / 4), measured)


def predictions_opposed(repetitions: int) -> Row:
    """The same with opposed votes: the two wrong answers come together."""
    n = tightest_n(ALPHA / 4)
    truth = Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, votes="opposite")
    measured = wrong_predictions(truth, draw(truth, n, repetitions), ALPHA)
    return Row("PREDICT, votes opposed", "two-sided, alpha/2 each", tail(n, ALPHA / 4), measured)


def predictions_of_many(classes: int, repetitions: int) -> Row:
    """PREDICT where the classes are all but tied, and so are the two networks; the likeliest is not the core's."""
    n = tightest_n(ALPHA / 4)
    truth = Truth(0.5 + EPSILON, 1 / classes - EPSILON, core=0, votes="same", others=classes - 1)
    measured = wrong_predictions(truth, draw(truth, n, repetitions), ALPHA)
    return Row(f"PREDICT, {classes} classes all but tied", "two-sided, alpha/2 each", np.nan, measured)


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
    return Row(branch, correction, np.nan, float(wrong.any(1).mean()))


def fixed_theta(correction: Correction, repetitions: int) -> Row:
    """The same data, one threshold fixed beforehand: the one of 101 with the largest error."""
    thetas = np.arange(101) / 100
    _, select = over_thresholds(thetas, 1)
    bounds = lower_confidence_bound(np.arange(N + 1), N, levels(correction, ALPHA).select_1)
    exact = np.asarray(binom.sf(np.searchsorted(bounds, select, side="right") - 1, N, select))
    worst = int(exact.argmax())
    measured = float(too_large(correction, thetas, repetitions)[:, worst].mean())
    return Row("theta fixed beforehand, the worst of 101", correction, float(exact[worst]), measured)


# --- looks -----------------------------------------------------------------------------------------------------


def sessions(truth: Truth, n: int, repetitions: int, seed: int = 3) -> list[Composition]:
    """The counts of many sessions at every look of the schedule."""
    rng = np.random.default_rng(seed)
    looks, found = schedule(n), []
    selected, classes = np.zeros(repetitions, int), np.zeros((repetitions, 1 + truth.others), int)
    for before, at in zip((0, *looks), looks, strict=False):
        more = votes(truth, np.full(repetitions, at - before), rng)
        selected, classes = selected + more[0], classes + more[1]
        found.append(composition(truth, at, selected, classes))
    return found


TEMPTED = {
    # What a session may be wrong about -> the truth, by how the votes hang together
    "radius, both equally strong": Truth(0.8, 0.8, core=1),
    "radius of the certification network": Truth(0.999, 0.97, core=1),
    "core or consensus, s_hat = 0": Truth(0.5 + EPSILON, 0.5 - EPSILON, core=0, s_hat=CORE),
    "radius of the selection at t = 0.1": Truth(0.2, 0.999, core=1, t=0.1),
}


def tempted(
    correction: Correction, dependence: str, repetitions: int, split: Split | None = Split.EVEN
) -> Iterator[Row]:
    """A session of 10,000 draws that ends at the first of its looks whose answer is wrong, if there is one.

    ``split`` None: every look with the bounds of an n that was fixed beforehand.
    """
    for what, truth in TEMPTED.items():
        one = replace(truth, votes=dependence)
        looks = sessions(one, 10_000, repetitions)
        if split is not None:
            upto = [looks[: j + 1] for j in range(len(looks))]
            at = THETA, ALPHA, correction, truth.t
            shown = [certify_at_looks(seen, len(looks), *at, split=split) for seen in upto]
        else:
            shown = [certify(look, THETA, ALPHA, correction, t=truth.t) for look in looks]
        wrong = np.logical_or.reduce([is_wrong(one, answer) for answer in shown])
        of = " with half of alpha for the last" if split is Split.HALF_LAST else ""
        branch = f"{len(looks)} looks{of}, {what}, votes {DEPENDENCE[dependence]}"
        yield Row(branch, correction, np.nan, float(wrong.mean()))


# --- report ----------------------------------------------------------------------------------------------------


def sound(repetitions: int = REPETITIONS) -> list[Row]:
    """What must not exceed alpha."""
    few = repetitions // 10
    rows = [row for correction in Correction for row in certified(correction, repetitions)]
    rows += [drawn(card, correction, few) for card in SMOOTHINGS.values() for correction in Correction]
    rows += [consensus(correction, repetitions) for correction in Correction]
    rows += [core_guessed(correction, repetitions) for correction in Correction]
    rows += [core_guessed_opposed(correction, repetitions) for correction in Correction]
    rows += [predictions(repetitions), predictions_opposed(repetitions)]
    rows += [predictions_of_many(classes, repetitions) for classes in (3, 10)]
    rows += [answers_at_a_tie(repetitions)]
    rows += [row for correction in Correction for row in of_a_share(correction, repetitions)]
    rows += [row for classes in (2, 3, 10) for row in predictions_of_a_share(classes, repetitions)]
    rows += [
        row for correction in Correction for votes in DEPENDENCE for row in of_a_margin(correction, votes, repetitions)
    ]
    rows += [of_a_tied_margin(correction, repetitions) for correction in Correction]
    rows += [fixed_theta(correction, few) for correction in Correction]
    rows += [chosen_theta(Correction.SIMULTANEOUS, thresholds, few) for thresholds in (101, 1001)]
    looks = [(correction, votes) for correction in Correction for votes in DEPENDENCE]
    rows += [row for correction, votes in looks for split in Split for row in tempted(correction, votes, few, split)]
    rows += _of_chains(coverage_of_chains.sound(repetitions, DEPENDENCE))
    return rows + coverage_of_draws.sound(few)


def unsound(repetitions: int = REPETITIONS) -> list[Row]:
    """What does exceed alpha, and shows that the measurement would tell."""
    everywhere = core_guessed(Correction.INTERSECTION_UNION, repetitions, 2 * ALPHA)  # so that it spends alpha each
    one_sided = answers_at_a_tie(repetitions, 2 * ALPHA)  # a two-sided p at 2 alpha is a one-sided one at alpha
    return [
        Row(everywhere.branch, "alpha each", everywhere.exact, everywhere.measured),
        Row(one_sided.branch, "one-sided", one_sided.exact, one_sided.measured),
        printed_or(repetitions),
        *of_a_majority(repetitions),
        of_a_guessed_rival(repetitions),
        chosen_theta(Correction.BONFERRONI, 101, repetitions // 10),
        chosen_theta(Correction.INTERSECTION_UNION, 101, repetitions // 10),
        *(
            replace(row, spent="alpha at every look")
            for row in tempted(Correction.INTERSECTION_UNION, "same", repetitions // 10, None)
        ),
        *_of_chains(coverage_of_chains.unsound(repetitions)),
        *coverage_of_draws.unsound(repetitions // 10),
    ]


def _of_chains(rows: Sequence[coverage_of_chains.ChainRow]) -> list[Row]:
    return [Row(row.branch, row.spent, np.nan, row.measured) for row in rows]


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
share of wrong answers in {REPETITIONS:,} simulated runs ({REPETITIONS // 10:,} where thresholds or looks are
compared, where numbers of draws differ by image, or where noise is drawn, and not only votes): a standard error of 0.07
(0.22) percentage points at 5 %. n lies near {N:,}; sessions with looks go up to 10,000, and what a budget or a question
chooses up to {coverage_of_draws.MOST:,}. Every seed is fixed: the same versions of numpy and scipy print the same page.

*Votes*: each draw votes for a network and for a class. *Alike*: the draws that select the certification network are
those of class 0, as far as possible; *opposed*: as few of them as possible are; independent where nothing is said.

## Must not exceed {ALPHA:.0%}
"""

UNSOUND = f"""
## Must exceed {ALPHA:.0%}, and does

What the corrections are there for: each row leaves one of them out, the later ones the sharing of alpha among looks,
what a chain and votes that select would get wrong if they were read carelessly, and n that the estimating draws choose.
"""

INTERVALS = f"""
## Intervals over the choice of images: at least 94 % where 95 % is said

The share of samples in percent whose 95 % interval holds the truth and, in brackets, that of the usual interval on
the same samples: Wilson's alone for rates, the percentile bootstrap for means ({intervals.RESAMPLES:,} resamples, on
a quarter of the samples), DeLong's for areas. Rates are exact; of the others each cell is {intervals.REPETITIONS:,}
samples, a standard error of 0.34 points at 95 %. Cells well above 95 % are those in which a sample may hold none of
the images that matter.
"""


def main() -> None:
    """Print the report as markdown."""
    print(INTRODUCTION)
    print(markdown(sound()))
    print(UNSOUND)
    print(markdown(unsound()))
    print(INTERVALS)
    tables = [f"### {title}\n\n{intervals.table(corner, cells)}" for title, corner, cells in intervals.report()]
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
