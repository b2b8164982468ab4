"""What a precompute would do: for each run what the store has, what is missing, and how long that would take."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cache.store import Store
from engine.sampling.config import Config
from engine.sampling.plan_runs import jobs
from engine.sampling.precompute import DrawTally, Work, missing, prepare, source
from engine.sampling.stream import Stage, sample, segments

PROBE_SECONDS = 2.0


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


def estimates(config: Config, store: Store, *, device: str = "cpu") -> list[CostEstimate]:
    """Estimates for every run of ``config``, in order. Everything that ``precompute`` would refuse is refused here."""
    images = config.images()
    store.check_writable()
    return [_estimate(prepare(job, config, images, store, device), store) for job in jobs(config)]


def _estimate(work: Work, store: Store) -> CostEstimate:
    meta, images = work.meta, len(work.images)
    if meta.kind == "core":
        return CostEstimate(meta.name, meta.kind, images, 0, 0, None)
    draws = images * (meta.draws0 + meta.draws)
    if work.done is not None:
        return CostEstimate(meta.name, meta.kind, images, draws, draws, None)
    lacking = sum(map(len, missing(work, store, DrawTally(meta, images))))
    return CostEstimate(meta.name, meta.kind, images, draws, draws - lacking, _rate(work) if lacking else None)


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
