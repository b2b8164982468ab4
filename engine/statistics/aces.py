"""CERTIFY and PREDICT for ACES (Horvath et al. 2022, Algorithms 1 and 4), over images x thresholds.

Three lines from counts to certificates::

    composition = compose(certify_run, core_run)
    answer = certify(composition, thetas=[0.2, 0.3], alpha=0.001)
    answer.outcome, answer.prediction(), answer.radius     # [N, 2] each

The proofs, and where the paper's text is corrected, are in docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.bounds import MAJORITY, check_level, smallest_n, two_sided_p_value
from engine.statistics.chains import Guessed, chained
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.margin import Bound
from engine.statistics.stage import (
    StageBounds,
    columns,
    critical,
    handing_on,
    joined,
    levels_of,
    prediction_votes,
    stage_bounds,
)
from engine.statistics.thresholds import check_thresholds, neighbours


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
class Certificates:
    """CERTIFY's answers for N images x T thresholds.

    ``outcome`` int8 [N, T] (``Outcome``); ``radius`` float64 [N, T] in pixel units and the composition's norm, 0 unless
    certified;
    ``radius_select``, ``radius_certify`` [N, T]: within these the selection keeps choosing the certification
    network (0 where it does not choose it), and the certification network keeps its class; ``c_hat``, ``core``
    int64 [N]; ``index`` and ``label`` int64 [N]; ``class_holds`` bool [N, T]: ``c_hat`` is certain, whatever is
    selected. ``later``: of a chain, which stage was guessed to answer; both radii are then that stage's, the
    selection's cut to where the stages before it hand on.
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
    later: Guessed | None = None

    @property
    def guess(self) -> Array:
        """The class that the stage guessed to answer gives, int64 [N, T], or [N, 1] without a chain."""
        return self.c_hat[:, None] if self.later is None else self.later.c_hat

    def prediction(self) -> Array:
        """The class answered, int64 [N, T]; ``ABSTAIN`` = -1 where none is."""
        other = np.where(self.ended(Outcome.CORE), self.core[:, None], ABSTAIN)
        return np.where(self._from_certify(), self.guess, other)

    def correct(self) -> Array:
        """Whether the answer is the label, bool [N, T]; an abstention never is."""
        c_correct, core_correct = self.guess == self.label[:, None], (self.core == self.label)[:, None]
        return (self._from_certify() & c_correct) | (self.ended(Outcome.CORE) & core_correct)

    def correct_radius(self) -> Array:
        """``radius`` where the class is the label, else 0, [N, T]: what ACR averages."""
        return self.radius * (self.guess == self.label[:, None])

    def ended(self, kind: Outcome) -> Array:
        """Where CERTIFY ended so, bool [N, T]."""
        marked: Array = self.outcome == kind.value  # a plain int: beside an IntEnum numpy compares in int64
        return marked

    def _from_certify(self) -> Array:
        return self.ended(Outcome.CERTIFIED) | self.ended(Outcome.CONSENSUS)


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
    thresholds at once. ``thetas`` [T] in [0, 1]; shares p_0 in (1/2, 1) where the votes select. ``t``: the share of
    noisy votes by which the selection chooses the
    certification network, 1/2 in the paper (section 17 of docs/statistics.md). ``bound``: of the class against all
    others together, as in the paper, or by its margin (section 18). ``as_printed`` rounds each component's radii as its
    log did, up or down: to reproduce printed tables, never to certify. Of a chain, ``thetas`` and ``t`` are its first
    stage's (section 19).
    Raises ``AcesError`` for thresholds outside, alpha and t outside (0, 1), and where ``check_share`` and
    ``check_bound`` do.
    """
    return answer_by(c, thetas, bounds_of_stages(c, thetas, alpha, correction, t, bound, as_printed=as_printed))


def bounds_of_stages(
    c: Composition,
    thetas: npt.ArrayLike,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
    bound: Bound | str = Bound.COMPLEMENT,
    *,
    as_printed: bool = False,
) -> tuple[StageBounds, ...]:
    """The bounds behind ``certify`` on every stage: of the first one at ``thetas`` [T], of later ones at their own."""
    thetas = check_thresholds(thetas, c.by_votes)
    check_share(t, c)
    correction = Correction(correction)
    spend = levels_of(c, correction, alpha)
    first = stage_bounds(c, thetas, t, spend, correction, bound, as_printed=as_printed, handed_on=bool(c.then))
    later = []
    for stage in c.then:
        check_share(stage.t, stage.composition)
        at = check_thresholds(stage.theta, stage.composition.by_votes)
        later.append(stage_bounds(stage.composition, at, stage.t, spend, correction, bound, handed_on=True))
    return first, *later


def answer_by(c: Composition, thetas: npt.ArrayLike, stages: Sequence[StageBounds]) -> Certificates:
    """What ``certify`` answers by the bounds of every stage."""
    thetas = check_thresholds(thetas, c.by_votes)
    first, *later = stages
    if later:
        return _answer_of_chain(c, thetas, first, later)
    radius = np.minimum(first.radius_select, first.radius_certify)  # 0 where s_hat is 0
    outcome = decide(radius, first.hands_on, first.class_holds, first.c_hat == c.core)
    return Certificates(
        thetas, c.index, c.label, first.c_hat, c.core, outcome, radius,
        first.radius_select, first.radius_certify, first.class_holds,
    )  # fmt: skip


def _answer_of_chain(c: Composition, thetas: Array, first: StageBounds, later: Sequence[StageBounds]) -> Certificates:
    found = chained(first, later)
    radius = np.minimum(found.radius_select, found.radius_certify)
    class_holds = np.zeros(radius.shape, bool)  # a chain has no consensus
    outcome = decide(radius, found.hands_on, class_holds, first.c_hat == c.core)
    return Certificates(
        thetas, c.index, c.label, first.c_hat, c.core, outcome, radius, found.radius_select, found.radius_certify,
        class_holds, found.guessed,
    )  # fmt: skip


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


def check_draws(
    t: float, n: int, alpha: float, correction: Correction, stages: int = 1, *, by_votes: bool = False
) -> None:
    """Raise ``AcesError`` where n draws, whatever they vote, cannot tell a share t from 0 or from 1.

    Of a chain of so many ``stages``; ``by_votes``: t is the share p_0 of the votes for a class.
    At level a no share below 1 - a^(1/n) can be told from 0, nor one above a^(1/n) from 1. Of a majority (t = 1/2) that
    is nobody's mistake, and no error.
    """
    spend = levels(correction, alpha, stages)
    level = min(spend.select_1, spend.select_0)
    needed = smallest_n(level, max(t, 1 - t))
    name = "p0" if by_votes else "t"
    if t != MAJORITY and n < needed:
        raise AcesError(
            f"{name} is {t:g}: {n:,} draws cannot tell it from {round(t)} at level {level:.2g}; {needed:,} can"
        )


@dataclass(frozen=True, eq=False)
class Predictions:
    """PREDICT's decisions: ``selected`` int8 [N, T] (CERTIFY, CORE or ``ABSTAIN``), ``classed`` int64 [N] (a class or
    ``ABSTAIN``), ``core`` int64 [N]: what the core network answers; ``rest``: what is answered where core is selected,
    of a chain by its later stages; ``agree`` bool [N]: their classes are certain and the core network's, each.
    """

    thetas: Array
    label: Array
    core: Array
    selected: Array
    classed: Array
    rest: Array
    agree: Array

    @property
    def consensus(self) -> Array:
        """Whoever is selected answers as the core network does, bool [N]."""
        return (self.classed != ABSTAIN) & (self.classed == self.core) & self.agree

    def prediction(self) -> Array:
        """The class answered, int64 [N, T]; ``ABSTAIN`` where none is."""
        classed, rest = self.classed[:, None], self.rest[:, None]
        # Both tests must hold for the certification network's class; where only it holds, only consensus answers.
        chosen = (classed != ABSTAIN) & ((self.selected == CERTIFY) | self.consensus[:, None])
        return np.where(self.selected == CORE, rest, np.where(chosen, classed, ABSTAIN))


def predict(c: Composition, thetas: npt.ArrayLike, alpha: float = DEFAULT_ALPHA, t: float = MAJORITY) -> Predictions:
    """ACES Algorithm 4 on stored counts, at alpha/2 a test, with two slips of its text corrected.

    The p-values are two-sided, because each winner is picked from the draws that test it, and the core branch
    needs a majority *and* a small p-value. Recorded decisions of imported logs are used as they are. ``t`` as in
    ``certify``: the selection's votes are tested against it, each direction at alpha/4. The stages of a chain share
    what the selection's tests may spend (section 19 of docs/statistics.md).
    """
    thetas = check_thresholds(thetas, c.by_votes)
    check_level(alpha)
    check_share(t, c)
    rest, agree = c.core, np.ones(len(c), bool)
    for stage in reversed(c.then):
        check_share(stage.t, stage.composition)
        at = check_thresholds(stage.theta, stage.composition.by_votes)
        found = predict_stage(stage.composition, at, alpha, stage.t, c.stages, rest, agree)
        rest, agree = found.prediction()[:, 0], found.consensus
    return predict_stage(c, thetas, alpha, t, c.stages, rest, agree)


def predict_stage(
    c: Composition, thetas: Array, alpha: float, t: float, stages: int, rest: Array, agree: Array
) -> Predictions:
    """PREDICT at one of ``stages``; ``rest`` [N] is answered where it hands on, ``agree`` [N] as in ``Predictions``."""
    if not c.even:
        alike = c.alike()
        each = [predict_stage(some, thetas, alpha, t, stages, rest[rows], agree[rows]) for rows, some in alike]
        found = joined([rows for rows, _ in alike], [_Decided(p.selected, p.classed) for p in each])
        return Predictions(thetas, c.label, c.core, found.selected, found.classed, rest, agree)
    if not c.by_votes and c.predict_class is not None and c.predict_select is not None:
        _check_recorded(stages)
        lower, upper = neighbours(c.thetas, thetas, None)
        low, high = columns(c.predict_select, lower, ABSTAIN), columns(c.predict_select, upper, ABSTAIN)
        # Between two recorded thresholds only a decision that both share is known to hold.
        selected = np.where(low == high, low, ABSTAIN)
        return Predictions(thetas, c.label, c.core, selected, c.predict_class, rest, agree)
    share: Array | float = thetas if c.by_votes else t
    for_certify, for_core = prediction_votes(c, thetas)
    # At 1/2: the two-sided p-value of k among n is <= alpha/2 exactly when the larger of k and n - k reaches this.
    level = alpha / 4 / stages / c.part_select
    to_certify = for_certify >= critical(c, level, share)
    for_core, level = handing_on(c, for_core, level)
    to_core = for_core >= critical(c, level, 1 - share)
    selected = np.where(to_certify, np.int8(CERTIFY), np.where(to_core, np.int8(CORE), np.int8(ABSTAIN)))
    of_class = alpha / 2 / c.part
    classed = _class_told(c, of_class) if c.undirected else predict_class(c.class_counts, of_class)
    return Predictions(thetas, c.label, c.core, selected, classed, rest, agree)


@dataclass(frozen=True, eq=False)
class _Decided:
    """Of ``Predictions``, what the counts of its own images decide."""

    selected: Array
    classed: Array


def _check_recorded(stages: int) -> None:
    """Logs decided each test at alpha/2, two-sided: for two stages that adds up to less than alpha, for three not."""
    if stages > 2:
        raise AcesError("a chain of logs has two stages at most: what they decided was not decided for more")


def _class_told(c: Composition, alpha: float) -> Array:
    """``predict_class`` of what a log tells: the fewest votes for its class, against all others as if for one."""
    c_hat = c.class_counts0.argmax(1)
    k = c.class_counts[np.arange(len(c)), c_hat]
    leads = (2 * k > c.n) & (two_sided_p_value(k, c.n - k) <= alpha)
    return np.where(leads, c_hat, ABSTAIN)


def predict_class(class_counts: Array, alpha: float) -> Array:
    """Cohen's PREDICT (Algorithm 3 in the ACES paper): the top class of [N, m] counts, or ABSTAIN; int64 [N]."""
    top = class_counts.argmax(1)
    runner_up, winner = np.partition(class_counts, -2, axis=1)[:, -2:].T
    return np.where(two_sided_p_value(winner, runner_up) <= alpha, top, ABSTAIN)
