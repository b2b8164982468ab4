"""Dataset x network x sigma -> runs in the store: what is there is not sampled again, an interruption costs a moment.

Reading order: ``precompute`` prepares every job, so that whatever must be refused is refused before anything is
sampled; ``fill`` samples the draws that the store lacks, through an executor; ``assemble`` counts them from the store.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch

from cache.entries import DamagedError
from cache.store import BlockKey, Part, Store
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.mechanisms import Mechanism
from engine.records.counts import Counts, count, thresholds
from engine.records.draws import BLOCK, CHUNK, Draws, concatenate
from engine.records.runs import CoreRun, Meta, Run, SelectionRun, SmoothedRun
from engine.sampling.config import Config
from engine.sampling.executors import Executor
from engine.sampling.inference import (
    FrozenNetwork,
    Layout,
    check_network,
    default_layout,
    fastest,
    freeze,
    hardware,
    resolve_device,
)
from engine.sampling.plan_runs import LOG, Job, continued, jobs, record, same_work
from engine.sampling.stream import Source, Stage, StreamPart, sample, segments

FLUSH_SECONDS = 0.25  # draws wait at most so long before they are stored: what an interruption costs


@dataclass(frozen=True)
class Progress:
    """Where a run stands: ``draws`` of ``total`` are done, ``cached`` of them were in the store, ``seconds`` passed."""

    job: str
    images: int
    total_images: int
    draws: int
    cached: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Sampled draws per second, without those that the store had."""
        return (self.draws - self.cached) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None as long as there is none."""
        return (self.total - self.draws) / self.rate if self.rate > 0 else None


Report = Callable[[Progress], None]


def precompute(
    config: Config,
    store: Store,
    *,
    device: str = "cpu",
    executor: Executor = sample,
    report: Report = lambda _: None,
) -> list[Run]:
    """Make every run of ``config`` that ``store`` lacks; returns all of them, in the config's order, read back.

    Raises ``AcesError`` where the store was removed or replaced meanwhile, or a run in it.
    """
    images = config.images()
    if images.left_out:
        LOG.warning(f"left out as damaged: {', '.join(images.left_out)}")
    store.check_writable()
    prepared = [prepare(job, config, images, store, device) for job in jobs(config)]
    made = [_make(work, store, executor, report) for work in prepared]
    for run in made:
        store.confirm(run)  # hours may have passed since the first was stored
    return made


@dataclass(frozen=True, eq=False)
class Work:
    """A job that may run: its record, images and frozen network; or ``done``, the run that the store has already."""

    meta: Meta
    images: ImageSet
    network: FrozenNetwork | None
    mechanism: Mechanism
    done: Run | None = None


def prepare(job: Job, config: Config, images: ImageSet, store: Store, device: str) -> Work:
    """Everything that can be refused, and the probe of the network's layout. Raises ``AcesError``; samples nothing."""
    transform = job.checkpoint.transform
    if job.kind == "core" and transform is not None:
        images = images.seen_through(transform)  # a core network sees pictures as it was made to, at its own size
    meta = record(job, config, images)
    stored = _stored(store, job.name)
    if stored is not None:
        if same_work(stored, meta, images):
            return Work(stored.meta, images, None, job.mechanism, stored)
        meta = continued(stored, meta, images)
    network = _frozen(job, meta, images, store, device)
    as_run = network.as_run if job.kind != "core" else None
    return Work(replace(meta, as_run=as_run), images, network, job.mechanism)


def _stored(store: Store, name: str) -> Run | None:
    """The run of that name, or None; a damaged one is as good as none, since its draws are there to count again.

    Raises ``NewerFormatError`` for what a newer program wrote, before anything is sampled that could not be stored.
    """
    try:
        return store.find(name)
    except DamagedError:
        return None


def _frozen(job: Job, meta: Meta, images: ImageSet, store: Store, device: str) -> FrozenNetwork:
    """The network in its fastest layout; checked first in the default one, so that refusals come at once."""
    example = torch.from_numpy(images.image(0))
    network, precision = job.checkpoint.network, meta.precision or "float32"
    layout = default_layout(resolve_device(device), tuple(example.shape))
    plain = freeze(network, precision, device, layout)
    check_network(plain, example, job.mechanism.outputs(meta.num_classes))
    if meta.kind == "core":
        return plain
    return _in_its_layout(plain, job.checkpoint.sha256, tuple(example.shape), store)


