"""What is promised of one image, chosen before its first draw: nothing in a ``Plan`` may change once sampling began."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from enum import StrEnum

from engine.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, Correction, check_thetas, levels
from engine.bounds import ceiling, check_level, smallest_n
from engine.errors import AcesError
from engine.looks import schedule

MAX_N = 10_000_000  # bounds are tabulated by count


SEED_BITS = 53  # what JSON numbers hold exactly everywhere


def fresh_seed() -> int:
    """A seed that nobody could know before: drawn after the image is fixed, it makes the noise independent of it."""
    return secrets.randbits(SEED_BITS)


class Mode(StrEnum):
    """Whether the sampling may be ended because of what was seen. The two are never mixed."""

    EARLY = "may-stop-early"  # bounds valid at every look of the schedule
    FIXED = "fixed-n"  # the plain bound, after all n draws and never before

    @classmethod
    def _missing_(cls, value: object) -> Mode:
        raise AcesError(f"unknown mode {value!r}; known: {', '.join(cls)}")


@dataclass(frozen=True)
class Plan:
    """Noise ``sigma`` (pixel units), threshold ``theta``, ``n0`` draws that guess, at most ``n`` that estimate.

    ``alpha`` is the probability that the answer is wrong. Raises ``AcesError`` for values outside their ranges.
    """

    sigma: float
    theta: float
    n: int = 10_000
    n0: int = 100
    alpha: float = DEFAULT_ALPHA
    correction: Correction = DEFAULT_CORRECTION
    mode: Mode = Mode.EARLY

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise AcesError(f"sigma is {self.sigma}; it must be positive, in units where a pixel runs from 0 to 1")
        if not (1 <= self.n <= MAX_N and 1 <= self.n0 <= MAX_N):
            raise AcesError(f"n0 is {self.n0} and n is {self.n}; each needs 1 to {MAX_N:,} draws")
        check_thetas(self.theta)
        check_level(self.alpha)
        object.__setattr__(self, "correction", Correction(self.correction))
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def looks(self) -> tuple[int, ...]:
        """How many of the n draws each look sees."""
        return schedule(self.n) if self.mode is Mode.EARLY else (self.n,)

    @property
    def ceiling(self) -> float:
        """The largest radius that n unanimous draws can certify."""
        return ceiling(self.sigma, self.n, self._level)

    @property
    def smallest_n(self) -> int:
        """The fewest draws of a look that can certify any radius at all."""
        return smallest_n(self._level)

    @property
    def _level(self) -> float:
        """The smaller of the two levels that a bound of a certificate is computed at."""
        spend = levels(self.correction, self.alpha / len(self.looks))
        return min(spend.select_1, spend.certify_1)
