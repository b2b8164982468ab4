"""The best share of votes at every accuracy: the points (theta, t) of one composition that no other point beats.

A front over thresholds alone has one t. Here every stored threshold meets every share of ``SHARES``, and what is kept
is the upper envelope (section 17 of docs/statistics.md). NAC and robustness are those of ``metrics.evaluate``. What the
class's counts say does not depend on t, so that it is worked out once; a t then costs a gather and three sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, check_draws, predict_class
from engine.statistics.bounds import MAJORITY, check_level, z_table
from engine.statistics.corrections import CERTIFY, Correction, levels
from engine.statistics.margin import Bound, check_bound, class_bound
from engine.statistics.metrics import Convention, check_radii, count, evaluate, pareto_front
from engine.statistics.stage import columns, critical, levels_at, prediction_votes, selection_votes
from engine.statistics.thresholds import neighbours

SHARES = (MAJORITY, 0.01, *(k / 20 for k in range(1, 20) if k != 10), 0.99)  # of equal points the first one's is kept
BLOCK_ENTRIES = 1 << 16  # images x thresholds at a time: what one t works on stays in the cache


@dataclass(frozen=True, eq=False)
class Envelope:
    """The points that no (theta, t) beats in both, by rising NAC: ``nac`` percent, ``robustness``, ``thetas`` and
    ``ts``, [P] each; ``images`` = N.
    """

    nac: Array
    robustness: Array
    thetas: Array
    ts: Array
    images: int


def usable_shares(
    c: Composition,
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    shares: Sequence[float] = SHARES,
    convention: Convention = Convention.ALGORITHM,
) -> tuple[float, ...]:
    """Those ``shares`` that the draws can tell from 0 and from 1.

    Of logs, where the votes for the class select, and under the paper's convention: the majority alone.
    """
    if c.from_log_select or c.by_votes or convention is Convention.PAPER:
        return (MAJORITY,)
    return tuple(t for t in shares if can_tell(t, c.n_select, alpha, correction))


def can_tell(t: float, n: int, alpha: float, correction: Correction) -> bool:
    """Whether n draws can tell a share t from 0 and from 1; ``check_draws`` refuses others."""
    try:
        check_draws(t, n, alpha, correction)
    except AcesError:
        return False
    return True


def envelope(
    c: Composition,
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    *,
    bound: Bound | str = Bound.COMPLEMENT,
    radius: float | None = None,
    convention: Convention = Convention.ALGORITHM,
    shares: Sequence[float] = SHARES,
) -> Envelope:
    """The envelope over all stored thresholds and the usable ``shares``; of a chain, over its first stage's.

    Robustness is ACR, or with ``radius`` the certified accuracy there. Raises ``AcesError`` where ``evaluate`` does.
    """
    ts = usable_shares(c, alpha, correction, shares, convention)
    nac, robustness = over_shares(c, ts, alpha, correction, bound=bound, radius=radius, convention=convention)
    kept = pareto_front(nac.ravel(), robustness.ravel())
    at_t, at_theta = np.divmod(kept, len(c.thetas))
    return Envelope(nac.ravel()[kept], robustness.ravel()[kept], c.thetas[at_theta], np.array(ts)[at_t], len(c))


def over_shares(
    c: Composition,
    ts: Sequence[float],
    alpha: float = DEFAULT_ALPHA,
    correction: Correction = DEFAULT_CORRECTION,
    *,
    bound: Bound | str = Bound.COMPLEMENT,
    radius: float | None = None,
    convention: Convention = Convention.ALGORITHM,
) -> tuple[Array, Array]:
    """NAC in percent and robustness at every share ``ts`` [K] and stored threshold, [K, T] each."""
    recorded = c.predict_class is not None and c.predict_select is not None
    paper = convention is Convention.PAPER
    if c.then or c.by_votes or recorded or paper or c.from_log_select or not len(c):
        return _each(c, ts, alpha, correction, bound, radius, convention)
    check_level(alpha)
    if radius is not None:
        check_radii(radius)
    for t in ts:
        check_draws(t, c.n_select, alpha, correction)
    shape = (len(ts), len(c.thetas))
    correct, robust = np.zeros(shape, np.int64), np.zeros(shape)
    block = max(1, BLOCK_ENTRIES // len(c.thetas))
    for _, alike in c.alike():
        for start in range(0, len(alike), block):
            rows = alike.rows(slice(start, start + block))
            _add_correct(correct, rows, ts, alpha)
            if radius == 0:
                _add_answered(robust, rows, ts, alpha, correction, bound)
            else:
                _add_robust(robust, rows, ts, alpha, correction, bound, radius)
    return 100 * (correct / len(c)), robust / len(c) if radius is None else 100 * (robust / len(c))


def _each(
    c: Composition, ts: Sequence[float], alpha: float, correction: Correction, bound: Bound | str,
    radius: float | None, convention: Convention,
) -> tuple[Array, Array]:  # fmt: skip
    """The same by ``evaluate``, one t after the other."""
    radii = () if radius is None else (radius,)
    how = {"alpha": alpha, "correction": correction, "bound": bound, "convention": convention}
    found = [evaluate(c, c.thetas, radii=radii, t=t, **how) for t in ts]  # type: ignore[arg-type]
    robustness = [m.acr if radius is None else m.certified_accuracy[:, 0] for m in found]
    return np.array([m.nac for m in found]), np.array(robustness)


def _add_correct(total: Array, c: Composition, ts: Sequence[float], alpha: float) -> None:
    """Add how many of PREDICT's answers are correct, [K, T]: what ``metrics.predictions_correct`` counts."""
    classed = predict_class(c.class_counts, alpha / 2 / c.part)
    by_certify, by_core = classed == c.label, c.core == c.label
    # Where neither is selected, consensus answers; so the one that is selected adds what it has more than that.
    agreed = by_certify & (classed == c.core) & (classed != ABSTAIN)
    of_certify, of_core = by_certify & ~agreed, by_core & ~agreed
    for_certify, for_core = prediction_votes(c, c.thetas)
    certify_votes, not_core, core_votes = for_certify[of_certify], for_core[of_certify], for_core[of_core]
    level = alpha / 4 / c.part_select
    for k, t in enumerate(ts):
        to_certify, to_core = critical(c, level, t), critical(c, level, 1 - t)
        chosen = certify_votes >= to_certify
        chosen &= not_core < to_core  # as in ``predict``, where alpha is so large that both hold
        total[k] += agreed.sum() + count(chosen) + count(core_votes >= to_core)


