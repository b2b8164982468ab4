"""Printed radii -> the counts behind them.

A radius in a log is sigma * Phi^-1(LCB(k, n, alpha)) for a whole number k of votes, printed with a few digits: it lies
on a grid that (sigma, n, alpha) determine. So a printed radius names a count, or a short interval of counts, of which
the lowest is kept: no more is known to have been drawn. A log's radii together betray the n and alpha that no log
records, or leave several open; then the counts are such that no bound exceeds what any of these would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.arrays import Array, Floats, Ints
from engine.errors import AcesError
from engine.statistics.bounds import round_significant, upper_confidence_bound, z_table

SIGNIFICANT_DIGITS = 3  # f"{radius:.3}", the field's habit
OFF_GRID = -1

CANDIDATE_N = (1_000, 10_000, 100_000, 125_000, 150_000)
CANDIDATE_ALPHA = (0.01, 0.001, 0.0005)

SLACK = 1e-10  # relative: how far another library's radius may lie from ours, and so round to the next digit


@dataclass(frozen=True, eq=False)
class RadiusGrid:
    """The radii that n draws can certify at one level of one bound.

    ``counts`` int64 [G] and ``radii`` float64 [G] rise together; ``low`` and ``high`` [G] are the least and the most
    that a log may show of ``radii``, nearly always the same.
    """

    sigma: float
    n: int
    alpha: float
    counts: Ints
    radii: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, sigma: float, n: int, alpha: float, decimals: int | None = None) -> Self:
        """The grid at noise ``sigma`` and level ``alpha`` of one bound, printed to so many decimals, or 3 digits."""
        counts = np.arange(n // 2 + 1, n + 1)
        radii = sigma * z_table(n, alpha)(counts)
        counts, radii = counts[radii > 0], radii[radii > 0]
        low, high = (as_printed(radii * slack, decimals) for slack in (1 - SLACK, 1 + SLACK))
        return cls(sigma, n, alpha, counts, radii, low, high)

    def counts_of(self, printed: Floats) -> Array:
        """For each printed radius the lowest count whose radius prints so; ``OFF_GRID`` where none does.

        Any higher count might be more than was drawn, and its bound more than was certified. Equal radii give equal
        counts and larger ones no smaller counts, so rounding cannot break an order among rows.
        """
        begin = np.searchsorted(self.high, printed, side="left")
        end = np.searchsorted(self.low, printed, side="right")
        on_grid = begin < end
        return np.where(on_grid, self.counts[np.where(on_grid, begin, 0)], OFF_GRID)

    def most_of(self, printed: Floats) -> Array:
        """For each printed radius the highest count whose radius prints so; ``OFF_GRID`` where none does."""
        end = np.searchsorted(self.low, printed, side="right")
        return np.where(self.counts_of(printed) != OFF_GRID, self.counts[np.maximum(end - 1, 0)], OFF_GRID)

    @property
    def most_without_radius(self) -> int:
        """The highest count with which a log may have abstained: another library may see no radius in a tiny one."""
        return int(self.counts[0]) - 1 + int(np.searchsorted(self.radii, SLACK * self.sigma, side="right"))

    def least(self, printed: Floats) -> Floats:
        """The radius of the count that ``counts_of`` gives; of the next higher one off the grid."""
        begin = np.searchsorted(self.high, printed, side="left")
        return self.radii[np.minimum(begin, len(self.radii) - 1)]


@dataclass(frozen=True, eq=False)
class OpenGrid(RadiusGrid):
    """The grid to read a log on whose radii lie on several, ``fits``: of their fewest draws and their largest alpha.

    A count read under too small an alpha is too large, and so is a bound at a small level read from too many draws.
    """

    fits: tuple[RadiusGrid, ...] = ()

    @classmethod
    def among(cls, fits: Sequence[RadiusGrid], decimals: int | None) -> Self:
        """The grid for the radii of a log that ``fits`` all explain."""
        n, alpha = min(grid.n for grid in fits), max(grid.alpha for grid in fits)
        return cls(**vars(RadiusGrid.of(fits[0].sigma, n, alpha, decimals)), fits=tuple(fits))

    def counts_of(self, printed: Floats) -> Array:
        """The highest count whose radius is not above the least that any of ``fits`` reads; else ``OFF_GRID``.

        One less than any count that has a radius where even the smallest is above.
        """
        on_grid = np.all([grid.counts_of(printed) != OFF_GRID for grid in self.fits], axis=0)
        least = np.min([grid.least(printed) for grid in self.fits], axis=0)
        at = np.searchsorted(self.radii, least, side="right") - 1
        return np.where(on_grid, np.where(at < 0, self.counts[0] - 1, self.counts[at]), OFF_GRID)

    def most_of(self, printed: Floats) -> Array:
        """The lowest count whose upper bound, at every level up to 1/2, is not below that of any fit's; else
        ``OFF_GRID``."""
        on_grid = self.counts_of(printed) != OFF_GRID
        most = [np.where(on_grid, grid.most_of(printed), grid.n) for grid in self.fits]
        return np.where(on_grid, self._at_least_as_likely(most), OFF_GRID)

    @property
    def most_without_radius(self) -> int:
        """As ``most_of``, for an abstention."""
        return int(self._at_least_as_likely([np.array(grid.most_without_radius) for grid in self.fits]))

    def _at_least_as_likely(self, counts: Sequence[Array]) -> Array:
        """The count among the fewest draws for ``counts`` [N] of each fit: at level 1/2 its upper bound is not below
        theirs, and so at no smaller level (section 19 of docs/statistics.md: bounds of two n cross once)."""
        likeliest = [upper_confidence_bound(k, grid.n, 0.5) for k, grid in zip(counts, self.fits, strict=True)]
        own = upper_confidence_bound(np.arange(self.n + 1), self.n, 0.5)
        return np.searchsorted(own, np.max(likeliest, axis=0))


def as_printed(radii: Floats, decimals: int | None = None) -> Floats:
    """Radii as a log shows them: with so many decimals, or else with 3 significant digits."""
    return round_significant(radii, SIGNIFICANT_DIGITS) if decimals is None else np.round(radii, decimals)


@dataclass(frozen=True)
class LogDraws:
    """How a log was made, as its radii betray it: ``fits`` are the (n, alpha) on whose grid ``matched`` of ``radii``
    radii lie, more than on any other. ``stated``: alpha was told, not inferred.
    """

    fits: tuple[tuple[int, float], ...]
    matched: int
    radii: int
    stated: bool = False

    @property
    def n(self) -> int:
        """The fewest draws that fit."""
        return min(n for n, _ in self.fits)

    @property
    def alpha(self) -> float:
        """The largest alpha that fits."""
        return max(alpha for _, alpha in self.fits)

    def grid(self, sigma: float, decimals: int | None = None) -> RadiusGrid:
        """The grid on which the counts behind the log's radii are read."""
        grids = [RadiusGrid.of(sigma, n, alpha, decimals) for n, alpha in self.fits]
        return grids[0] if len(grids) == 1 else OpenGrid.among(grids, decimals)

    @property
    def ambiguous(self) -> str | None:
        """What fits, in words, if it is more than one; else None."""
        if len(self.fits) == 1:
            return None
        found = "; ".join(f"n = {n:,} with alpha = {alpha:g}" for n, alpha in self.fits)
        advice = "" if self.stated else "; --alpha-of-log states what it was"
        return f"ambiguous: its radii fit {found}. Read as n = {self.n:,} with alpha = {self.alpha:g}{advice}"

    def to_json(self) -> dict[str, object]:
        """For ``meta``: what was inferred, and on what evidence."""
        found: dict[str, object] = {"n": self.n, "alpha": self.alpha, "matched": f"{self.matched}/{self.radii}"}
        if self.stated:
            found["stated"] = ["alpha"]
        also = [list(fit) for fit in self.fits if fit != (self.n, self.alpha)]
        return {**found, "also": also} if also else found


