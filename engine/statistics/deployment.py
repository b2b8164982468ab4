"""How much the numbers of a chosen composition and threshold flatter: choose on one half, measure on the other.

Who takes the most robust of many points above a floor of NAC, and quotes the same images' numbers, quotes the luckiest
point. Here the images are halved at random, ``SPLITS`` times; each half chooses by the same rule, and the other half,
which had no say, measures. What the first half's numbers exceed the second's by is the optimism of a choice on N/2
images. Certificates are computed once: a half's metrics are sums over its images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.records.compose import Composition
from engine.statistics.aces import certify, predict
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.envelope import over_shares, usable_shares
from engine.statistics.intervals import rate_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import BLOCK_ENTRIES, Convention, at_0

SPLITS = 100  # random halvings; both halves of each choose once
SEED = 0  # of the halvings: the same images always give the same estimate
POINTS = 200  # thresholds of a composition at least: of more, each stands for its neighbours, which answer nearly alike
BINS, OF_A_BIN = 60, 3  # of NAC, and how many points (theta, t) of each stand for all of it
SCALE = 1 / math.sqrt(2)  # of the optimism from N/2 images to N: it is the size of a chance deviation
EQUAL = 1e-9  # relative: sums of the same radii in another order


@dataclass(frozen=True)
class Rule:
    """The most robust point whose NAC is at least ``floor`` percent; ``confident``: whose 95 % interval is above it."""

    floor: float
    confident: bool = False


@dataclass(frozen=True)
class Measure:
    """How robustness is measured: ACR where ``radius`` is None, else certified accuracy at it, in percent.

    ``t`` and ``bound`` as in ``aces.certify``; ``shares`` to choose among in the place of ``t``.
    """

    alpha: float
    correction: Correction
    radius: float | None = None
    convention: Convention = Convention.ALGORITHM
    t: float = MAJORITY
    bound: Bound = Bound.COMPLEMENT
    shares: tuple[float, ...] = ()

    def points(self, c: Composition) -> list[tuple[Measure, Array]]:
        """Among what is chosen: thresholds, with a measure for each share."""
        thetas = c.thetas[:: max(1, len(c.thetas) // POINTS)]
        if not self.shares:
            return [(self, thetas)]
        ts = usable_shares(c, self.alpha, self.correction, self.shares, self.convention)
        near = self._near_the_envelope(c, ts)
        return [(replace(self, t=t, shares=()), thetas[kept]) for t, kept in zip(ts, near, strict=True) if kept.any()]

    def _near_the_envelope(self, c: Composition, ts: Sequence[float]) -> Array:
        """Which of the shares and thresholds, bool [K, T], may well be chosen: of every ``BINS``-th of the NACs, the
        ``OF_A_BIN`` that come nearest to the most robust point of at least their NAC.
        """
        step = max(1, len(c.thetas) // POINTS)
        some = replace(
            c, thetas=c.thetas[::step], select_counts0=c.select_counts0[:, ::step],
            select_counts=c.select_counts[:, ::step],
            predict_select=None if c.predict_select is None else c.predict_select[:, ::step],
        )  # fmt: skip
        how = {"bound": self.bound, "radius": self.radius, "convention": self.convention}
        found = over_shares(some, ts, self.alpha, self.correction, **how)  # type: ignore[arg-type]
        nac, robustness = (part.ravel() for part in found)
        falling = np.lexsort((-robustness, -nac))
        most = np.empty(len(nac))
        most[falling] = np.maximum.accumulate(robustness[falling])
        bins = np.floor((nac - nac.min()) / max(np.ptp(nac), EQUAL) * BINS)
        order = np.lexsort((-nac, most - robustness, bins))
        first = np.searchsorted(bins[order], bins[order])  # where each bin begins
        kept = np.zeros(len(nac), bool)
        kept[order[np.arange(len(nac)) - first < OF_A_BIN]] = True
        return kept.reshape(len(ts), -1)

    def of(self, c: Composition, thetas: Array) -> tuple[Array, Array]:
        """By image and threshold, [N, T]: 100 where PREDICT is correct, and what the image adds to the robustness."""
        as_printed = self.convention is Convention.PAPER
        how = self.alpha, self.correction
        answer = certify(c, thetas, *how, t=self.t, bound=self.bound, as_printed=as_printed)
        natural = 100.0 * (predict(c, thetas, self.alpha, self.t).prediction() == c.label[:, None])
        correct_radius = answer.correct_radius()
        if self.radius is None:
            return natural, correct_radius
        reached = at_0(answer, self.convention)[0] if self.radius == 0 else correct_radius >= self.radius
        return natural, 100.0 * reached


@dataclass(frozen=True, eq=False)
class Tally:
    """NAC and robustness [S, T] of one composition on the first and on the second half of every halving.

    ``images`` = N, of both halves together.
    """

    first: tuple[Array, Array]
    second: tuple[Array, Array]
    images: int


@dataclass(frozen=True)
class Optimism:
    """By how much NAC (points) and robustness of the rule's choice flatter on the half that chose, on average.

    ``halves``: how many of ``2 * SPLITS`` found a point above the floor; NaN where none did.
    """

    nac: float
    robustness: float
    halves: int


def corrected(value: float, flattery: float) -> tuple[float, float, float]:
    """A ``value`` on all N images less the optimism ``flattery`` of a choice on N/2: what to expect of other images,
    and a value below and above, where intervals begin and end.

    On N images the optimism is about ``SCALE`` of that on N/2. That it is between half of it and all of it is what
    the interval allows for.
    """
    most = max(flattery, 0.0)
    return value - SCALE * flattery, value - most, value - most / 2


def halvings(images: Array, splits: int = SPLITS) -> Array:
    """Which of the ``images`` [M] are in the first half, bool [S, M]: M // 2 each."""
    order = np.tile(np.arange(len(images)), (splits, 1))
    first: Array = np.random.default_rng(SEED).permuted(order, axis=1) < len(images) // 2
    return first


