"""What is promised of one image, chosen before its first draw: nothing in a ``Plan`` may change once sampling began."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from engine.errors import AcesError
from engine.smoothing import GAUSSIAN, Smoothing, smoothing
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, check_draws, check_share
from engine.statistics.bounds import MAJORITY, ceiling, check_level, smallest_n
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.looks import FIRST_LOOK, Split, parts, schedule
from engine.statistics.margin import Bound, check_bound
from engine.statistics.thresholds import check_thresholds

# What a network that is sampled is for: the first stage's class, its selection, and the later stages, which need one
# network each. Certificates name their counts and the streams of noise by it.
Role = Literal["certify", "select", "then", "then-2", "then-3"]
LATER: tuple[Role, ...] = get_args(Role)[2:]
MAX_STAGES = 1 + len(LATER)
MAX_N = 10_000_000  # bounds are tabulated by count; of a chain that of all stages together, as certificates grow by it
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
    "p0": (6, None),
    "then": (6, ()),
    "first": (7, FIRST_LOOK),
}


def usual_split(n: int, mode: Mode, first: int = FIRST_LOOK) -> Split:
    """How new plans split alpha among their looks. Of one look nothing is split."""
    return Split.EVEN if mode is Mode.FIXED or len(schedule(n, first)) == 1 else Split.HALF_LAST


@dataclass(frozen=True)
class LaterPlan:
    """A later stage of a chain: its noise ``sigma``, and ``theta``, ``t`` and ``p0`` as in ``Plan``.

    Its own entropies select, or with ``p0`` the votes for its class. Raises ``AcesError`` for values outside.
    """

    sigma: float
    theta: float | None = None
    t: float = MAJORITY
    p0: float | None = None

    def __post_init__(self) -> None:
        _check_stage(self)

    @property
    def noise_select(self) -> float:
        """The noise under which the selection is asked."""
        return self.sigma

    @property
    def by_votes(self) -> bool:
        """Whether the votes for the class select, and no score."""
        return self.p0 is not None

    @property
    def threshold(self) -> float:
        """By which the stage selects: ``theta`` of a score, or ``p0`` of the votes."""
        return _threshold(self)


@dataclass(frozen=True)
class Plan:
    """Noise ``sigma`` (pixel units), threshold ``theta``, ``n0`` draws that guess, at most ``n`` that estimate.

    ``alpha`` is the probability that the answer is not the system's. ``sigma_select``: the noise of a selection
    network, whose draws are its own, as many of them; None where the certification network's entropies select.
    ``smoothing`` names the noise of both, and with it the norm of the radius. ``t``: the share of votes by which the
    selection chooses the certification network. ``bound``: of its class; ``split``: of alpha among the looks. ``p0``:
    in place of ``theta``, None then; the network answers where a class has more than this share of its votes.
    ``then``: the stages that an image goes through where the first does not select it. ``first``: how many draws the
    first look sees, each later one twice as many. What a plan does not say is as in the oldest certificates. Raises
    ``AcesError`` for values outside their ranges.
    """

    sigma: float
    theta: float | None
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
    p0: float | None = None
    then: tuple[LaterPlan, ...] = ()
    first: int = FIRST_LOOK

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", tuple(self.then))
        if len(self.stages) > MAX_STAGES:
            raise AcesError(f"a chain of {len(self.stages)} stages; it may have {MAX_STAGES}")
        if self.sigma_select is not None:
            _check_sigma("sigma_select", self.sigma_select)
        _check_stage(self)
        most = max_n(len(self.stages))
        if not (1 <= self.n <= most and 1 <= self.n0 <= most):
            raise AcesError(f"n0 is {self.n0} and n is {self.n}; each needs 1 to {most:,} draws")
        smoothing(self.smoothing)
        check_level(self.alpha)
        object.__setattr__(self, "correction", Correction(self.correction))
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "bound", check_bound(self.bound, from_log=False))
        object.__setattr__(self, "split", Split(self.split))
        if not 1 <= self.first <= MAX_N or (self.mode is Mode.FIXED and self.first != FIRST_LOOK):
            raise AcesError(f"first is {self.first:,}; the first look of 1 to {MAX_N:,} draws, and none with a fixed n")
        self._check_selections()

    def _check_selections(self) -> None:
        """What does not select may not be said: a value that nothing depends on would only name other noise."""
        if self.by_votes and self.sigma_select is not None:
            raise AcesError("p0 selects by the votes for the class, and a selection network does: name one of them")
        if self.bound is Bound.MARGIN and all(stage.by_votes for stage in self.stages):
            raise AcesError("where the votes for the class select, its bound is the complement: a margin adds nothing")
        for stage in self.stages:
            spent = self.n, self.alphas[-1], self.correction, len(self.stages)
            check_draws(share(stage), *spent, by_votes=stage.by_votes)

    @property
    def version(self) -> int:
        """Of the certificates that can state it: the oldest one, so that older programs read what they understand."""
        return max([since for name, (since, usual) in NEWER.items() if getattr(self, name) != usual], default=2)

    @property
    def looks(self) -> tuple[int, ...]:
        """How many of the n draws each look sees."""
        return schedule(self.n, self.first) if self.mode is Mode.EARLY else (self.n,)

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
    def stages(self) -> tuple[Plan | LaterPlan, ...]:
        """The first stage, which is this plan, and the later ones."""
        return self, *self.then

    @property
    def by_votes(self) -> bool:
        """Whether in the first stage the votes for the class select, and no score."""
        return self.p0 is not None

    @property
    def threshold(self) -> float:
        """By which the first stage selects: ``theta`` of a score, or ``p0`` of the votes."""
        return _threshold(self)

    @property
    def ceiling(self) -> float:
        """The largest radius that n unanimous draws can certify. They do by the complement, which is larger then.

        Of a chain that of the stage which can certify most, within what all before it hand on.
        """
        link = self.smoothing_card.link
        spend = levels(self.correction, self.alphas[-1], len(self.stages))
        (select, of_class), (hands_on, _) = spend.of(CERTIFY), spend.of(CORE)
        within, largest = math.inf, 0.0
        for stage in self.stages:
            of_selection = ceiling(stage.noise_select, self.n, select, link, share(stage))
            largest = max(largest, min(within, of_selection, ceiling(stage.sigma, self.n, of_class, link)))
            within = min(within, ceiling(stage.noise_select, self.n, hands_on, link, 1 - share(stage)))
        return largest

    @property
    def smallest_n(self) -> int:
        """The fewest draws of the first look that can certify any radius at all: unanimous ones, by the complement."""
        spend = levels(self.correction, self.alphas[0], len(self.stages))
        (select, of_class), (hands_on, _) = spend.of(CERTIFY), spend.of(CORE)
        before, found = 1, []
        for stage in self.stages:
            found.append(max(before, smallest_n(select, share(stage)), smallest_n(of_class)))
            before = max(before, smallest_n(hands_on, 1 - share(stage)))
        return min(found)


def max_n(stages: int) -> int:
    """The most draws of a plan of so many stages."""
    return MAX_N // stages


def share(stage: Plan | LaterPlan) -> float:
    """The share of votes by which a stage selects: ``p0`` of those for its class, or ``t`` of the selection's."""
    return stage.t if stage.p0 is None else stage.p0


def _threshold(stage: Plan | LaterPlan) -> float:
    value = stage.theta if stage.p0 is None else stage.p0
    assert value is not None, "a plan was made without a threshold"
    return value


def _check_sigma(name: str, value: float) -> None:
    if not 0 < value < MAX_SIGMA:
        raise AcesError(
            f"{name} is {value}; it must be positive and below {MAX_SIGMA:,}, in units where a pixel runs from 0 to 1"
        )


def _check_stage(stage: Plan | LaterPlan) -> None:
    """Raise ``AcesError`` unless exactly one of theta and p0 is given, and all are in range."""
    _check_sigma("sigma", stage.sigma)
    if (stage.theta is None) == (stage.p0 is None):
        raise AcesError("theta and p0 are two ways to select: a stage needs one of them")
    check_thresholds(stage.threshold, stage.by_votes)
    check_share(stage.t)
    if stage.by_votes and stage.t != MAJORITY:
        raise AcesError(
            f"t is {stage.t:g}, the share by which a score selects; of the votes for a class p0 is the share"
        )
