"""What a precompute would do: for each run what the store has, what is missing, and how long that would take.

``estimates`` draws nothing but a probe. ``forecasts`` takes the n0 guess draws first, which the run needs anyway, and
says what each budget would spend of the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cache.store import Store
from engine.arrays import Array
from engine.sampling.config import Config
from engine.sampling.decide import looks_of
from engine.sampling.executors import Executor
from engine.sampling.precompute import guess_votes, prepared
from engine.sampling.stream import Stage, sample, segments
from engine.sampling.work import DrawTally, Report, Work, fill, missing, source
from engine.statistics.budget import Budget, choose, share_kept
from engine.statistics.deciding import RadiusQuestion, expected_draws

PROBE_SECONDS = 2.0
LOSSES = (0.01, 0.02, 0.05)  # of the budgets that are compared


@dataclass(frozen=True)
class CostEstimate:
    """One run: ``draws`` in all, ``cached`` of them stored; ``rate`` in draws per second (None: nothing to sample)."""

    name: str
    kind: str
    images: int
    draws: int
    cached: int
    rate: float | None

    @property
    def seconds(self) -> float:
        """Until the run is there, on this machine, at the probe's rate."""
        return (self.draws - self.cached) / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Forecast:
    """One run by one ``rule``: how many estimating ``draws`` it would take, at ``rate`` a second.

    ``kept``: the share of the ACR of n draws for every image that is expected to be left, at the threshold that loses
    most; None of a rule that decides and does not measure.
    """

    name: str
    rule: str
    images: int
    draws: int
    rate: float
    kept: float | None

    @property
    def seconds(self) -> float:
        """For all of its draws, on this machine, at the probe's rate."""
        return self.draws / self.rate


def estimates(config: Config, store: Store, *, device: str = "cpu") -> list[CostEstimate]:
    """Estimates for every run of ``config``, in order. Everything that ``precompute`` would refuse is refused here."""
    return [_estimate(work, store) for work in prepared(config, store, device)]


def _estimate(work: Work, store: Store) -> CostEstimate:
    meta, images = work.meta, len(work.images)
    if meta.kind == "core":
        return CostEstimate(meta.name, meta.kind, images, 0, 0, None)
    draws = work.total()
    if work.done is not None:
        return CostEstimate(meta.name, meta.kind, images, draws, draws, None)
    lacking = sum(len(segment) for segment in missing(work, store, DrawTally(work, tuple(Stage))))
    return CostEstimate(meta.name, meta.kind, images, draws, draws - lacking, _rate(work) if lacking else None)


def forecasts(
    config: Config,
    store: Store,
    *,
    device: str = "cpu",
    executor: Executor = sample,
    report: Report = lambda _: None,
    losses: Sequence[float] = LOSSES,
    question: RadiusQuestion | None = None,
) -> list[Forecast]:
    """What every sampled run of ``config`` would take with n for every image, with budgets of these ``losses`` and,
    with a ``question``, until that is answered. Samples the guess draws, and keeps them.
    """
    found = []
    for work in prepared(config, store, device):
        if work.meta.kind != "core" and work.done is None:
            fill(work, store, executor, report, (Stage.GUESS,))
            found += _forecasts(work, store, config.rule or Budget(), losses, question)
    return found


def _forecasts(
    work: Work, store: Store, rule: Budget, losses: Sequence[float], question: RadiusQuestion | None
) -> list[Forecast]:
    n, images, rate = work.meta.draws, len(work.images), _rate(work)
    votes, link = guess_votes(work, store, rule.thetas), work.meta.smoothing_card.link
    found = [Forecast(work.meta.name, f"n = {n:,} for every image", images, images * n, rate, 1.0)]
    for lose in losses:
        budget = replace(rule, lose=lose)
        chosen: Array = choose(votes, n, budget, link)
        kept = share_kept(votes, n, chosen, budget, link)
        found.append(Forecast(work.meta.name, f"lose {100 * lose:g} %", images, int(chosen.sum()), rate, kept))
    if question is not None:
        assert work.network is not None
        at_theta = guess_votes(work, store, [question.theta])
        taken = expected_draws(at_theta, question, looks_of(n, work.network), work.meta.noise, link)
        named = ", ".join(f"{r:g}" for r in question.radii)
        found.append(Forecast(work.meta.name, f"decide r {named}", images, round(float(taken.sum())), rate, None))
    return found


def _rate(work: Work) -> float:
    """Draws a second on the first image, after a first batch that warms up."""
    index = int(work.images.index[0])
    drawn, start = 0, 0.0
    for segment, _ in sample(source(work), segments(index, Stage.ESTIMATE, 0, 2**31)):
        if not start:
            start = time.monotonic()
            continue
        drawn += len(segment)
        if time.monotonic() - start > PROBE_SECONDS:
            break
    return drawn / (time.monotonic() - start)
