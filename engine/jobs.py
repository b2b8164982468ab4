"""A config -> jobs: which runs are wanted, under which names, and what their records will say."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from engine import __version__
from engine.config import Config
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.models import Checkpoint, load
from engine.runs import Meta, NetworkInfo, Run


@dataclass(frozen=True)
class Job:
    """One run to make: a network on the images of a config, with noise (``sigma``) or, for a core network, without."""

    name: str
    kind: str
    checkpoint: Path
    sigma: float | None


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


def record(job: Job, config: Config, checkpoint: Checkpoint) -> Meta:
    """The meta of the run that a job makes, without what only the sampling decides (``as_run``)."""
    sampled = job.kind != "core"
    card = checkpoint.card
    return Meta(
        kind=job.kind,
        name=job.name,
        dataset=config.dataset,
        split=config.split,
        num_classes=config.card().num_classes,
        created=_now(),
        engine_version=__version__,
        sigma=job.sigma,
        n0=config.n0 if sampled else None,
        n=config.n if sampled else None,
        n_decided=(config.n,) if sampled else None,
        seed=config.seed if sampled else None,
        precision=config.precision if sampled else "float32",
        network=NetworkInfo(card.name, checkpoint.sha256, card.training, card.sigma_train),
    )


def _now() -> str:
    """The time, or SOURCE_DATE_EPOCH where somebody wants files that are the same to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")


def same_work(run: Run, meta: Meta, images: ImageSet) -> bool:
    """Whether a stored run is what sampling ``meta`` on ``images`` would give."""
    identity = ("kind", "dataset", "split", "sigma", "n0", "n", "seed", "precision", "network")
    same_meta = all(getattr(run.meta, name) == getattr(meta, name) for name in identity)
    return same_meta and np.array_equal(run.index, images.index)


def continued(run: Run, meta: Meta, images: ImageSet) -> Meta:
    """``meta`` as the record of more (or fewer) draws of a finished run, both decisions on n in it.

    Raises ``AcesError`` if the run differs in more than n.
    """
    if not same_work(run, replace(meta, n=run.meta.n), images):
        raise AcesError(
            f"the store holds another run named '{meta.name}' (its network, images, sigma, n0, seed or precision "
            f"differ); give this one a `name` in the config, or use another --cache"
        )
    before = run.meta.n_decided or (run.meta.draws,)
    return replace(meta, n_decided=(*before, meta.draws))