def tally(c: Composition, measure: Measure, images: Array, first: Array) -> Tally:
    """A composition's metrics on both halves of the ``images`` [M], sorted; its own are among them.

    Of shares and thresholds to choose among, only points near the envelope take part (``Measure.points``): the others
    would not be chosen on a half either, and all of them would take too long.
    """
    own = first[:, np.searchsorted(images, c.index)]
    points = measure.points(c)
    ends = np.cumsum([len(thetas) for _, thetas in points])
    sums = [np.zeros((len(own), ends[-1])) for _ in range(4)]
    block = max(1, BLOCK_ENTRIES // max(len(thetas) for _, thetas in points))
    for start in range(0, len(c), block):
        rows = slice(start, start + block)
        part, halves = c.rows(rows), (own[:, rows].astype(np.float64), (~own[:, rows]).astype(np.float64))
        found = [one.of(part, thetas) for one, thetas in points]
        values = [np.concatenate([of[k] for of in found], 1) for k in (0, 1)]
        for total, (half, value) in zip(sums, ((half, value) for half in halves for value in values), strict=True):
            total += half @ value
    count = own.sum(1)[:, None]
    means = [
        total / np.maximum(n, 1) for total, n in zip(sums, (count, count, len(c) - count, len(c) - count), strict=True)
    ]
    return Tally((means[0], means[1]), (means[2], means[3]), len(c))


def choose(nac: Array, robustness: Array, images: Array, rule: Rule) -> Array:
    """The position of the point in each row of ``nac`` and ``robustness`` [S, P]; -1 where none reaches the floor.

    ``images`` [P]: how many the interval of a point is taken to rest on. Of equally robust points the most accurate.
    """
    reached = rate_interval(nac, images)[0] if rule.confident else nac
    allowed = reached >= rule.floor - 1e-9  # 375 of 500 images are 75 %, whatever rounding says
    value = np.where(allowed, robustness, -1.0)
    tied = allowed & (value >= value.max(1, keepdims=True) * (1 - EQUAL))
    return np.where(allowed.any(1), np.where(tied, nac, -1.0).argmax(1), -1)


def optimism(tallies: Sequence[Tally], rule: Rule) -> Optimism:
    """How much the rule's choice among all points of ``tallies`` flatters on the images that it was made on."""
    # The interval of the rule is that of all images: the rule under test is the one that chose among them.
    images = np.concatenate([np.full(t.first[0].shape[1], t.images) for t in tallies])
    first = [np.concatenate([t.first[k] for t in tallies], 1) for k in (0, 1)]
    second = [np.concatenate([t.second[k] for t in tallies], 1) for k in (0, 1)]
    excess = [_excess(first, second, choose(first[0], first[1], images, rule))]
    excess.append(_excess(second, first, choose(second[0], second[1], images, rule)))
    found = np.concatenate(excess, 1)
    if not found.shape[1]:
        return Optimism(math.nan, math.nan, 0)
    nac, robustness = found.mean(1)
    return Optimism(float(nac), float(robustness), found.shape[1])


def _excess(own: Sequence[Array], other: Sequence[Array], chosen: Array) -> Array:
    """NAC and robustness [2, halves that chose] at the point chosen, on the half that chose less on the other."""
    rows = np.flatnonzero(chosen >= 0)
    return np.stack([a[rows, chosen[rows]] - b[rows, chosen[rows]] for a, b in zip(own, other, strict=True)])
