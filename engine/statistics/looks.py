"""Looking while sampling: bounds that hold at every look, so that one may stop because of what one sees.

A fixed schedule of looks at the first 1,000, 2,000, 4,000, ... and all n draws; alpha is shared among them, and each
look is a Clopper-Pearson bound on all draws so far. With probability at least 1 - alpha *every* look holds, and so
does the best of them. The proof is section 14 of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import Certificates, Outcome, certify, decide
from engine.statistics.bounds import MAJORITY, lower_confidence_bound
from engine.statistics.corrections import CERTIFY, Correction, levels
from engine.statistics.stage import selection_votes

FIRST_LOOK = 1_000


def schedule(n: int) -> tuple[int, ...]:
    """How many draws each look sees: 1,000, doubling as long as that is less than n, and n.

    >>> schedule(10_000), schedule(700)
    ((1000, 2000, 4000, 8000, 10000), (700,))
    """
    if n < 1:
        raise AcesError(f"n is {n}; at least 1 draw is needed")
    looks = []
    at = FIRST_LOOK
    while at < n:
        looks.append(at)
        at *= 2
    return (*looks, n)


def certify_at_looks(
    looks: Sequence[Composition],
    planned: int,
    thetas: npt.ArrayLike,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
) -> Certificates:
    """ACES Algorithm 1 by the best of each component's bounds over the looks so far, each look at alpha / planned.

    ``looks``: the counts of the same images at the looks that were reached, at least one, of ``planned`` in all, with
    the same guess draws; ``t`` as in ``certify``. With ``planned`` = 1 this is plain CERTIFY.
    """
    assert 1 <= len(looks) <= planned, f"{len(looks)} of {planned} looks"
    each = [certify(look, thetas, alpha / planned, correction, t=t) for look in looks]
    # The best bound of each component, perhaps from different looks: a bound of one component is bad with probability
    # at most alpha / planned a look, over all looks at most alpha, and that is all that the proofs of CERTIFY ask.
    radius_select = np.maximum.reduce([answer.radius_select for answer in each])
    radius_certify = np.maximum.reduce([answer.radius_certify for answer in each])
    radius = np.minimum(radius_select, radius_certify)
    class_holds = np.logical_or.reduce([answer.class_holds for answer in each])
    core_holds = np.logical_or.reduce([answer.outcome == Outcome.CORE for answer in each])
    last = each[-1]
    outcome = decide(radius, core_holds, class_holds, last.c_hat == last.core)
    return Certificates(
        last.thetas,
        last.index,
        last.label,
        last.c_hat,
        last.core,
        outcome,
        radius,
        radius_select,
        radius_certify,
        class_holds,
    )


@dataclass(frozen=True)
class LookBounds:
    """One look at one image: ``select`` and ``certify`` of its ``n`` draws vote for the two guesses.

    ``select`` is 0 where the guess is undecided at the threshold (``SelectionVotes``): no draw counts for either side.
    ``p_select`` and ``p_certify`` are the lower bounds that hold from this look on: the best so far.
    """

    n: int
    select: int
    certify: int
    p_select: float
    p_certify: float


def bounds_at_looks(
    looks: Sequence[Composition],
    planned: int,
    theta: float,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
) -> tuple[LookBounds, ...]:
    """The lower bounds behind ``certify_at_looks`` for one image (the first) and one threshold, look by look."""
    spend = levels(correction, alpha / planned)
    found: list[LookBounds] = []
    for look in looks:
        votes = selection_votes(look, np.array([theta]), correction, t)
        s_hat = int(votes.s_hat[0, 0])
        select = int((votes.certify if s_hat == CERTIFY else votes.core)[0, 0])
        of_class = int(look.class_counts[0, look.class_counts0[0].argmax()])
        a_s, a_c = spend.of(s_hat)
        p_select = float(lower_confidence_bound(select, look.n_select, a_s))
        p_certify = float(lower_confidence_bound(of_class, look.n, a_c))
        if found:
            p_select, p_certify = max(p_select, found[-1].p_select), max(p_certify, found[-1].p_certify)
        found.append(LookBounds(look.n, select, of_class, p_select, p_certify))
    return tuple(found)
