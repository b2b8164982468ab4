"""What the counts of one certification network and its selection say, over images x thresholds.

One stage of a system: ACES has one before its core network, a chain has several (``chains.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from engine.arrays import Array
from engine.records.compose import Composition
from engine.statistics.bounds import (
    MAJORITY,
    critical_count,
    lower_bounds,
    round_significant,
    upper_confidence_bound,
    z_table,
)
from engine.statistics.corrections import CERTIFY, CORE, Correction, Levels, levels
from engine.statistics.margin import Bound, check_bound, class_bound
from engine.statistics.thresholds import neighbours

GUESS_SHARE = 0.1  # of what handing on may spend, for the guess of the class where a log abstained


@dataclass(frozen=True, eq=False)
class SelectionVotes:
    """Votes of the selection at the thresholds asked for, [N, T'] each; ``certify`` and ``core`` [N, 1] where the votes
    for the class select, which no threshold moves.

    ``s_hat``: CERTIFY where a share t of the n0 draws vote for it, else CORE. ``certify`` and ``core``: votes among
    the n draws that support that answer, at a stored threshold their plain numbers. Where the guess is not known (the
    run stores no threshold on one side, or the two beside it guess differently) there are none.
    """

    s_hat: Array
    certify: Array
    core: Array


def selection_votes(
    c: Composition, thetas: Array, correction: Correction | None = None, t: float = MAJORITY
) -> SelectionVotes:
    """Look the votes up at ``thetas`` [T'], from the stored thresholds on which the correction lets an answer rest.

    Of a composition whose images are ``even``.

    Between two stored thresholds monotonicity serves: a score is <= theta at least as often as at the lower
    neighbour, and > theta at least as often as at the upper one.
    """
    assert c.even, "votes of images that had different numbers of draws"
    if c.by_votes:
        return _votes_for_classes(c, thetas)
    lower, upper = neighbours(c.thetas, thetas, correction)
    low0, low = columns(c.select_counts0, lower, 0), columns(c.select_counts, lower, 0)
    if np.array_equal(lower, upper):  # all stored: a threshold that is missing below is never one missing above
        s_hat = np.where(_guesses_core(low0, c.n0_select, t), np.int8(CORE), np.int8(CERTIFY))
        return SelectionVotes(s_hat, low, c.n_select - low)
    high0 = columns(c.select_counts0, upper, c.n0_select)
    high = columns(c.select_counts, upper, c.n_select)
    core_at_lower, core_at_upper = (_guesses_core(votes0, c.n0_select, t) for votes0 in (low0, high0))
    # `simultaneous` spends alpha on one direction at each stored threshold: the one guessed there. Where the two
    # neighbours guess differently neither bound may be used, and the selection stays undecided: no votes at all.
    return SelectionVotes(
        np.where(core_at_upper, np.int8(CORE), np.int8(CERTIFY)),
        np.where(core_at_lower, 0, low),
        np.where(core_at_upper, c.n_select - high, 0),
    )


def _votes_for_classes(c: Composition, shares: Array) -> SelectionVotes:
    """A stage that answers where a class has more than a share p_0 of the votes (section 19 of docs/statistics.md)."""
    for_class, against = _votes_for_and_against(c)
    # The guess draws say which of the two is claimed. A log has none, so the estimating draws do, and that is paid for.
    votes, of = (for_class, c.n) if c.undirected else (_for_guess(c, c.class_counts0), c.n0)
    return SelectionVotes(np.where(votes < shares * of, np.int8(CORE), np.int8(CERTIFY)), for_class, against)


def _votes_for_and_against(c: Composition) -> tuple[Array, Array]:
    """Votes [N, 1] for the guessed class, and against the class with most, whichever that is."""
    for_class = _for_guess(c, c.class_counts)
    if c.class_count_high is not None:
        return for_class, c.n - c.class_count_high[:, None]
    # Handing on is a claim about every class; the one with most votes has the largest upper bound of all.
    return for_class, c.n - c.class_counts.max(1, keepdims=True)


def _for_guess(c: Composition, counts: Array) -> Array:
    return np.take_along_axis(counts, c.class_counts0.argmax(1)[:, None], 1)


def handing_on(c: Composition, against: Array, level: float) -> tuple[Array, float]:
    """Votes ``against`` [N, T] any class and the level of their bound, if handing on may spend ``level``.

    A log that tells its class by more than half of the votes leaves fewer to each other class than the guessed one may
    have. Where it abstained nothing is told of the others, but that the guess draws elected none of them: a class that
    is not elected has at most half of these, so the bound is the lesser of the two (section 19 of docs/statistics.md).
    """
    if not c.undirected:
        return against, level
    of_guess = GUESS_SHARE * level
    of_votes = level - of_guess
    likeliest = upper_confidence_bound(c.n0 // 2, c.n0, of_guess)
    enough = np.searchsorted(lower_bounds(c.n_select, of_votes).table(), 1 - likeliest, side="right") - 1
    abstained = _for_guess(c, c.class_counts) <= c.n // 2
    return np.where(abstained, np.minimum(against, enough), against), of_votes


def prediction_votes(c: Composition, thetas: Array) -> tuple[Array, Array]:
    """Votes among the n draws for the certification network and for core, as PREDICT tests them: without a guess."""
    if c.undirected:
        return _votes_for_and_against(c)
    if c.by_votes:
        most = c.class_counts.max(1, keepdims=True)
        return most, c.n - most
    lower, upper = neighbours(c.thetas, thetas, None)
    return columns(c.select_counts, lower, 0), c.n_select - columns(c.select_counts, upper, c.n_select)


def _guesses_core(votes0: Array, n0: int, t: float) -> Array:
    """Where fewer than a share t of the n0 draws vote to certify: a guess, which costs power only where it is wrong."""
    return votes0 < t * n0


def columns(counts: Array, at: Array, missing: int) -> Array:
    """``counts[:, at]``, with ``missing`` where there is no such column; no copy where all are asked for."""
    if np.array_equal(at, np.arange(counts.shape[1])):
        return counts
    there = (at >= 0) & (at < counts.shape[1])
    picked = counts[:, np.where(there, at, 0)]
    picked[:, ~there] = missing
    return picked


@dataclass(frozen=True, eq=False)
class StageBounds:
    """CERTIFY's bounds on one stage, [N, T] but for ``c_hat`` int64 [N].

    ``to_certify``: the guess s_hat is 1. ``radius_select``, ``radius_core``: within these the selection keeps choosing
    the certification network, or keeps handing on; 0 where it is not guessed to. ``hands_on``: it does so for certain,
    at the image itself. ``radius_certify``: within it the class ``c_hat`` stays; ``class_holds``: it is certain.
    """

    to_certify: Array
    radius_select: Array
    radius_core: Array
    hands_on: Array
    c_hat: Array
    radius_certify: Array
    class_holds: Array


def levels_of(c: Composition, correction: Correction, alpha: float) -> Levels:
    """The levels of a correction for the stages of ``c``. Raises ``AcesError`` where ``levels`` does."""
    return levels(correction, alpha, c.stages, c.undirected_stages)


def stage_bounds(
    c: Composition,
    thetas: Array,
    t: float,
    spend: Levels,
    correction: Correction,
    bound: Bound | str,
    *,
    as_printed: bool = False,
    handed_on: bool = False,
) -> StageBounds:
    """The bounds at ``thetas`` [T] of the first stage of ``c``; ``radius_core`` only where ``handed_on`` asks.

    Where numbers of draws differ, by those of each image (section 20 of docs/statistics.md).
    """
    if not c.even:
        alike = c.alike()
        found = [
            stage_bounds(some, thetas, t, spend, correction, bound, as_printed=as_printed, handed_on=handed_on)
            for _, some in alike
        ]
        return joined([rows for rows, _ in alike], found)
    # Where the votes select, a class with more than half of them is the top one: the complement is all there is.
    bound = Bound.COMPLEMENT if c.by_votes else check_bound(bound, c.from_log)
    votes = selection_votes(c, thetas, correction, t)
    guess_1 = votes.s_hat == CERTIFY
    c_hat = c.class_counts0.argmax(1)  # the first on ties; from the n0 draws, so that the n draws stay fresh

    (s_1, a_1), (s_0, a_0) = levels_at(c, spend)
    counts, link = (c.class_counts0, c.class_counts), c.smoothing.link
    of_class = [class_bound(*counts, c.n, c_hat, level, link, bound) for level in (a_1, a_0)]
    radii = [c.sigma * one.z[:, None] for one in of_class]
    share = thetas if c.by_votes else t
    radius_select = _radii(np.where(guess_1, votes.certify, 0), c, s_1, share)
    if as_printed:
        radii = [printed(radius, c.radius_digits, c.radius_decimals) for radius in radii]
        radius_select = printed(radius_select, c.radius_digits_select, c.radius_decimals_select)
    class_holds = np.where(guess_1, *(one.holds[:, None] for one in of_class))
    to_core, s_0 = handing_on(c, votes.core, s_0)
    hands_on = ~guess_1 & (to_core >= critical(c, s_0, 1 - share))
    radius_core = _radii(np.where(guess_1, 0, to_core), c, s_0, 1 - share) if handed_on else np.zeros((1, 1))
    return StageBounds(guess_1, radius_select, radius_core, hands_on, c_hat, np.where(guess_1, *radii), class_holds)


def levels_at(c: Composition, spend: Levels) -> tuple[tuple[float, float], tuple[float, float]]:
    """What the bounds of the selection and of the class spend where the guess is to certify, and where it is core.

    Of draws that ended at a look: its part of that, as at every look the bounds are bad with at most its part
    (lemma 3 of docs/statistics.md). An ``even`` composition's; a part of 1 changes no level.
    """
    of_guess = spend.of(CERTIFY), spend.of(CORE)
    certify, core = ((select / c.part_select, of_class / c.part) for select, of_class in of_guess)
    return certify, core


AnyBounds = TypeVar("AnyBounds")


def joined(rows: Sequence[slice | Array], found: Sequence[AnyBounds]) -> AnyBounds:
    """One dataclass of arrays from those of parts of the images, whose ``rows`` say where each image stands.

    Arrays [n, ...] of a part become [N, ...]; one that stands for all images of its part, [1, ...] there, is repeated.
    """
    back = np.argsort(np.concatenate([np.asarray(some) for some in rows]), kind="stable")
    first = found[0]
    values = {
        name: np.concatenate(
            [_of_each(getattr(part, name), len(np.asarray(some))) for part, some in zip(found, rows, strict=True)]
        )[back]
        for name in vars(first)
    }
    return type(first)(**values)


def _of_each(values: Array, images: int) -> Array:
    return values if len(values) == images else np.broadcast_to(values, (images, *values.shape[1:]))


def best_of(looks: Sequence[StageBounds]) -> StageBounds:
    """The best of each component's bounds at several looks, perhaps from different ones; the guesses are the same."""
    last = looks[-1]
    return StageBounds(
        last.to_certify,
        np.maximum.reduce([look.radius_select for look in looks]),
        np.maximum.reduce([look.radius_core for look in looks]),
        np.logical_or.reduce([look.hands_on for look in looks]),
        last.c_hat,
        np.maximum.reduce([look.radius_certify for look in looks]),
        np.logical_or.reduce([look.class_holds for look in looks]),
    )


def _radii(k: Array, c: Composition, level: float, share: Array | float) -> Array:
    """sigma * (link(LCB(k)) - link(share)) where that is positive, else 0; ``share`` [T] where the votes select."""
    link = c.smoothing_select.link
    if isinstance(share, np.ndarray):
        bound = lower_bounds(c.n_select, level)(k)
        return c.sigma_select * np.where(bound > share, link(np.maximum(bound, share)) - link(share), 0.0)
    radius: Array = z_table(c.n_select, level, link, share)(k)
    radius *= c.sigma_select
    return radius


def critical(c: Composition, level: float, share: Array | float) -> Array | int:
    """The fewest votes whose lower bound is at least ``share``."""
    if isinstance(share, np.ndarray):
        return np.searchsorted(lower_bounds(c.n_select, level).table(), share)
    return critical_count(c.n_select, level, share)


def printed(radius: Array, digits: int | None, decimals: int | None = None) -> Array:
    """Radii as a log with so many significant digits, or decimals, shows them; as they are where no log was."""
    if decimals is not None:
        return np.round(radius, decimals)
    return radius if digits is None else round_significant(radius, digits)
