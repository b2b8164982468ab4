"""What is promised of one image, chosen before its first draw: nothing in a ``Plan`` may change once sampling began."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, Smoothing, smoothing
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, check_draws, check_share
from engine.statistics.bounds import MAJORITY, ceiling, check_level, smallest_n
from engine.statistics.corrections import CERTIFY, Correction, levels
from engine.statistics.looks import Split, parts, schedule
from engine.statistics.margin import Bound, check_bound
from engine.statistics.thresholds import check_thetas

MAX_N = 10_000_000  # bounds are tabulated by count
MAX_SIGMA = 1_000_000  # far beyond any use: radii stay finite

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


# Entries that came after version 2 of the certificate: with which version, and what they are where nothing says.
NEWER: dict[str, tuple[int, object]] = {
    "smoothing": (3, GAUSSIAN.name),
    "t": (4, MAJORITY),
    "bound": (5, Bound.COMPLEMENT),
    "split": (5, Split.EVEN),
}


def usual_split(n: int, mode: Mode) -> Split:
    """How new plans split alpha among their looks. Of one look nothing is split."""
    return Split.EVEN if mode is Mode.FIXED or len(schedule(n)) == 1 else Split.HALF_LAST


@dataclass(frozen=True)
class Plan:
    """Noise ``sigma`` (pixel units), threshold ``theta``, ``n0`` draws that guess, at most ``n`` that estimate.

    ``alpha`` is the probability that the answer is not the system's. ``sigma_select``: the noise of a selection
    network, whose draws are its own, as many of them; None where the certification network's entropies select.
    ``smoothing`` names the noise of both, and with it the norm of the radius. ``t``: the share of votes by which the
    selection chooses the certification network. ``bound``: of its class; ``split``: of alpha among the looks. What a
    plan does not say is as in the oldest certificates. Raises ``AcesError`` for values outside their ranges.
    """

    sigma: float
    theta: float
    n: int = 10_000
    n0: int = 100
    alpha: float = DEFAULT_ALPHA
    correction: Correction = DEFAULT_CORRECTION
    mode: Mode = Mode.EARLY
    sigma_select: float | None = None
    smoothing: str = GAUSSIAN.name
    t: float = MAJORITY
    bound: Bound = Bound.COMPLEMENT
    split: Split = Split.EVEN

    def __post_init__(self) -> None:
        for name in ("sigma", "sigma_select"):
            value = getattr(self, name)
            if value is not None and not 0 < value < MAX_SIGMA:
                raise AcesError(
                    f"{name} is {value}; it must be positive and below {MAX_SIGMA:,}, in units where a pixel runs from "
                    f"0 to 1"
                )
        if not (1 <= self.n <= MAX_N and 1 <= self.n0 <= MAX_N):
            raise AcesError(f"n0 is {self.n0} and n is {self.n}; each needs 1 to {MAX_N:,} draws")
        smoothing(self.smoothing)
        check_thetas(self.theta)
        check_level(self.alpha)
        object.__setattr__(self, "correction", Correction(self.correction))
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "bound", check_bound(self.bound, from_log=False))
        object.__setattr__(self, "split", Split(self.split))
        check_share(self.t)
        check_draws(self.t, self.n, self.alphas[-1], self.correction)

    @property
    def version(self) -> int:
        """Of the certificates that can state it: the oldest one, so that older programs read what they understand."""
        return max([since for name, (since, usual) in NEWER.items() if getattr(self, name) != usual], default=2)

    @property
    def looks(self) -> tuple[int, ...]:
        """How many of the n draws each look sees."""
        return schedule(self.n) if self.mode is Mode.EARLY else (self.n,)

    @property
    def alphas(self) -> tuple[float, ...]:
        """What each look spends of alpha: the last one, of the most draws, never less than another."""
        return tuple(self.alpha / part for part in parts(self.split, len(self.looks)))

    @property
    def smoothing_card(self) -> Smoothing:
        """The noise, with its norm and its certificate."""
        return smoothing(self.smoothing)

    @property
    def noise_select(self) -> float:
        """The noise under which the selection is asked."""
        return self.sigma if self.sigma_select is None else self.sigma_select

    @property
    def ceiling(self) -> float:
        """The largest radius that n unanimous draws can certify. They do by the complement, which is larger then."""
        link = self.smoothing_card.link
        select, of_class = levels(self.correction, self.alphas[-1]).of(CERTIFY)
        return min(
            ceiling(self.noise_select, self.n, select, link, self.t), ceiling(self.sigma, self.n, of_class, link)
        )

    @property
    def smallest_n(self) -> int:
        """The fewest draws of the first look that can certify any radius at all: unanimous ones, by the complement."""
        select, of_class = levels(self.correction, self.alphas[0]).of(CERTIFY)
        return max(smallest_n(select, self.t), smallest_n(of_class))
