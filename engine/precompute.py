"""Dataset x network x sigma -> runs in the store: what is there is not sampled again, an interruption costs a block.

Reading order: ``precompute`` goes over the jobs of a config; ``sample_run`` makes one smoothed run, image by image;
``_draws`` gathers an image's blocks from the store and samples the missing ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from cache.store import BlockKey, DamagedError, Store
from engine import __version__, datasets
from engine.config import Config
from engine.counts import Counts, count, thresholds
from engine.datasets import ImageSet
from engine.draws import Draws, concatenate
from engine.errors import AcesError
from engine.inference import FrozenNetwork, check_network, freeze
from engine.models import Checkpoint, load
from engine.runs import CoreRun, Meta, NetworkInfo, Run, SmoothedRun
from engine.sampling import BLOCK, Mechanism, Stage, blocks, sample_block
from engine.scores import entropy


@dataclass(frozen=True)
class Job:
    """One run to make: a network on the images of a config, with noise (``sigma``) or, for a core network, without."""

    name: str
    kind: str
    checkpoint: Path
    sigma: float | None


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
        """Sampled draws a second, without those that the store had."""
        return (self.draws - self.cached) / self.seconds if self.seconds > 0 else 0.0


Report = Callable[[Progress], None]


def jobs(config: Config) -> list[Job]:
    """The runs that a config asks for, in order. Reads the checkpoints' cards for names and training noise."""
    wanted = []
    for entry in config.certify:
        card = load(entry.checkpoint).card
        for sigma in entry.sigma or (card.sigma_train,):
            if sigma <= 0:
                raise AcesError(f"{entry.checkpoint} was trained without noise: say which sigma to sample it at")
            name = entry.name or card.name
            name = name if sigma == card.sigma_train else f"{name}@{sigma:g}"
            wanted.append(Job(name, "smoothed", entry.checkpoint, sigma))
    wanted += [Job(e.name or load(e.checkpoint).card.name, "core", e.checkpoint, None) for e in config.core]
    twice = {job.name for job in wanted if [j.name for j in wanted].count(job.name) > 1}
    if twice:
        raise AcesError(f"two runs would be named '{min(twice)}': give one of them a name of its own")
    return wanted


def precompute(config: Config, store: Store, *, device: str = "cpu", report: Report = lambda _: None) -> list[Run]:
    """Make every run of ``config`` that ``store`` lacks; returns all of them, in the config's order."""
    wanted = jobs(config)  # every checkpoint is read before anything is sampled
    images = config.images()
    return [_run(job, config, images, store, device, report) for job in wanted]


def _run(job: Job, config: Config, images: ImageSet, store: Store, device: str, report: Report) -> Run:
    checkpoint = load(job.checkpoint)
    if checkpoint.card.dataset != config.dataset:
        raise AcesError(f"{job.checkpoint} is for {checkpoint.card.dataset}; the config is for {config.dataset}")
    meta = _meta(job, config, checkpoint)
    stored = _stored(store, job.name)
    if stored is not None:
        if _same_work(stored, meta, images):
            return stored
        if not _same_work(stored, replace(meta, n=stored.meta.n), images):
            raise AcesError(
                f"the store holds another run named '{job.name}' (its network, images, sigma, n0, seed or precision "
                f"differ); give this one a `name` in the config, or remove that one"
            )
    run: Run
    if job.kind == "core":
        run = sample_core(meta, checkpoint, images, device)
    else:
        run = sample_smoothed(meta, checkpoint, images, store, device, report)
    store.put(run, replace=True)
    return run


def _stored(store: Store, name: str) -> Run | None:
    """The run of that name, or None; a damaged one is as good as none, since its draws are there to count again."""
    try:
        return store.get(name) if any(meta.name == name for meta in store.metas()) else None
    except DamagedError:
        return None


def _meta(job: Job, config: Config, checkpoint: Checkpoint) -> Meta:
    sampled = job.kind != "core"
    card = checkpoint.card
    return Meta(
        kind=job.kind,
        name=job.name,
        dataset=config.dataset,
        split=config.split,
        num_classes=datasets.card(config.dataset).num_classes,
        created=_now(),
        engine_version=__version__,
        sigma=job.sigma,
        n0=config.n0 if sampled else None,
        n=config.n if sampled else None,
        seed=config.seed if sampled else None,
        precision=config.precision if sampled else "float32",
        network=NetworkInfo(card.name, checkpoint.sha256, card.training, card.sigma_train),
    )


