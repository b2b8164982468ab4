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

# In the order of belief: where several explain a log, the coarsest grid does so least by chance, and 0.001 is usual.
CANDIDATE_N = (1_000, 10_000, 100_000, 125_000, 150_000)
CANDIDATE_ALPHA = (0.001, 0.01, 0.0005, 0.005, 0.05)


@dataclass(frozen=True, eq=False)
class RadiusGrid:
    """The radii that n draws can certify at one level: ``counts`` [G] rising, ``radii`` [G], and these ``printed`` [G]."""

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
        first = np.searchsorted(self.printed, printed, side="left")
        last = np.searchsorted(self.printed, printed, side="right") - 1
        # Among first..last the radii rise, so the nearest is next above or next below; off the grid last < first.
        above = np.clip(np.searchsorted(self.radii, printed), first, np.maximum(last, first)).clip(
            0, len(self.radii) - 1
        )
        below = np.maximum(above - 1, np.minimum(first, above))
        nearest = np.where(printed - self.radii[below] < self.radii[above] - printed, below, above)
        return np.where(first <= last, self.counts[nearest], OFF_GRID)


def as_printed(radii: Floats, decimals: int | None = None) -> Floats:
    """Radii as a log shows them: with so many decimals, or else with 3 significant digits."""
    return round_significant(radii, SIGNIFICANT_DIGITS) if decimals is None else np.round(radii, decimals)


@dataclass(frozen=True)
class Draws:
    """How a log was made, as its radii betray it. ``also`` lists other (n, alpha) that explain all of them as well."""

    n: int
    alpha: float
    radii: int
    also: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, object]:
        """For ``meta``: what was inferred, and on what evidence."""
        found: dict[str, object] = {"n": self.n, "alpha": self.alpha, "matched": f"{self.radii}/{self.radii}"}
        return {**found, "also": [list(other) for other in self.also]} if self.also else found


def infer_draws(radii: Floats, sigma: float, decimals: int | None = None) -> Draws:
    """The n and alpha on whose grid all the printed ``radii`` (of certified rows) lie at noise ``sigma``.

    Raises ``AcesError`` if there are no radii, or if no candidate explains all of them.
    """
    if not len(radii):
        raise AcesError("no row is certified: n and alpha cannot be inferred")
    candidates = [(n, alpha) for n in CANDIDATE_N for alpha in CANDIDATE_ALPHA]
    off = {c: RadiusGrid.of(sigma, *c, decimals).counts_of(radii) == OFF_GRID for c in candidates}
    explain_all = [c for c in candidates if not off[c].any()]
    if not explain_all:
        best = min(candidates, key=lambda c: int(off[c].sum()))
        raise AcesError(
            f"the radii lie on no known grid at sigma {sigma:g}: n = {best[0]}, alpha = {best[1]:g} explains most, "
            f"{int((~off[best]).sum())}/{len(radii)}, but not {radii[off[best]][0]:g}; is sigma right?"
        )
    return Draws(*explain_all[0], len(radii), tuple(explain_all[1:]))
