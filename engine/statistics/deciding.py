"""Deciding instead of measuring: an image's draws end as soon as it is known whether it is certified at r.

A schedule of looks is fixed before the first draw, and every bound at look j spends a part of alpha, so that all of
them hold at once (lemma 3 of docs/statistics.md): when to end may then depend on everything that was seen. To be
certified spends a part; to give up an image as hopeless is an abstention, and free. What a run keeps of an image are
its counts at one look and the part of that look: they support every bound at that part of alpha (section 20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betainc

from engine.arrays import Array, Ints
from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, Link
from engine.statistics.bounds import MAJORITY, check_level, z_lower_bound
from engine.statistics.budget import GRID, GuessVotes, posterior
from engine.statistics.corrections import CERTIFY, Correction, levels
from engine.statistics.looks import FIRST, HOPELESS, Split, parts
from engine.statistics.looks import schedule as doubling


@dataclass(frozen=True)
class RadiusQuestion:
    """Is an image certified at the ``radii`` (pixel units), with the selection at ``theta`` and a share ``t`` of votes?

    ``alpha`` and ``correction`` are those that it is asked at. Raises ``AcesError`` for values outside their ranges.
    """

    radii: tuple[float, ...]
    theta: float = 1.0
    t: float = MAJORITY
    alpha: float = 0.001
    correction: Correction = Correction.INTERSECTION_UNION

    def __post_init__(self) -> None:
        object.__setattr__(self, "radii", tuple(sorted({float(r) for r in self.radii})))
        object.__setattr__(self, "correction", Correction(self.correction))
        check_level(self.alpha)
        if not self.radii or not all(0 < r < np.inf for r in self.radii):
            named = ", ".join(f"{r:g}" for r in self.radii) or "none"
            raise AcesError(f"radii are {named}; what is to be decided is whether an image reaches positive ones")
        if not 0 <= self.theta <= 1:
            raise AcesError(f"theta is {self.theta:g}; thresholds lie in [0, 1]")
        if not 0 < self.t < 1:
            raise AcesError(f"t is {self.t:g}; a share of votes lies strictly between 0 and 1")


def schedule(n: int, first: int = FIRST) -> tuple[int, ...]:
    """The looks of a question: from few draws on, as most images are decided early.

    >>> schedule(500)
    (20, 40, 80, 160, 320, 500)
    """
    return doubling(n, first)


@dataclass(frozen=True)
class LookTaken:
    """What one look says of an image: how many of the radii are ``reached``, and whether it is the last to be taken."""

    reached: int
    ends: bool


@dataclass(frozen=True)
class Decider:
    """A question at a schedule of ``looks`` for a network at ``sigma``; ``has_class``: a class is to be certified too.

    Votes are those for the guessed class and those that select the certification network at theta.
    """

    question: RadiusQuestion
    looks: tuple[int, ...]
    sigma: float
    has_class: bool = True
    link: Link = GAUSSIAN.link

    @property
    def parts(self) -> tuple[int, ...]:
        """What each look divides alpha by."""
        return parts(Split.HALF_LAST, len(self.looks))

    def look(self, at: int, select: int, of_class: int) -> LookTaken:
        """At look ``at`` of the schedule, after so many votes of its draws."""
        needed_select, needed_class = self._needed
        enough = (select >= needed_select[at]) & ((of_class >= needed_class[at]) | (not self.has_class))
        reached, last = int(enough.sum()), len(self.looks) - 1
        if at == last or reached == len(enough):
            return LookTaken(reached, True)
        hope = _chance(select, self.looks[at], int(needed_select[last][reached]), self.looks[last])
        if self.has_class:
            hope = min(hope, _chance(of_class, self.looks[at], int(needed_class[last][reached]), self.looks[last]))
        return LookTaken(reached, hope < HOPELESS)

    def forecast(self, q: float, p: float, since: int = 0) -> int:
        """How many draws are taken where the selection votes with probability ``q``, the class with ``p``.

        The looks before ``since`` are behind. By the votes that these probabilities let expect.
        """
        for at, n in enumerate(self.looks[since:], since):
            if self.look(at, round(q * n), round(p * n)).ends:
                return n
        return self.looks[-1]

    @cached_property
    def _needed(self) -> tuple[Ints, Ints]:
        """The fewest votes of the selection, and of the class, that reach each radius at each look, [J, R] each."""
        q = self.question
        of_select, of_class = levels(q.correction, q.alpha).of(CERTIFY)
        return self._fewest(of_select, q.t), self._fewest(of_class, MAJORITY)

    def _fewest(self, level: float, share: float) -> Ints:
        spent, z = zip(self.looks, self.parts, strict=True), [r / self.sigma for r in self.question.radii]
        return np.array([[_fewest(n, level / part, one, self.link, share) for one in z] for n, part in spent])


def _fewest(n: int, level: float, z: float, link: Link, share: float) -> int:
    """The fewest of n votes whose z at this level is at least ``z``; n + 1 where none has so much."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if float(z_lower_bound(middle, n, level, link, share)) >= z:
            high = middle
        else:
            low = middle + 1
    return low


def _chance(k: int, n: int, needed: int, most: int) -> float:
    """The chance, after k of n votes, of a probability that lets ``needed`` of ``most`` draws be expected.

    By the Beta posterior of an even prior: a forecast, on which nothing rests but how many draws are made.
    """
    if needed > most:
        return 0.0
    return 1 - float(betainc(k + 1, n - k + 1, needed / most))


def expected_draws(
    guesses: GuessVotes, question: RadiusQuestion, looks: tuple[int, ...], sigma: float, link: Link = GAUSSIAN.link
) -> Array:
    """How many draws each of N images may be expected to take, float64 [N]; ``guesses`` at the question's theta.

    By images like it, whose votes are those that their probabilities let expect at every look.
    """
    has_class = guesses.classed is not None
    decider = Decider(question, looks, sigma, has_class, link)
    idle = guesses.select[:, 0] < question.t * guesses.n0
    if guesses.wanted is not None:
        idle |= ~guesses.wanted
    select = posterior(guesses.select[:, 0], guesses.n0) @ GRID
    of_class = np.ones(len(select)) if guesses.classed is None else posterior(guesses.classed, guesses.n0) @ GRID
    taken = [
        looks[0] if is_idle else decider.forecast(q, p)
        for is_idle, q, p in zip(idle.tolist(), select.tolist(), of_class.tolist(), strict=True)
    ]
    return np.array(taken, np.float64)


def best_look(looks: Sequence[LookTaken]) -> int:
    """Which of the looks taken an image's counts are kept of: the last of those that reached most."""
    most = max(look.reached for look in looks)
    return max(at for at, look in enumerate(looks) if look.reached == most)
