"""Checkpoints as the field publishes them, fabricated key by key."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.datasets import ImageSet
from engine.models import Hints, load
from engine.models.resnet import CifarResNet

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LANET_MEAN, LANET_STD = (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768)
ONES = (1.0, 1.0, 1.0)


class First(nn.Module):
    """The normaliser of the smoothing repositories: its constants are plain attributes, in no state dict."""

    def __init__(self, mean=(0.0, 0.0, 0.0), std=ONES) -> None:
        super().__init__()
        self.means, self.sds = torch.tensor(mean), torch.tensor(std)

    def forward(self, x):
        return (x - self.means.view(-1, 1, 1)) / self.sds.view(-1, 1, 1)


def lively(net: nn.Module) -> nn.Module:
    """Give batch norms statistics of their own: at their defaults a wrong order would go unseen."""
    generator = torch.Generator().manual_seed(1)
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
        elif name.endswith("running_var"):
            value.copy_(0.8 + 0.4 * torch.rand(value.shape, generator=generator))
    return net.eval()


def cohen(path: Path, net: nn.Module, arch: str, **changes) -> Path:
    """The four keys that Cohen, Salman, Consistency and the ACES authors save."""
    momentum = {"state": {94_000: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return saved(path, {"epoch": 90, "arch": arch, "state_dict": net.state_dict(), "optimizer": momentum, **changes})


def saved(path: Path, data: object, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(data, path, **options)
    return path


def same_answers(path: Path, original: nn.Module, hints: Hints | None = None, size: int = 32):
    """The checkpoint, whose logits must be the original's to the last bit."""
    checkpoint = load(path, hints or Hints())
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = original(x), checkpoint.network(x)
    assert expected.std() > 1e-3
    assert torch.equal(found, expected)
    return checkpoint


def resnet110(classes: int = 10) -> nn.Module:
    return lively(CifarResNet(18, classes))


def bright_or_dark(n: int = 60) -> ImageSet:
    """Two classes of bright images that a threshold tells apart, exactly where the normaliser is the right one."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    images = (180 + 40 * label[:, None, None, None] + rng.integers(-5, 6, (n, 3, 32, 32))).astype(np.uint8)
    return ImageSet("cifar10", "test", np.arange(n), label, images)


def threshold_at(value: float) -> nn.Module:
    """Says 1 where what it sees is above ``value`` on average, among ten classes."""
    net = CifarLike()
    with torch.no_grad():
        net.fc.weight.zero_()
        net.fc.bias.fill_(-1e3)
        net.fc.weight[1], net.fc.bias[0], net.fc.bias[1] = 1.0, 0.0, -3 * value
    return net


class CifarLike(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 10)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


def tiny() -> nn.Module:
    """A network that a user might bring."""
    torch.manual_seed(3)
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 10))


def weights() -> dict[str, torch.Tensor]:
    return dict(CifarResNet(1, 10).state_dict())


@cache
def resnet20() -> nn.Module:
    torch.manual_seed(20)
    return lively(CifarResNet(3, 10))


def weights20() -> dict[str, torch.Tensor]:
    """The same ones at every call, of a network that reads colour images as its architecture's dataset has them."""
    return {name: tensor.clone() for name, tensor in resnet20().state_dict().items()}


CARD = {"name": "n", "architecture": "resnet8", "dataset": "toy", "training": "gaussian", "sigma_train": 0.25}
