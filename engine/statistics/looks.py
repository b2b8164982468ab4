"""Looking while sampling: bounds that hold at every look, so that one may stop because of what one sees.

A fixed schedule of looks at the first 1,000, 2,000, 4,000, ... and all n draws; alpha is split among them, and each
look is a Clopper-Pearson bound on all draws so far. With probability at least 1 - alpha *every* look holds, and so
does the best of them. The proof is section 14 of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat

import numpy as np
import numpy.typing as npt

from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import Certificates, answer_by, bounds_of_stages
from engine.statistics.bounds import MAJORITY, lower_confidence_bound
from engine.statistics.corrections import CERTIFY, Correction, Levels, levels
from engine.statistics.margin import Bound, OneClass, one_class
from engine.statistics.stage import best_of, selection_votes

FIRST_LOOK = 1_000
FIRST = 20  # draws of the first look of a question, at least: most images are decided early
HOPELESS = 0.01  # the chance to reach a radius yet, below which an image is given up


def schedule(n: int, first: int = FIRST_LOOK) -> tuple[int, ...]:
    """How many draws each look sees: ``first``, doubling as long as that is less than n, and n.

    >>> schedule(10_000), schedule(700), schedule(500, 50)
    ((1000, 2000, 4000, 8000, 10000), (700,), (50, 100, 200, 400, 500))
    """
    if n < 1:
        raise AcesError(f"n is {n}; at least 1 draw is needed")
    looks = []
    at = first
    while at < n:
        looks.append(at)
        at *= 2
    return (*looks, n)


class Split(StrEnum):
    """How alpha is split among the looks, whatever is seen at them."""

    EVEN = "even"
    HALF_LAST = "half-last"  # half of it for the look at all n draws, where the radii are largest; the rest evenly

    @classmethod
    def _missing_(cls, value: object) -> Split:
        raise AcesError(f"unknown split {value!r}; known: {', '.join(cls)}")


def parts(split: Split, planned: int) -> tuple[int, ...]:
    """What alpha is divided by at each of ``planned`` looks; the inverses add up to 1. Of one look: 1.

    Divisors, as a correction has them, and no shares: alpha / 5 is another float than alpha * 0.2.

    >>> parts(Split.EVEN, 3), parts(Split.HALF_LAST, 5), parts(Split.HALF_LAST, 1)
    ((3, 3, 3), (8, 8, 8, 8, 2), (1,))
    """
    assert planned >= 1, f"{planned} looks"
    if split is Split.EVEN or planned == 1:
        return (planned,) * planned
    return (*(2 * (planned - 1),) * (planned - 1), 2)


def certify_at_looks(
    looks: Sequence[Composition],
    planned: int,
    thetas: npt.ArrayLike,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
    *,
    bound: Bound = Bound.COMPLEMENT,
    split: Split = Split.EVEN,
) -> Certificates:
    """ACES Algorithm 1 by the best of each component's bounds over the looks so far, among which alpha is split.

    ``looks``: the counts of the same images at the looks that were reached, the first ones, at least one, of
    ``planned`` in all, with the same guess draws; ``t`` and ``bound`` as in ``certify``. With ``planned`` = 1 this is
    plain CERTIFY.
    """
    each = [
        bounds_of_stages(look, thetas, level, correction, t, bound)
        for look, level in zip(looks, _levels(looks, planned, alpha, split), strict=True)
    ]
    # The best bound of each component, perhaps from different looks: a bound of one component is bad with probability
    # at most the level of its look, over all looks at most alpha, and that is all that the proofs of CERTIFY ask. A
    # chain's components are those of its stages: its proof (section 19) asks for no more.
    return answer_by(looks[-1], thetas, [best_of(stage) for stage in zip(*each, strict=True)])


def _levels(looks: Sequence[Composition], planned: int, alpha: float, split: Split) -> list[float]:
    """The share of alpha of each look."""
    assert 1 <= len(looks) <= planned, f"{len(looks)} of {planned} looks"
    return [alpha / part for part in parts(split, planned)[: len(looks)]]


@dataclass(frozen=True)
class StageLook:
    """What one look says of one stage: ``select`` and ``certify`` of its draws vote for the two guesses.

    ``select`` is 0 where the guess is undecided at the threshold (``SelectionVotes``): no draw counts for either side.
    ``p_select`` and ``p_certify`` are the lower bounds that hold from this look on: the best so far. ``p_rival``: the
    upper bound of the strongest rival of the class, None where all other classes together are the rival. It and
    ``p_certify`` are a pair, of the one look so far by which the class reaches furthest.
    """

    select: int
    certify: int
    p_select: float
    p_certify: float
    p_rival: float | None = None


@dataclass(frozen=True)
class LookBounds:
    """One look at one image, after ``n`` draws of every network: the numbers of a ``StageLook`` for the first stage,
    and ``then`` those of the later ones.
    """

    n: int
    select: int
    certify: int
    p_select: float
    p_certify: float
    p_rival: float | None = None
    then: tuple[StageLook, ...] = ()

    @property
    def stages(self) -> tuple[StageLook, ...]:
        """The numbers of every stage."""
        return StageLook(self.select, self.certify, self.p_select, self.p_certify, self.p_rival), *self.then


def bounds_at_looks(
    looks: Sequence[Composition],
    planned: int,
    theta: float,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
    *,
    bound: Bound = Bound.COMPLEMENT,
    split: Split = Split.EVEN,
) -> tuple[LookBounds, ...]:
    """The bounds behind ``certify_at_looks`` for one image (the first) and one threshold, look by look."""
    at = [
        levels(correction, level, look.stages)
        for look, level in zip(looks, _levels(looks, planned, alpha, split), strict=True)
    ]
    first = _of_stage(looks, theta, t, at, correction, bound)
    chain = zip(*(look.then for look in looks), strict=True)  # one stage at all looks, then the next one
    later = [
        _of_stage([s.composition for s in stage], stage[0].theta, stage[0].t, at, correction, bound) for stage in chain
    ]
    return tuple(
        LookBounds(look.n, own.select, own.certify, own.p_select, own.p_certify, own.p_rival, then)
        for look, own, then in zip(looks, first, zip(*later, strict=True) if later else repeat(()), strict=False)
    )


def _of_stage(
    looks: Sequence[Composition], theta: float, t: float, at: Sequence[Levels], correction: Correction, bound: Bound
) -> list[StageLook]:
    """One stage at every look, whose levels ``at`` are."""
    found: list[StageLook] = []
    p_select, best = 0.0, None
    for look, spend in zip(looks, at, strict=True):
        votes = selection_votes(look, np.array([theta]), correction, t)
        s_hat = int(votes.s_hat[0, 0])
        select = int((votes.certify if s_hat == CERTIFY else votes.core)[0, 0])
        a_s, a_c = spend.of(s_hat)
        p_select = max(p_select, float(lower_confidence_bound(select, look.n_select, a_s)))
        counts0, counts = look.class_counts0[0], look.class_counts[0]
        by = Bound.COMPLEMENT if look.by_votes else bound
        now = one_class(counts0, counts, look.n, int(counts0.argmax()), a_c, look.smoothing.link, by)
        best = now if best is None or _reaches_further(now, best) else best
        p_rival = None if best.rival is None else best.rival.p
        found.append(StageLook(select, now.k, p_select, best.p, p_rival))
    return found


def _reaches_further(now: OneClass, before: OneClass) -> bool:
    """Of two bounds of one kind by the bounds themselves: the links of two that are near may be one float."""
    if now.rival is None and before.rival is None:
        return now.p > before.p
    return now.z > before.z
