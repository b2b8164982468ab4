"""Binomial bounds and the radii they buy.

``p_a`` and ``p_s`` elsewhere in the engine are *lower bounds*: underlined in the ACES paper, pABar
in Cohen's code. A radius is sigma * z with z = link(lower bound), Phi^-1 under Gaussian noise; working in z keeps
everything that depends on the counts alone apart from the noise level.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev
from scipy.special import betainc, betainccinv, betaincinv

from engine.arrays import Floats, Ints
from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, Link

MAJORITY = 0.5  # the share of votes that the paper's smoothed networks answer by
SMOOTH_N = 10_000  # from this n on, tables interpolate where the bound is smooth in the count
WHOLE = 400  # decimal digits that hold the integer part of any float


def check_level(alpha: float, name: str = "alpha") -> float:
    """``alpha`` itself, if it is a failure probability. Raises ``AcesError`` outside (0, 1)."""
    if not 0 < alpha < 1:  # also false for NaN
        raise AcesError(f"{name} is {alpha}; it must lie strictly between 0 and 1, for example 0.001")
    return float(alpha)


def lower_confidence_bound(k: npt.ArrayLike, n: int, alpha: float) -> Floats:
    """One-sided Clopper-Pearson: with probability >= 1 - alpha over the n draws, the true proportion is at least this.

    The alpha-quantile of Beta(k, n - k + 1), and 0 for k = 0 (Clopper and Pearson 1934; LOWERCONFBND in Cohen et
    al. 2019). ``k`` holds counts in 0..n, of any shape; the answer has the same shape.
    Raises ``AcesError`` for counts outside 0..n and for alpha outside (0, 1).

    >>> round(float(lower_confidence_bound(99_000, n=100_000, alpha=0.0005)), 4)
    0.9889
    >>> float(lower_confidence_bound(0, n=100, alpha=0.001))
    0.0
    """
    counts = np.asarray(k)
    _check_counts(counts, n, alpha)
    bound = np.zeros(counts.shape)  # Beta(0, .) is undefined; the bound at k = 0 is 0 by definition
    betaincinv(counts, n - counts + 1, alpha, out=bound, where=counts > 0)
    return bound


def upper_confidence_bound(k: npt.ArrayLike, n: int, alpha: float) -> Floats:
    """One-sided Clopper-Pearson: with probability >= 1 - alpha over the n draws, the true proportion is at most this.

    One less the lower bound of the n - k others, to the last digits also where it is small. Shapes and errors as for
    ``lower_confidence_bound``.

    >>> round(float(upper_confidence_bound(0, n=100, alpha=0.001)), 4), float(upper_confidence_bound(9, 9, 0.001))
    (0.0667, 1.0)
    """
    counts = np.asarray(k)
    _check_counts(counts, n, alpha)
    bound = np.ones(counts.shape)  # at k = n by definition, as the lower one is 0 at k = 0
    betainccinv(counts + 1, n - counts, alpha, out=bound, where=counts < n)
    return bound


def z_lower_bound(
    k: npt.ArrayLike, n: int, alpha: float, link: Link = GAUSSIAN.link, share: float = MAJORITY
) -> Floats:
    """link(bound) - link(share) where the lower confidence bound exceeds ``share``, else 0: the radius at sigma = 1.

    Within it what has at least the probability of the bound keeps more than ``share`` (docs/statistics.md, sections 2
    and 17). At 1/2 under Gaussian noise: Cohen et al. 2019, Theorem 1 with p_B = 1 - p_A. Shapes and errors as for
    ``lower_confidence_bound``.

    >>> round(0.25 * float(z_lower_bound(100_000, n=100_000, alpha=0.0005)), 3)
    0.947
    """
    counts = np.asarray(k)
    # For alpha <= 1/2 the bound is at most k/n, so only a larger one can exceed it: skip the dear inversion elsewhere.
    live = counts > share * n if alpha <= 0.5 else np.ones(counts.shape, bool)
    bound = lower_confidence_bound(np.where(live, counts, 0), n, alpha)
    return _z(bound, link, share)


class LowerBounds:
    """Count -> ``lower_confidence_bound`` of one (n, alpha), each worked out when it is first asked for.

    From n = ``SMOOTH_N`` on to within rounding, 1e-13.
    """

    def __init__(self, n: int, alpha: float) -> None:
        self._n, self._alpha = n, check_level(alpha)
        self._bound, self._known = np.zeros(n + 1), np.zeros(n + 1, bool)
        smooth = n >= SMOOTH_N and alpha <= 0.5
        cuts = self._cuts = (n // 100, n // 2, n - n // 100) if smooth else 3 * (n + 1,)  # near 0 and n it bends
        self._halves = [SmoothBounds(first, end - 1, n, alpha) for first, end in pairwise(cuts)]

    def __call__(self, counts: Ints) -> Floats:
        """The bounds of an integer array of any shape."""
        known = self._known[counts]
        if not known.all():
            self._work_out(np.unique(counts[~known]))
        return self._bound[counts]

    def table(self, first: int = 0) -> Floats:
        """Those of the counts 0, ..., n; below ``first`` only what is known, else 0. Read only."""
        self._work_out(first + np.flatnonzero(~self._known[first:]))
        shared = self._bound.view()
        shared.flags.writeable = False
        return shared

    def _work_out(self, counts: Ints) -> None:
        """Of rising counts."""
        low, minority, majority, high = np.split(counts, np.searchsorted(counts, self._cuts))
        for bends in (low, high):
            self._bound[bends] = lower_confidence_bound(bends, self._n, self._alpha)
        for part, smooth in zip((minority, majority), self._halves, strict=True):
            if len(part):
                self._bound[part] = smooth(part)
        self._known[counts] = True  # last: another thread may ask meanwhile


@lru_cache(maxsize=64)
def lower_bounds(n: int, alpha: float) -> LowerBounds:
    """The shared bounds of one (n, alpha)."""
    return LowerBounds(n, alpha)


class SmoothBounds:
    """``lower_confidence_bound`` of counts from ``first`` to ``last``, in a half of 0.01 n to 0.99 n.

    By 48 inversions and not one each. The beta quantile is smooth in real k. In the angle arcsin(sqrt(k / n)), which
    evens out the binomial's spread, the bound keeps so steady a distance from the observed rate that the polynomial
    through 48 Chebyshev points meets it to rounding at every count (tests/engine/statistics/test_bounds.py compares
    them all).
    """

    def __init__(self, first: int, last: int, n: int, alpha: float) -> None:
        self._ends, self._n, self._alpha = np.array([first, last]), n, alpha

    def __call__(self, k: Ints) -> Floats:
        angle = self._angle(k)
        bound: Floats = np.sin(angle + self._distance(angle)) ** 2
        return bound

    def _angle(self, k: Ints) -> Floats:
        angle: Floats = np.arcsin(np.sqrt(k / self._n))
        return angle

    @cached_property
    def _distance(self) -> Chebyshev:
        n = self._n

        def distance(angle: Floats) -> Floats:
            bound = betaincinv(n * np.sin(angle) ** 2, n * np.cos(angle) ** 2 + 1, self._alpha)
            return np.arcsin(np.sqrt(bound)) - angle

        return Chebyshev.interpolate(distance, 47, domain=self._angle(self._ends))


class ZTable:
    """Count -> z of one (n, alpha, link, share), for all counts at once: images x thresholds become one gather.

    ``table(counts)`` equals ``z_lower_bound(counts, n, alpha, link, share)`` for an integer array of any shape; from
    n = ``SMOOTH_N`` on to within rounding, 1e-13 in the bound.
    """

    def __init__(self, n: int, alpha: float, link: Link = GAUSSIAN.link, share: float = MAJORITY) -> None:
        first = int(share * n) if alpha <= 0.5 else 0  # then the bound is at most k/n, and no smaller count has a z
        self._z = _z(lower_bounds(n, alpha).table(first), link, share)

    def __call__(self, counts: Ints) -> Floats:
        return np.take(self._z, counts.astype(np.intp))  # take is slow on narrower integers

    @property
    def fewest(self) -> int:
        """The fewest votes with a positive z; n + 1 where none has one."""
        return int(np.searchsorted(self._z, 0.0, side="right"))

    def into(self, out: Floats, counts: npt.NDArray[np.intp]) -> None:
        """``table(counts)`` written to ``out``, for counts that are known to lie in 0..n."""
        np.take(self._z, counts, out=out, mode="clip")  # which spares the copy that looks for others


@lru_cache(maxsize=64)
def z_table(n: int, alpha: float, link: Link = GAUSSIAN.link, share: float = MAJORITY) -> ZTable:
    """The shared table of one (n, alpha, link, share)."""
    return ZTable(n, alpha, link, share)


def z_of(counts: Ints, n: int, alpha: float, link: Link = GAUSSIAN.link) -> Floats:
    """What ``z_table`` answers at a majority, without working out other counts: for one count an image."""
    return _z(lower_bounds(n, alpha)(counts), link, MAJORITY)


@lru_cache(maxsize=1024)
def critical_count(n: int, alpha: float, share: float = MAJORITY) -> int:
    """The smallest k with ``lower_confidence_bound(k, n, alpha) >= share``; n + 1 when even k = n falls short.

    >>> critical_count(11, 0.001), critical_count(9, 0.001)
    (11, 10)
    """
    check_level(alpha)
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if lower_confidence_bound(middle, n, alpha) >= share:
            high = middle
        else:
            low = middle + 1
    return low


def two_sided_p_value(n_a: npt.ArrayLike, n_b: npt.ArrayLike) -> Floats:
    """Two-sided binomial test of n_a successes in n_a + n_b fair trials, elementwise.

    Two-sided because the winner was picked from the same draws (Hung and Fithian 2019); a tie gives 1.

    >>> two_sided_p_value([10, 5], [0, 5]).tolist()
    [0.001953125, 1.0]
    """
    a, b = np.asarray(n_a), np.asarray(n_b)
    top, rest = np.maximum(a, b), np.minimum(a, b)
    # P(X >= top) for X ~ Bin(top + rest, 1/2) is the regularised incomplete beta function (DLMF 8.17.5).
    tail = betainc(np.maximum(top, 1), rest + 1.0, 0.5)
    return np.where(top == rest, 1.0, np.minimum(1.0, 2.0 * tail))


def ceiling(sigma: float, n: int, alpha: float, link: Link = GAUSSIAN.link, share: float = MAJORITY) -> float:
    """The largest radius that n unanimous draws can certify: sigma * (link(alpha^(1/n)) - link(share)), 0 if negative.

    >>> round(ceiling(1.0, 100_000, 0.001), 2)
    3.81
    """
    return sigma * float(z_lower_bound(n, n, alpha, link, share))


def smallest_n(alpha: float, share: float = MAJORITY) -> int:
    """The fewest draws with which unanimous votes show a probability above ``share`` at level ``alpha``.

    >>> smallest_n(0.001), smallest_n(0.001, share=0.99)
    (10, 688)
    """
    return math.floor(math.log(check_level(alpha)) / math.log(share)) + 1  # alpha^(1/n) > share


def round_down(x: float, digits: int = 9, *, decimals: int | None = None) -> Decimal:
    """A lower bound as text may claim it: the largest number of so many digits that is not above ``x``.

    For radii, lower bounds of probabilities and their z, which must never be read as more than was proved; the exact
    value of the float counts. ``digits`` are significant ones; ``decimals``, if given, stand behind the point instead.
    Negative numbers round down as well. Infinities and NaN stay what they are: callers say in words what is missing.

    >>> str(round_down(0.1)), str(round_down(0.29999, 4)), str(round_down(0.95289999, decimals=4))
    ('0.100000000', '0.2999', '0.9528')
    >>> str(round_down(-0.29991, decimals=4)), str(round_down(float("nan"), decimals=4))
    ('-0.3000', 'NaN')
    """
    return _rounded(Decimal(float(x)), digits, decimals, ROUND_FLOOR)


def round_up(x: float, digits: int = 9, *, decimals: int | None = None) -> Decimal:
    """An upper bound as text may claim it, such as "at most alpha": the smallest such number that is not below ``x``.

    ``x`` counts as the shortest decimal that reads back as it, because a level is chosen by typing one.

    >>> f"{round_up(0.001, 3):f}", f"{round_up(0.001 / 202, 3):f}"
    ('0.001', '0.00000496')
    """
    return _rounded(Decimal(repr(float(x))), digits, decimals, ROUND_CEILING)


def round_radius(radius: float, digits: int = 9, *, decimals: int | None = None) -> Decimal:
    """``round_down`` of a radius whose sign says what holds within it: its size rounds down, its sign stays.

    >>> str(round_radius(-0.95289999, decimals=4))
    '-0.9528'
    """
    size = round_down(abs(radius), digits, decimals=decimals)
    return size.copy_negate() if radius < 0 and size else size


def rounded_down(values: npt.ArrayLike, decimals: int) -> Floats:
    """``round_down`` of every number, to so many decimals, as the floats nearest to them: none is above its value.

    For numbers whose digits up to there a float holds, as those of radii and probabilities.

    >>> rounded_down([0.95289999, 0.3, -0.29991], 4).tolist()
    [0.9528, 0.2999, -0.3]
    """
    x = np.asarray(values, dtype=np.float64)
    scale = 10.0**decimals
    scaled = x * scale
    whole = np.array(np.floor(scaled))
    # A product that is whole may have been rounded up to it; any other has the floor of the exact one.
    for at in np.argwhere((whole == scaled) & (x != 0) & np.isfinite(x)):
        whole[*at] = float(round_down(float(x[*at]), decimals=decimals).scaleb(decimals))
    return whole / scale


def _rounded(x: Decimal, digits: int, decimals: int | None, rounding: str) -> Decimal:
    if not x.is_finite():
        return x
    if decimals is None:
        rounded = Context(prec=digits, rounding=rounding).create_decimal(x)
    else:
        rounded = Context(prec=WHOLE, rounding=rounding).quantize(x, Decimal(1).scaleb(-decimals))
    return rounded.copy_abs() if rounded.is_zero() else rounded  # no minus before a zero


def round_significant(x: npt.ArrayLike, digits: int) -> Floats:
    """Round to so many significant digits, as logs that print radii do; 0 stays 0.

    >>> round_significant([0.94694, 1.8939, 0.0], 3).tolist()
    [0.947, 1.89, 0.0]
    """
    values = np.asarray(x, dtype=np.float64)
    magnitude = np.floor(np.log10(np.abs(values), out=np.zeros(values.shape), where=values != 0))
    scale = 10.0 ** (digits - 1 - magnitude)
    return np.round(values * scale) / scale


def _z(bound: Floats, link: Link, share: float) -> Floats:
    z, live = np.zeros(bound.shape), bound > share
    z[live] = link(bound[live]) - link(np.asarray(share))
    return z


def _check_counts(counts: npt.NDArray[Any], n: int, alpha: float) -> None:
    check_level(alpha)
    if n < 1 or (counts.size and (counts.min() < 0 or counts.max() > n)):
        raise AcesError(f"counts must lie in 0..n with n >= 1; got n = {n} and counts {_range(counts)}")


def _range(counts: npt.NDArray[np.generic]) -> str:
    return f"{counts.min()}..{counts.max()}" if counts.size else "(none)"
