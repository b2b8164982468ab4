"""A config -> jobs: which runs are wanted, under which names, and what their records will say."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from engine import __version__
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.mechanisms import MECHANISMS, OWN, Mechanism
from engine.models import Checkpoint, Hints, load, probe, read_normalizer
from engine.models.denoised import load_denoised
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import Run
from engine.sampling.config import Config, Entry, SmoothedEntry
from engine.smoothing import GAUSSIAN, SMOOTHINGS, Smoothing

LOG = logging.getLogger("engine")


@dataclass(frozen=True, eq=False)
class Job:
    """One run to make: a network on the images of a config, with noise (``sigma``) or, for a core network, without.

    ``smoothing`` is the kind of noise. ``mechanism`` scores the draws; a certification network's own scores come with
    its run.
    """

    name: str
    kind: str
    path: Path
    checkpoint: Checkpoint
    sigma: float | None
    entry: Entry
    mechanism: Mechanism = OWN
    smoothing: Smoothing = GAUSSIAN


def jobs(config: Config) -> list[Job]:
    """The runs that a config asks for, in order. Reads every checkpoint.

    Raises ``AcesError`` for a network that does not fit the dataset or its part, for noise that is not the network's
    own, and for noise and radii in units that can hardly be meant, unless the config means them.
    """
    certify = [_plan_sampled(config, entry, "smoothed", OWN) for entry in config.certify]
    select = [_plan_sampled(config, entry, "selection", MECHANISMS[entry.mechanism]) for entry in config.select]
    wanted = [job for group in (*certify, *select) for job in group]
    config.check_units((job.sigma, job.path) for job in wanted if job.sigma is not None)
    wanted += [_plan_core(config, entry) for entry in config.core]
    twice = {job.name for job in wanted if [j.name for j in wanted].count(job.name) > 1}
    if twice:
        raise AcesError(f"two runs would be named '{min(twice)}': give one of them a name of its own")
    return wanted


def _plan_sampled(config: Config, entry: SmoothedEntry, kind: str, mechanism: Mechanism) -> list[Job]:
    """A certification or selection network, at each of its noise levels."""
    if entry.denoiser is not None:
        return [_plan_denoised(config, entry, sigma, kind, mechanism) for sigma in entry.sigma]
    checkpoint = _load(config, entry, entry.sigma[0] if entry.sigma else 0.0)
    name, trained = checkpoint.card.name, checkpoint.card.sigma_train
    if kind == "selection":
        mechanism.check(checkpoint.outputs, config.card().num_classes, str(entry.checkpoint))
    else:
        _check_classes(config, entry, checkpoint)
    smoothing, made = SMOOTHINGS[entry.smoothing], []
    for sigma in entry.sigma or (trained,):
        if not sigma:
            raise AcesError(f"{entry.checkpoint} says no training noise: name the sigma to sample it at")
        if trained is not None and sigma != trained and not entry.other_sigma:
            raise AcesError(
                f"{entry.checkpoint} was trained at sigma {trained:g} and is to be sampled at {sigma:g}: "
                f"if that is meant, say `other_sigma: true`"
            )
        at = name if trained is None or sigma == trained else f"{name}@{sigma:g}"
        if smoothing != GAUSSIAN:
            at = f"{name}@{smoothing.name}-{sigma:g}"
        made.append(Job(at, kind, entry.checkpoint, checkpoint, sigma, entry, mechanism, smoothing))
    return made


def _plan_denoised(config: Config, entry: SmoothedEntry, sigma: float, kind: str, mechanism: Mechanism) -> Job:
    """A classifier behind a denoiser, for noise of ``sigma``, which is part of the run's name."""
    assert entry.denoiser is not None
    stem = entry.name or f"{entry.checkpoint.stem}-denoised"
    hints = replace(_hints(config, entry), name=f"{stem}-{sigma:g}")
    checkpoint = load_denoised(entry.denoiser, entry.checkpoint, sigma, hints)
    _check_dataset(config, entry, checkpoint)
    if kind == "selection":
        mechanism.check(checkpoint.outputs, config.card().num_classes, str(entry.checkpoint))
    else:
        _check_classes(config, entry, checkpoint)
    smoothing, name = SMOOTHINGS[entry.smoothing], checkpoint.card.name
    at = name if smoothing == GAUSSIAN else f"{name}@{smoothing.name}-{sigma:g}"
    return Job(at, kind, entry.checkpoint, checkpoint, sigma, entry, mechanism, smoothing)


def _plan_core(config: Config, entry: Entry) -> Job:
    checkpoint = _load(config, entry, 0.0)
    _check_classes(config, entry, checkpoint)
    return Job(checkpoint.card.name, "core", entry.checkpoint, checkpoint, None, entry)


