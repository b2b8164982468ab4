"""The architectures that can be built by name, and the normalisation that every network carries inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.datasets import DatasetCard, card
from engine.errors import AcesError
from engine.models.resnet import CifarResNet


@dataclass(frozen=True)
class Architecture:
    """How to build one body: ``build(num_classes, channels)`` maps normalised images to logits."""

    name: str
    build: Callable[[int, int], nn.Module]
    paper: str
    about: str


def _cifar_resnet(depth: int, width: int, about: str) -> Architecture:
    n, rest = divmod(depth - 2, 6)
    assert rest == 0, depth
    name = f"resnet{depth}" if width == 16 else f"resnet{depth}-w{width}"
    return Architecture(
        name,
        lambda num_classes, channels: CifarResNet(n, num_classes, channels, width),
        "He et al. 2016",
        about,
    )


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        _cifar_resnet(8, 16, "78k parameters; the demo's certification networks"),
        _cifar_resnet(14, 16, "175k parameters"),
        _cifar_resnet(20, 16, "272k parameters; the demo's core network"),
        _cifar_resnet(110, 16, "1.73M parameters; the paper's CIFAR-10 certification network"),
    )
}


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


class Network(nn.Module):
    """Normalisation and body: images in [0, 1] [B, C, H, W] -> logits [B, m]."""

    def __init__(self, normalize: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.normalize = normalize
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.normalize(x))


def build(architecture: str, dataset: str, outputs: int | None = None) -> Network:
    """An untrained network for a dataset, with an output a class unless ``outputs`` says how many.

    Raises ``AcesError`` on an unknown name, listing the known ones.
    """
    if architecture not in ARCHITECTURES:
        raise AcesError(f"unknown architecture '{architecture}'; known: {', '.join(ARCHITECTURES)}")
    data: DatasetCard = card(dataset)
    body = ARCHITECTURES[architecture].build(outputs or data.num_classes, data.shape[0])
    return Network(Normalize(data.mean, data.std), body)
