"""The margin: how far the top class leads its strongest rival, bounded from the class counts; larger radii, same alpha.

Theorem 2.1 of the ACES paper (Cohen et al. 2019, theorem 1) certifies sigma/2 (g(p_A) - g(p_B)). The usual bound sets
p_B = 1 - p_A and gives away what many classes share. The proof, and why no correction over rivals is needed, is section
18 of docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.smoothing import Link
from engine.statistics.bounds import (
    critical_count,
    lower_bounds,
    lower_confidence_bound,
    upper_confidence_bound,
    z_of,
)

SHARE_A = 0.5  # of the level that the top class's bound spends, its rival's the rest: the largest margins (section 18)


class Bound(StrEnum):
    """How the certification network's class is bounded: against all others together, or against each rival."""

    COMPLEMENT = "complement"
    MARGIN = "margin"


def usual_bound(correction: str) -> Bound:
    """What new certificates of single images take: the margin; the complement beside the paper's own correction."""
    return Bound.COMPLEMENT if correction == "bonferroni" else Bound.MARGIN


@dataclass(frozen=True, eq=False)
class ClassBound:
    """``z`` float64 [N]: the radius of the class at sigma = 1; ``holds`` bool [N]: it is certainly the top class."""

    z: Array
    holds: Array


def class_bound(
    counts0: Array, counts: Array, n: int, c_hat: Array, level: float, link: Link, bound: Bound
) -> ClassBound:
    """The radius at sigma = 1 of the classes ``c_hat`` [N], from class counts [N, m] of n0 and of ``n`` draws.

    With ``MARGIN``, which of the two bounds an image gets is decided by its n0 draws, which cost nothing.
    """
    k_a = np.take_along_axis(counts, c_hat[:, None], 1)[:, 0]
    z, holds = z_of(k_a, n, level, link), k_a >= critical_count(n, level)
    if bound is Bound.COMPLEMENT:
        return ClassBound(z, holds)
    k_b = _strongest_rival(counts, c_hat)
    by_margin = _prefers_margin(counts0, c_hat, n, level, link)
    return ClassBound(
        np.where(by_margin, margin_z(k_a, k_b, n, level, link), z),
        np.where(by_margin, _leads(k_a, k_b, n, level), holds),
    )


def class_lower_bound(
    counts0: Array, counts: Array, n: int, c_hat: Array, level: float, link: Link, bound: Bound
) -> Array:
    """The lower bounds [N] of the classes' probabilities on which ``class_bound`` rests: ``p`` of ``one_class``."""
    k_a = np.take_along_axis(counts, c_hat[:, None], 1)[:, 0]
    p: Array = lower_bounds(n, level)(k_a)
    if bound is Bound.COMPLEMENT:
        return p
    of_a, _ = _halves(level, SHARE_A)
    return np.where(_prefers_margin(counts0, c_hat, n, level, link), lower_bounds(n, of_a)(k_a), p)


@dataclass(frozen=True)
class Rival:
    """The strongest other class ``c`` of an image: its ``k`` votes, and the upper bound ``p`` of its probability."""

    c: int
    k: int
    p: float


@dataclass(frozen=True)
class OneClass:
    """What is shown of one image's class: the lower bound ``p``, at ``level``, of its probability by ``k`` votes.

    ``rival``: bounded at the same level where the margin decides; None where all others together are the rival. ``z``:
    the radius at sigma = 1 where it is positive; where it is at least 0 the class is the top one.
    """

    k: int
    level: float
    p: float
    rival: Rival | None
    z: float


def one_class(counts0: Array, counts: Array, n: int, c_hat: int, level: float, link: Link, bound: Bound) -> OneClass:
    """The numbers behind ``class_bound`` of one image, from its class counts [m]."""
    k = int(counts[c_hat])
    chosen = np.array([c_hat])
    if bound is Bound.COMPLEMENT or not _prefers_margin(counts0[None], chosen, n, level, link)[0]:
        p = float(lower_confidence_bound(k, n, level))
        return OneClass(k, level, p, None, _linked(p, link))
    of_a, of_b = _halves(level, SHARE_A)
    p = float(lower_confidence_bound(k, n, of_a))
    others = counts.copy()
    others[c_hat] = -1
    strongest = int(others.argmax())
    rival = Rival(strongest, int(counts[strongest]), float(upper_confidence_bound(counts[strongest], n, of_b)))
    return OneClass(k, of_a, p, rival, (_linked(p, link) - _linked(rival.p, link)) / 2)


def _linked(p: float, link: Link) -> float:
    return float(link(np.asarray(p)))


def margin_z(k_a: Array, k_b: Array, n: int, level: float, link: Link, share_a: float = SHARE_A) -> Array:
    """(link(LCB(k_a)) - link(UCB(k_b))) / 2 where that is positive, else 0, of counts [N] among n draws.

    ``k_b`` are those of the strongest rivals. The bounds are at ``share_a`` of the level and at the rest of it.
    """
    lower, upper = _bounds(k_a, k_b, n, level, share_a)
    return np.where(lower > upper, (link(lower) - link(upper)) / 2, 0.0)


def _leads(k_a: Array, k_b: Array, n: int, level: float) -> Array:
    lower, upper = _bounds(k_a, k_b, n, level, SHARE_A)
    leads: Array = lower >= upper
    return leads


def _bounds(k_a: Array, k_b: Array, n: int, level: float, share_a: float) -> tuple[Array, Array]:
    """Clopper-Pearson: an upper bound of a count is one less the lower bound of what it lacks."""
    of_a, of_b = _halves(level, share_a)
    return lower_bounds(n, of_a)(k_a), 1 - lower_bounds(n, of_b)(n - k_b)


def _halves(level: float, share_a: float) -> tuple[float, float]:
    """What the class's bound spends of the level, and what its rival's does."""
    of_a = share_a * level
    return of_a, level - of_a


def _strongest_rival(counts: Array, c_hat: Array) -> Array:
    """The largest count [N] of another class: its upper bound is the largest as well."""
    others = counts.copy()
    np.put_along_axis(others, c_hat[:, None], -1, 1)
    rival: Array = others.max(1)
    return rival


def _prefers_margin(counts0: Array, c_hat: Array, n: int, level: float, link: Link) -> Array:
    """Where n draws that voted as the n0 draws did would give no smaller radius by the margin, bool [N].

    Where neither would give any, only the margin may still tell the top class.
    """
    n0 = counts0.sum(1)
    k_a = np.take_along_axis(counts0, c_hat[:, None], 1)[:, 0]
    expected_a, expected_b = (np.rint(n * k / n0).astype(int) for k in (k_a, _strongest_rival(counts0, c_hat)))
    margin = margin_z(expected_a, expected_b, n, level, link)
    preferred: Array = margin >= z_of(expected_a, n, level, link)
    return preferred


def check_bound(bound: str, from_log: bool) -> Bound:
    """A bound by its name. Raises ``AcesError`` for an unknown one, and for a margin where no votes were counted."""
    if bound not in list(Bound):
        raise AcesError(f"unknown bound {bound!r}; known: {', '.join(Bound)}")
    if Bound(bound) is Bound.MARGIN and from_log:
        raise AcesError(
            "the votes for the classes were reconstructed from a log, which tells of the top class alone: a margin "
            "needs counts of its rivals; use the bound complement"
        )
    return Bound(bound)
