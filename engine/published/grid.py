"""Printed radii -> the counts behind them.

A radius in a log is sigma * Phi^-1(LCB(k, n, alpha)) for a whole number k of votes, printed with a few digits: it lies
on a grid that (sigma, n, alpha) determine. So a printed radius names a count, or a short interval of counts, and a
log's radii together betray the n and alpha that no log records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.bounds import Floats, Ints, round_significant, z_table
from engine.errors import AcesError
from engine.runs import Array

SIGNIFICANT_DIGITS = 3  # f"{radius:.3}", the field's habit
OFF_GRID = -1

# In the order of belief: of the grids that explain a log, the coarsest does so least by chance; alpha = 0.001 is usual.
CANDIDATE_N = (1_000, 10_000, 100_000, 125_000, 150_000)
CANDIDATE_ALPHA = (0.001, 0.01, 0.0005)


@dataclass(frozen=True, eq=False)
class RadiusGrid:
    """The radii that n draws can certify at one level of one bound.

    ``counts`` int64 [G] and ``radii`` float64 [G] rise together; ``printed`` [G] is what a log shows of ``radii``.
    """

    sigma: float
    n: int
    alpha: float
    counts: Ints
    radii: Floats
    printed: Floats

    @classmethod
    def of(cls, sigma: float, n: int, alpha: float, decimals: int | None = None) -> RadiusGrid:
        """The grid at noise ``sigma`` and level ``alpha`` of one bound, printed to so many decimals, or 3 digits."""
        counts = np.arange(n // 2 + 1, n + 1)
        radii = sigma * z_table(n, alpha)(counts)
        counts, radii = counts[radii > 0], radii[radii > 0]
        return cls(sigma, n, alpha, counts, radii, as_printed(radii, decimals))

    def counts_of(self, printed: Floats) -> Array:
        """For each printed radius the count whose radius prints so, the nearest if several do; else ``OFF_GRID``.

        Equal radii give equal counts and larger ones larger counts, so rounding cannot break an order among rows.
        """
        begin = np.searchsorted(self.printed, printed, side="left")
        end = np.searchsorted(self.printed, printed, side="right")
        on_grid = begin < end
        first, last = np.where(on_grid, begin, 0), np.where(on_grid, end - 1, 0)
        above = np.searchsorted(self.radii, printed).clip(first, last)
        below = (above - 1).clip(first, last)
        nearest = np.where(printed - self.radii[below] < self.radii[above] - printed, below, above)
        return np.where(on_grid, self.counts[nearest], OFF_GRID)


def as_printed(radii: Floats, decimals: int | None = None) -> Floats:
    """Radii as a log shows them: with so many decimals, or else with 3 significant digits."""
    return round_significant(radii, SIGNIFICANT_DIGITS) if decimals is None else np.round(radii, decimals)


@dataclass(frozen=True)
class Draws:
    """How a log was made, as its radii betray it: ``matched`` of ``radii`` radii lie on the grid of (n, alpha).

    ``also`` lists the other (n, alpha) that explain as many.
    """

    n: int
    alpha: float
    matched: int
    radii: int
    also: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, object]:
        """For ``meta``: what was inferred, and on what evidence."""
        found: dict[str, object] = {"n": self.n, "alpha": self.alpha, "matched": f"{self.matched}/{self.radii}"}
        return {**found, "also": [list(other) for other in self.also]} if self.also else found


def infer_draws(radii: Floats, sigma: float, decimals: int | None = None) -> Draws:
    """The n and alpha that explain most of the printed ``radii`` (of certified rows) at noise ``sigma``.

    Fewer matches than radii mean a sigma too small, a damaged log, or draws that are no candidate here; a sigma too
    large goes unnoticed, for small radii lie on any grid. Raises ``AcesError`` if there are no radii.

    >>> infer_draws(np.array([0.978, 0.955, 0.941, 0.929, 0.92, 0.913]), sigma=0.25)
    Draws(n=100000, alpha=0.01, matched=6, radii=6, also=())
    """
    if not len(radii):
        raise AcesError("no row is certified: n and alpha cannot be inferred")
    candidates = [(n, alpha) for n in CANDIDATE_N for alpha in CANDIDATE_ALPHA]
    matched = [int((RadiusGrid.of(sigma, *c, decimals).counts_of(radii) != OFF_GRID).sum()) for c in candidates]
    best = [c for c, count in zip(candidates, matched, strict=True) if count == max(matched)]
    return Draws(*best[0], max(matched), len(radii), tuple(best[1:]))
