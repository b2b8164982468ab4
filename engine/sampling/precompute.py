"""Dataset x network x sigma -> runs in the store: what is there is not sampled again, an interruption costs a moment.

Reading order: ``precompute`` prepares every job, so that whatever must be refused is refused before anything is
sampled; ``sampled`` fills in the draws that the store lacks, as many as each image is worth; ``assemble`` counts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

import numpy as np
import torch

from cache.errors import DamagedError
from cache.store import Store
from engine.arrays import Array
from engine.datasets import ImageSet
from engine.records.counts import Counts, count, nearest, thresholds
from engine.records.meta import Meta
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun
from engine.sampling.config import Config
from engine.sampling.decide import decide, looks_of
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
from engine.sampling.stream import Stage, sample
from engine.sampling.work import Report, Work, fill, stored_draws
from engine.statistics.budget import GuessVotes, choose
from engine.statistics.looks import Split


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
    made = [_make(work, store, executor, report) for work in prepared(config, store, device)]
    for run in made:
        store.confirm(run)  # hours may have passed since the first was stored
    return made


def prepared(config: Config, store: Store, device: str) -> list[Work]:
    """Every run of ``config``, in order, ready to be sampled: what must be refused is refused here."""
    images = config.images()
    if images.left_out:
        LOG.warning(f"left out as damaged: {', '.join(images.left_out)}")
    for note in images.notes:
        LOG.warning(note)
    store.check_writable()
    return [prepare(job, config, images, store, device) for job in jobs(config)]


def prepare(job: Job, config: Config, images: ImageSet, store: Store, device: str) -> Work:
    """Everything that can be refused, and the probe of the network's layout. Raises ``AcesError``; samples nothing."""
    transform = job.checkpoint.transform
    if job.kind == "core" and transform is not None:
        images = images.seen_through(transform)  # a core network sees pictures as it was made to, at its own size
    meta = record(job, config, images)
    stored = _stored(store, job.name)
    if stored is not None:
        if same_work(stored, meta, images):
            moved = replace(stored, meta=replace(stored.meta, classes=meta.classes, origin=meta.origin))
            return Work(moved.meta, images, None, job.mechanism, moved)
        meta = continued(stored, meta, images)
    network = _frozen(job, meta, images, store, device)
    if job.kind == "core":
        return Work(meta, images, network, job.mechanism)
    meta = replace(meta, as_run=network.as_run)
    if config.decide is not None and meta.decided is not None:
        looks = list(looks_of(meta.draws, network))
        meta = replace(meta, decided={**meta.decided, "looks": looks, "split": str(Split.HALF_LAST)})
    return Work(meta, images, network, job.mechanism, budget=config.rule, question=config.question)


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
        stored = store.find(work.meta.name)
        if stored is not None and stored.meta != work.meta:  # the same draws of the same network, which lies elsewhere
            store.put(work.done, replace=True)
        return work.done
    is_core = work.meta.kind == "core"
    run = sample_core(work) if is_core else assemble(sampled(work, store, executor, report), store)
    store.put(run, replace=True)
    return run


# --- sampling: from the network into the store ---------------------------------------------------------------------


def sampled(work: Work, store: Store, executor: Executor = sample, report: Report = lambda _: None) -> Work:
    """Sample what the store lacks; the work that is returned says how many draws each image was given."""
    if work.budget is None and work.question is None:
        fill(work, store, executor, report)
        return work
    fill(work, store, executor, report, (Stage.GUESS,))
    if work.question is not None:
        return decide(work, store, executor, report)
    work = replace(work, draws=allotted(work, store))
    fill(work, store, executor, report, (Stage.ESTIMATE,))
    return work


def allotted(work: Work, store: Store) -> Array:
    """How many draws the budget gives each image, int64 [N], by its guess draws alone: they are complete."""
    assert work.budget is not None
    votes = guess_votes(work, store, work.budget.thetas)
    return choose(votes, work.meta.draws, work.budget, work.meta.smoothing_card.link)


def guess_votes(work: Work, store: Store, thetas: Iterable[float]) -> GuessVotes:
    """What the guess draws of every image said, at the stored thresholds nearest to ``thetas``."""
    guesses, stored = _counts(work, store, Stage.GUESS), thresholds()
    at = [nearest(stored, theta) for theta in thetas]
    select = np.stack([one.select_counts[at] for one in guesses])
    classes = np.stack([one.class_counts for one in guesses])
    votes = GuessVotes(work.meta.draws0, select)
    if work.meta.kind != SelectionRun.KIND:
        votes = replace(votes, classed=classes.max(1), wanted=classes.argmax(1) == work.images.label)
    return votes


# --- counting: from the store into a run -----------------------------------------------------------------------------


def assemble(work: Work, store: Store) -> SmoothedRun | SelectionRun:
    """Count the stored draws of every image. Raises ``AcesError`` if some went missing since they were sampled."""
    guesses, estimates = (_counts(work, store, stage) for stage in Stage)
    selects = work.meta.kind == SelectionRun.KIND
    return (_selection if selects else _smoothed)(work, guesses, estimates)


def _counts(work: Work, store: Store, stage: Stage) -> list[Counts]:
    """Of every image, the draws of one stream."""
    rows = range(len(work.images))
    drawn = (stored_draws(work, store, row, stage, 0, work.wanted(row)[stage]) for row in rows)
    return [count(draws, work.meta.num_classes) for draws in drawn]


def _smoothed(work: Work, guesses: list[Counts], estimates: list[Counts]) -> SmoothedRun:
    quantiles = np.stack([c.quantiles for c in estimates])
    return SmoothedRun(
        meta=work.meta,
        index=work.images.index,
        label=work.images.label,
        class_counts0=np.stack([c.class_counts for c in guesses]),
        class_counts=np.stack([c.class_counts for c in estimates]),
        thetas=thresholds(),
        select_counts0=np.stack([c.select_counts for c in guesses]),
        select_counts=np.stack([c.select_counts for c in estimates]),
        entropy_median=quantiles[:, 2],
        entropy_quantiles=quantiles,
        draws=work.draws,
        alpha_parts=work.parts,
    )


def _selection(work: Work, guesses: list[Counts], estimates: list[Counts]) -> SelectionRun:
    return SelectionRun(
        meta=work.meta,
        index=work.images.index,
        thetas=thresholds(),
        select_counts0=np.stack([c.select_counts for c in guesses]),
        select_counts=np.stack([c.select_counts for c in estimates]),
        score_median=np.stack([c.quantiles for c in estimates])[:, 2],
        draws=work.draws,
        alpha_parts=work.parts,
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
