"""A network: a normaliser and a body. Callers pass images in [0, 1], so that radii are in pixel units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from engine.errors import AcesError


class Normalizer(StrEnum):
    """What is done to an image in [0, 1] first: (x - mean) / std, x - mean (InputCenter, Salman et al.), or nothing."""

    NORMALIZE = "normalize"
    CENTER = "center"
    NONE = "none"


@dataclass(frozen=True)
class Constants:
    """(x - mean) / std with numbers that are named: one for every channel, or one for all.

    Raises ``AcesError`` for what no image could be normalised with.

    >>> str(Constants((0.5,), (0.5,)))
    '0.5/0.5'
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (*self.mean, *self.std))
        if not (self.mean and self.std and finite and all(value > 0 for value in self.std)):
            raise AcesError(f"normalizer {self}: a mean is a number, and a deviation one above 0, for each channel")

    def __str__(self) -> str:
        return "/".join(",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))

    def of(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of so many channels. Raises ``AcesError`` where there are others."""
        if not {len(self.mean), len(self.std)} <= {1, channels}:
            raise AcesError(f"normalizer {self} is for {len(self.mean)} channels; the images have {channels}")
        return self.mean * (channels // len(self.mean)), self.std * (channels // len(self.std))


def read_normalizer(text: str) -> Normalizer | Constants:
    """A normaliser as a command line has it: its name, or ``MEAN/STD``. Raises ``AcesError`` for others.

    >>> read_normalizer("0.485,0.456,0.406/0.229,0.224,0.225").std
    (0.229, 0.224, 0.225)
    """
    if text in list(Normalizer):
        return Normalizer(text)
    try:
        mean, std = (tuple(float(value) for value in part.split(",")) for part in text.split("/"))
    except ValueError:
        raise AcesError(
            f"unknown normalizer {text[:60]!r}; known: {', '.join(Normalizer)}, or MEAN/STD, such as 0.5/0.5"
        ) from None
    return Constants(mean, std)


class Normalize(nn.Module):
    """(x - mean) / std per channel, for x in [0, 1]. Inside the network, because noise is added to x itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def normalizer(kind: Normalizer | Constants, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """The first layer of that kind; ``mean`` and ``std`` are the dataset's, for those that name none."""
    if kind is Normalizer.NONE:
        return nn.Identity()
    if isinstance(kind, Constants):
        return Normalize(*kind.of(len(mean)))
    return Normalize(mean, std if kind is Normalizer.NORMALIZE else [1.0] * len(mean))


class Network(nn.Module):
    """Normalisation and body: images in [0, 1] [B, C, H, W] -> logits [B, m]."""

    def __init__(self, normalize: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.normalize = normalize
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.normalize(x))
