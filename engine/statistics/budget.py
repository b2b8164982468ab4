"""How many draws each image is worth, by its n0 guess draws: the same ACR, but for a stated share, from far fewer.

The guess draws are independent of the estimating ones, so that an n which depends on them alone (and on labels) leaves
every bound as it is, at full alpha (section 20 of docs/statistics.md). What stands here is therefore no promise but a
forecast: where it errs, draws are wasted or radii are smaller, and no certificate is wrong.

Reading order: ``choose`` weighs the ``_forecast`` radii of every image at every rung of a ``ladder`` of n.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtr
from scipy.stats import binom

from engine.arrays import Array
from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, Link
from engine.statistics.bounds import check_level, z_lower_bound
from engine.statistics.corrections import CERTIFY, Correction, levels

GRID = ndtr(np.linspace(-2.5, 4.5, 141))  # probabilities that an image may have, evenly in units of radii
FITTED = 50  # rounds of expectation and maximisation
QUANTILES = (np.arange(16) + 0.5) / 16  # of a binomial, whose mean stands for its expectation
STEP = 2**0.5  # between two rungs of the ladder
MULTIPLE = 50  # of which rungs are: what fills batches
RANGE_POINTS = 11  # thresholds that stand for a range
NEGLIGIBLE = 0.02  # of the largest ACR: a threshold with less decides on no draws
HALVINGS = 60
CAUTION = 0.8  # of what may be lost is forecast to be: the rest is for what a forecast by n0 draws misses


class Quantity(StrEnum):
    """What a budget may lose a share of."""

    ACR = "acr"


@dataclass(frozen=True)
class Budget:
    """Lose at most ``lose`` of the ``at``, at every threshold of the range ``theta``; ``least`` draws an image.

    ``alpha`` and ``correction``: of the certificates that it is forecast for; others remain valid.
    Raises ``AcesError`` for values outside their ranges.
    """

    lose: float = 0.01
    at: Quantity = Quantity.ACR
    theta: tuple[float, float] = (0.0, 1.0)
    least: int = 1000
    alpha: float = 0.001
    correction: Correction = Correction.INTERSECTION_UNION

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", Quantity(self.at))
        object.__setattr__(self, "correction", Correction(self.correction))
        check_level(self.alpha)
        if not 0 < self.lose < 1:
            raise AcesError(f"lose is {self.lose:g}; a share that may be lost lies between 0 and 1, for example 1%")
        low, high = self.theta
        if not 0 <= low <= high <= 1:
            raise AcesError(f"theta is {low:g} to {high:g}; thresholds lie in [0, 1], and the first is the smaller one")
        if self.least < 1:
            raise AcesError(f"least is {self.least}; an image needs at least 1 draw")

    @property
    def thetas(self) -> Array:
        """Thresholds that stand for the range."""
        low, high = self.theta
        return np.array([low]) if low == high else np.linspace(low, high, RANGE_POINTS)


@dataclass(frozen=True, eq=False)
class GuessVotes:
    """What the n0 draws of N images said, of ``n0`` each: ``select`` [N, J] of the selection at J thresholds.

    ``classed`` [N], for the class of most votes, and ``wanted`` bool [N]: its radius would count, as it is the label's;
    both None of a selection network.
    """

    n0: int
    select: Array
    classed: Array | None = None
    wanted: Array | None = None


def ladder(least: int, n: int) -> Array:
    """The numbers of draws to choose from, rising to ``n``, each about 1.4 times the one before; int64.

    >>> ladder(1000, 3000).tolist(), ladder(700, 500).tolist()
    ([1000, 1400, 2000, 2850, 3000], [500])
    """
    rungs, at = [], float(least)
    while at < n:
        rungs.append(min(n, max(1, round(at / MULTIPLE)) * MULTIPLE))
        at *= STEP
    return np.unique([*rungs, n])


def choose(guesses: GuessVotes, n: int, budget: Budget, link: Link = GAUSSIAN.link) -> Array:
    """Draws of each image, int64 [N], of at most ``n``: the fewest by which no threshold is forecast to lose more.

    An image climbs the ladder as long as its next rungs gain more radius a draw than a price that all share; the price
    is the largest that the budget allows.
    """
    rungs = ladder(budget.least, n)
    shares = _shares(guesses, rungs, budget, link)
    if not len(shares):
        return np.full(len(guesses.select), rungs[0])
    weighed = shares.mean(0)

    def at_price(price: float) -> Array:
        return (weighed - price * rungs).argmax(1)

    low, high = 0.0, 1.0 / rungs[0]  # at no price all that is worth anything, at the highest nothing
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        is_allowed = 1 - _least_kept(shares, at_price(middle)) <= CAUTION * budget.lose
        low, high = (middle, high) if is_allowed else (low, middle)
    chosen: Array = rungs[at_price(low)]
    return chosen


def share_kept(guesses: GuessVotes, n: int, draws: Array, budget: Budget, link: Link = GAUSSIAN.link) -> float:
    """What is forecast to be left of the ACR with these ``draws`` [N], rungs of the ladder, where most is lost."""
    rungs = ladder(budget.least, n)
    shares = _shares(guesses, rungs, budget, link)
    return _least_kept(shares, np.searchsorted(rungs, draws)) if len(shares) else 1.0


def _shares(guesses: GuessVotes, rungs: Array, budget: Budget, link: Link) -> Array:
    """What each image adds at each rung, of the ACR by most draws, [J', N, L]; of the thresholds that count."""
    radii = _forecast(guesses, rungs, budget, link)
    full = radii[:, :, -1].sum(1)
    counted = full > NEGLIGIBLE * full.max(initial=0)
    shares: Array = radii[counted] / full[counted, None, None]
    return shares


def _least_kept(shares: Array, taken: Array) -> float:
    """What is left of the ACR with the rungs ``taken`` [N], at the threshold that keeps least."""
    return float(shares[:, np.arange(len(taken)), taken].sum(1).min())


def posterior(votes: Array, n0: int) -> Array:
    """How likely each probability of ``GRID`` is for images with so many guess ``votes`` [N], [N, G]."""
    values, back, images = np.unique(votes, return_inverse=True, return_counts=True)
    likelihood: Array = np.asarray(binom.pmf(values[:, None], n0, GRID))
    weighed = likelihood * _prior(likelihood, images / len(votes))
    found: Array = (weighed / weighed.sum(1, keepdims=True))[back]
    return found


def _forecast(guesses: GuessVotes, rungs: Array, budget: Budget, link: Link) -> Array:
    """The radius at sigma = 1 to expect at each threshold, of each image and rung, where it counts, [J, N, L]."""
    of_selection, of_class = levels(budget.correction, budget.alpha).of(CERTIFY)
    expected = [_expected(votes, guesses.n0, rungs, of_selection, link) for votes in guesses.select.T]
    found = np.stack([np.where((2 * votes >= guesses.n0)[:, None], radius, 0.0)
                      for votes, radius in zip(guesses.select.T, expected, strict=True)])  # fmt: skip
    if guesses.classed is not None:
        found = np.minimum(found, _expected(guesses.classed, guesses.n0, rungs, of_class, link))
    if guesses.wanted is not None:
        found = found * guesses.wanted[:, None]
    return found


def _expected(votes: Array, n0: int, rungs: Array, level: float, link: Link) -> Array:
    """The radius at sigma = 1 to expect of images with so many guess ``votes`` [N], at each rung, [N, L]."""
    radii = np.stack([_mean_radius(int(n), level, link) for n in rungs], 1)  # [G, L]
    expected: Array = posterior(votes, n0) @ radii
    return expected


def _prior(likelihood: Array, shares: Array) -> Array:
    """How the probabilities of all images are spread over ``GRID``, by maximum likelihood (Laird 1978), [G].

    ``likelihood`` [V, G] of the numbers of votes that there are, which have these ``shares`` [V] of the images.
    """
    prior = np.full(len(GRID), 1 / len(GRID))
    for _ in range(FITTED):
        weighed = likelihood * prior
        prior = shares @ (weighed / weighed.sum(1, keepdims=True))
    return prior


def _mean_radius(n: int, level: float, link: Link) -> Array:
    """The mean radius at sigma = 1 that n draws give at each probability of ``GRID``, [G]."""
    k = binom.ppf(QUANTILES[:, None], n, GRID)
    mean: Array = z_lower_bound(k, n, level, link).mean(0)
    return mean
