"""Decisions and counts -> the vote tables of the records.

A log tells how many draws stood behind its answer and not where the others went. What is chosen for those here never
changes what the log recorded; it only has to be a table of votes that answers as the log did.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import ABSTAIN, Array
from engine.published.grid import OFF_GRID, RadiusGrid
from engine.published.tsv import Log

N0 = 100  # guess draws; no log records them, and every script of the field takes 100


def votes_behind(log: Log, decisions: Array, grid: RadiusGrid) -> Array:
    """The votes int64 [N] for each ``decisions`` [N] of a log, from its column ``radius``.

    Abstentions, printed with radius 0, get half of the draws, which no level up to 1/2 certifies. Raises ``AcesError``
    for an abstention with a radius and for radii off the grid.
    """
    radius = log.numbers("radius")
    counts = grid.counts_of(radius)
    abstained = decisions == ABSTAIN
    wrong = np.where(abstained, radius != 0, counts == OFF_GRID)
    if wrong.any():
        row = int(wrong.argmax())
        grid_is = f"n = {grid.n} draws at sigma {grid.sigma:g} and level {grid.alpha:g} give no such radius"
        log.fail(row, "radius", "an abstention has 0" if abstained[row] else f"{grid_is}; is sigma right?")
    return np.where(abstained, grid.n // 2, counts)


def most_votes_behind(log: Log, decisions: Array, grid: RadiusGrid) -> Array:
    """The most votes int64 [N] that each guessed class can have had, of a log that ``votes_behind`` reads."""
    return np.where(decisions == ABSTAIN, grid.most_without_radius, grid.most_of(log.numbers("radius")))


def answering_class(certified: Array, predicted: Array | None, label: Array, num_classes: int) -> Array:
    """The guess c_hat, int64 [N]: the certified class, else PREDICT's, else one that is not the label.

    Where a log abstains throughout, the guess is unknown; a wrong one can never be counted as right.
    """
    fallback = (label + 1) % num_classes
    if predicted is not None:
        fallback = np.where(predicted != ABSTAIN, predicted, fallback)
    return np.where(certified != ABSTAIN, certified, fallback)


def class_votes(c_hat: Array, k: Array, n: int, num_classes: int, clear: Array) -> Array:
    """Votes int32 [N, m] with ``k`` [N] for ``c_hat`` [N] and n in all.

    The other draws are spread evenly where PREDICT answered (``clear`` [N]), which leaves the winner clear, and
    go to a single class where it abstained, which does not.
    """
    rank = (np.arange(num_classes) - c_hat[:, None] - 1) % num_classes  # 0 for the class after c_hat
    rest = (n - k)[:, None]
    share, remainder = np.divmod(rest, num_classes - 1)
    spread = share + (rank < remainder)
    votes = np.where(clear[:, None], spread, np.where(rank == 0, rest, 0))
    np.put_along_axis(votes, c_hat[:, None], k[:, None], axis=1)
    return votes.astype(np.int32)


def unanimous(c_hat: Array, num_classes: int) -> Array:
    """The guess draws, int32 [N, m]: all of them for ``c_hat``."""
    return (N0 * (np.arange(num_classes) == c_hat[:, None])).astype(np.int32)
