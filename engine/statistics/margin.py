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
from engine.statistics.bounds import critical_count, lower_bounds, z_table

SHARE_A = 0.5  # of the level that the top class's bound spends, its rival's the rest: the largest margins (section 18)


class Bound(StrEnum):
    """How the certification network's class is bounded: against all others together, or against each rival."""

    COMPLEMENT = "complement"
    MARGIN = "margin"


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
    z, holds = z_table(n, level, link)(k_a), k_a >= critical_count(n, level)
    if bound is Bound.COMPLEMENT:
        return ClassBound(z, holds)
    k_b = _strongest_rival(counts, c_hat)
    by_margin = _prefers_margin(counts0, c_hat, n, level, link)
    return ClassBound(
        np.where(by_margin, margin_z(k_a, k_b, n, level, link), z),
        np.where(by_margin, _leads(k_a, k_b, n, level), holds),
    )


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
    level_a = share_a * level
    lower = lower_bounds(n, level_a, whole=True)[k_a]
    upper = 1 - lower_bounds(n, level - level_a, whole=True)[n - k_b]
    return lower, upper


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
    preferred: Array = margin >= z_table(n, level, link)(expected_a)
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
