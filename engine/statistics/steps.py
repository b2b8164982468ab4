"""What each step from the paper's certificate to the best one brings, at equal natural accuracy on held-out images.

A step is a way to certify with free parameters: the threshold, for some the share of votes, for a chain those of its
second stage. The images are halved at random (``deployment.halvings``); each half chooses the most robust point whose
NAC reaches what is asked, and the other half measures it. What is asked is raised until the *measured* NAC reaches the
floor, as more choice flatters more: so the steps are compared at one held-out NAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.compose import Composition, StageRuns, Then, compose, compose_chain
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA, Outcome, certify, check_draws, predict
from engine.statistics.bounds import MAJORITY, ceiling
from engine.statistics.corrections import Correction
from engine.statistics.deployment import Rule, choose, halvings
from engine.statistics.intervals import Estimate, mean_interval, rate_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import BLOCK_ENTRIES

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)  # of the votes, to choose from
CHAIN_SHARES = (0.1, 0.5)  # of either stage of a chain
POINTS, FIRST_POINTS, LATER_POINTS = 100, 50, 12  # thresholds: of one stage, and of a chain's first and second
HALVINGS = 50  # each half of each chooses once
RAISES = np.arange(0, 4.01, 0.2)  # points of NAC by which what is asked may exceed the floor


@dataclass(frozen=True)
class BoundStep:
    """A way to certify; ``section`` of docs/statistics.md proves it, ``before`` is the step that it is compared with.

    ``sentence``: what it changes. ``by_votes``: the votes for the class select; ``chained``: a second stage follows.
    """

    key: str
    name: str
    sentence: str
    section: str
    correction: Correction = Correction.INTERSECTION_UNION
    bound: Bound = Bound.MARGIN
    shares: tuple[float, ...] = (MAJORITY,)
    before: str | None = None
    by_votes: bool = False
    chained: bool = False


PAPER, UNION, MARGIN, SHARE, CHAIN, VOTES = "paper", "union", "margin", "share", "chain", "votes"
STEPS = {
    step.key: step
    for step in (
        BoundStep(
            PAPER,
            "the paper's",
            "Selection and class spend half of α each, the class stands against all others together, and a majority "
            "of the votes selects.",
            "5",
            Correction.BONFERRONI,
            Bound.COMPLEMENT,
        ),
        BoundStep(
            UNION,
            "intersection-union",
            "A certificate is false only if its weaker part is, so each part may spend all of α.",
            "6",
            bound=Bound.COMPLEMENT,
            before=PAPER,
        ),
        BoundStep(
            MARGIN,
            "+ margin",
            "The class is held against its strongest rival, as what many classes share is no rival's.",
            "18",
            before=UNION,
        ),
        BoundStep(
            SHARE,
            "+ vote share",
            "Another share of the votes than half selects, chosen together with θ.",
            "17",
            shares=SHARES,
            before=MARGIN,
        ),
        BoundStep(
            CHAIN,
            "+ chain",
            "A certification network of the same training at another σ stands before or behind this one, ahead of the "
            "core network.",
            "19",
            shares=CHAIN_SHARES,
            before=SHARE,
            chained=True,
        ),
        BoundStep(
            VOTES,
            "or votes select",
            "No score selects but the votes for the class: one bound then serves as both.",
            "19",
            bound=Bound.COMPLEMENT,
            before=SHARE,
            by_votes=True,
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Ways:
    """What there is to certify with, on one set of images: the composition, the same ``by_votes``, and ``chains``,
    whose one later stage may have any threshold and share."""

    composition: Composition
    by_votes: Composition | None = None
    chains: tuple[Composition, ...] = ()

    def missing(self, step: BoundStep) -> str:
        """Why the step cannot be had, a sentence; "" where it can."""
        c = self.composition
        if step.bound is Bound.MARGIN and c.from_log:
            return f"“{step.name}” needs the votes for every class, and the log tells of the top class alone."
        if step.shares != (MAJORITY,) and c.from_log_select:
            return f"“{step.name}” needs the selection's votes, and the log tells of a majority alone."
        if step.by_votes and self.by_votes is None:
            return f"“{step.name}” needs the votes for every class of the certification network."
        if step.chained and not self.chains:
            return f"“{step.name}” needs another noise level of the same training, on the same images."
        return ""


def ways(
    certify_run: SmoothedRun, core: CoreRun, select: SelectionRun | None = None, others: Sequence[SmoothedRun] = ()
) -> Ways:
    """What there is with these runs; ``others`` of other noise make chains, before this run and behind it.

    What does not fit (a log's votes, other images) is left out. Raises ``AcesError`` where ``compose`` does.
    """
    c = compose(certify_run, core, select)
    own = StageRuns(certify_run, select)
    chains = []
    for other in others:
        for first, second in ((own, StageRuns(other)), (StageRuns(other), own)):
            try:
                chain = compose_chain(first, core, [Then(second, 0.5)])
            except AcesError:
                continue
            if np.array_equal(chain.index, c.index):
                chains.append(chain)
    by_votes = None
    if certify_run.meta.selects_by_votes and select is None:
        by_votes = compose(certify_run, core, by_votes=True)
    return Ways(c, by_votes, tuple(chains))


@dataclass(frozen=True, eq=False)
class StepLine:
    """Points of a step that differ in the first stage's threshold alone."""

    composition: Composition
    thetas: Array
    t: float

    def values(self, rows: slice, thetas: Array, step: BoundStep, alpha: float) -> tuple[Array, Array, Array]:
        """By image and threshold, [N, T]: PREDICT is right, the radius of a right class, CERTIFY's outcome."""
        c = self.composition.rows(rows)
        right = predict(c, thetas, alpha, self.t).prediction() == c.label[:, None]
        answer = certify(c, thetas, alpha, step.correction, t=self.t, bound=step.bound)
        return right, answer.correct_radius(), answer.outcome


@dataclass(frozen=True)
class Setting:
    """A point chosen: noise, threshold and share of the first stage, and of a chain's second (``later``) the same."""

    theta: float
    t: float
    later: tuple[float, float, float] | None = None
    sigma: float = 0.0


@dataclass(frozen=True, eq=False)
class Measured:
    """A step on held-out images. ``right`` (0 to 1), ``radius``, ``certified`` and ``abstained`` [N]: of each image the
    mean over all halvings, at what was chosen without it. ``setting``: what all images choose. ``asked``: the NAC that
    the halves asked for, in percent; ``reached``: the share of halves that found a point there (others took their most
    accurate). ``top``: no radius is larger.
    """

    step: BoundStep
    floor: float
    asked: float
    reached: float
    setting: Setting
    right: Array
    radius: Array
    certified: Array
    abstained: Array
    top: float

    @property
    def nac(self) -> Estimate:
        """NAC in percent; the interval is that of a rate named beforehand."""
        return _rate(self.right)

    @property
    def accuracy(self) -> Estimate:
        """Certified accuracy at the radius asked for, in percent."""
        return _rate(self.certified)

    @property
    def abstentions(self) -> Estimate:
        """How often CERTIFY abstains, in percent."""
        return _rate(self.abstained)

    @property
    def acr(self) -> Estimate:
        """The average certified radius."""
        return Estimate(float(self.radius.mean()), *mean_interval(self.radius, 0.0, self.top))

    def over(self, other: Measured) -> Estimate:
        """The ACR gained over another step, paired by image.

        Each image's two radii are means over the same halvings, at settings chosen without the image. The interval is
        that of a mean of differences between -top and top (``intervals.mean_interval``): conservative as to which
        images there are, as it allows for one unseen image at the worst end. It takes what was chosen as given, and is
        a little too narrow where the halves choose very differently. No proof, an estimate.
        """
        difference, top = self.radius - other.radius, max(self.top, other.top)
        return Estimate(float(difference.mean()), *mean_interval(difference, -top, top))


def _rate(share: Array) -> Estimate:
    value = float(100 * share.mean())
    low, high = rate_interval(np.array([value]), len(share))
    return Estimate(value, float(low[0]), float(high[0]))


def measure(
    ways: Ways, step: BoundStep, floors: Sequence[float], radius: float, alpha: float = DEFAULT_ALPHA
) -> list[Measured]:
    """The ``step`` at each of the ``floors`` of NAC that any half reaches; ``radius`` of the certified accuracy.

    Raises ``AcesError`` where ``certify`` does; ``Ways.missing`` says so before.
    """
    n = len(ways.composition)
    first = halvings(np.arange(n), HALVINGS)
    lines = list(_lines(ways, step, alpha))
    nac, acr = _tally(lines, step, alpha, first)
    found = []
    for floor in floors:
        chosen = _asked(nac, acr, floor)
        if chosen is None:
            continue
        asked, at, reached = chosen
        count = np.array([n // 2, n - n // 2])[:, None]
        whole = [(np.einsum("kp,kl->p", value[:, 0], count) / n)[None] for value in (nac, acr)]
        on_all, _ = _positions(whole[0], whole[1], asked)
        held = _held_out(lines, step, alpha, first, at, radius)
        setting = _setting(lines, int(on_all[0]))
        found.append(Measured(step, floor, asked, reached, setting, *held, _top(lines, alpha)))
    return found


def _lines(ways: Ways, step: BoundStep, alpha: float) -> Iterator[StepLine]:
    if step.by_votes and ways.by_votes is not None:
        yield StepLine(ways.by_votes, _thinned(ways.by_votes.thetas, POINTS), MAJORITY)
        return
    if not step.chained:
        for t in _told(step.shares, ways.composition, step, alpha):
            yield StepLine(ways.composition, _thinned(ways.composition.thetas, POINTS), t)
        return
    for c in ways.chains:
        later = c.then[0]
        for t in _told(step.shares, c, step, alpha):
            for later_t in _told(step.shares, later.composition, step, alpha):
                for theta in _thinned(later.composition.thetas, LATER_POINTS):
                    then = (replace(later, theta=float(theta), t=later_t),)
                    yield StepLine(replace(c, then=then), _thinned(c.thetas, FIRST_POINTS), t)


def _told(shares: Sequence[float], c: Composition, step: BoundStep, alpha: float) -> Iterator[float]:
    """The shares that the draws can tell from 0 and 1."""
    for t in shares:
        try:
            check_draws(t, c.n_select, alpha, step.correction)
        except AcesError:
            continue
        yield t


def _thinned(thetas: Array, points: int) -> Array:
    kept: Array = thetas[:: max(1, len(thetas) // points)]
    return kept


def _blocks(n: int, points: int) -> Iterator[slice]:
    block = max(1, BLOCK_ENTRIES // points)
    return (slice(start, start + block) for start in range(0, n, block))


def _tally(lines: Sequence[StepLine], step: BoundStep, alpha: float, first: Array) -> tuple[Array, Array]:
    """NAC in percent and ACR of all points on both halves of each halving, [2, S, P] each."""
    n, halves = first.shape[1], np.concatenate([first, ~first]).astype(np.float64)
    counts = np.array([n // 2, n - n // 2])[:, None, None]
    parts = []
    for line in lines:
        sums = np.zeros((len(halves), 2 * len(line.thetas)))
        for rows in _blocks(n, len(line.thetas)):
            right, radius, _ = line.values(rows, line.thetas, step, alpha)
            sums += halves[:, rows] @ np.hstack([100.0 * right, radius])
        parts.append(np.stack(np.hsplit(sums, 2)).reshape(2, 2, len(first), -1) / counts)
    whole = np.concatenate(parts, 3)
    return whole[0], whole[1]


def _positions(nac: Array, acr: Array, floor: float) -> tuple[Array, Array]:
    """The point that each row chooses, and whether it reaches the floor: where none does, the most accurate."""
    found = choose(nac, acr, np.ones(nac.shape[1]), Rule(floor))
    return np.where(found >= 0, found, nac.argmax(1)), found >= 0


def _asked(nac: Array, acr: Array, floor: float) -> tuple[float, Array, float] | None:
    """What to ask of a half so that the other measures the floor; the points [2, S] chosen; the share that reached it.

    None where no half finds any point at the floor. Where no raise is enough, the one that measures the most.
    """
    best, most = None, -1.0
    for raised in floor + RAISES:
        chosen = [_positions(nac[k], acr[k], float(raised)) for k in (0, 1)]
        reached = float(np.mean([found for _, found in chosen]))
        if reached == 0:
            break
        at = np.stack([position for position, _ in chosen])
        held = np.mean([np.take_along_axis(nac[1 - k], at[k][:, None], 1) for k in (0, 1)])
        if held > most:
            best, most = (float(raised), at, reached), float(held)
        if held >= floor:
            break
    return best


def _held_out(
    lines: Sequence[StepLine], step: BoundStep, alpha: float, first: Array, at: Array, radius: float
) -> tuple[Array, Array, Array, Array]:
    """Of each image, the mean at the points that the other halves chose: right, radius, certified, abstained."""
    n = first.shape[1]
    sums = np.zeros((4, n))
    start = 0
    for line in lines:
        points = np.unique(at[(at >= start) & (at < start + len(line.thetas))])
        if len(points):
            chosen = (at[:, :, None] == points).astype(np.float64)  # [2, S, U]
            for rows in _blocks(n, len(points)):
                own = first[:, rows].astype(np.float64).T
                weight = (1 - own) @ chosen[0] + own @ chosen[1]
                right, of_right, outcome = line.values(rows, line.thetas[points - start], step, alpha)
                every = (right, of_right, of_right >= radius, outcome == Outcome.ABSTAIN)
                for k, value in enumerate(every):
                    sums[k, rows] += (weight * value).sum(1)
        start += len(line.thetas)
    right, of_right, certified, abstained = sums / len(first)
    return right, of_right, certified, abstained


def _setting(lines: Sequence[StepLine], position: int) -> Setting:
    for line in lines:
        if position < len(line.thetas):
            then = line.composition.then
            later = (then[0].composition.sigma, then[0].theta, then[0].t) if then else None
            return Setting(float(line.thetas[position]), line.t, later, line.composition.sigma)
        position -= len(line.thetas)
    raise AssertionError(position)


def _top(lines: Sequence[StepLine], alpha: float) -> float:
    first = [line.composition for line in lines]
    every = {id(c): c for c in (*first, *(stage.composition for c in first for stage in c.then))}
    return max(ceiling(c.sigma, c.n, alpha, c.smoothing.link) for c in every.values())