def infer_draws(radii: Floats, sigma: float, decimals: int | None = None, alpha: float | None = None) -> LogDraws:
    """The n and alpha that explain most of the printed ``radii`` (of certified rows) at noise ``sigma``.

    ``alpha``, where given, is the log's own. Fewer matches than radii mean a sigma too small, a damaged log, or draws
    that are no candidate here; a sigma too large goes unnoticed, for small radii lie on any grid. Raises ``AcesError``
    if there are no radii, and if not all of them fit the given ``alpha``.

    >>> found = infer_draws(np.array([0.978, 0.955, 0.941, 0.929, 0.92, 0.913]), sigma=0.25)
    >>> found.n, found.alpha, found.fits
    (100000, 0.01, ((100000, 0.01),))
    """
    if not len(radii):
        raise AcesError("no row is certified: n and alpha cannot be inferred")
    if alpha is not None and not 0 < alpha <= 0.5:  # also for NaN; above 1/2, a tie of votes would have a radius
        raise AcesError(f"the alpha of a log is {alpha:g}; it must lie in (0, 0.5], for example 0.001")
    candidates = [(n, level) for n in CANDIDATE_N for level in ((alpha,) if alpha is not None else CANDIDATE_ALPHA)]
    matched = [int((RadiusGrid.of(sigma, *c, decimals).counts_of(radii) != OFF_GRID).sum()) for c in candidates]
    most = max(matched)
    if alpha is not None and most < len(radii):
        raise AcesError(
            f"alpha {alpha:g} does not fit this log: no n of {', '.join(f'{n:,}' for n in CANDIDATE_N)} gives more "
            f"than {most} of its {len(radii)} radii at sigma {sigma:g}"
        )
    fits = tuple(c for c, count in zip(candidates, matched, strict=True) if count == most)
    return LogDraws(fits, most, len(radii), alpha is not None)