def _add_answered(
    total: Array, c: Composition, ts: Sequence[float], alpha: float, correction: Correction, bound: Bound | str
) -> None:
    """Add how many of CERTIFY's answers are correct, [K, T]: what ``metrics.at_0`` counts at radius 0."""
    bound, spend = check_bound(bound, c.from_log), levels(correction, alpha)
    c_hat = c.class_counts0.argmax(1)
    (s_1, a_1), (s_0, a_0) = levels_at(c, spend)
    counts, link = (c.class_counts0, c.class_counts), c.smoothing.link
    if_1, if_0 = (class_bound(*counts, c.n, c_hat, level, link, bound) for level in (a_1, a_0))
    right, right_core = c_hat == c.label, (c.core == c.label)[:, None]
    agreed = right & (c_hat == c.core)  # right whichever answers, and by consensus where the class is certain
    certain, consensus_1, consensus_0 = (
        marked[:, None] for marked in (right & (if_1.z > 0), agreed & if_1.holds, agreed & if_0.holds)
    )
    for k, t in enumerate(ts):
        votes = selection_votes(c, c.thetas, correction, t)
        chosen = votes.certify >= z_table(c.n_select, s_1, c.smoothing_select.link, t).fewest
        handed_on = votes.core >= critical(c, s_0, 1 - t)
        if_certify, if_core = (chosen & certain) | consensus_1, (handed_on & right_core) | consensus_0
        guess_1 = votes.s_hat == CERTIFY
        total[k] += count((guess_1 & if_certify) | (~guess_1 & if_core))


def _add_robust(
    total: Array, c: Composition, ts: Sequence[float], alpha: float, correction: Correction, bound: Bound | str,
    radius: float | None,
) -> None:  # fmt: skip
    """Add the correctly certified radii, or with ``radius`` how many reach it, [K, T]."""
    bound = check_bound(bound, c.from_log)
    c_hat = c.class_counts0.argmax(1)
    (s_1, a_1), _ = levels_at(c, levels(correction, alpha))
    z = class_bound(c.class_counts0, c.class_counts, c.n, c_hat, a_1, c.smoothing.link, bound).z
    of_class = c.sigma * z
    able = (c_hat == c.label) & (of_class >= (radius or np.nextafter(0, 1)))  # no other image adds anything
    if not able.any():
        return
    limit = of_class[able, None]
    lower, upper = neighbours(c.thetas, c.thetas, correction)
    votes0 = columns(c.select_counts0, lower, 0)[able]
    above0 = None if np.array_equal(lower, upper) else columns(c.select_counts0, upper, c.n0_select)[able]
    votes = columns(c.select_counts, lower, 0)[able].astype(np.intp)
    found = np.empty(votes.shape)
    for k, t in enumerate(ts):
        z_table(c.n_select, s_1, c.smoothing_select.link, t).into(found, votes)
        found *= c.sigma_select
        guessed = votes0 >= t * c.n0_select
        if above0 is not None:
            guessed &= above0 >= t * c.n0_select
        if radius is None:
            np.minimum(found, limit, out=found)
            found *= guessed
            total[k] += found.sum(0)
        else:
            guessed &= found >= radius
            total[k] += count(guessed)
