"""Does a stored run say what its network says? A random handful of its images, sampled again and compared."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.mechanisms import mechanism
from engine.models import Checkpoint
from engine.records.counts import Counts, count
from engine.records.draws import concatenate
from engine.records.meta import Meta
from engine.records.runs import Run, SmoothedRun, draws_of
from engine.sampling.inference import FrozenNetwork, Layout, check_network, freeze
from engine.sampling.stream import Source, Stage, sample, segments


@dataclass(frozen=True)
class Verdict:
    """One image sampled again: at least ``differing`` of its ``draws`` came out otherwise than the run's counts say."""

    index: int
    differing: int
    draws: int


def verify(
    run: Run,
    checkpoint: Checkpoint,
    images: ImageSet,
    how_many: int = 5,
    *,
    device: str = "cpu",
    report: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:
    """Sample ``how_many`` images of ``run`` again, chosen at random, all n0 + n draws, and compare the counts.

    On the hardware that the run was sampled on nothing may differ; elsewhere the last bits of logits may.
    Raises ``AcesError`` if the run was not sampled, or not from this network and these images.
    """
    if not isinstance(run, SmoothedRun):
        raise AcesError(f"'{run.meta.name}' is a {run.meta.kind} run; a smoothed run can be sampled again")
    if checkpoint.sha256 != run.meta.network.sha256:
        raise AcesError(f"'{run.meta.name}' was sampled from other weights than those of {checkpoint.card.name}")
    network = _as_recorded(run.meta, checkpoint, device)
    check_network(network, _image(run, 0, images), run.meta.num_classes)
    chosen = secrets.SystemRandom().sample(range(len(run.index)), min(how_many, len(run.index)))
    verdicts = []
    for at in sorted(chosen):
        verdicts.append(_sample_again(run, at, network, _image(run, at, images)))
        report(verdicts[-1])
    return verdicts


def _as_recorded(meta: Meta, checkpoint: Checkpoint, device: str) -> FrozenNetwork:
    """The network as the run's record says it ran; as this device runs it by default where the record is silent."""
    layout = Layout.recorded(meta.as_run or {})
    return freeze(checkpoint.network, meta.precision or "float32", device, layout)


def _image(run: SmoothedRun, at: int, images: ImageSet) -> torch.Tensor:
    index = int(run.index[at])
    rows = np.flatnonzero(images.index == index)
    if len(rows) != 1 or images.label[rows[0]] != run.label[at]:
        raise AcesError(f"image {index} of '{run.meta.name}' is not in {images.dataset}, or labelled otherwise there")
    return torch.from_numpy(images.image(int(rows[0])))


def _sample_again(run: SmoothedRun, at: int, network: FrozenNetwork, image: torch.Tensor) -> Verdict:
    meta, index, n_of_image = run.meta, int(run.index[at]), int(draws_of(run)[at])
    score, seed = mechanism(meta.mechanism or "").score, meta.seed or 0
    source = Source(network, score, meta.noise, seed, lambda _: image, smoothing=meta.smoothing_card)
    guess, estimate = (
        count(concatenate([draws for _, draws in sample(source, segments(index, stage, 0, n))]), meta.num_classes)
        for stage, n in ((Stage.GUESS, meta.draws0), (Stage.ESTIMATE, n_of_image))
    )
    differing = _differing(guess, run.class_counts0[at], run.select_counts0[at])
    differing += _differing(estimate, run.class_counts[at], run.select_counts[at])
    return Verdict(index, differing, meta.draws0 + n_of_image)


def _differing(counts: Counts, class_counts: np.ndarray, select_counts: np.ndarray) -> int:
    """The fewest draws that must have come out otherwise for both tables to become what they are."""
    classes = int(np.abs(counts.class_counts - class_counts).sum()) // 2
    selected = int(np.abs(counts.select_counts - select_counts).max())
    return max(classes, selected)