def _load(config: Config, entry: Entry, sigma: float) -> Checkpoint:
    """The network of an entry; ``sigma`` is what a probe of its normaliser is done at, 0 for that of its training."""
    hints = _hints(config, entry)
    if entry.normalizer == "probe":
        sigma = sigma or load(entry.checkpoint, hints).card.sigma_train or 0.0
        checkpoint, scores = probe(entry.checkpoint, hints, config.images(), sigma)
        if scores.close:
            LOG.warning(f"{entry.checkpoint}: the normalisers are too close to tell ({scores}); say `normalizer`")
    else:
        checkpoint = load(entry.checkpoint, hints)
    _check_dataset(config, entry, checkpoint)
    return checkpoint


def _hints(config: Config, entry: Entry) -> Hints:
    """What an entry says of its checkpoint."""
    return Hints(
        entry.name,
        entry.architecture,
        config.card(),
        read_normalizer(str(entry.normalizer)) if entry.normalizer not in (None, "probe") else None,
        entry.training,
        entry.sigma_train,
        entry.weights,
        entry.trust,
    )


def _check_dataset(config: Config, entry: Entry, checkpoint: Checkpoint) -> None:
    if checkpoint.card.dataset != config.dataset:
        raise AcesError(f"{entry.checkpoint} is for {checkpoint.card.dataset}; the config is for {config.dataset}")


def _check_classes(config: Config, entry: Entry, checkpoint: Checkpoint) -> None:
    classes = config.card().num_classes
    if checkpoint.outputs not in (None, classes):
        raise AcesError(f"{entry.checkpoint} has {checkpoint.outputs} outputs; {config.dataset} has {classes} classes")


def record(job: Job, config: Config, images: ImageSet) -> Meta:
    """The meta of the run that a job makes on ``images``, without what only the sampling decides (``as_run``)."""
    sampled = job.kind != "core"
    card = job.checkpoint.card
    digest, parts = images.digest(), job.checkpoint.parts
    meta = Meta(
        kind=job.kind,
        name=job.name,
        dataset=config.dataset,
        split=config.split,
        num_classes=config.card().num_classes,
        created=_now(),
        engine_version=__version__,
        sigma=job.sigma,
        n0=config.guesses if sampled else None,
        n=config.n if sampled else None,
        n_decided=(config.n,) if sampled else None,
        budget=_stated(config.budget, {"n0"}) if sampled else None,
        decided=_stated(config.decide) if sampled else None,
        seed=config.seed if sampled else None,
        precision=config.precision if sampled else "float32",
        network=NetworkInfo(card.name, job.checkpoint.sha256, card.training, card.sigma_train),
        mechanism=job.mechanism.name if sampled else None,
        smoothing=job.smoothing.name if sampled else None,
        classes=config.own_classes,
        origin=config.origin(job.entry, str(job.checkpoint.normalizer)),
        extra={**({"images": digest} if digest else {}), **({"denoised": dict(parts)} if parts else {})},
    )
    meta.check()  # a name that may not be is refused before anything is sampled
    return meta


def _stated(entry: BaseModel | None, left_out: set[str] | None = None) -> dict[str, Any] | None:
    """What a config says of the draws of an image, as its run tells it."""
    return None if entry is None else entry.model_dump(mode="json", exclude=left_out)


def _now() -> str:
    """The time, or SOURCE_DATE_EPOCH where somebody wants files that are the same to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")


def same_work(run: Run, meta: Meta, images: ImageSet) -> bool:
    """Whether a stored run is what sampling ``meta`` on ``images`` would give."""
    identity = (
        *("kind", "dataset", "split", "sigma", "smoothing", "n0", "n", "seed", "precision", "network", "mechanism"),
        "budget",
    )
    same_meta = all(getattr(run.meta, name) == getattr(meta, name) for name in identity)
    same_meta &= _asked(run.meta) == _asked(meta)
    same_images = run.meta.extra.get("images") == meta.extra.get("images")
    return same_meta and same_images and np.array_equal(run.index, images.index)


def _asked(meta: Meta) -> dict[str, Any] | None:
    """What was to be decided, without the looks at which it was: they are the network's."""
    if meta.decided is None:
        return None
    return {name: value for name, value in meta.decided.items() if name not in ("looks", "split")}


def continued(run: Run, meta: Meta, images: ImageSet) -> Meta:
    """``meta`` as the record of more (or fewer) draws of a finished run, both decisions on n in it.

    Raises ``AcesError`` if the run differs in more than n.
    """
    if not same_work(run, replace(meta, n=run.meta.n, budget=run.meta.budget, decided=run.meta.decided), images):
        raise AcesError(
            f"the store holds another run named '{meta.name}' (its network, images, noise, n0, seed, precision or "
            f"selection mechanism differ); give this one a `name` in the config, or use another --cache"
        )
    before = run.meta.n_decided or (run.meta.draws,)
    return replace(meta, n_decided=(*before, meta.draws))
