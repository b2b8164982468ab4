"""Which normaliser a network was trained behind, by trying: a wrong one raises no error, only accuracy falls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.models.checkpoint import Checkpoint, Hints, load
from engine.models.network import Normalizer
from engine.models.own import last_line

IMAGES = 200
BATCH = 20


@dataclass(frozen=True)
class ProbeResult:
    """Accuracy in percent behind each normaliser, on ``images`` images under noise of ``sigma``."""

    accuracy: Mapping[Normalizer, float]
    images: int
    sigma: float

    @property
    def best(self) -> Normalizer:
        return max(self.accuracy, key=lambda kind: self.accuracy[kind])

    @property
    def close(self) -> bool:
        """Whether the lead over the second is within two standard errors: then the probe decides nothing."""
        first, second = sorted((a / 100 for a in self.accuracy.values()), reverse=True)[:2]
        variance = (first * (1 - first) + second * (1 - second)) / self.images
        return first - second <= 2 * math.sqrt(variance)

    def __str__(self) -> str:
        scores = ", ".join(f"{kind} {accuracy:.1f} %" for kind, accuracy in self.accuracy.items())
        return f"{scores} of {self.images} images correct at sigma {self.sigma:g}"


def probe(path: Path, hints: Hints, images: ImageSet, sigma: float) -> tuple[Checkpoint, ProbeResult]:
    """Score a checkpoint's network behind every normaliser on the first labelled images; the best one, and the scores.

    One draw of noise an image, the same for every normaliser.
    """
    tried = {kind: load(path, replace(hints, normalizer=kind)) for kind in Normalizer}
    some = images.every(max(1, len(images) // IMAGES), IMAGES)
    scores = ProbeResult({kind: _accuracy(found, some, sigma) for kind, found in tried.items()}, len(some), sigma)
    why = f"by a probe: {scores}" + ("; too close to tell" if scores.close else "")
    return replace(tried[scores.best], why=why), scores


@torch.inference_mode()
def _accuracy(checkpoint: Checkpoint, images: ImageSet, sigma: float) -> float:
    generator = torch.Generator().manual_seed(0)
    correct = 0
    for start in range(0, len(images), BATCH):
        rows = range(start, min(start + BATCH, len(images)))
        x = torch.stack([torch.from_numpy(images.image(row)) for row in rows])
        x += sigma * torch.randn(x.shape, generator=generator)
        correct += int((_answers(checkpoint, x).numpy() == images.label[list(rows)]).sum())
    return 100 * correct / len(images)


def _answers(checkpoint: Checkpoint, x: torch.Tensor) -> torch.Tensor:
    try:
        return checkpoint.network(x).argmax(1)
    except (RuntimeError, IndexError, AttributeError, torch.jit.Error) as error:
        raise AcesError(
            f"{checkpoint.card.name} cannot read images of shape {tuple(x.shape[1:])}: {last_line(error)}"
        ) from error
