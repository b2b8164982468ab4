"""When one image's draws end by themselves: its question is answered, or no longer to be hoped for.

The looks of the plan are fixed beforehand and every bound holds at all of them, so that any rule may end the draws
(section 14 of docs/statistics.md). To give up is an abstention, and free: what a forecast of it misses costs a radius
that could have been had, and no certificate is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.special import betaincinv

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.single_image.evidence import Evidence
from engine.single_image.plan import Mode, Plan
from engine.single_image.promise import stated
from engine.statistics.aces import Certificates, Outcome, certify
from engine.statistics.corrections import CERTIFY, Correction
from engine.statistics.looks import HOPELESS
from engine.statistics.stage import selection_votes


class Ending(StrEnum):
    """How a question ended."""

    REACHED = "reached"
    GIVEN_UP = "given up"  # a look let too little hope
    OPEN = "open"  # all draws are made


@dataclass(frozen=True)
class Until:
    """Draw until the image is certified at ``radius`` (pixel units), or, None, until there is an answer of any kind.

    Raises ``AcesError`` for a radius that is none.
    """

    radius: float | None = None

    def __post_init__(self) -> None:
        if self.radius is not None and not 0 < self.radius < np.inf:
            raise AcesError(f"the radius is {self.radius:g}; what is to be reached is a positive one")

    def verdict(self, evidence: Evidence, plan: Plan) -> Ending | None:
        """What the looks so far say; None where there is more to be drawn."""
        answer = evidence.answer(plan)
        if answer is None:
            return None
        if self._reached(answer):
            return Ending.REACHED
        if evidence.drawn >= plan.n:
            return Ending.OPEN
        last = plan.looks[looks_reached(plan, evidence.drawn) - 1]
        return None if self._reached(_at_best(evidence.composition(plan, last), plan)) else Ending.GIVEN_UP

    def said(self, evidence: Evidence, plan: Plan) -> str:
        """How it ended, and after how many draws: what was certified, and never more."""
        verdict, of = self.verdict(evidence, plan), f"{evidence.drawn:,} of at most {plan.n:,} draws"
        what = "An answer is certain" if self.radius is None else f"Radius {self.radius:g} is certified"
        if verdict is Ending.REACHED:
            return f"{what} after {of}."
        what = "No answer is certain" if self.radius is None else f"Radius {self.radius:g} is not certified"
        if verdict is Ending.GIVEN_UP:
            return f"{what} after {of}: given up, as more were not expected to certify it. This proves nothing."
        if verdict is Ending.OPEN:
            return f"{what} by all {plan.n:,} draws. This proves nothing."
        return f"{what} after {of}, where it was stopped; more may certify it."

    def _reached(self, answer: Certificates) -> bool:
        """By the radius as a certificate states it, not a digit above."""
        if self.radius is None:
            return not answer.ended(Outcome.ABSTAIN)[0, 0]
        return stated(float(answer.radius[0, 0])) >= self.radius


def check_until(until: Until | None, plan: Plan | None) -> None:
    """Raise ``AcesError`` where a plan promises nothing before its last draw, and draws are to end before."""
    if until is not None and plan is not None and plan.mode is Mode.FIXED:
        raise AcesError("with a fixed n the draws do not end before the last one: until when needs a plan with looks")


def is_over(until: Until, evidence: Evidence, plan: Plan, before: int = 0) -> bool:
    """Whether a question ends the draws; asked where a look was reached since ``before`` draws."""
    at = looks_reached(plan, evidence.drawn)
    return at > looks_reached(plan, before) and until.verdict(evidence, plan) is not None


def looks_reached(plan: Plan, drawn: int) -> int:
    """How many looks of a plan so many draws reach."""
    return bisect_right(plan.looks, drawn)


def _at_best(c: Composition, plan: Plan) -> Certificates:
    """The answer after all n draws if every share of votes were the largest that the draws so far let hope for."""
    stages = [
        _grown(one, plan.n, stage.threshold, stage.t, plan.correction)
        for one, stage in zip((c, *(later.composition for later in c.then)), plan.stages, strict=True)
    ]
    then = tuple(replace(later, composition=one) for later, one in zip(c.then, stages[1:], strict=True))
    grown = replace(stages[0], then=then)
    return certify(grown, [plan.threshold], plan.alphas[-1], plan.correction, t=plan.t, bound=plan.bound)


def _grown(c: Composition, n: int, threshold: float, t: float, correction: Correction) -> Composition:
    """The counts of one stage as ``n`` draws might have them, in favour of what its guess draws guess."""
    answers = selection_votes(c, np.array([threshold]), correction, t).s_hat[0, 0] == CERTIFY
    # A stage that answers hopes for its class; one whose votes hand an image on hopes that no class has many.
    favoured = int(c.class_counts[0].argmax() if c.by_votes and not answers else c.class_counts0[0].argmax())
    hopes = answers or not c.by_votes
    return replace(
        c,
        n=n,
        n_select=n,
        class_counts=_classes(c.class_counts[0], favoured, n, hopes=hopes)[None],
        select_counts=_votes(c.select_counts, c.n, n, hopes=bool(answers)),
    )


def _votes(k: Array, drawn: int, n: int, *, hopes: bool) -> Array:
    """Votes among n draws at the share beyond which, after ``k`` of ``drawn``, the chance is ``HOPELESS``.

    By the Beta posterior of an even prior; above it where somebody ``hopes`` for many votes, below it for few.
    """
    share = betaincinv(k + 1, drawn - k + 1, 1 - HOPELESS if hopes else HOPELESS)
    found: Array = np.round(share * n).astype(np.int64)
    return found


def _classes(counts: Array, favoured: int, n: int, *, hopes: bool) -> Array:
    """Votes by class among n draws: of the ``favoured`` one as above, of the others in their proportions."""
    drawn = int(counts.sum())
    own = int(_votes(counts[favoured : favoured + 1], drawn, n, hopes=hopes)[0])
    others = np.delete(counts, favoured)
    shares = np.cumsum(others + 1 / len(others)) / (others.sum() + 1)
    rest = np.diff(np.round(shares * (n - own)).astype(np.int64), prepend=0)
    return np.insert(rest, favoured, own)