def _in_its_layout(plain: FrozenNetwork, sha256: str, shape: tuple[int, ...], store: Store) -> FrozenNetwork:
    """The fastest layout; with the logits of the one that the store remembers, so that what was begun goes on."""
    device = plain.device
    about = json.dumps(["layout", sha256, plain.precision, device.type, hardware(device), shape])
    known = store.recall(about)
    identity = None if known is None else Layout.recorded(json.loads(known))
    found = fastest(plain.origin, shape, plain.precision, str(device), identity)
    if known is None:
        store.remember(about, json.dumps(asdict(found.identity)))
    return found


def _make(work: Work, store: Store, executor: Executor, report: Report) -> Run:
    if work.done is not None:
        return work.done
    run: Run
    if work.meta.kind == "core":
        run = sample_core(work)
    else:
        fill(work, store, executor, report)
        run = assemble(work, store)
    store.put(run, replace=True)
    return run


# --- sampling: from the network into the store ---------------------------------------------------------------------


def fill(work: Work, store: Store, executor: Executor = sample, report: Report = lambda _: None) -> None:
    """Sample the draws that the store lacks. Interrupted at any instant, what was stored stays and is right."""
    tally = DrawTally(work.meta, len(work.images))
    rows = _rows(work.images)
    waiting: list[Part] = []
    stored_at = time.monotonic()
    try:
        for segment, draws in executor(source(work), missing(work, store, tally)):
            key = _key(work, rows[segment.index], segment.stage, segment.chunk * CHUNK // BLOCK)
            waiting.append(Part(key, segment.chunk * CHUNK % BLOCK + segment.start, draws))
            if time.monotonic() - stored_at > FLUSH_SECONDS:
                store.put_parts(waiting)
                waiting, stored_at = [], time.monotonic()
            report(tally.sampled(segment))
    finally:  # an interruption from the keyboard keeps these too
        store.put_parts(waiting)


def source(work: Work) -> Source:
    """The network, noise and images of a sampled run."""
    assert work.network is not None
    rows, images = _rows(work.images), work.images
    seed = work.meta.seed or 0
    return Source(
        work.network,
        work.mechanism.score,
        work.meta.noise,
        seed,
        lambda index: torch.from_numpy(images.image(rows[index])),
        smoothing=work.meta.smoothing_card,
    )


def _rows(images: ImageSet) -> dict[int, int]:
    return {int(index): row for row, index in enumerate(images.index)}


@dataclass(eq=False)
class DrawTally:
    """Counts what is done, for the reports."""

    meta: Meta
    images: int
    left: Counter[int] = field(default_factory=Counter)  # draws still to come, by image
    done: int = 0  # images without any left
    draws: int = 0
    cached: int = 0
    start: float = field(default_factory=time.monotonic)

    def planned(self, index: int, missing: int) -> None:
        """An image was looked at: so many of its draws are not in the store."""
        per_image = self.meta.draws0 + self.meta.draws
        self.cached += per_image - missing
        self.draws += per_image - missing
        self.left[index] = missing
        self.done += missing == 0

    def sampled(self, segment: StreamPart) -> Progress:
        """A segment has come."""
        self.draws += len(segment)
        self.left[segment.index] -= len(segment)
        self.done += self.left[segment.index] == 0
        total = self.images * (self.meta.draws0 + self.meta.draws)
        seconds = time.monotonic() - self.start
        return Progress(self.meta.name, self.done, self.images, self.draws, self.cached, total, seconds)


def missing(work: Work, store: Store, tally: DrawTally) -> Iterator[StreamPart]:
    """The segments that the store lacks, an image at a time, looked up when its turn comes.

    Each process begins at another image, so that two that work on one run meet late; what both sampled is the same.
    """
    begin = random.randrange(len(work.images))
    for row in (*range(begin, len(work.images)), *range(begin)):
        index = int(work.images.index[row])
        lacking = [
            segment
            for stage, n in _stages(work.meta)
            for block, end in _blocks(n)
            for segment in segments(index, stage, min(end, block * BLOCK + _held(work, store, row, stage, block)), end)
        ]
        tally.planned(index, sum(map(len, lacking)))
        yield from lacking


def _stages(meta: Meta) -> tuple[tuple[Stage, int], tuple[Stage, int]]:
    return (Stage.GUESS, meta.draws0), (Stage.ESTIMATE, meta.draws)


def _blocks(n: int) -> Iterator[tuple[int, int]]:
    """The blocks of the first n draws of a stream, each with the number of the draw that ends it."""
    return ((block, min((block + 1) * BLOCK, n)) for block in range(-(-n // BLOCK)))


def _held(work: Work, store: Store, row: int, stage: Stage, block: int) -> int:
    draws = store.get_block(_key(work, row, stage, block))
    return 0 if draws is None else len(draws)


def _key(work: Work, row: int, stage: Stage, block: int) -> BlockKey:
    """Everything that the draws depend on. How the network runs is of it: it decides the last bits of a logit."""
    meta, network = work.meta, work.network
    assert network is not None
    return BlockKey(
        network=meta.network.sha256 or "",
        dataset=work.images.content(row),
        split=meta.split or "",
        index=int(work.images.index[row]),
        sigma=meta.noise,
        smoothing=meta.smoothing_card.name,
        seed=meta.seed or 0,
        mechanism=work.mechanism.draws,
        as_run="/".join(map(str, (network.precision, *network.as_run.values()))),
        stage=stage.value,
        block=block,
    )


# --- counting: from the store into a run -----------------------------------------------------------------------------


def assemble(work: Work, store: Store) -> SmoothedRun | SelectionRun:
    """Count the stored draws of every image. Raises ``AcesError`` if some went missing since they were sampled."""
    guesses, estimates = (
        [count(_stored_draws(work, store, row, stage, n), work.meta.num_classes) for row in range(len(work.images))]
        for stage, n in _stages(work.meta)
    )
    selects = work.meta.kind == SelectionRun.KIND
    return (_selection if selects else _smoothed)(work.meta, work.images, guesses, estimates)


def _stored_draws(work: Work, store: Store, row: int, stage: Stage, n: int) -> Draws:
    """The first n draws of one stream of one image."""
    parts = []
    for block, end in _blocks(n):
        draws = store.get_block(_key(work, row, stage, block))
        need = end - block * BLOCK
        if draws is None or len(draws) < need:
            raise AcesError(f"draws of image {work.images.index[row]} were lost from the store; run the command again")
        parts.append(draws.first(need))
    return concatenate(parts)


def _smoothed(meta: Meta, images: ImageSet, guesses: list[Counts], estimates: list[Counts]) -> SmoothedRun:
    quantiles = np.stack([c.quantiles for c in estimates])
    return SmoothedRun(
        meta=meta,
        index=images.index,
        label=images.label,
        class_counts0=np.stack([c.class_counts for c in guesses]),
        class_counts=np.stack([c.class_counts for c in estimates]),
        thetas=thresholds(),
        select_counts0=np.stack([c.select_counts for c in guesses]),
        select_counts=np.stack([c.select_counts for c in estimates]),
        entropy_median=quantiles[:, 2],
        entropy_quantiles=quantiles,
    )


def _selection(meta: Meta, images: ImageSet, guesses: list[Counts], estimates: list[Counts]) -> SelectionRun:
    return SelectionRun(
        meta=meta,
        index=images.index,
        thetas=thresholds(),
        select_counts0=np.stack([c.select_counts for c in guesses]),
        select_counts=np.stack([c.select_counts for c in estimates]),
        score_median=np.stack([c.quantiles for c in estimates])[:, 2],
    )


def sample_core(work: Work) -> CoreRun:
    """What a core network answers on the images themselves, a batch at a time, in float32."""
    network, images = work.network, work.images
    assert network is not None
    logits = []
    for start in range(0, len(images), network.batch):
        x = np.stack([images.image(row) for row in range(start, min(start + network.batch, len(images)))])
        logits.append(network.some(torch.from_numpy(x).to(network.device)).cpu().numpy())
    all_logits = np.concatenate(logits)
    return CoreRun(work.meta, images.index, images.label, all_logits.argmax(1).astype(np.int64), all_logits)
