"""CERTIFY and PREDICT for ACES (Horvath et al. 2022, Algorithms 1 and 4), over images x thresholds.

Three lines from counts to certificates::

    composition = compose(certify_run, core_run)
    answer = certify(composition, thetas=[0.2, 0.3], alpha=0.001)
    answer.outcome, answer.prediction(), answer.radius     # [N, 2] each

The proofs, and where the paper's text is corrected, are in docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.smoothing import Smoothing
from engine.statistics.bounds import (
    MAJORITY,
    check_level,
    critical_count,
    round_significant,
    smallest_n,
    two_sided_p_value,
    z_table,
)
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.margin import Bound, check_bound, class_bound
from engine.statistics.thresholds import check_thetas, neighbours


class Outcome(IntEnum):
    """What CERTIFY answered, as stored in arrays."""

    ABSTAIN = 0
    CERTIFIED = 1
    CORE = 2
    CONSENSUS = 3

    @property
    def label(self) -> str:
        return self.name.lower()


DEFAULT_ALPHA = 0.001
DEFAULT_CORRECTION = Correction.INTERSECTION_UNION


@dataclass(frozen=True, eq=False)
class SelectionVotes:
    """Votes of the selection at the thresholds asked for, [N, T'] each.

    ``s_hat``: CERTIFY where a share t of the n0 draws vote for it, else CORE. ``certify`` and ``core``: votes among
    the n draws that support that answer, at a stored threshold their plain numbers. Where the guess is not known (the
    run stores no threshold on one side, or the two beside it guess differently) there are none.
    """

    s_hat: Array
    certify: Array
    core: Array


def selection_votes(
    c: Composition, thetas: Array, correction: Correction | None = None, t: float = MAJORITY
) -> SelectionVotes:
    """Look the votes up at ``thetas`` [T'], from the stored thresholds on which the correction lets an answer rest.

    Between two stored thresholds monotonicity serves: a score is <= theta at least as often as at the lower
    neighbour, and > theta at least as often as at the upper one.
    """
    lower, upper = neighbours(c.thetas, thetas, correction)
    low0, low = _columns(c.select_counts0, lower, 0), _columns(c.select_counts, lower, 0)
    if np.array_equal(lower, upper):  # all stored: a threshold that is missing below is never one missing above
        s_hat = np.where(_guesses_core(low0, c.n0_select, t), np.int8(CORE), np.int8(CERTIFY))
        return SelectionVotes(s_hat, low, c.n_select - low)
    high0 = _columns(c.select_counts0, upper, c.n0_select)
    high = _columns(c.select_counts, upper, c.n_select)
    core_at_lower, core_at_upper = (_guesses_core(votes0, c.n0_select, t) for votes0 in (low0, high0))
    # `simultaneous` spends alpha on one direction at each stored threshold: the one guessed there. Where the two
    # neighbours guess differently neither bound may be used, and the selection stays undecided: no votes at all.
    return SelectionVotes(
        np.where(core_at_upper, np.int8(CORE), np.int8(CERTIFY)),
        np.where(core_at_lower, 0, low),
        np.where(core_at_upper, c.n_select - high, 0),
    )


def _guesses_core(votes0: Array, n0: int, t: float) -> Array:
    """Where fewer than a share t of the n0 draws vote to certify: a guess, which costs power only where it is wrong."""
    return votes0 < t * n0


def _columns(counts: Array, columns: Array, missing: int) -> Array:
    """``counts[:, columns]``, with ``missing`` where there is no such column; no copy where all are asked for."""
    if np.array_equal(columns, np.arange(counts.shape[1])):
        return counts
    there = (columns >= 0) & (columns < counts.shape[1])
    picked = counts[:, np.where(there, columns, 0)]
    picked[:, ~there] = missing
    return picked


@dataclass(frozen=True, eq=False)
class Certificates:
    """CERTIFY's answers for N images x T thresholds.

    ``outcome`` int8 [N, T] (``Outcome``); ``radius`` float64 [N, T] in pixel units and the composition's norm, 0 unless
    certified;
    ``radius_select``, ``radius_certify`` [N, T]: within these the selection keeps choosing the certification
    network (0 where it does not choose it), and the certification network keeps its class; ``c_hat``, ``core``
    int64 [N]; ``index`` and ``label`` int64 [N]; ``class_holds`` bool [N, T]: ``c_hat`` is certain, whatever is
    selected.
    """

    thetas: Array
    index: Array
    label: Array
    c_hat: Array
    core: Array
    outcome: Array
    radius: Array
    radius_select: Array
    radius_certify: Array
    class_holds: Array

    def prediction(self) -> Array:
        """The class answered, int64 [N, T]; ``ABSTAIN`` = -1 where none is."""
        other = np.where(self.outcome == Outcome.CORE, self.core[:, None], ABSTAIN)
        return np.where(self._from_certify(), self.c_hat[:, None], other)

    def correct(self) -> Array:
        """Whether the answer is the label, bool [N, T]; an abstention never is."""
        c_correct, core_correct = (self.c_hat == self.label)[:, None], (self.core == self.label)[:, None]
        return (self._from_certify() & c_correct) | ((self.outcome == Outcome.CORE) & core_correct)

    def _from_certify(self) -> Array:
        return (self.outcome == Outcome.CERTIFIED) | (self.outcome == Outcome.CONSENSUS)


def certify(
    c: Composition,
    thetas: npt.ArrayLike,
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    *,
    t: float = MAJORITY,
    bound: Bound | str = Bound.COMPLEMENT,
    as_printed: bool = False,
) -> Certificates:
    """ACES Algorithm 1 on stored counts: with probability >= 1 - alpha an answer is F_ACES's on the whole ball.

    The promise is per image and per threshold fixed in advance; with ``simultaneous`` it holds for all
    thresholds at once. ``thetas`` [T] in [0, 1]. ``t``: the share of noisy votes by which the selection chooses the
    certification network, 1/2 in the paper (section 17 of docs/statistics.md). ``bound``: of the class against all
    others together, as in the paper, or by its margin (section 18). ``as_printed`` rounds each component's radii as its
    log did, up or down: to reproduce printed tables, never to certify.
    Raises ``AcesError`` for thresholds outside, alpha and t outside (0, 1), and where ``check_share`` and
    ``check_bound`` do.
    """
    thetas = check_thetas(thetas)
    check_share(t, c)
    bound = check_bound(bound, c.from_log)
    correction = Correction(correction)
    spend = levels(correction, alpha)
    votes = selection_votes(c, thetas, correction, t)
    guess_1 = votes.s_hat == CERTIFY
    c_hat = c.class_counts0.argmax(1)  # the first on ties; from the n0 draws, so that the n draws stay fresh

    (s_1, a_1), (s_0, a_0) = spend.of(CERTIFY), spend.of(CORE)
    counts, link = (c.class_counts0, c.class_counts), c.smoothing.link
    of_class = [class_bound(*counts, c.n, c_hat, level, link, bound) for level in (a_1, a_0)]
    radius_certify = c.sigma * np.where(guess_1, *(one.z[:, None] for one in of_class))
    for_certify = np.where(guess_1, votes.certify, 0)
    radius_select = _radii(for_certify, c.n_select, s_1, c.sigma_select, c.smoothing_select, t)
    if as_printed:
        radius_certify = printed(radius_certify, c.radius_digits)
        radius_select = printed(radius_select, c.radius_digits_select)
    radius = np.minimum(radius_select, radius_certify)  # 0 where s_hat is 0
    class_holds = np.where(guess_1, *(one.holds[:, None] for one in of_class))
    core_holds = ~guess_1 & (votes.core >= critical_count(c.n_select, s_0, 1 - t))
    outcome = decide(radius, core_holds, class_holds, c_hat == c.core)
    return Certificates(
        thetas, c.index, c.label, c_hat, c.core, outcome, radius, radius_select, radius_certify, class_holds
    )


def decide(radius: Array, core_holds: Array, class_holds: Array, agreed: Array) -> Array:
    """Algorithm 1's ladder, ``Outcome`` int8 [N, T]: the first rung that holds answers.

    ``radius`` [N, T] of a certificate, 0 for none; ``core_holds`` [N, T]: the core network is selected for certain;
    ``class_holds`` [N, T]: so is the certification network's class, which is the core network's where ``agreed`` [N].
    """
    outcome = np.full(radius.shape, Outcome.ABSTAIN, np.int8)
    outcome[class_holds & agreed[:, None]] = Outcome.CONSENSUS
    outcome[core_holds] = Outcome.CORE
    outcome[radius > 0] = Outcome.CERTIFIED
    return outcome


def check_share(t: float, c: Composition | None = None) -> None:
    """Raise ``AcesError`` for a share t outside (0, 1), and for one other than 1/2 of votes that a log tells.

    Counts reconstructed from a log are the fewest votes for whichever side won: no votes at another share.
    """
    if not 0 < t < 1:  # also false for NaN
        raise AcesError(f"t is {t:g}; a share of votes lies strictly between 0 and 1, and 0.5 is a majority")
    if t != MAJORITY and c is not None and c.from_log_select:
        raise AcesError(
            f"the selection's votes were reconstructed from a log, which tells of a majority alone: t is {t:g}, and "
            f"only 0.5 is possible"
        )


def check_draws(t: float, n: int, alpha: float, correction: Correction) -> None:
    """Raise ``AcesError`` where n draws, whatever they vote, cannot tell a share t from 0 or from 1.

    At level a no share below 1 - a^(1/n) can be told from 0, nor one above a^(1/n) from 1. Of a majority (t = 1/2) that
    is nobody's mistake, and no error.
    """
    spend = levels(correction, alpha)
    level = min(spend.select_1, spend.select_0)
    needed = smallest_n(level, max(t, 1 - t))
    if t != MAJORITY and n < needed:
        raise AcesError(f"t is {t:g}: {n:,} draws cannot tell it from {round(t)} at level {level:.2g}; {needed:,} can")


def _radii(k: Array, n: int, alpha: float, sigma: float, smoothing: Smoothing, share: float = MAJORITY) -> Array:
    """sigma * (link(LCB(k, n, alpha)) - link(share)) where that is positive, else 0."""
    radius: Array = z_table(n, alpha, smoothing.link, share)(k)
    radius *= sigma
    return radius


def printed(radius: Array, digits: int | None) -> Array:
    """Radii as a log with so many significant digits shows them; as they are where no log was."""
    return radius if digits is None else round_significant(radius, digits)


@dataclass(frozen=True, eq=False)
class Predictions:
    """PREDICT's decisions: ``selected`` int8 [N, T] (CERTIFY, CORE or ``ABSTAIN``), ``classed`` int64 [N] (a class or
    ``ABSTAIN``)."""

    thetas: Array
    label: Array
    core: Array
    selected: Array
    classed: Array

    def prediction(self) -> Array:
        """The class answered, int64 [N, T]; ``ABSTAIN`` where none is."""
        classed, core = self.classed[:, None], self.core[:, None]
        # Both tests must hold for the certification network's class; where only it holds, only consensus answers.
        chosen = (classed != ABSTAIN) & ((self.selected == CERTIFY) | (classed == core))
        return np.where(self.selected == CORE, core, np.where(chosen, classed, ABSTAIN))


def predict(c: Composition, thetas: npt.ArrayLike, alpha: float = DEFAULT_ALPHA, t: float = MAJORITY) -> Predictions:
    """ACES Algorithm 4 on stored counts, at alpha/2 a test, with two slips of its text corrected.

    The p-values are two-sided, because each winner is picked from the draws that test it, and the core branch
    needs a majority *and* a small p-value. Recorded decisions of imported logs are used as they are. ``t`` as in
    ``certify``: the selection's votes are tested against it, each direction at alpha/4.
    """
    thetas = check_thetas(thetas)
    half = check_level(alpha) / 2
    check_share(t, c)
    lower, upper = neighbours(c.thetas, thetas, None)
    if c.predict_class is not None and c.predict_select is not None:
        low, high = _columns(c.predict_select, lower, ABSTAIN), _columns(c.predict_select, upper, ABSTAIN)
        # Between two recorded thresholds only a decision that both share is known to hold.
        return Predictions(thetas, c.label, c.core, np.where(low == high, low, ABSTAIN), c.predict_class)
    # At 1/2: the two-sided p-value of k among n is <= alpha/2 exactly when the larger of k and n - k reaches this.
    for_certify = _columns(c.select_counts, lower, 0) >= critical_count(c.n_select, half / 2, t)
    core_votes = c.n_select - _columns(c.select_counts, upper, c.n_select)
    for_core = core_votes >= critical_count(c.n_select, half / 2, 1 - t)
    selected = np.where(for_certify, np.int8(CERTIFY), np.where(for_core, np.int8(CORE), np.int8(ABSTAIN)))
    return Predictions(thetas, c.label, c.core, selected, predict_class(c.class_counts, half))


def predict_class(class_counts: Array, alpha: float) -> Array:
    """Cohen's PREDICT (Algorithm 3 in the ACES paper): the top class of [N, m] counts, or ABSTAIN; int64 [N]."""
    top = class_counts.argmax(1)
    runner_up, winner = np.partition(class_counts, -2, axis=1)[:, -2:].T
    return np.where(two_sided_p_value(winner, runner_up) <= alpha, top, ABSTAIN)