def _now() -> str:
    """The time, or SOURCE_DATE_EPOCH where somebody wants files that are the same to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")


def _same_work(run: Run, meta: Meta, images: ImageSet) -> bool:
    """Whether a stored run is what sampling ``meta`` on ``images`` would give."""
    identity = ("kind", "dataset", "split", "sigma", "n0", "n", "seed", "precision", "network")
    same_meta = all(getattr(run.meta, name) == getattr(meta, name) for name in identity)
    return same_meta and np.array_equal(run.index, images.index)


def sample_smoothed(
    meta: Meta, checkpoint: Checkpoint, images: ImageSet, store: Store, device: str, report: Report
) -> SmoothedRun:
    """Sample every image: n0 draws that guess, n draws that estimate, each block kept in ``store`` as it is made."""
    sampler = Sampler(meta, freeze(checkpoint.network, meta.precision or "float32", device), entropy, images, store)
    check_network(sampler.network, sampler.pixels(0), meta.num_classes)
    guesses: list[Counts] = []
    estimates: list[Counts] = []
    cached, start = 0, time.perf_counter()
    per_image = meta.draws0 + meta.draws
    for row in range(len(images)):
        for stage, n, counts in ((Stage.GUESS, meta.draws0, guesses), (Stage.ESTIMATE, meta.draws, estimates)):
            draws, from_store = sampler.draws(row, stage, n)
            counts.append(count(draws, meta.num_classes))
            cached += from_store
        done, total = (row + 1) * per_image, len(images) * per_image
        report(Progress(meta.name, row + 1, len(images), done, cached, total, time.perf_counter() - start))
    return _assemble(meta, images, guesses, estimates)


@dataclass(frozen=True, eq=False)
class Sampler:
    """One network under one noise level on the images of a run, drawing through the store."""

    meta: Meta
    network: FrozenNetwork
    mechanism: Mechanism
    images: ImageSet
    store: Store

    def draws(self, row: int, stage: Stage, n: int) -> tuple[Draws, int]:
        """The first ``n`` draws of one stream of one image, and how many of them the store had."""
        cached, parts = 0, []
        for block in blocks(n):
            need = min(BLOCK, n - block * BLOCK)
            key = self._key(row, stage, block)
            part = self.store.get_block(key)
            if part is None or len(part) < need:
                part = self._sample(row, stage, block, need)
                self.store.put_block(key, part)
            else:
                cached += need
            parts.append(part.first(need))
        return concatenate(parts), cached

    def pixels(self, row: int) -> torch.Tensor:
        """One image as float32 [C, H, W] in [0, 1] on the network's device."""
        return torch.from_numpy(self.images.images[row]).to(self.network.device).float() / 255

    def _sample(self, row: int, stage: Stage, block: int, draws: int) -> Draws:
        seed, index = self.meta.seed or 0, int(self.images.index[row])
        return sample_block(
            self.network,
            self.pixels(row),
            self.meta.noise,
            self.mechanism,
            seed=seed,
            index=index,
            stage=stage,
            block=block,
            draws=draws,
        )

    def _key(self, row: int, stage: Stage, block: int) -> BlockKey:
        """Everything that the draws depend on. Device kind and batch count: they change the last bits of a logit."""
        network = self.network
        return BlockKey(
            network=self.meta.network.sha256 or "",
            dataset=self.meta.dataset,
            split=self.meta.split or "",
            index=int(self.images.index[row]),
            sigma=self.meta.noise,
            seed=self.meta.seed or 0,
            precision=f"{network.precision}/{network.device.type}/{network.batch}",
            stage=stage.value,
            block=block,
        )


def _assemble(meta: Meta, images: ImageSet, guesses: list[Counts], estimates: list[Counts]) -> SmoothedRun:
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


def sample_core(meta: Meta, checkpoint: Checkpoint, images: ImageSet, device: str = "cpu") -> CoreRun:
    """What a core network answers on the images themselves, in float32."""
    network = freeze(checkpoint.network, "float32", device)
    x = torch.from_numpy(images.pixels())
    check_network(network, x[0], meta.num_classes)
    logits = torch.cat([network(part.to(network.device)).cpu() for part in torch.split(x, network.batch)]).numpy()
    return CoreRun(meta, images.index, images.label, logits.argmax(1).astype(np.int64), logits)
