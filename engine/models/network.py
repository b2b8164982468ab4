"""A network: a normaliser and a body. Callers pass images in [0, 1], so that radii are in pixel units."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor, nn


class Normalizer(StrEnum):
    """What is done to an image in [0, 1] first: (x - mean) / std, x - mean (InputCenter, Salman et al.), or nothing."""

    NORMALIZE = "normalize"
    CENTER = "center"
    NONE = "none"


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


def normalizer(kind: Normalizer, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """The first layer of that kind."""
    if kind is Normalizer.NONE:
        return nn.Identity()
    return Normalize(mean, std if kind is Normalizer.NORMALIZE else [1.0] * len(mean))


class Network(nn.Module):
    """Normalisation and body: images in [0, 1] [B, C, H, W] -> logits [B, m]."""

    def __init__(self, normalize: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.normalize = normalize
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.normalize(x))
